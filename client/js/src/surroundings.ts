/** What the platform tells about the page: whether it is seen and whether there is a network. */
export interface Surroundings {
  hidden: boolean;
  offline: boolean;
}

interface Listening {
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
}

/** Where there is no page (a worker, Node) it is always seen. */
export function surroundings(): Surroundings {
  const g = globalThis as { document?: { visibilityState?: string }; navigator?: { onLine?: boolean } };
  return { hidden: g.document?.visibilityState === "hidden", offline: g.navigator?.onLine === false };
}

/** Calls on each of the platform's words; gives the function that ends it. */
export function listen(to: { visible(): void; hidden(): void; online(): void; offline(): void }): () => void {
  const g = globalThis as { document?: Listening } & Partial<Listening>;
  const ends: (() => void)[] = [];
  const hear = (target: Partial<Listening> | undefined, type: string, listener: () => void) => {
    if (!target?.addEventListener) return;
    target.addEventListener(type, listener);
    ends.push(() => target.removeEventListener?.(type, listener));
  };
  hear(g.document, "visibilitychange", () => (surroundings().hidden ? to.hidden() : to.visible()));
  hear(g.document, "resume", to.visible);
  hear(g, "pageshow", to.visible);
  hear(g, "online", to.online);
  hear(g, "offline", to.offline);
  return () => ends.forEach((end) => end());
}
