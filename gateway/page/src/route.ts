/** A view of the page. Every view has an address of its own, which survives a reload. */
export interface Route {
  /** The dashboard; undefined: the list. */
  dashboard?: string;
  tenant: string;
  view: "charts" | "tables";
  /** The search text of the list. */
  search: string;
}

const defaultTenant = "default";

export function readRoute(at: { pathname: string; search: string } = location): Route {
  const q = new URLSearchParams(at.search);
  const route: Route = {
    tenant: q.get("tenant") || defaultTenant,
    view: q.get("view") === "tables" ? "tables" : "charts",
    search: q.get("q") ?? "",
  };
  const id = /^\/d\/([^/]+)$/.exec(at.pathname);
  if (id) {
    try {
      route.dashboard = decodeURIComponent(id[1]);
    } catch {
      route.dashboard = id[1];
    }
  }
  return route;
}

export function address(r: Partial<Route>): string {
  const q = new URLSearchParams();
  if (r.tenant && r.tenant !== defaultTenant) q.set("tenant", r.tenant);
  if (r.view === "tables") q.set("view", r.view);
  if (!r.dashboard && r.search) q.set("q", r.search);
  const query = q.toString();
  return (r.dashboard ? `/d/${encodeURIComponent(r.dashboard)}` : "/") + (query && `?${query}`);
}

/** Changes the address without navigation. */
export function replaceRoute(r: Partial<Route>): void {
  history.replaceState(null, "", address(r));
}

/** Calls `go` at every navigation within the page: its own links, back and forward. */
export function onRoute(go: () => void): void {
  addEventListener("popstate", go);
  document.addEventListener("click", (e) => {
    if (e.defaultPrevented || e.button || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
    const a = (e.target as Element).closest("a");
    if (!a || a.origin !== location.origin || a.target || a.hash || !isOwn(a.pathname)) return;
    e.preventDefault();
    if (a.href !== location.href) history.pushState(null, "", a.href);
    go();
    scrollTo(0, 0);
  });
}

function isOwn(path: string): boolean {
  return path === "/" || /^\/d\/[^/]+$/.test(path);
}
