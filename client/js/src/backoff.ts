const floor = 1_000;
const ceiling = 30_000;

/**
 * Counts failed attempts and chooses the wait before the next: a random time of up to 1 s, 2 s, 4 s
 * … 30 s, so that clients that failed together do not return together.
 */
export class Backoff {
  attempts = 0;

  /** ms before the next attempt; a longer `after`, which the server gave, wins. */
  next(after = 0): number {
    const upTo = Math.min(ceiling, floor * 2 ** Math.min(this.attempts, 10));
    this.attempts++;
    return Math.max(after, Math.random() * upTo);
  }

  reset(): void {
    this.attempts = 0;
  }
}

/** The longest wait, ms. */
export const maxBackoff = ceiling;
