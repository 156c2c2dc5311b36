import type { Axis, Group, Panel } from "../../../client/js/src/index.js";

const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const fraction = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 2 });
const small = new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 3 });
const compact = new Intl.NumberFormat("en-GB", { notation: "compact", maximumSignificantDigits: 3 });

/** Formats a value for people: numbers are rounded, a missing value is a dash. */
export function valueWords(v: unknown): string {
  if (v === null || v === undefined) return "–";
  if (typeof v !== "number") return jsonWords(v);
  const size = Math.abs(v);
  if (size >= 1e15 || (size > 0 && size < 1e-4)) return v.toExponential(2);
  if (Number.isInteger(v)) return whole.format(v);
  return (size >= 1 ? fraction : small).format(v);
}

/** Formats a tick of an axis. */
export function tickWords(v: number): string {
  return Math.abs(v) >= 10_000 ? compact.format(v) : small.format(v);
}

/** Formats any JSON in one line: an object as "name value, …". */
export function jsonWords(v: unknown): string {
  if (typeof v === "string") return v;
  if (Array.isArray(v)) return v.map(jsonWords).join(", ");
  if (v && typeof v === "object") return Object.entries(v).map(([k, x]) => `${k} ${jsonWords(x)}`).join(", ");
  return String(v);
}

/** "1 panel", "3 panels". */
export function count(n: number, noun: string): string {
  return `${whole.format(n)} ${noun}${n === 1 ? "" : "s"}`;
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (n: number) => String(n).padStart(2, "0");

/** Whether a Date can represent ms. */
const isTime = (ms: number) => Math.abs(ms) <= 8.64e15;

/** Formats a time as hh:mm, with seconds and ms unless they are 0. UTC, as windows are. */
export function clock(ms: number, seconds = ms % 60_000 !== 0): string {
  if (!isTime(ms)) return String(ms);
  const d = new Date(ms);
  const s = `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`;
  if (!seconds) return s;
  const part = d.getUTCMilliseconds();
  return `${s}:${two(d.getUTCSeconds())}${part && ms % 1000 ? `.${String(part).padStart(3, "0")}` : ""}`;
}

/** hh:mm:ss. UTC. */
export function clockSeconds(ms: number): string {
  return clock(Math.floor(ms / 1000) * 1000, true);
}

/** Formats a date as "7 Feb", with the year unless it is this year. UTC. */
export function day(ms: number, now = Date.now()): string {
  if (!isTime(ms)) return "";
  const d = new Date(ms);
  const year = d.getUTCFullYear();
  return `${d.getUTCDate()} ${months[d.getUTCMonth()]}${year === new Date(now).getUTCFullYear() ? "" : ` ${year}`}`;
}

/** "7 Feb 2013 10:00". */
export function dayAndClock(ms: number, now?: number): string {
  return `${day(ms, now)} ${clock(ms)}`;
}

/** Formats a span of time in its two largest units: "30 min", "1 h 30 min", "250 ms". */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const units: [number, string][] = [[86_400_000, "d"], [3_600_000, "h"], [60_000, "min"], [1000, "s"]];
  for (let i = 0; i < units.length; i++) {
    const [unit, name] = units[i];
    if (ms < unit) continue;
    const n = Math.floor(ms / unit);
    const rest = units[i + 1] && Math.floor((ms % unit) / units[i + 1][0]);
    return `${n} ${name}${rest ? ` ${rest} ${units[i + 1][1]}` : ""}`;
  }
  return `${ms} ms`;
}

/** Formats an age. It does not change faster than one can read. */
export function ago(ms: number): string {
  return ms < 2000 ? "just now" : `${duration(ms)} ago`;
}

/** Formats [start, end) of a cell. */
export function windowWords(axis: Axis, start: number, end: number, now?: number): string {
  if (axis.unit === "none") return "";
  if (axis.unit === "events") {
    const size = axis.size ?? 1;
    return `events ${whole.format(start * size + 1)}–${whole.format(end * size)}`;
  }
  const sameDay = Math.floor(start / 86_400_000) === Math.floor((end - 1) / 86_400_000);
  if (end - start === 86_400_000 && start % 86_400_000 === 0) return day(start, now);
  const endClock = sameDay && end % 86_400_000 === 0 ? "24:00" : clock(end);
  return sameDay ? `${dayAndClock(start, now)}–${endClock}` : `${dayAndClock(start, now)} – ${dayAndClock(end, now)}`;
}

/** Formats a group. */
export function groupWords(g: Group): string {
  if (g === null) return "all other keys";
  if (g.length === 0) return "all";
  return g.map((v) => (v === null ? "(none)" : v === "" ? "(empty)" : v)).join(" · ");
}

/** Formats one field of groupBy. */
export function keyWords(groupBy: string): string {
  return groupBy.replace(/^(labels|metadata)\./, "");
}

/** Describes what a panel measures: by which fields, and over which windows. */
export function measures(p: Panel): string {
  const by = p.groupBy.length ? `by ${p.groupBy.map(keyWords).join(" and ")}, ` : "";
  if (isNewest(p)) return `${by}the newest value`;
  return by + p.axis.text + (p.axis.step ? `, ${whole.format(p.keep)} kept` : "");
}

/** Whether a panel has only one window, without end. */
export function endless(p: Panel): boolean {
  return p.axis.unit === "none";
}

/** Whether a panel shows the newest event: value, time and metadata, without aggregates. */
export function isNewest(p: Panel): boolean {
  return endless(p) && p.columns[0] === "value" && p.columns[1] === "time";
}

/** Whether a column holds times in ms. */
export function isTimeColumn(p: Panel, column: number): boolean {
  return column === 1 && isNewest(p);
}

/** Formats a cell's value. */
export function cellWords(p: Panel, column: number, v: unknown): string {
  return isTimeColumn(p, column) && typeof v === "number" ? `${day(v)} ${clockSeconds(v)}` : valueWords(v);
}

/** Describes a window's state. */
export function revisionWords(revision: number): string {
  if (revision === 0) return "partial";
  if (revision === 1) return "final";
  return revision === 2 ? "corrected" : `corrected ${revision - 1} times`;
}
