/** Something that can be drawn later. */
export interface Painted {
  paint(): void;
}

/** Shortest time between two drawings of one thing; longer if more than `few` wait. ms */
const every = 400;
const few = 8;
/** Longest time that drawing takes of a frame; one thing is always drawn. ms */
const budget = 8;
/** Drawing takes at most one part in so many of all time. */
const share = 6;
/**
 * How long drawing waits for a frame in which numbers change anyway: a frame of its own costs
 * another layout. ms
 */
const patience = 120;

/**
 * Draws a few things a frame, so that no frame is long and the page stays responsive however many
 * charts change. Numbers do not wait for it: they are updated as they come.
 */
export class Painter {
  readonly #due = new Map<Painted, number>(); // the time from which it may be drawn
  readonly #last = new WeakMap<Painted, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #rested = 0; // the time from which drawing may continue

  add(p: Painted): void {
    const rest = every * Math.max(1, this.#due.size / few);
    if (!this.#due.has(p)) this.#due.set(p, (this.#last.get(p) ?? -rest) + rest);
    this.#arm();
  }

  /** Draws at once. */
  now(p: Painted): void {
    this.#due.delete(p);
    this.#last.set(p, performance.now());
    p.paint();
  }

  /** Draws what is due. Code that changes the page calls it, so that both happen in one frame. */
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

  /** Sets a timer that draws what is due if no change does it earlier. */
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
