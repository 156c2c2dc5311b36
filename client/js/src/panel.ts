import type { Axis, Group, PanelSchema, Value, Window } from "./frames.js";

/**
 * One cell as a row of its panel. The object exists as long as its cell: an update changes it in
 * place, with a new `values` array. Read it, do not write it.
 */
export interface Row {
  /** The cell's number, never used again within an epoch. */
  readonly number: number;
  /** Index of the panel in `subscription.panels`. */
  readonly panel: number;
  /** The window [start, end), in what the panel's axis counts. */
  readonly start: number;
  readonly end: number;
  /** null is the overflow group. */
  readonly group: Group;
  /** 0 while the window is open, 1 when it is final, 1 more with each correction. */
  readonly revision: number;
  readonly final: boolean;
  /** One for each of the panel's columns. */
  readonly values: readonly Value[];
}

/**
 * One column of a panel as aligned arrays: values[i][j] belongs to groups[i] in the window that
 * begins at starts[j].
 */
export interface Series {
  starts: number[];
  groups: Group[];
  values: (number | null)[][];
  /** Whether the window of starts[j] is final, in every group that has it. */
  final: boolean[];
}

/** A panel of a subscription: its schema and its rows. Only the view writes it. */
export class Panel implements PanelSchema {
  panel = "";
  title = "";
  window: Window = {};
  axis: Axis = { unit: "none", text: "" };
  keep = 0;
  groupBy: string[] = [];
  columns: string[] = [];
  overflow?: { groups: number };
  readonly #rows = new Map<number, Row>();
  #ordered: Row[] | undefined;

  constructor(readonly index: number, schema: PanelSchema) {
    this.describe(schema);
  }

  /** Updates the schema of the same view: only titles and the overflow can have changed. */
  describe(s: PanelSchema): void {
    this.panel = s.panel;
    this.title = s.title;
    this.window = s.window;
    this.axis = s.axis;
    this.keep = s.keep;
    this.groupBy = s.groupBy ?? [];
    this.columns = s.columns ?? [];
    this.overflow = s.overflow;
  }

  put(row: Row): void {
    this.#rows.set(row.number, row);
    this.#ordered = undefined;
  }

  delete(number: number): void {
    if (this.#rows.delete(number)) this.#ordered = undefined;
  }

  get size(): number {
    return this.#rows.size;
  }

  /**
   * The rows by start, then by group. The same array is returned until a row is added or removed:
   * do not change it.
   */
  rows(): readonly Row[] {
    this.#ordered ??= [...this.#rows.values()]
      .map((row) => ({ row, key: groupKey(row.group) }))
      .sort((a, b) => a.row.start - b.row.start || (a.key < b.key ? -1 : a.key > b.key ? 1 : a.row.number - b.row.number))
      .map((e) => e.row);
    return this.#ordered;
  }

  /** A column by name or index, for a chart. Values that are not numbers are null. */
  series(column: string | number): Series {
    const at = typeof column === "number" ? column : this.columns.indexOf(column);
    const rows = this.rows();
    const starts: number[] = [];
    for (const r of rows) if (starts[starts.length - 1] !== r.start) starts.push(r.start);
    const final = starts.map(() => true);
    const groups = new Map<string, { group: Group; values: (number | null)[] }>();
    let j = 0;
    for (const r of rows) {
      while (starts[j] !== r.start) j++;
      const key = groupKey(r.group);
      let g = groups.get(key);
      if (!g) groups.set(key, (g = { group: r.group, values: starts.map(() => null) }));
      const v = r.values[at];
      g.values[j] = typeof v === "number" ? v : null;
      final[j] &&= r.final;
    }
    const sorted = [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, g]) => g);
    return { starts, groups: sorted.map((g) => g.group), values: sorted.map((g) => g.values), final };
  }
}

/** A string that is equal for equal groups only. The overflow group sorts last. */
export function groupKey(group: Group): string {
  return group === null ? "~" : JSON.stringify(group);
}
