import type { Panel, Row } from "../../../client/js/src/index.js";
import { attribute, h, room, setData, show, text } from "./dom.js";
import { headline, keyOf, rowsAt } from "./groups.js";
import { mark } from "./legend.js";
import { cellWords, clockSeconds, day, endless, groupWords, isNewest, jsonWords, valueWords, windowWords } from "./words.js";

/** Greatest number of bars; the table has all groups. */
const most = 12;

interface Bar {
  key: string;
  item: HTMLElement;
  label: HTMLElement;
  more: HTMLElement;
  fill: HTMLElement;
  value: HTMLDataElement;
}

/**
 * A panel's column in one window: one bar a group, the greatest first. Partial windows have hatched
 * bars.
 */
export class Bars {
  readonly element: HTMLElement;
  readonly #window = h("span", { class: "window" });
  readonly #mark = h("span", { class: "mark" });
  readonly #of = h("p", { class: "of" }, this.#window, this.#mark);
  readonly #list = h("ol", { class: "bars" });
  #bars: Bar[] = [];
  left = 0;

  constructor() {
    this.element = h("div", { class: "chart" }, this.#of, this.#list);
  }

  /** Ranks the groups and draws them again. */
  draw(p: Panel, column: number): void {
    const rows = [...this.#rows(p).values()].sort((a, b) => number(b, column) - number(a, column) || (keyOf(a) < keyOf(b) ? -1 : 1));
    // The overflow group does not compete with single keys: it comes last.
    const ranked = [...rows.filter((r) => r.group !== null), ...rows.filter((r) => r.group === null)];
    const shown = ranked.length > most ? [...ranked.slice(0, most - 1), ranked.find((r, i) => i >= most - 1 && r.group === null) ?? ranked[most - 1]] : ranked;
    this.left = ranked.length - shown.length;
    attribute(this.#list, "class", shown.length === 1 && shown[0].group?.length === 0 ? "bars single" : "bars");
    while (this.#bars.length > shown.length) this.#bars.pop()!.item.remove();
    shown.forEach((r, i) => {
      const b = this.#bars[i] ?? this.#add();
      b.key = keyOf(r);
      attribute(b.item, "class", r.group === null ? "overflow" : "");
      text(b.label, groupWords(r.group));
      attribute(b.label, "title", groupWords(r.group));
      show(b.label, r.group?.length !== 0);
    });
    this.numbers(p, column);
  }

  /** Updates numbers and lengths only; the ranks stay. */
  numbers(p: Panel, column: number): void {
    const rows = this.#rows(p);
    const first: Row | undefined = rows.values().next().value;
    const only = endless(p);
    let revision = Infinity, corrected = 0, low = 0, high = 0;
    for (const r of rows.values()) {
      revision = Math.min(revision, r.revision);
      corrected = Math.max(corrected, r.revision);
    }
    for (const b of this.#bars) {
      const v = rows.get(b.key);
      if (v && v.group !== null) low = Math.min(low, number(v, column)), high = Math.max(high, number(v, column));
    }
    text(this.#window, first ? windowWords(p.axis, first.start, first.end) : "");
    show(this.#of, !only);
    show(this.#mark, first !== undefined);
    if (first) mark(this.#mark, revision === 0 ? 0 : corrected);
    for (const b of this.#bars) this.#number(b, p, column, rows.get(b.key), low, high, !only);
  }

  redraw(): void {}
  destroy(): void {}

  #rows(p: Panel): Map<string, Row> {
    const start = headline(p);
    return start === undefined ? new Map() : rowsAt(p, start);
  }

  #number(b: Bar, p: Panel, column: number, r: Row | undefined, low: number, high: number, windows: boolean): void {
    const v = r?.values[column];
    if (setData(b.value, v, (v) => cellWords(p, column, v))) room(b.value);
    const n = typeof v === "number" ? Math.max(low, Math.min(high, v)) : 0;
    const span = high - low || 1;
    // clip-path sets the length: a width would make the browser lay out the page at each change
    const from = (100 * (Math.min(0, n) - low)) / span, to = (100 * (Math.max(0, n) - low)) / span;
    b.fill.style.clipPath = `inset(0 ${(100 - to).toFixed(2)}% 0 ${from.toFixed(2)}%)`;
    attribute(b.fill, "class", `fill${windows && r?.revision === 0 ? " hatched" : ""}${n < 0 ? " negative" : ""}`);
    const more = r && isNewest(p) ? newestWords(r) : "";
    text(b.more, more);
    show(b.more, more !== "");
  }

  #add(): Bar {
    const label = h("span", { class: "name" }), more = h("span", { class: "more" });
    const fill = h("span", { class: "fill" }), value = h("data", { class: "value" });
    const item = h("li", {}, h("span", { class: "names" }, label, more), value, h("span", { class: "track", "aria-hidden": "true" }, fill));
    this.#list.append(item);
    const b = { key: "", item, label, more, fill, value };
    this.#bars.push(b);
    return b;
  }
}

/** Time and metadata of a newest value. */
function newestWords(r: Row): string {
  const [, time, metadata] = r.values;
  const at = typeof time === "number" ? `${day(time)} ${clockSeconds(time)}` : valueWords(time);
  const rest = metadata && typeof metadata === "object" && Object.keys(metadata).length ? jsonWords(metadata) : "";
  return rest ? `${at} · ${rest}` : at;
}

function number(r: Row, column: number): number {
  const v = r.values[column];
  return typeof v === "number" ? v : -Infinity;
}
