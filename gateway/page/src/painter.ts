/** What can be drawn when there is time for it. */
export interface Painted {
  paint(): void;
}

/** One thing is drawn at most this often. ms */
const every = 250;
/** Drawing takes at most this long of a frame, but one thing is always drawn. ms */
const budget = 8;

/**
 * Draws what is due, a few things a frame, so that no frame is long and the page stays quick however many charts move.
 * Numbers don't wait for it: they are set as they come.
 */
export class Painter {
  readonly #due = new Map<Painted, number>(); // when it may be drawn
  readonly #last = new WeakMap<Painted, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #frame = 0;

  add(p: Painted): void {
    if (this.#due.has(p)) return;
    this.#due.set(p, (this.#last.get(p) ?? -every) + every);
    this.#arm();
  }

  /** Draws now. */
  now(p: Painted): void {
    this.#due.delete(p);
    this.#last.set(p, performance.now());
    p.paint();
  }

  delete(p: Painted): void {
    this.#due.delete(p);
  }

  clear(): void {
    this.#due.clear();
    clearTimeout(this.#timer);
    cancelAnimationFrame(this.#frame);
    this.#timer = undefined;
    this.#frame = 0;
  }

  #arm(): void {
    if (this.#frame || this.#timer !== undefined || !this.#due.size) return;
    const wait = Math.min(...this.#due.values()) - performance.now();
    if (wait > 4) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#arm();
      }, wait);
    } else this.#frame = requestAnimationFrame(() => this.#paint());
  }

  #paint(): void {
    this.#frame = 0;
    const began = performance.now();
    for (const [p, at] of [...this.#due].sort((a, b) => a[1] - b[1])) {
      if (at > began + 4) break;
      this.now(p);
      if (performance.now() - began > budget) break;
    }
    this.#arm();
  }
}
