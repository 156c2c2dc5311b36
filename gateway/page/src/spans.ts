import uPlot from "uplot";
import type { Panel, Row } from "../../../client/js/src/index.js";
import { h } from "./dom.js";
import { keyOf, newestRows, Shown, type ShownGroup } from "./groups.js";
import { Legend } from "./legend.js";
import { colour, frame, markDiamond, paint, timeAxis } from "./plot.js";
import { dayAndClock, groupWords, tickWords } from "./words.js";

/** Sessions: one lane a group, a bar from each session's start to its end, its number beside it. */
export class Spans {
  readonly element = h("div", { class: "chart" });
  readonly #plot = h("div", { class: "plot" });
  readonly #legend = new Legend();
  readonly #shown = new Shown();
  readonly #sizes: ResizeObserver;
  #u: uPlot | undefined;
  #groups: ShownGroup[] = [];
  #rows: readonly Row[] = [];
  #column = 0;
  left = 0;

  constructor() {
    this.element.append(this.#legend.element, this.#plot, h("p", { class: "key" }, "Dashed outline: partial, may still grow."));
    this.#sizes = new ResizeObserver(() => this.#u?.setSize(this.#size()));
    this.#sizes.observe(this.#plot);
  }

  draw(p: Panel, column: number): void {
    this.#column = column;
    this.#rows = p.rows();
    const scores = new Map<string, { score: number; row: Row }>();
    let from = Infinity, to = -Infinity;
    for (const r of this.#rows) {
      from = Math.min(from, r.start);
      to = Math.max(to, r.end);
      scores.set(keyOf(r), { score: (scores.get(keyOf(r))?.score ?? 0) + 1, row: r });
    }
    this.#groups = this.#shown.choose(scores);
    this.left = scores.size - this.#groups.length;
    // No series is drawn: two points define the scales.
    const data: uPlot.AlignedData = [[from, to], [0, this.#groups.length]];
    if (this.#u) this.#u.setData(data);
    else if (this.#rows.length) this.#u = new uPlot(this.#options(), data, this.#plot);
    this.#legend.groups(this.#groups);
    this.numbers(p, column);
  }

  /** Updates the numbers of the newest session of each group. */
  numbers(p: Panel, column: number): void {
    const rows = newestRows(p);
    let last: Row | undefined;
    for (const r of rows.values()) if (!last || r.end > last.end) last = r;
    this.#legend.values(p, column, last ? `newest sessions, up to ${dayAndClock(last.end)}` : "", rows);
  }

  redraw(): void {
    this.#u?.redraw(false);
  }

  destroy(): void {
    this.#sizes.disconnect();
    this.#u?.destroy();
  }

  #size(): { width: number; height: number } {
    return { width: Math.max(120, this.#plot.clientWidth), height: Math.max(120, this.#plot.clientHeight) };
  }

  #options(): uPlot.Options {
    const base = frame(this.#size());
    return {
      ...base,
      scales: { x: base.scales!.x, y: { range: () => [0, Math.max(1, this.#groups.length)] } },
      series: [{}, { show: true, paths: () => null, points: { show: false } }],
      axes: [timeAxis(true), {
        stroke: () => paint("--muted"),
        font: '12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif',
        size: (_u, values) => 16 + 7 * Math.min(16, Math.max(2, ...(values ?? []).map((v) => v.length))),
        splits: () => this.#groups.map((_, i) => this.#lane(i)),
        values: () => this.#groups.map((g) => short(groupWords(g.row.group))),
        grid: { show: false },
        ticks: { show: false },
      }],
      cursor: { show: false },
      hooks: { draw: [(u) => this.#draw(u)] },
    };
  }

  /** The middle of a lane; the first group is on top. */
  #lane(i: number): number {
    return this.#groups.length - i - 0.5;
  }

  #draw(u: uPlot): void {
    const at = new Map(this.#groups.map((g, i) => [g.key, i]));
    const { ctx } = u;
    const height = Math.min(16 * devicePixelRatio, (u.bbox.height / Math.max(1, this.#groups.length)) * 0.5);
    ctx.save();
    ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.textBaseline = "middle";
    ctx.textAlign = "left";
    for (const r of this.#rows) {
      const i = at.get(keyOf(r));
      if (i === undefined) continue;
      const x = u.valToPos(r.start, "x", true), y = u.valToPos(this.#lane(i), "y", true);
      const width = Math.max(4 * devicePixelRatio, u.valToPos(r.end, "x", true) - x);
      const fill = colour(this.#groups[i].slot);
      ctx.lineWidth = 2 * devicePixelRatio;
      ctx.fillStyle = ctx.strokeStyle = fill;
      if (r.revision === 0) { // still open: an outline
        ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
        ctx.strokeRect(x, y - height / 2, width, height);
        ctx.setLineDash([]);
      } else ctx.fillRect(x, y - height / 2, width, height);
      if (r.revision > 1) markDiamond(u, r.start, this.#lane(i), fill);
      const v = r.values[this.#column];
      const label = typeof v === "number" ? tickWords(v) : "";
      ctx.fillStyle = r.revision === 0 ? paint("--ink") : paint("--on-colour");
      if (ctx.measureText(label).width + 8 < width) ctx.fillText(label, x + 4 * devicePixelRatio, y);
    }
    ctx.restore();
  }
}

function short(name: string): string {
  return name.length > 16 ? `${name.slice(0, 15)}…` : name;
}
