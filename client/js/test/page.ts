import { vi } from "vitest";

/**
 * The platform around a page: visible or not, with a network or not, with animation frames when the
 * test runs them.
 */
export class Page {
  readonly #document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  readonly #window = new EventTarget();
  readonly #navigator = { onLine: true };
  readonly #frames = new Map<number, () => void>();
  #ids = 0;

  constructor() {
    vi.stubGlobal("document", this.#document);
    vi.stubGlobal("navigator", this.#navigator);
    vi.stubGlobal("addEventListener", this.#window.addEventListener.bind(this.#window));
    vi.stubGlobal("removeEventListener", this.#window.removeEventListener.bind(this.#window));
    vi.stubGlobal("requestAnimationFrame", (run: () => void) => (this.#frames.set(++this.#ids, run), this.#ids));
    vi.stubGlobal("cancelAnimationFrame", (id: number) => this.#frames.delete(id));
  }

  show(visible: boolean): void {
    this.#document.visibilityState = visible ? "visible" : "hidden";
    this.#document.dispatchEvent(new Event("visibilitychange"));
  }

  network(there: boolean): void {
    this.#navigator.onLine = there;
    this.#window.dispatchEvent(new Event(there ? "online" : "offline"));
  }

  /** An animation frame. */
  frame(): void {
    const due = [...this.#frames.values()];
    this.#frames.clear();
    for (const run of due) run();
  }
}
