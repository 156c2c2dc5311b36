import type uPlot from "uplot";
import { onTheme, styleValue } from "./theme.js";
import { clock, clockSeconds, day, tickWords } from "./words.js";

const palette = new Map<string, string>();
onTheme(() => palette.clear());

/**
 * A colour of the style sheet, read once a theme: reading it makes the browser lay the page out.
 */
export function paint(name: string): string {
  let c = palette.get(name);
  if (c === undefined) palette.set(name, (c = styleValue(name)));
  return c;
}

/** The colour of a group's slot. */
export function colour(slot: number): string {
  return paint(`--c${slot}`);
}

const font = '12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';

/** Options that all plots share. */
export function frame(size: { width: number; height: number }): Pick<uPlot.Options, "width" | "height" | "padding" | "legend" | "scales"> {
  return {
    ...size,
    padding: [10, 22, 0, 0],
    legend: { show: false },
    scales: {
      x: { time: false, range: (_u, min, max) => (min === max ? [min - 1, max + 1] : [min, max]) },
      y: { range: (_u, min, max) => niceRange(min, max) },
    },
  };
}

/** A range from 0 if all values are positive, with some space above. */
function niceRange(min: number | null, max: number | null): [number, number] {
  if (min === null || max === null) return [0, 1];
  const low = Math.min(0, min), high = Math.max(0, max);
  const air = (high - low) * 0.08 || 1;
  return [low < 0 ? low - air : 0, high > 0 ? high + air : high === low ? 1 : 0];
}

const steps = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 10e3, 15e3, 30e3, 60e3, 120e3, 300e3, 600e3, 900e3, 1800e3,
  3600e3, 7200e3, 10800e3, 21600e3, 43200e3, 86400e3, 172800e3, 604800e3, 2419200e3,
];

/** The x axis: UTC times, or ordinals. */
export function timeAxis(time: boolean): uPlot.Axis {
  return {
    stroke: () => paint("--muted"),
    font,
    size: 36,
    space: 84,
    incrs: time ? steps : [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 1e4, 1e5, 1e6],
    grid: { show: false },
    ticks: { stroke: () => paint("--line"), width: 1, size: 4 },
    values: (_u, splits, _i, _space, incr) => splits.map((s, i) => {
      if (!time) return tickWords(s + 1);
      if (incr >= 86400e3) return day(s);
      const c = incr >= 60e3 ? clock(s) : clockSeconds(s);
      const newDay = i > 0 && Math.floor(s / 86400e3) !== Math.floor(splits[i - 1] / 86400e3);
      return newDay ? `${c}\n${day(s, s)}` /* the year stands above */ : c;
    }),
  };
}

export function valueAxis(): uPlot.Axis {
  return {
    stroke: () => paint("--muted"),
    font,
    size: (_u, values) => 14 + 7 * Math.max(2, ...(values ?? []).map((v) => v.length)),
    space: 36,
    grid: { stroke: () => paint("--line"), width: 1 },
    ticks: { show: false },
    values: (_u, splits) => splits.map(tickWords),
  };
}

/** Draws a diamond: a corrected window. */
export function markDiamond(u: uPlot, x: number, y: number, fill: string): void {
  const { ctx } = u;
  const px = u.valToPos(x, "x", true), py = u.valToPos(y, "y", true);
  const r = 6 * devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.moveTo(px, py - r);
  ctx.lineTo(px + r, py);
  ctx.lineTo(px, py + r);
  ctx.lineTo(px - r, py);
  ctx.closePath();
  ctx.fillStyle = fill;
  ctx.strokeStyle = paint("--surface");
  ctx.lineWidth = 1.5 * devicePixelRatio;
  ctx.fill();
  ctx.stroke();
  ctx.restore();
}
