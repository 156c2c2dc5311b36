/** How long a flush waits for an animation frame: hidden pages get none. ms */
const withoutFrame = 250;

/** Runs `run` at the next animation frame, or in a timer if there is none. */
export function nextFrame(run: () => void): void {
  if (typeof requestAnimationFrame !== "function") {
    setTimeout(run, 0);
    return;
  }
  const once = () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    run();
  };
  const frame = requestAnimationFrame(once);
  const timer = setTimeout(once, withoutFrame);
}

/** Collects objects with something to report and flushes each once a frame. */
export class Batch {
  readonly #due = new Set<{ flush(): void }>();

  constructor(private readonly schedule: (run: () => void) => void) {}

  add(one: { flush(): void }): void {
    this.#due.add(one);
    if (this.#due.size === 1) {
      this.schedule(() => {
        const all = [...this.#due];
        this.#due.clear();
        for (const o of all) o.flush();
      });
    }
  }

  delete(one: { flush(): void }): void {
    this.#due.delete(one);
  }
}
