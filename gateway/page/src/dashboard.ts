import type { Client, ErrorEvent, Subscription } from "../../../client/js/src/index.js";
import { Card } from "./card.js";
import { CountersView } from "./counters.js";
import { DefinitionView } from "./definition.js";
import { attribute, h, show, text } from "./dom.js";
import { freshness, lagWords } from "./freshness.js";
import { firstEvent, notAllowed, notice, notSeen } from "./notice.js";
import { Painter } from "./painter.js";
import { list, Refused } from "./reading.js";
import { address, replaceRoute, type Route } from "./route.js";
import { onTheme } from "./theme.js";
import { clockSeconds, valueWords } from "./words.js";

/** How often texts that depend on the clock are updated. ms */
const tick = 500;
/**
 * With more visible panels than this, numbers change at most once in `pace` ms: each change lays
 * all of them out.
 */
const many = 8;
const pace = 80;
/** How much longer they wait for the next update, whose frame comes anyway. ms */
const grace = 30;
const noEpoch = "00000000";

/** One dashboard: how fresh it is, its panels, its counters and its definition. */
export class DashboardView {
  readonly element = h("article", { class: "dashboard" });
  readonly #client: Client;
  readonly #route: Route & { dashboard: string };
  readonly #subscription: Subscription;
  readonly #painter = new Painter();
  readonly #seen: IntersectionObserver;
  readonly #byElement = new WeakMap<Element, Card>();
  readonly #counters: CountersView;
  readonly #definition: DefinitionView;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #ends: (() => void)[] = [];
  #cards: Card[] = [];
  #changed = 0; // unix ms
  readonly #touched = new Set<number>(); // panels whose numbers have to be updated
  #flushed = 0;
  #flushing: ReturnType<typeof setTimeout> | undefined;
  #refused: ErrorEvent | undefined;
  #denied: string | undefined; // why the handshake was refused
  #closed = false;

  readonly #title = h("h1", { tabindex: "-1" });
  readonly #state = h("strong", { class: "state" });
  readonly #sentence = h("span", { class: "sentence" });
  // for screen readers: changes only with the state
  readonly #said = h("p", { class: "aside", role: "status" });
  readonly #version = h("dd");
  readonly #lag = h("dd");
  readonly #time = h("dd");
  readonly #notice = h("div", {});
  readonly #panels = h("div", { class: "panels" });
  readonly #charts = h("button", { type: "button" }, "Charts");
  readonly #tables = h("button", { type: "button" }, "Tables");

  constructor(client: Client, route: Route & { dashboard: string }) {
    this.#client = client;
    this.#route = route;
    this.#seen = new IntersectionObserver((seen) => {
      for (const e of seen) {
        const card = this.#byElement.get(e.target);
        if (card) card.visible = e.isIntersecting;
      }
    }, { rootMargin: "100px" });
    this.#subscription = client.subscribe({ dashboard: route.dashboard, tenant: route.tenant });
    this.#counters = new CountersView(this.#subscription, (r) => {
      const overflow = new Map(r.schema.map((p) => [p.panel, p.overflow?.groups]));
      for (const c of this.#cards) c.count(Object.hasOwn(r.counters.panels, c.id) ? r.counters.panels[c.id] : undefined, overflow.get(c.id));
    });
    this.#definition = new DefinitionView(route.tenant, route.dashboard);
    this.#build();
    this.#listen();
    this.#timer = setInterval(() => this.#fresh(), tick);
    const print = () => this.#cards.forEach((c) => (c.visible = true));
    addEventListener("beforeprint", print);
    this.#ends.push(() => removeEventListener("beforeprint", print));
    this.#ends.push(onTheme(() => this.#cards.forEach((c) => c.redraw())));
    this.#fresh();
  }

  /** The element that gets the focus after navigation to this view. */
  get focus(): HTMLElement {
    return this.#title;
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#flushing);
    this.#subscription.close();
    this.#counters.close();
    this.#painter.clear();
    this.#seen.disconnect();
    this.#cards.forEach((c) => c.destroy());
    this.#ends.forEach((end) => end());
  }

  #build(): void {
    const { dashboard, tenant } = this.#route;
    this.#named(dashboard);
    for (const [button, view] of [[this.#charts, "charts"], [this.#tables, "tables"]] as const) {
      button.addEventListener("click", () => this.#turn(view));
      attribute(button, "aria-pressed", String(this.#route.view === view));
    }
    const fact = (name: string, value: HTMLElement) => h("div", {}, h("dt", {}, name), value);
    this.element.append(
      h("nav", { class: "way", "aria-label": "Way" }, h("a", { href: address({ tenant }) }, "Dashboards"), h("span", { "aria-hidden": "true" }, "/"),
        h("span", { class: "id" }, tenant === "default" ? dashboard : `${tenant} / ${dashboard}`)),
      h("div", { class: "head" }, this.#title,
        h("div", { class: "views", role: "group", "aria-label": "Show panels as" }, this.#charts, this.#tables)),
      h("div", { class: "fresh" },
        h("p", { class: "how" }, this.#state, " ", this.#sentence),
        h("dl", {}, fact("Version", this.#version), fact("Lag", this.#lag), fact("Log time (UTC)", this.#time))),
      this.#said, this.#notice, this.#panels, this.#counters.element, this.#definition.element);
  }

  #listen(): void {
    const s = this.#subscription;
    s.on("snapshot", () => {
      if (s.epoch !== noEpoch) this.#change();
      this.#lay();
      this.#name();
      this.#definition.changed();
    });
    s.on("update", (e) => {
      if (e.changed.length || e.removed.length) this.#change();
      for (const i of e.panels) this.#touched.add(i);
      const rest = this.#cards.filter((c) => c.visible).length > many ? this.#flushed + pace - performance.now() : 0;
      if (rest <= 0) this.#flush();
      else this.#flushing ??= setTimeout(() => this.#flush(), Math.min(pace, rest + grace));
      this.#counters.soon();
    });
    for (const type of ["status", "connection", "gap"] as const) s.on(type, () => this.#fresh());
    s.on("connection", (e) => {
      if (e.state === "open") this.#denied = undefined;
      else if (e.state === "waiting") void this.#ask();
    });
    s.on("error", (e) => {
      if (e.ended) this.#refused = e;
      this.#fresh();
    });
    this.#refused = s.refused;
  }

  /** Updates the numbers and their version. */
  #flush(): void {
    clearTimeout(this.#flushing);
    this.#flushing = undefined;
    this.#flushed = performance.now();
    for (const i of this.#touched) this.#cards[i]?.changed();
    this.#touched.clear();
    this.#facts();
    this.#painter.tick();
  }

  #change(): void {
    const before = this.#changed;
    this.#changed = Date.now();
    if (this.#changed - before > tick) this.#fresh();
  }

  /** Shows the panels of a snapshot: a card that still fits is kept, with the viewer's choices. */
  #lay(): void {
    const old = new Map(this.#cards.map((c) => [c.id, c]));
    this.#cards = this.#subscription.panels.map((p) => {
      const kept = old.get(p.panel);
      if (kept?.fits(p)) {
        old.delete(p.panel);
        kept.describe(p);
        return kept;
      }
      const card = new Card(p, this.#route.view, this.#painter);
      this.#byElement.set(card.element, card);
      this.#seen.observe(card.element);
      return card;
    });
    for (const c of old.values()) {
      this.#seen.unobserve(c.element);
      c.destroy();
    }
    this.#cards.forEach((c, i) => {
      if (this.#panels.children[i] !== c.element) this.#panels.insertBefore(c.element, this.#panels.children[i] ?? null);
    });
    this.#counters.now();
    this.#fresh();
  }

  #turn(view: Route["view"]): void {
    this.#route.view = view;
    replaceRoute(this.#route);
    attribute(this.#charts, "aria-pressed", String(view === "charts"));
    attribute(this.#tables, "aria-pressed", String(view === "tables"));
    for (const c of this.#cards) c.view = view;
  }

  /** Reads the definition's title from the list. */
  async #name(): Promise<void> {
    const { tenant, dashboard } = this.#route;
    try {
      const found = (await list(tenant, dashboard, undefined, undefined, 1)).dashboards.find((d) => d.dashboard === dashboard);
      if (!this.#closed) this.#named(found?.title || dashboard);
    } catch { /* the name will do */ }
  }

  /** Asks by HTTP why a WebSocket's handshake was refused: browsers do not tell. */
  async #ask(): Promise<void> {
    const { tenant, dashboard } = this.#route;
    try {
      await list(tenant, dashboard, undefined, undefined, 1);
    } catch (e) {
      if (!(e instanceof Refused) || !(notAllowed(e.code) || notAllowed(e.status)) || this.#client.connection.state === "open") return;
      this.#denied = e.message;
      if (!this.#closed) this.#fresh();
    }
  }

  #named(title: string): void {
    text(this.#title, title);
    document.title = `${title} · Dashfeed`;
  }

  #facts(): void {
    const s = this.#subscription;
    text(this.#version, s.ready ? valueWords(s.version) : "–");
    attribute(this.element, "data-version", s.ready ? `${s.epoch}:${s.version}` : undefined);
    text(this.#lag, s.ready ? lagWords(s.status) : "–");
    text(this.#time, s.time ? clockSeconds(s.time) : "–");
  }

  #fresh(): void {
    const s = this.#subscription;
    const said = freshness({
      connection: this.#client.connection, status: s.status, ready: s.ready, heard: this.#client.heard,
      changed: this.#changed, version: s.version, refused: this.#refused?.message, now: Date.now(),
    });
    attribute(this.#state, "class", `state ${said.tone}`);
    text(this.#state, said.label);
    text(this.#sentence, said.sentence);
    text(this.#said, said.tone === "good" ? "The numbers are live." : `The numbers are not live: ${said.label}.`);
    attribute(this.element, "data-state", said.label);
    attribute(this.#panels, "class", `panels${s.ready && said.tone === "bad" ? " old" : ""}`);
    this.#flush();
    this.#tell();
  }

  /** Shows a notice in place of the panels if there are none. */
  #tell(): void {
    const s = this.#subscription;
    const r = this.#refused;
    const { dashboard } = this.#route;
    let words: Parameters<typeof notice>[1];
    if (r && notAllowed(r.code)) words = ["denied", "Not allowed", `You have no access to this dashboard: ${r.message}.`];
    else if (r && notSeen(r.code)) words = ["denied", "Not found, or not allowed", "There is no dashboard of this name, or you have no access to it."];
    else if (this.#denied !== undefined) words = ["denied", "Not allowed", `You have no access to this dashboard: ${this.#denied}. The page tries again by itself.`];
    else if (r && !s.ready) words = ["error", "This dashboard cannot be shown", `The server answered: ${r.message}.`];
    else if (!s.ready) words = ["loading", "Loading", "Waiting for the first numbers."];
    else if (s.epoch === noEpoch) {
      words = ["nothing", "No events yet", "Its panels appear with the first event:", firstEvent(dashboard)];
    } else if (!s.panels.length) words = ["nothing", "No panels", "The definition of this dashboard has no panels."];
    notice(this.#notice, words);
    show(this.#panels, words === undefined);
    show(this.#counters.element, words === undefined);
    show(this.#definition.element, s.ready && words?.[0] !== "denied");
  }
}
