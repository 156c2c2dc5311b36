import { groupKey, type Panel, type Row } from "../../../client/js/src/index.js";
import { endless, isNewest } from "./words.js";

/** Number of colours for groups; the overflow group has one of its own. */
export const colours = 8;
/** The slot of the overflow group. */
export const overflowSlot = colours;

const keys = new WeakMap<Row, string>();

/** The group of a row as a string; computed once a row. */
export function keyOf(row: Row): string {
  let key = keys.get(row);
  if (key === undefined) keys.set(row, (key = groupKey(row.group)));
  return key;
}

/** A shown group, and the slot that sets its colour. */
export interface ShownGroup {
  key: string;
  row: Row; // any of its rows, for the group's name
  slot: number;
}

/**
 * Chooses the groups of a panel to show, those with the highest scores, and gives each a colour for
 * as long as it is shown. A shown group is replaced only by a clearly greater one, so that nothing
 * flickers.
 */
export class Shown {
  #slots = new Map<string, number>();

  choose(scores: Map<string, { score: number; row: Row }>): ShownGroup[] {
    const ranked = [...scores]
      .filter(([, s]) => s.row.group !== null)
      .map(([key, s]) => ({ key, row: s.row, score: this.#slots.has(key) ? s.score * 1.3 : s.score }))
      .sort((a, b) => b.score - a.score || (a.key < b.key ? -1 : 1))
      .slice(0, colours);
    const kept = new Map<string, number>();
    for (const g of ranked) {
      const slot = this.#slots.get(g.key);
      if (slot !== undefined) kept.set(g.key, slot);
    }
    const used = new Set(kept.values());
    let free = 0;
    for (const g of [...ranked].sort(byKey)) {
      if (kept.has(g.key)) continue;
      while (used.has(free)) free++;
      used.add(free);
      kept.set(g.key, free);
    }
    this.#slots = kept;
    const shown = ranked.sort(byKey).map((g) => ({ key: g.key, row: g.row, slot: kept.get(g.key)! }));
    for (const [key, s] of scores) if (s.row.group === null) shown.push({ key, row: s.row, slot: overflowSlot });
    return shown;
  }
}

function byKey(a: { key: string }, b: { key: string }): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}

/**
 * The start of the window whose numbers a panel shows: the newest; of windows that overlap, the one
 * that lacks only its last step, since younger ones have hardly begun.
 */
export function headline(p: Panel): number | undefined {
  const rows = p.rows();
  if (!rows.length) return undefined;
  const { start: newest, end } = rows[rows.length - 1];
  if (!overlap(p)) return newest;
  const limit = newest - (end - newest) + p.axis.step!;
  for (let i = rows.length - 1; i >= 0; i--) if (rows[i].start <= limit) return rows[i].start;
  return newest;
}

/** Whether a panel's windows overlap: each begins before the previous one has ended. */
export function overlap(p: Panel): boolean {
  const row = p.rows()[0];
  return row !== undefined && p.axis.step !== undefined && row.end - row.start > p.axis.step;
}

/** The rows of the windows that begin at start, by group. */
export function rowsAt(p: Panel, start: number): Map<string, Row> {
  const found = new Map<string, Row>();
  const rows = p.rows();
  for (let i = rows.length - 1; i >= 0 && rows[i].start >= start; i--) {
    if (rows[i].start === start) found.set(keyOf(rows[i]), rows[i]);
  }
  return found;
}

/** The newest row of each group. */
export function newestRows(p: Panel): Map<string, Row> {
  const found = new Map<string, Row>();
  for (const r of p.rows()) found.set(keyOf(r), r);
  return found;
}

/** How a panel is drawn. */
export type Kind = "lines" | "bars" | "spans";

export function kindOf(p: Panel): Kind {
  if (endless(p)) return "bars";
  if (p.axis.grows) return "spans";
  return p.keep <= 4 && p.groupBy.length > 0 ? "bars" : "lines";
}

/** The columns that can be drawn. */
export function drawable(p: Panel): number[] {
  const all = p.columns.map((_, i) => i);
  if (isNewest(p)) return [0];
  return all.filter((i) => p.columns[i] !== "metadata" && !p.columns[i].startsWith("topk"));
}
