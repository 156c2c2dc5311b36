import { type ClientFrame, type ServerFrame, parseFrame, protocol } from "./frames.js";

/** The part of the platform's WebSocket that is used. */
export interface Socket {
  readonly readyState: number;
  send(data: string): void;
  close(code?: number, reason?: string): void;
  onopen: ((e: any) => void) | null;
  onmessage: ((e: any) => void) | null;
  onclose: ((e: any) => void) | null;
  onerror: ((e: any) => void) | null;
}

/** How the platform makes one. */
export type SocketClass = new (url: string, protocols?: string | string[]) => Socket;

/** Why a connection ended: the close code, or 0 where there was none, and words for people. */
export interface Ending {
  code: number;
  reason: string;
}

/** How a client stands with its server, over all its connections. */
export interface ConnectionState {
  /** `waiting`: for the next attempt; `offline`: the platform says there is no network; `closed`: for good. */
  state: "connecting" | "open" | "waiting" | "offline" | "closed";
  /** Since when, unix ms. */
  since: number;
  /** Failed attempts in a row. */
  attempt: number;
  /** ms from `since` to the next attempt; 0: none is waited for. */
  wait: number;
  /** Why the last connection ended, in words; "" while there was none. */
  reason: string;
  /** The close code, 0 where there was none. */
  code: number;
}

/** A connection that lived so long was stable. ms */
const stableAfter = 10_000;
/** How long an attempt may take. ms */
const openTimeout = 10_000;
/** After so long a silence the client asks whether the other end is there. ms */
const silence = 10_000;
/** How long the answer may take. ms */
const answerTimeout = 5_000;

const open = 1;

/**
 * One WebSocket. A socket can be dead without a close (a laptop slept, a network changed) and pings of the protocol
 * below are hidden from scripts, so it is asked by messages: after 10 s of silence, and whenever probe is called.
 * `ended` is called once, and nothing after it.
 */
export class Connection {
  /** When anything was last heard, unix ms. */
  heard = 0;
  #socket: Socket | undefined;
  #heardAt = 0; // the same by the clock that nobody sets
  #openedAt = -1;
  #pings = 0;
  #watch: ReturnType<typeof setTimeout> | undefined;
  #answer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    url: string,
    make: SocketClass,
    private readonly to: {
      opened(c: Connection): void;
      frame(c: Connection, f: ServerFrame): void;
      ended(c: Connection, why: Ending): void;
    },
  ) {
    const s = (this.#socket = new make(url, protocol));
    this.#answer = setTimeout(() => this.fail("could not connect in time"), openTimeout);
    s.onopen = () => {
      this.#hear();
      this.#openedAt = this.#heardAt;
      this.#listen();
      to.opened(this);
    };
    s.onmessage = (e: { data: unknown }) => {
      this.#hear(); // anything heard is an answer
      const f = parseFrame(e.data);
      if (f) to.frame(this, f);
    };
    s.onerror = () => {}; // a close follows, and says as much
    s.onclose = (e: { code?: number; reason?: string }) => {
      const code = e.code === 1005 || e.code === 1006 ? 0 : (e.code ?? 0);
      this.#end({ code, reason: e.reason || (code ? `closed with ${code}` : this.#openedAt >= 0 ? "connection lost" : "could not connect") });
    };
  }

  get isOpen(): boolean {
    return this.#socket?.readyState === open;
  }

  /** It is over, whoever ended it. */
  get over(): boolean {
    return !this.#socket;
  }

  /** It has lived long enough to forget the failures before it. */
  get stable(): boolean {
    return this.#openedAt >= 0 && performance.now() - this.#openedAt >= stableAfter;
  }

  send(f: ClientFrame): void {
    if (this.isOpen) this.#socket?.send(JSON.stringify(f));
  }

  /** Asks whether the other end is there; with no answer within that many ms the connection is lost. */
  probe(within = answerTimeout): void {
    if (!this.isOpen) return;
    clearTimeout(this.#answer);
    this.#answer = setTimeout(() => this.fail("no answer"), within);
    this.send({ type: "ping", id: ++this.#pings });
  }

  /** Ends it as lost. */
  fail(reason: string): void {
    const s = this.#socket;
    this.#end({ code: 0, reason });
    s?.close(); // it may take the platform a minute to close a dead one: nobody waits for it
  }

  /** Ends it for good; `ended` is not called. */
  close(): void {
    const s = this.#socket;
    this.#release();
    s?.close(1000);
  }

  #hear(): void {
    this.heard = Date.now();
    this.#heardAt = performance.now();
    clearTimeout(this.#answer);
    this.#answer = undefined;
  }

  #listen(): void {
    const quiet = performance.now() - this.#heardAt;
    if (quiet >= silence && this.#answer === undefined) this.probe();
    this.#watch = setTimeout(() => this.#listen(), quiet >= silence ? silence : silence - quiet);
  }

  #release(): void {
    clearTimeout(this.#watch);
    clearTimeout(this.#answer);
    const s = this.#socket;
    this.#socket = undefined;
    if (s) s.onopen = s.onmessage = s.onclose = null;
  }

  #end(why: Ending): void {
    if (this.over) return;
    this.#release();
    this.to.ended(this, why);
  }
}
