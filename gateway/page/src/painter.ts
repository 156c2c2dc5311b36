/** What can be drawn when there is time for it. */
export interface Painted {
  paint(): void;
}

/** One thing is drawn at most this often; where more than `few` wait, less often. ms */
const every = 400;
const few = 8;
/** Drawing takes at most this long of a frame, but one thing is always drawn. ms */
const budget = 8;
/** Of the time that passes, drawing takes at most one part in so many. */
const share = 6;
/** How long what is due waits for a frame in which numbers change anyway: a frame of its own costs a layout more. ms */
const patience = 120;

/**
 * Draws what is due, a few things a frame, so that no frame is long and the page stays quick however many charts move.
 * Numbers don't wait for it: they are set as they come.
 */
export class Painter {
  readonly #due = new Map<Painted, number>(); // when it may be drawn
  readonly #last = new WeakMap<Painted, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #rested = 0; // when drawing may go on

  add(p: Painted): void {
    const rest = every * Math.max(1, this.#due.size / few);
    if (!this.#due.has(p)) this.#due.set(p, (this.#last.get(p) ?? -rest) + rest);
    this.#arm();
  }

  /** Draws now. */
  now(p: Painted): void {
    this.#due.delete(p);
    this.#last.set(p, performance.now());
    p.paint();
  }

  /** Draws what is due. Whoever changes the page calls it, so that both are one frame. */
  tick(): void {
    const began = performance.now();
    if (began < this.#rested) return;
    for (const [p, at] of [...this.#due].sort((a, b) => a[1] - b[1])) {
      if (at > began) break;
      this.now(p);
      if (performance.now() - began > budget) break;
    }
    const ended = performance.now();
    this.#rested = ended + (share - 1) * (ended - began);
  }

  delete(p: Painted): void {
    this.#due.delete(p);
  }

  clear(): void {
    this.#due.clear();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Sees to it that what is due is drawn where no change comes that would do it. */
  #arm(): void {
    if (this.#timer !== undefined || !this.#due.size) return;
    const first = Math.max(this.#rested, Math.min(...this.#due.values())) - performance.now();
    this.#timer = setTimeout(() => requestAnimationFrame(() => {
      this.#timer = undefined;
      this.tick();
      this.#arm();
    }), Math.max(0, first) + patience);
  }
}
