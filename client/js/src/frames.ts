/** The frames of the protocol dashfeed.v1 (docs/PROTOCOL.md), as JSON. */

/**
 * A group: one value for each field of groupBy, null if the label is missing; null instead of the
 * array is the overflow group.
 */
export type Group = readonly (string | null)[] | null;

/** A value of a cell: a number, null (empty, or not finite), or any JSON for metadata and topk. */
export type Value = unknown;

/** The parameters of a window; one of them has the name of its kind. Times in ms. */
export type Window = Readonly<Record<string, number | string | boolean>>;

/** Where a panel's windows lie. */
export interface Axis {
  /** What start and end count: ms UTC, events of a group, or nothing: one window without end. */
  unit: "ms" | "events" | "none";
  /** Units in one step of start and end; absent: one. */
  size?: number;
  /** From one window's start to the next one's; absent: irregular. */
  step?: number;
  /** Whether the end of a window can move. */
  grows?: boolean;
  /** The windows in words. */
  text: string;
}

/** How to read the cells of one panel. */
export interface PanelSchema {
  panel: string;
  title: string;
  window: Window;
  axis: Axis;
  keep: number;
  groupBy: string[];
  columns: string[];
  /**
   * Present if keys beyond the panel's max_groups were folded into one group; groups estimates how
   * many.
   */
  overflow?: { groups: number };
  /** The labels that decide who sees a row, with the attribute of the token that gives the values. */
  scope?: Record<string, string>;
  /** Every viewer of a dashboard with a scope sees all rows of the panel. */
  unscoped?: boolean;
  /** Versions count the changes of the viewer's own rows only. */
  quiet?: boolean;
}

/** A place to resume from. */
export interface Place {
  epoch: string;
  version: number;
  view?: string;
}

/** A cell on the wire: `[number, panel, start, end, group, revision, values]` or `[number, revision, values]`. */
export type Cell =
  | [number: number, panel: number, start: number, end: number, group: Group, revision: number, values: Value[]]
  | [number: number, revision: number, values: Value[]];

export interface Limits {
  subscriptions: number;
  frameBytes: number;
  maxRate: number;
  unacked: number;
}

export type ViewState = "live" | "stale" | "moving";
export type GapWhy = "retention" | "epoch" | "overflow" | "ahead" | "loss";

export interface Connected { type: "connected"; pingEvery: number; limits: Limits }
export interface Subscribed {
  type: "subscribed";
  /** Absent: the definition has changed. */
  id?: number;
  /** The view that this one replaces, if the definition has changed. */
  was?: string;
  tenant?: string;
  dashboard: string;
  view: string;
  rate: number;
  resumed: boolean;
  schema: PanelSchema[];
}
export interface Update {
  type: "update";
  view: string;
  epoch: string;
  from: number;
  to: number;
  /** Log time at `to`, ms; sent when it has changed by more than a second. */
  time?: number;
  cells: Cell[];
  removed?: number[];
  more?: boolean;
}
export interface Gap { type: "gap"; view: string; why: GapWhy }
export interface Status { type: "status"; view: string; state: ViewState; lag: number; since: number | null }
export interface Pong { type: "pong"; id: number }
export interface Unsubscribed { type: "unsubscribed"; id: number; view: string }
export interface Refreshed { type: "refreshed"; id: number; expires: number; revoked: string[] }
export interface ErrorFrame { type: "error"; id?: number; view?: string; code: number; message: string; retry: boolean; after: number }
export interface Drain { type: "drain"; after: number; within: number }

export type ServerFrame =
  | Connected | Subscribed | Update | Gap | Status | Pong | Unsubscribed | Refreshed | ErrorFrame | Drain;

export type ClientFrame =
  | { type: "connect"; token?: string }
  | {
      type: "subscribe"; id: number; tenant?: string; dashboard: string; since?: Place;
      panels?: string[]; groups?: (string | null)[][]; maxRate?: number;
    }
  | { type: "set"; id: number; view: string; maxRate: number }
  | { type: "ack"; views: Record<string, number> }
  | { type: "ping"; id: number }
  | { type: "refresh"; id: number; token: string }
  | { type: "unsubscribe"; id: number; view: string };

/** The subprotocol with JSON frames. */
export const protocol = "dashfeed.v1.json";

/**
 * Reads a frame; returns undefined unless it is an object with a type. Types of a newer server are
 * returned unchanged.
 */
export function parseFrame(text: unknown): ServerFrame | undefined {
  if (typeof text !== "string") return undefined;
  try {
    const frame = JSON.parse(text);
    return typeof frame?.type === "string" ? frame : undefined;
  } catch {
    return undefined;
  }
}
