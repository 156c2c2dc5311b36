import type { Cell, Group, PanelSchema, Place, Subscribed, Update, Value } from "./frames.js";
import { Panel, type Row } from "./panel.js";

/** What an update did to a view. */
export interface Change {
  /** Whether it replaced everything. */
  snapshot: boolean;
  changed: Row[];
  removed: Row[];
}

/** Why an update was not applied. */
export type Refusal =
  | "known" // it has nothing new
  | "gap" // it begins after the view's place, or in another epoch: subscribe again with the place
  | "unreadable"; // a cell has an unknown form: subscribe again from 0

type MutableRow = { -readonly [K in keyof Row]: Row[K] };

/**
 * A client's copy of one view of a dashboard. Give it every subscribed, gap and update of its view
 * in order; it holds what the server had at `version`. It does not wait and does no I/O.
 */
export class View {
  view = "";
  epoch = "";
  version = 0;
  /** Log time in ms as of the last frame with one; 0: unknown yet. */
  time = 0;
  panels: Panel[] = [];
  /**
   * Whether the held rows are void: only an update from 0 is applied. Show the old rows until then.
   */
  void = true;
  /** Number of cells of the snapshot that were skipped because their form is unknown. */
  unreadable = 0;
  readonly #rows = new Map<number, MutableRow>();
  #schema: PanelSchema[] = [];

  /** The place to resume from; undefined if there is none. */
  get place(): Place | undefined {
    return this.void || this.version === 0 ? undefined : { epoch: this.epoch, version: this.version, view: this.view };
  }

  /** The number of held cells. */
  get size(): number {
    return this.#rows.size;
  }

  /**
   * Applies the answer to a subscribe, or the frame that replaces the view when the definition
   * changes.
   */
  subscribed(f: Subscribed): void {
    if (!f.resumed || f.view !== this.view) this.void = true;
    this.view = f.view;
    this.#schema = f.schema ?? [];
    if (!this.void) this.panels.forEach((p, i) => this.#schema[i] && p.describe(this.#schema[i]));
  }

  gap(): void {
    this.void = true;
  }

  /** Applies an update by rule 1 of the protocol. A refused update changes nothing. */
  apply(u: Update): Change | Refusal {
    if (!Array.isArray(u.cells)) return "unreadable";
    if (u.from === 0) {
      if (!this.void && u.epoch === this.epoch && u.to <= this.version) return "known";
      return this.#replace(u);
    }
    if (this.void || u.epoch !== this.epoch || u.from > this.version) return "gap";
    if (u.to <= this.version) return "known";
    const rows: MutableRow[] = [];
    for (const c of u.cells) {
      const row = this.#read(c, this.panels);
      if (!row) return "unreadable";
      rows.push(row);
    }
    const removed: Row[] = [];
    for (const n of u.removed ?? []) {
      const row = this.#rows.get(n);
      if (row) removed.push(row);
      this.#rows.delete(n);
      if (row) this.panels[row.panel].delete(n);
    }
    this.#moved(u);
    return { snapshot: false, changed: rows.map((r) => this.#put(r)), removed };
  }

  /** Applies a snapshot; skips unreadable cells, since asking again would bring the same. */
  #replace(u: Update): Change {
    this.#rows.clear();
    this.panels = this.#schema.map((s, i) => new Panel(i, s));
    this.void = false;
    this.epoch = u.epoch;
    this.unreadable = 0;
    const changed: Row[] = [];
    for (const c of u.cells) {
      const row = this.#read(c, this.panels);
      if (row) changed.push(this.#put(row));
      else this.unreadable++;
    }
    this.#moved(u);
    return { snapshot: true, changed, removed: [] };
  }

  #moved(u: Update): void {
    this.version = u.to;
    if (u.time) this.time = u.time;
  }

  /**
   * The cell as a row of its own, its key completed from the held cell; undefined if its form is
   * unknown.
   */
  #read(c: Cell, panels: Panel[]): MutableRow | undefined {
    if (!Array.isArray(c) || !Number.isInteger(c[0])) return undefined;
    if (c.length === 3) {
      const held = this.#rows.get(c[0]);
      return held && Array.isArray(c[2]) ? { ...held, revision: c[1], final: c[1] > 0, values: c[2] } : undefined;
    }
    const [number, panel, start, end, group, revision, values] = c as [number, number, number, number, Group, number, Value[]];
    if (c.length !== 7 || !panels[panel] || !Array.isArray(values) || !(group === null || Array.isArray(group))) return undefined;
    return { number, panel, start, end, group, revision, final: revision > 0, values };
  }

  /** Adds the row, or copies its content to the row that is held. */
  #put(row: MutableRow): Row {
    const held = this.#rows.get(row.number);
    if (held && held.panel === row.panel && held.start === row.start) return Object.assign(held, row);
    if (held) this.panels[held.panel].delete(row.number);
    this.#rows.set(row.number, row);
    this.panels[row.panel].put(row);
    return row;
  }
}
