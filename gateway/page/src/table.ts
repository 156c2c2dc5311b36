import type { Panel, Row } from "../../../client/js/src/index.js";
import { attribute, h, setData, show, text } from "./dom.js";
import { mark } from "./legend.js";
import { cellWords, count, endless, groupWords, isTimeColumn, keyWords, windowWords } from "./words.js";

/** Number of rows shown before the viewer asks for all. */
const first = 60;

interface Line {
  element: HTMLTableRowElement;
  head: HTMLElement;
  groups: HTMLElement[];
  state: HTMLElement | undefined;
  values: HTMLDataElement[];
  row: Row | undefined;
  end: number;
}

/** A panel as a table, the newest window first. */
export class Table {
  readonly element: HTMLElement;
  readonly #body = h("tbody");
  readonly #more = h("button", { type: "button" });
  readonly #scroll: HTMLElement;
  #lines: Line[] = [];
  #all = false;
  left = 0;

  constructor(p: Panel, describedBy: string) {
    const only = endless(p);
    const head = h("tr", {});
    if (!only) head.append(h("th", { scope: "col" }, p.axis.unit === "events" ? "Events" : "Window (UTC)"));
    if (p.groupBy.length === 0 && only) head.append(h("th", { scope: "col" }, "Group"));
    for (const g of p.groupBy) head.append(h("th", { scope: "col" }, keyWords(g)));
    if (!only) head.append(h("th", { scope: "col" }, "State"));
    p.columns.forEach((c, i) => head.append(h("th", { scope: "col", class: figure(c) }, isTimeColumn(p, i) ? "time (UTC)" : c)));
    this.#scroll = h("div", { class: "scroll", tabindex: "0", role: "group", "aria-labelledby": describedBy },
      h("table", {}, h("thead", {}, head), this.#body));
    this.element = h("div", {}, this.#scroll, this.#more);
    this.#more.addEventListener("click", () => {
      this.#all = true;
      this.#refresh();
      this.#scroll.focus();
    });
  }
  #refresh = () => {};

  draw(p: Panel): void {
    this.#refresh = () => this.draw(p);
    const rows = this.#order(p.rows());
    const n = this.#all ? rows.length : Math.min(rows.length, first);
    while (this.#lines.length > n) this.#lines.pop()!.element.remove();
    while (this.#lines.length < n) this.#add(p);
    for (let i = 0; i < n; i++) this.#fill(this.#lines[i], p, rows[i]);
    this.left = rows.length - n;
    text(this.#more, `Show all ${count(rows.length, "row")}`);
    show(this.#more, this.left > 0);
  }

  /** Draws a short table at once, like a number. */
  numbers(p: Panel): void {
    if (this.#lines.length <= first) this.draw(p);
  }
  redraw(): void {}
  destroy(): void {}

  /** Orders rows by window, the newest first, then by group. */
  #order(rows: readonly Row[]): readonly Row[] {
    if (rows === this.#of) return this.#ordered;
    this.#of = rows;
    this.#ordered = [];
    for (let to = rows.length; to > 0;) {
      let from = to - 1;
      while (from > 0 && rows[from - 1].start === rows[to - 1].start) from--;
      this.#ordered.push(...rows.slice(from, to));
      to = from;
    }
    return this.#ordered;
  }
  #of: readonly Row[] | undefined;
  #ordered: Row[] = [];

  #add(p: Panel): void {
    const only = endless(p);
    const head = h("th", { scope: "row" });
    const groups = p.groupBy.map((_, i) => (only && i === 0 ? head : h("td")));
    const state = only ? undefined : h("span", { class: "mark" });
    const values = p.columns.map(() => h("data"));
    const element = h("tr", {}, head, ...groups.filter((g) => g !== head), state && h("td", {}, state), ...values.map((v, i) => h("td", { class: figure(p.columns[i]) }, v)));
    this.#body.append(element);
    this.#lines.push({ element, head, groups, state, values, row: undefined, end: NaN });
  }

  #fill(l: Line, p: Panel, r: Row): void {
    if (endless(p)) {
      if (!l.groups.length) text(l.head, groupWords(r.group));
    } else if (l.row !== r || l.end !== r.end) text(l.head, windowWords(p.axis, r.start, (l.end = r.end)));
    if (l.row !== r) {
      l.groups.forEach((g, i) => {
        const one = r.group === null ? (i === 0 ? groupWords(null) : "…") : groupWords([r.group[i]]);
        text(g, one);
        attribute(g, "class", r.group === null || r.group[i] === null ? "missing" : undefined);
      });
      attribute(l.element, "data-cell", String(r.number));
      l.row = r;
    }
    if (l.state) mark(l.state, r.revision);
    l.values.forEach((v, i) => setData(v, r.values[i], (v) => cellWords(p, i, v)));
  }
}

/** Numbers are aligned right, words left. */
function figure(column: string): string | undefined {
  return column === "metadata" || column.startsWith("topk") ? undefined : "figure";
}
