import { vi } from "vitest";
import { Client, type ClientOptions } from "../src/index.js";

/**
 * The other end of the wire, in fake time: the platform's WebSocket, whose server is the test. Each
 * connection is listed in `sockets`; nothing opens, answers or closes unless the test does it.
 */
export class Script {
  readonly sockets: ScriptedSocket[] = [];
  /** Every connection opens by itself, the next moment. */
  opens = true;
  readonly WebSocket: any;

  constructor() {
    const script = this;
    this.WebSocket = class extends ScriptedSocket {
      constructor(url: string, protocols: string) {
        super(url, protocols);
        script.sockets.push(this);
        if (script.opens) queueMicrotask(() => this.open());
      }
    };
  }

  get last(): ScriptedSocket {
    return this.sockets[this.sockets.length - 1];
  }

  client(options: ClientOptions = {}): Client {
    return new Client({ server: "http://dashfeed.test", WebSocket: this.WebSocket, schedule: (run) => run(), ...options });
  }
}

export class ScriptedSocket {
  readyState = 0;
  onopen: any = null;
  onmessage: any = null;
  onclose: any = null;
  onerror: any = null;
  /** The host of the connection. */
  get host(): string {
    return new URL(this.url).host;
  }

  /** The frames that the client has sent. */
  readonly sent: any[] = [];
  readonly openedAt = Date.now();

  constructor(readonly url: string, readonly protocols: string) {}

  open(): void {
    if (this.readyState !== 0) return;
    this.readyState = 1;
    this.onopen?.({});
  }

  send(data: string): void {
    this.sent.push(JSON.parse(data));
  }

  close(code = 1005): void {
    this.drop(code);
  }

  /** Ends the connection; 1006 is an end without a close frame. */
  drop(code = 1006): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose?.({ code, reason: "" });
  }

  /** Sends frames from the server. */
  say(...frames: any[]): void {
    for (const f of frames) this.onmessage?.({ data: typeof f === "string" ? f : JSON.stringify(f) });
  }

  of(type: string): any[] {
    return this.sent.filter((f) => f.type === type);
  }

  /**
   * Answers the newest subscribe with `subscribed`, and with an update from 0 unless it is resumed.
   */
  serve(view = viewA, resumed = false): void {
    this.say(subscribed(this.of("subscribe").at(-1).id, view, resumed));
    if (!resumed) this.say(snapshot(view));
  }
}

export const viewA = "00000000000000aa";
export const viewB = "00000000000000bb";
export const epoch = "00000001";

export const schema = [
  { panel: "p", title: "", window: { tumbling: 10_000 }, axis: { unit: "ms" as const, step: 10_000, text: "every 10 s" }, keep: 60, groupBy: ["metric"], columns: ["count", "avg"] },
];

export function subscribed(id: number | undefined, view = viewA, resumed = false, more: object = {}) {
  return { type: "subscribed", id, dashboard: "d", view, rate: 0, resumed, schema, ...more };
}

/** The state at version 10: one open window of one group. */
export function snapshot(view = viewA, e = epoch) {
  return { type: "update", view, epoch: e, from: 0, to: 10, cells: [[0, 0, 0, 10_000, ["m"], 0, [1, 2]]] };
}

/** Changes the one cell's count to the version. */
export function change(from: number, to: number, view = viewA, e = epoch) {
  return { type: "update", view, epoch: e, from, to, cells: [[0, 0, [to, 2]]] };
}

/** Records the events of each type. */
export function record(of: { on(type: any, l: (e: any) => void): unknown }, ...types: string[]): any[] {
  const seen: any[] = [];
  for (const type of types) of.on(type, (e) => seen.push([type, e]));
  return seen;
}

/** Runs what is due now. */
export const settle = () => vi.advanceTimersByTimeAsync(0);

