import { type ClientFrame, type ServerFrame, parseFrame, protocol } from "./frames.js";

/** The part of the platform's WebSocket that the client uses. */
export interface Socket {
  readonly readyState: number;
  send(data: string): void;
  close(code?: number, reason?: string): void;
  onopen: ((e: any) => void) | null;
  onmessage: ((e: any) => void) | null;
  onclose: ((e: any) => void) | null;
  onerror: ((e: any) => void) | null;
}

/** The platform's constructor of sockets. */
export type SocketClass = new (url: string, protocols?: string | string[]) => Socket;

/** Why a connection ended: the close code, or 0 without one, and a text for people. */
export interface Ending {
  code: number;
  reason: string;
}

/** The state of a client's connection to its server, over all its sockets. */
export interface ConnectionState {
  /**
   * `waiting`: for the next attempt; `offline`: the platform reports no network; `closed`: for
   * good.
   */
  state: "connecting" | "open" | "waiting" | "offline" | "closed";
  /** Since when, unix ms. */
  since: number;
  /** Failed attempts in a row. */
  attempt: number;
  /** ms from `since` to the next attempt; 0: the client does not wait for one. */
  wait: number;
  /** Why the last connection ended, in words; "" before the first. */
  reason: string;
  /** The close code; 0 without one. */
  code: number;
}

/** A connection that stayed up this long was stable. ms */
const stableAfter = 10_000;
/** How long an attempt may take. ms */
const openTimeout = 10_000;
/** After this long a silence the client asks the server for an answer. ms */
const silence = 10_000;
/** How long the answer may take. ms */
const answerTimeout = 5_000;

const open = 1;

/**
 * One WebSocket. A socket can be dead without a close (a laptop slept, a network changed), and
 * scripts do not see the protocol's pings. So the client asks with messages: after 10 s of silence,
 * and whenever probe is called. `ended` is called once, and nothing after it.
 */
export class Connection {
  /** When the server last sent anything, unix ms. */
  heard = 0;
  #socket: Socket | undefined;
  #heardAt = 0; // the same by performance.now, which nobody sets
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
      this.#hear(); // any message is an answer
      const f = parseFrame(e.data);
      if (f) to.frame(this, f);
    };
    s.onerror = () => {}; // a close follows, with the reason
    s.onclose = (e: { code?: number; reason?: string }) => {
      const code = e.code === 1005 || e.code === 1006 ? 0 : (e.code ?? 0);
      this.#end({ code, reason: e.reason || (code ? `closed with ${code}` : this.#openedAt >= 0 ? "connection lost" : "could not connect") });
    };
  }

  get isOpen(): boolean {
    return this.#socket?.readyState === open;
  }

  /** Whether the connection has ended, on either side. */
  get over(): boolean {
    return !this.#socket;
  }

  /** Whether the connection stayed up long enough to reset the backoff. */
  get stable(): boolean {
    return this.#openedAt >= 0 && performance.now() - this.#openedAt >= stableAfter;
  }

  send(f: ClientFrame): void {
    if (this.isOpen) this.#socket?.send(JSON.stringify(f));
  }

  /** Asks the server for an answer; without one within that many ms the connection is lost. */
  probe(within = answerTimeout): void {
    if (!this.isOpen) return;
    clearTimeout(this.#answer);
    this.#answer = setTimeout(() => this.fail("no answer"), within);
    this.send({ type: "ping", id: ++this.#pings });
  }

  /** Ends the connection as lost. */
  fail(reason: string): void {
    const s = this.#socket;
    this.#end({ code: 0, reason });
    s?.close(); // the platform may take a minute to close a dead socket: nothing waits for that
  }

  /** Ends the connection for good; `ended` is not called. */
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
    const silent = performance.now() - this.#heardAt;
    if (silent >= silence && this.#answer === undefined) this.probe();
    this.#watch = setTimeout(() => this.#listen(), silent >= silence ? silence : silence - silent);
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
