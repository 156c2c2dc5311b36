import type { Panel, Row } from "../../../client/js/src/index.js";
import { attribute, h, room, setData, show, text } from "./dom.js";
import type { ShownGroup } from "./groups.js";
import { cellWords, groupWords, revisionWords } from "./words.js";

interface Entry {
  key: string;
  item: HTMLElement;
  swatch: HTMLElement;
  label: HTMLElement;
  value: HTMLDataElement;
}

/** The groups of a chart with their colours and their numbers in one window. */
export class Legend {
  readonly element: HTMLElement;
  readonly #window = h("span", { class: "window" });
  readonly #mark = h("span", { class: "mark" });
  readonly #list = h("ul", { class: "legend" });
  #entries: Entry[] = [];

  constructor() {
    this.element = h("div", { class: "reading" }, h("p", { class: "of" }, this.#window, this.#mark), this.#list);
  }

  /** Sets the groups, in order. */
  groups(groups: ShownGroup[]): void {
    while (this.#entries.length > groups.length) this.#entries.pop()!.item.remove();
    groups.forEach((g, i) => {
      const e = this.#entries[i] ?? this.#add();
      e.key = g.key;
      attribute(e.swatch, "class", `swatch s${g.slot}`);
      text(e.label, groupWords(g.row.group));
      attribute(e.label, "title", groupWords(g.row.group));
      show(e.label, g.row.group?.length !== 0);
    });
  }

  #add(): Entry {
    const swatch = h("span", { "aria-hidden": "true" });
    const label = h("span", { class: "name" });
    const value = h("data", { class: "value" });
    const item = h("li", {}, swatch, label, value);
    this.#list.append(item);
    const e = { key: "", item, swatch, label, value };
    this.#entries.push(e);
    return e;
  }

  /** Sets the numbers, from the rows of one window. */
  values(p: Panel, column: number, window: string, rows: Map<string, Row>): void {
    let least = Infinity, most = -Infinity;
    for (const r of rows.values()) {
      least = Math.min(least, r.revision);
      most = Math.max(most, r.revision);
    }
    text(this.#window, window);
    show(this.#mark, rows.size > 0);
    if (rows.size) mark(this.#mark, least === 0 ? 0 : most, least === 0 && most > 0 ? "some partial" : undefined);
    for (const e of this.#entries) {
      const v = rows.get(e.key)?.values[column];
      if (setData(e.value, v, (v) => cellWords(p, column, v))) room(e.value);
    }
  }
}

/** Marks an element with a window's state: a shape, and the word. */
export function mark(e: HTMLElement, revision: number, words = revisionWords(revision)): void {
  const state = revision === 0 ? "partial" : revision === 1 ? "final" : "corrected";
  attribute(e, "class", `mark ${state}`);
  text(e, words);
}
