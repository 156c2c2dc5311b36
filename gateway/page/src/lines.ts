import uPlot from "uplot";
import type { Panel, Row } from "../../../client/js/src/index.js";
import { h, show, text } from "./dom.js";
import { headline, keyOf, overlap, rowsAt, Shown, type ShownGroup } from "./groups.js";
import { Legend } from "./legend.js";
import { colour, frame, markDiamond, paint, timeAxis, valueAxis } from "./plot.js";
import { windowWords } from "./words.js";

const partial = 0, corrected = 2;

/**
 * A panel's column over time: one line a group. Partial windows are dashed, with hollow points, in
 * a shaded band.
 */
export class Lines {
  readonly element = h("div", { class: "chart" });
  readonly #plot = h("div", { class: "plot" });
  readonly #key = h("p", { class: "key" });
  readonly #legend = new Legend();
  readonly #shown = new Shown();
  readonly #sizes: ResizeObserver;
  #u: uPlot | undefined;
  #groups: ShownGroup[] = [];
  #states: number[][] = []; // by group and index: the least certain state
  #starts: number[] = [];
  #length = 0; // of a window
  #partialFrom = Infinity; // index from which windows are partial
  #panel: Panel | undefined;
  #column = 0;

  constructor() {
    this.element.append(this.#legend.element, this.#plot, this.#key);
    this.#sizes = new ResizeObserver(() => this.#u?.setSize(this.#size()));
    this.#sizes.observe(this.#plot);
  }

  /** Draws everything again. */
  draw(p: Panel, column: number): void {
    this.#panel = p;
    this.#column = column;
    const data = this.#read(p, column);
    const series = 1 + 2 * this.#groups.length;
    if (this.#u && this.#u.series.length !== series) this.#destroy();
    if (this.#u) this.#u.setData(data);
    else if (this.#starts.length) this.#u = new uPlot(this.#options(p), data, this.#plot);
    this.#legend.groups(this.#groups);
    const corrections = this.#states.some((s) => s.includes(corrected));
    show(this.#key, this.#partialFrom < this.#starts.length || corrections);
    text(this.#key, `Dashed and hollow: partial.${corrections ? " ◆ corrected by late events." : ""}`);
    this.numbers(p, column);
  }

  /** Updates the numbers only, which is cheap: of the window under the pointer, or the newest. */
  numbers(p: Panel, column: number): void {
    const under = this.#u?.cursor.idx;
    const start = typeof under === "number" ? this.#starts[under] : headline(p);
    if (start === undefined) return;
    const rows = rowsAt(p, start);
    const end = rows.values().next().value?.end ?? start + this.#length; // a missing window is as long as the others
    this.#legend.values(p, column, windowWords(p.axis, start, end), rows);
  }

  /** Handles changed colours. */
  redraw(): void {
    this.#u?.redraw(false);
  }

  destroy(): void {
    this.#sizes.disconnect();
    this.#destroy();
  }

  /** Number of groups that are not shown. */
  get left(): number {
    return this.#left;
  }
  #left = 0;

  #destroy(): void {
    this.#u?.destroy();
    this.#u = undefined;
  }

  #size(): { width: number; height: number } {
    return { width: Math.max(120, this.#plot.clientWidth), height: Math.max(120, this.#plot.clientHeight) };
  }

  /** The rows in uPlot's form: x, then two series a group, final and partial. */
  #read(p: Panel, column: number): uPlot.AlignedData {
    const rows = p.rows();
    const scores = new Map<string, { score: number; row: Row }>();
    const starts: number[] = [];
    const xs: number[] = [];
    const step = p.axis.step ?? 0;
    const atEnd = overlap(p);
    this.#length = rows.length ? rows[0].end - rows[0].start : 0;
    for (const r of rows) {
      const last = starts[starts.length - 1];
      if (last !== r.start) {
        if (step && r.start - last > step) { // no line connects windows across missing ones
          starts.push(last + step);
          xs.push(xs[xs.length - 1] + step);
        }
        starts.push(r.start);
        xs.push(atEnd ? r.end : r.start);
      }
      const v = r.values[column];
      const score = typeof v === "number" ? Math.abs(v) : 0;
      const s = scores.get(keyOf(r));
      if (s) s.score += score;
      else scores.set(keyOf(r), { score, row: r });
    }
    this.#groups = this.#shown.choose(scores);
    this.#left = scores.size - this.#groups.length;
    this.#starts = starts;
    this.#fill(rows, column);
    return [xs, ...this.#series];
  }
  #series: (number | null)[][] = [];

  #fill(rows: readonly Row[], column: number): void {
    const n = this.#starts.length;
    const at = new Map(this.#groups.map((g, i) => [g.key, i]));
    this.#states = this.#groups.map(() => new Array(n).fill(-1));
    this.#series = this.#groups.flatMap(() => [new Array(n).fill(null), new Array(n).fill(null)]);
    this.#partialFrom = n;
    let j = 0;
    for (const r of rows) {
      while (this.#starts[j] !== r.start) j++;
      const g = at.get(keyOf(r));
      if (g === undefined) continue;
      const v = r.values[column];
      const state = Math.min(r.revision, corrected);
      this.#states[g][j] = state;
      this.#series[2 * g + (state === partial ? 1 : 0)][j] = typeof v === "number" ? v : null;
      if (state === partial) this.#partialFrom = Math.min(this.#partialFrom, j);
    }
    for (let g = 0; g < this.#groups.length; g++) { // the dashes begin where the solid line ends
      const [solid, dashed] = [this.#series[2 * g], this.#series[2 * g + 1]];
      for (let i = 1; i < n; i++) if (dashed[i] !== null && dashed[i - 1] === null && solid[i - 1] !== null) dashed[i - 1] = solid[i - 1];
    }
  }

  #options(p: Panel): uPlot.Options {
    const time = p.axis.unit === "ms";
    const series: uPlot.Series[] = [{}];
    for (let g = 0; g < this.#groups.length; g++) {
      const stroke = () => colour(this.#groups[g]?.slot ?? 0);
      const few = () => this.#starts.length <= 40;
      series.push({ stroke, width: 2, points: { show: few, size: 5, stroke, fill: stroke } });
      series.push({
        stroke, width: 2, dash: [4, 4],
        points: { size: 8, width: 2, stroke, fill: () => paint("--surface"), filter: () => this.#indices(g, partial) }, // however dense
      });
    }
    return {
      ...frame(this.#size()),
      series,
      axes: [timeAxis(time), valueAxis()],
      cursor: { y: false, points: { size: 8 }, drag: { x: false, y: false } },
      hooks: {
        drawClear: [(u) => this.#band(u)],
        draw: [(u) => this.#diamonds(u)],
        setCursor: [() => this.#panel && this.numbers(this.#panel, this.#column)],
      },
    };
  }

  #indices(group: number, state: number): number[] {
    const found: number[] = [];
    this.#states[group]?.forEach((s, i) => s === state && found.push(i));
    return found;
  }

  /** Shades the partial windows, and labels them. */
  #band(u: uPlot): void {
    const xs = u.data[0];
    if (this.#partialFrom >= xs.length) return;
    const first = u.valToPos(xs[this.#partialFrom], "x", true);
    const before = this.#partialFrom > 0 ? u.valToPos(xs[this.#partialFrom - 1], "x", true) : u.bbox.left;
    const left = Math.max(u.bbox.left, (first + before) / 2);
    const { ctx } = u;
    ctx.save();
    ctx.fillStyle = paint("--band");
    const width = u.bbox.left + u.bbox.width - left;
    ctx.fillRect(left, u.bbox.top, width, u.bbox.height);
    ctx.restore();
  }

  #diamonds(u: uPlot): void {
    this.#groups.forEach((g, i) => {
      for (const j of this.#indices(i, corrected)) {
        const v = this.#series[2 * i][j];
        if (v !== null) markDiamond(u, u.data[0][j], v, colour(g.slot));
      }
    });
  }
}
