import type { Panel } from "../../../client/js/src/index.js";
import { Bars } from "./bars.js";
import { attribute, h, show, text } from "./dom.js";
import { drawable, kindOf, type Kind } from "./groups.js";
import { Lines } from "./lines.js";
import type { Painted, Painter } from "./painter.js";
import type { PanelCounters } from "./reading.js";
import { Spans } from "./spans.js";
import { Table } from "./table.js";
import { count, measures } from "./words.js";

/** A chart or a table of one panel. */
interface Body {
  readonly element: HTMLElement;
  /** Number of groups or rows that are not shown. */
  readonly left: number;
  draw(p: Panel, column: number): void;
  numbers(p: Panel, column: number): void;
  redraw(): void;
  destroy(): void;
}

let ids = 0;

/**
 * One panel on the page: title, what it measures, chart or table, and its late events and overflow.
 */
export class Card implements Painted {
  readonly element: HTMLElement;
  readonly #title: HTMLElement;
  readonly #measure = h("p", { class: "measure" });
  readonly #column = h("select", {});
  readonly #columnLabel: HTMLElement;
  readonly #body = h("div", { class: "body" });
  readonly #empty = h("p", { class: "empty" }, "No windows yet: no event has matched this panel.");
  readonly #left = h("p", { class: "left" });
  readonly #counters = h("ul", { class: "counters" });
  readonly #painter: Painter;
  #panel: Panel;
  #view: "charts" | "tables";
  #chart: Body | undefined;
  #kind: Kind | undefined;
  #visible = false;
  #stale = true; // the card shows older rows than the panel has
  #counted: PanelCounters | undefined;
  #overflowKeys: number | undefined;

  constructor(panel: Panel, view: "charts" | "tables", painter: Painter) {
    this.#panel = panel;
    this.#view = view;
    this.#painter = painter;
    const id = `panel-${++ids}`;
    this.#title = h("h2", { id });
    const select = `column-${ids}`;
    this.#column.id = select;
    this.#columnLabel = h("label", { for: select, class: "column" }, h("span", {}, "Show"), this.#column);
    this.#column.addEventListener("change", () => this.#painter.now(this));
    this.element = h("section", { class: "card", "aria-labelledby": id },
      h("header", {}, h("div", {}, this.#title, this.#measure), this.#columnLabel),
      this.#empty, this.#body, this.#left, this.#counters);
    show(this.#empty, false);
    show(this.#left, false);
    this.describe(panel);
  }

  /** Whether this card can show that panel and keep the viewer's choices. */
  fits(p: Panel): boolean {
    const own = this.#panel;
    return p.panel === own.panel && String(p.columns) === String(own.columns) && String(p.groupBy) === String(own.groupBy) &&
      JSON.stringify(p.window) === JSON.stringify(own.window);
  }

  /** Takes the panel's new object after a snapshot. */
  describe(p: Panel): void {
    this.#panel = p;
    text(this.#title, p.title || p.panel);
    text(this.#measure, measures(p));
    attribute(this.element, "data-panel", p.panel);
    const columns = drawable(p);
    if (this.#column.options.length !== columns.length) {
      this.#column.replaceChildren(...columns.map((c) => h("option", { value: String(c) }, p.columns[c])));
    }
    this.#show();
    this.changed();
  }

  get id(): string {
    return this.#panel.panel;
  }

  get view(): "charts" | "tables" {
    return this.#view;
  }

  set view(v: "charts" | "tables") {
    this.#view = v;
    this.#chart?.destroy();
    this.#chart = undefined;
    this.#show();
    this.#stale = true;
    if (this.#visible) this.#painter.now(this);
  }

  /** Whether the card is on the screen: others are not drawn. */
  get visible(): boolean {
    return this.#visible;
  }

  set visible(v: boolean) {
    this.#visible = v;
    if (v && this.#stale) this.#painter.now(this);
  }

  /** Handles changed rows: updates the numbers now, and draws later. */
  changed(): void {
    this.#stale = true;
    if (!this.#visible) return;
    this.#chart?.numbers(this.#panel, this.#at());
    this.#painter.add(this);
  }

  paint(): void {
    if (!this.#visible) return;
    this.#stale = false;
    const p = this.#panel;
    show(this.#empty, p.size === 0);
    show(this.#body, p.size > 0);
    if (p.size === 0) return;
    const chart = this.#chart ?? this.#make();
    chart.draw(p, this.#at());
    const noun = this.#view === "tables" ? "row" : "group";
    text(this.#left, chart.left ? `${count(chart.left, noun)} more: ${this.#view === "tables" ? "the button above shows them" : "the table has all"}.` : "");
    show(this.#left, chart.left > 0 && this.#view === "charts");
    if (this.#view === "charts") attribute(chart.element, "aria-label", `${p.title || p.panel}: ${p.columns[this.#at()]}, ${measures(p)}`);
  }

  /** Handles changed colours. */
  redraw(): void {
    this.#chart?.redraw();
  }

  /** Shows late events and overflow. */
  count(c: PanelCounters | undefined, overflowKeys: number | undefined): void {
    this.#counted = c;
    this.#overflowKeys = overflowKeys;
    this.#counts();
  }

  destroy(): void {
    this.#painter.delete(this);
    this.#chart?.destroy();
    this.element.remove();
  }

  #at(): number {
    return Number(this.#column.value) || 0;
  }

  #make(): Body {
    this.#kind = kindOf(this.#panel);
    this.#chart = this.#view === "tables" ? new Table(this.#panel, this.#title.id)
      : this.#kind === "bars" ? new Bars() : this.#kind === "spans" ? new Spans() : new Lines();
    if (this.#view === "charts") attribute(this.#chart.element, "role", "group");
    this.#body.replaceChildren(this.#chart.element);
    attribute(this.#body, "class", `body ${this.#view === "tables" ? "table" : this.#kind}`);
    return this.#chart;
  }

  #show(): void {
    show(this.#columnLabel, this.#view === "charts" && this.#column.options.length > 1);
  }

  #counts(): void {
    const c = this.#counted;
    const keys = this.#overflowKeys ?? this.#panel.overflow?.groups;
    const said: [string, boolean][] = c ? [
      [`${count(c.late_accepted, "late event")} counted`, c.late_accepted > 0],
      [`${count(c.late_dropped, "event")} dropped as too late`, c.late_dropped > 0],
      [`${count(c.filtered_reasons?.cost ?? 0, "event")} left out: too large for the filter`, (c.filtered_reasons?.cost ?? 0) > 0],
      [`${count(c.overflowed, "event")} of ${keys ? `about ${count(keys, "key")}` : "keys"} beyond the limit, counted together`, c.overflowed > 0],
      [`${count(c.unsampled, "event")} beyond the samples`, c.unsampled > 0],
    ] : [];
    const on = said.filter(([, on]) => on);
    const lines = c ? (on.length ? on.map(([s]) => s) : ["no late events, no overflow"]) : [];
    attribute(this.#counters, "class", on.length ? "counters some" : "counters");
    lines.forEach((s, i) => text(this.#counters.children[i] ?? this.#counters.appendChild(h("li")), s));
    while (this.#counters.children.length > lines.length) this.#counters.lastElementChild!.remove();
    show(this.#counters, lines.length > 0);
  }
}
