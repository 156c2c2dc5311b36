import { h, show, text } from "./dom.js";
import { firstEvent, notAllowed, notice } from "./notice.js";
import { list, Refused, type Listed, type Listing } from "./reading.js";
import { address, replaceRoute, type Route } from "./route.js";
import { ago, count, valueWords } from "./words.js";

/** How often the list is read while it is visible. ms */
const every = 3_000;
/** How long the page waits after a key before it asks the server. ms */
const rest = 150;
/** Number of dashboards shown, and added at each click. */
const step = 100;

interface Item {
  element: HTMLElement;
  link: HTMLAnchorElement;
  name: HTMLElement;
  facts: HTMLElement[];
}

/** The dashboards of a tenant, with search. */
export class ListView {
  readonly element: HTMLElement;
  readonly #route: Route;
  readonly #title = h("h1", { tabindex: "-1" }, "Dashboards");
  readonly #search = h("input", { type: "search", id: "search", autocomplete: "off", spellcheck: "false", placeholder: "name or title" });
  readonly #sum = h("p", { class: "measure", role: "status" });
  readonly #notice = h("div", {});
  readonly #list = h("ul", { class: "dashboards" });
  readonly #more = h("button", { type: "button", class: "more" });
  #shown = step;
  readonly #items = new Map<string, Item>();
  #abort: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #listing: Listing | undefined;
  #closed = false;
  #whole = false; // the listing has all dashboards, not only those that match the search

  constructor(route: Route) {
    this.#route = route;
    document.title = "Dashboards · Dashfeed";
    this.#search.value = route.search;
    const searching = h("form", { class: "search", role: "search" }, h("label", { for: "search" }, "Search"), this.#search);
    searching.addEventListener("submit", (e) => e.preventDefault());
    this.element = h("div", { class: "list" }, h("div", { class: "head" }, this.#title, searching), this.#sum, this.#notice, this.#list, this.#more);
    show(this.#more, false);
    this.#more.addEventListener("click", () => this.#further());
    this.#search.addEventListener("input", () => {
      this.#route.search = this.#search.value.trim();
      replaceRoute(this.#route);
      this.#shown = step;
      if (this.#whole) this.#draw();
      else this.#later(rest);
    });
    notice(this.#notice, ["loading", "Loading", "Asking the server for its dashboards."]);
    void this.#read();
  }

  get focus(): HTMLElement {
    return this.#title;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#abort?.abort();
    this.#closed = true;
  }

  #later(ms: number): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#read(), ms);
  }

  async #read(): Promise<void> {
    if (document.hidden && this.#listing) return this.#later(every);
    this.#abort?.abort();
    const abort = (this.#abort = new AbortController());
    try {
      // If one answer holds all dashboards, the page searches names and titles; else the server
      // searches beginnings of names.
      const whole = this.#whole || !this.#listing || !this.#route.search;
      let got = await list(this.#route.tenant, whole ? "" : this.#route.search, undefined, abort.signal);
      this.#whole = whole && got.next === null;
      if (whole && !this.#whole && this.#route.search) got = await list(this.#route.tenant, this.#route.search, undefined, abort.signal);
      const prefix = this.#whole || whole && !this.#route.search ? "" : this.#route.search;
      while (got.next !== null && got.dashboards.length < this.#shown) {
        const next = await list(this.#route.tenant, prefix, got.next, abort.signal);
        got = { ...next, dashboards: [...got.dashboards, ...next.dashboards] };
      }
      this.#listing = got;
      this.#draw();
    } catch (e) {
      if (abort.signal.aborted) return;
      this.#refused(e);
    }
    this.#later(every);
  }

  #refused(e: unknown): void {
    const r = e instanceof Refused ? e : new Refused(0, 0, String(e));
    if (notAllowed(r.code) || notAllowed(r.status)) {
      this.#show([]);
      show(this.#more, false);
      text(this.#sum, "");
      return notice(this.#notice, ["denied", "Not allowed", `You have no access to these dashboards: ${r.message}.`]);
    }
    notice(this.#notice, ["error", "The list cannot be read", `${capital(r.message)}; trying again every few seconds.${this.#listing ? " The list below is old." : ""}`]);
  }

  #draw(): void {
    const { dashboards, next } = this.#listing!;
    const words = this.#route.search.toLowerCase();
    const found = this.#whole && words ? dashboards.filter((d) => `${d.dashboard}\n${d.title}`.toLowerCase().includes(words)) : dashboards;
    this.#show(found.slice(0, this.#shown));
    const all = next === null ? count(found.length, "dashboard") : `more than ${count(found.length, "dashboard")}`;
    const rest = next !== null || found.length > this.#shown;
    const hint = next === null ? "" : "; the search matches beginnings of names";
    const of = this.#route.tenant === "default" ? "" : ` of ${this.#route.tenant}`;
    text(this.#sum, found.length ? `${rest ? `The first ${valueWords(Math.min(found.length, this.#shown))} of ` : ""}${all}${of}${hint}` : "");
    text(this.#more, `Show ${next === null ? Math.min(step, found.length - this.#shown) : step} more`);
    show(this.#more, rest);
    if (found.length) notice(this.#notice, undefined);
    else if (this.#route.search) notice(this.#notice, ["nothing", "Nothing found", `No dashboard's ${this.#whole ? "name or title contains" : "name begins with"} “${this.#route.search}”.`]);
    else notice(this.#notice, ["nothing", "No dashboards yet", "A dashboard appears with its first event:", firstEvent("checkout")]);
  }

  /** Shows more; the focus moves to the first of them. */
  async #further(): Promise<void> {
    const first = this.#shown;
    this.#shown += step;
    if (this.#listing && this.#listing.next !== null && this.#listing.dashboards.length < this.#shown) await this.#read();
    else this.#draw();
    this.#list.children[first]?.querySelector("a")?.focus();
  }

  #show(found: Listed[]): void {
    const gone = new Map(this.#items);
    found.forEach((d, i) => {
      gone.delete(d.dashboard);
      const item = this.#items.get(d.dashboard) ?? this.#add(d.dashboard);
      text(item.link, d.title || d.dashboard);
      text(item.name, d.dashboard);
      show(item.name, !!d.title && d.title !== d.dashboard);
      const at = this.#listing!.at;
      [count(d.panels, "panel"), d.sessions ? count(d.sessions, "viewer") : "no viewers", d.time ? `last record ${ago(at - d.time)}` : "no record yet", `version ${valueWords(d.version)}`]
        .forEach((words, j) => text(item.facts[j], words));
      if (this.#list.children[i] !== item.element) this.#list.insertBefore(item.element, this.#list.children[i] ?? null);
    });
    for (const [name, item] of gone) {
      item.element.remove();
      this.#items.delete(name);
    }
  }

  #add(dashboard: string): Item {
    const link = h("a", { href: address({ dashboard, tenant: this.#route.tenant }) });
    const name = h("span", { class: "id" });
    const facts = [0, 1, 2, 3].map(() => h("span"));
    const item = { element: h("li", {}, h("div", {}, link, name), h("p", { class: "facts" }, ...facts)), link, name, facts };
    this.#items.set(dashboard, item);
    return item;
  }
}

function capital(s: string): string {
  return s.charAt(0).toUpperCase() + s.slice(1);
}
