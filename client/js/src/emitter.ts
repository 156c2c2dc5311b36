/** Typed events. A listener that throws is reported and does not stop the others. */
export class Emitter<Events> {
  readonly #listeners = new Map<keyof Events, Set<(e: never) => void>>();

  /** Calls the listener at each event of that type until the returned function is called. */
  on<T extends keyof Events>(type: T, listener: (event: Events[T]) => void): () => void {
    let set = this.#listeners.get(type);
    if (!set) this.#listeners.set(type, (set = new Set()));
    const own = (e: Events[T]) => listener(e); // the same function added twice makes two listeners
    set.add(own);
    return () => void set.delete(own);
  }

  protected emit<T extends keyof Events>(type: T, event: Events[T]): void {
    for (const l of [...(this.#listeners.get(type) ?? [])]) {
      try {
        (l as (e: Events[T]) => void)(event);
      } catch (e) {
        queueMicrotask(() => {
          throw e; // uncaught, as in a listener of the platform
        });
      }
    }
  }

  protected silence(): void {
    this.#listeners.clear();
  }
}
