/**
 * The HTTP calls: the list, a dashboard's definition and its counters. Live numbers come through
 * the client.
 */

export interface Listed {
  dashboard: string;
  tenant: string;
  title: string;
  version: number;
  /** Log time, ms. */
  time: number;
  panels: number;
  sessions: number;
}

export interface Listing {
  dashboards: Listed[];
  next: string | null;
  /** The server's clock at the answer, ms. */
  at: number;
}

export interface PanelCounters {
  late_dropped: number;
  filtered_reasons?: { cost?: number };
  late_accepted: number;
  overflowed: number;
  unsampled: number;
}

export interface Counters {
  records: number;
  accepted: number;
  invalid: number;
  future: number;
  duplicates: number;
  horizon: number;
  metrics_dropped: number;
  set_aside: number;
  panels: Record<string, PanelCounters>;
}

export interface Reading {
  epoch: string;
  version: number;
  watermark: number | null;
  schema: { panel: string; overflow?: { groups: number } }[];
  counters: Counters;
}

/** An error answer of the server, or no answer (status 0). */
export class Refused extends Error {
  constructor(readonly status: number, readonly code: number, message: string) {
    super(message);
  }
}

/** How long an answer may take. ms */
const patience = 10_000;

async function get(path: string, query: Record<string, string | undefined>, accept = "application/json", signal?: AbortSignal): Promise<Response> {
  const q = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value) q.set(name, value);
  const limit = AbortSignal.timeout(patience);
  let answer: Response;
  try {
    answer = await fetch(`${path}?${q}`, { headers: { accept }, signal: signal ? AbortSignal.any([signal, limit]) : limit });
  } catch (e) {
    if (signal?.aborted) throw e;
    throw new Refused(0, 0, "the server cannot be reached");
  }
  if (answer.ok) return answer;
  const body = await answer.json().catch(() => undefined);
  throw new Refused(answer.status, body?.error?.code ?? 0, body?.error?.message ?? `the server answered ${answer.status}`);
}

/** Lists dashboards by name, those whose names begin with the prefix. */
export async function list(tenant: string, prefix: string, cursor: string | undefined, signal?: AbortSignal, limit = 1000): Promise<Listing> {
  const answer = await get("/v1/dashboards", { tenant, prefix, cursor, limit: String(limit) }, undefined, signal);
  const at = Date.parse(answer.headers.get("date") ?? "");
  const body = await answer.json();
  return { dashboards: body.dashboards ?? [], next: body.next ?? null, at: Number.isNaN(at) ? Date.now() : at };
}

/** Reads the definition in force, as YAML; `isDefault` if the dashboard has none of its own. */
export async function definition(tenant: string, dashboard: string): Promise<{ yaml: string; isDefault: boolean }> {
  const answer = await get(`/v1/dashboards/${encodeURIComponent(dashboard)}/definition`, { tenant }, "application/yaml");
  return { yaml: await answer.text(), isDefault: answer.headers.has("x-dashfeed-default") };
}

/** Reads the counters; with `since`, a place, the answer leaves out known cells. */
export async function counters(tenant: string, dashboard: string, since: string | undefined, signal: AbortSignal): Promise<Reading> {
  const answer = await get(`/v1/dashboards/${encodeURIComponent(dashboard)}`, { tenant, since }, undefined, signal);
  return answer.json();
}
