/**
 * What the platform reports about the page: whether it is visible and whether there is a network.
 */
export interface Surroundings {
  hidden: boolean;
  offline: boolean;
}

interface Listening {
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
}

/** Without a page (a worker, Node) it counts as visible. */
export function surroundings(): Surroundings {
  const g = globalThis as { document?: { visibilityState?: string }; navigator?: { onLine?: boolean } };
  return { hidden: g.document?.visibilityState === "hidden", offline: g.navigator?.onLine === false };
}

/** Calls the handlers on the platform's events; returns a function that removes them. */
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
