import { Backoff, maxBackoff } from "./backoff.js";
import { Batch, nextFrame } from "./batch.js";
import { Connection, type ConnectionState, type Ending, type SocketClass } from "./connection.js";
import { Emitter } from "./emitter.js";
import type { ErrorFrame, Limits, ServerFrame, Subscribed } from "./frames.js";
import { type ErrorEvent, type SubscribeOptions, Subscription } from "./subscription.js";
import { listen, surroundings } from "./surroundings.js";
import { Credentials, type TokenSource } from "./credentials.js";

/** Options of a client. */
export interface ClientOptions {
  /**
   * The server's address, as `https://host` or `https://host/base`; absent: the page's own origin.
   * With several, each attempt uses the next one; the first attempt uses the first.
   */
  server?: string | readonly string[];
  /** Failed attempts in a row before the client gives up; absent: it never gives up. */
  maxAttempts?: number;
  /**
   * Highest update rate of every subscription while the page is hidden, updates a second; absent:
   * 0.2; with 0 it is not lowered.
   */
  hiddenRate?: number;
  /** Returns the token; called when the client connects, and again before the token expires. */
  token?: TokenSource;
  /** The WebSocket class, if the platform has none of its own. */
  WebSocket?: SocketClass;
  /**
   * When to deliver batched events; absent: at the next animation frame, or in a timer if there are
   * none.
   */
  schedule?: (run: () => void) => void;
}

export interface ClientEvents {
  connection: ConnectionState;
  /** Errors of no particular subscription, and those that end the client. */
  error: ErrorEvent;
}

/** How long an answer may take if the socket may be dead. ms */
const urgent = 2_000;
/** Shortest time between two attempts, however often the page is shown and hidden. ms */
const leastBetween = 1_000;
const unauthorized = 4501;

/**
 * A connection to a server and the subscriptions that share it. It connects with the first
 * subscription and reconnects after any failure; each subscription resumes from its place.
 */
export class Client extends Emitter<ClientEvents> {
  connection: ConnectionState = { state: "connecting", since: Date.now(), attempt: 0, wait: 0, reason: "", code: 0 };
  /** The limits that the server sent; undefined before that. */
  limits: Limits | undefined;

  readonly #options: ClientOptions;
  readonly #urls: string[];
  readonly #subscriptions = new Set<Subscription>();
  readonly #batch: Batch;
  readonly #backoff = new Backoff();
  readonly #credentials: Credentials | undefined;
  readonly #deaf: () => void;
  #ids = 0;
  #heard = 0; // on connections that have ended
  #turn = 0; // index of the server for the next attempt
  #conn: Connection | undefined; // the newest
  #old: Connection | undefined; // serves until all subscriptions have moved to the newest (drain)
  #timer: ReturnType<typeof setTimeout> | undefined; // the next attempt
  #slot: ReturnType<typeof setTimeout> | undefined; // the attempt in the slot of a drain
  #slotAt = 0; // by performance.now
  #inSlot = false; // the next attempt is in a slot that the server gave
  #attemptAt = 0; // by performance.now

  constructor(options: ClientOptions = {}) {
    super();
    this.#options = options;
    this.#urls = webSocketURLs(options.server);
    this.#batch = new Batch(options.schedule ?? nextFrame);
    if (options.token) this.#credentials = new Credentials(options.token, () => ++this.#ids);
    this.#deaf = listen({
      visible: () => this.#visible(),
      hidden: () => this.#tuneAll(),
      online: () => this.#now(),
      offline: () => this.#offline(),
    });
  }

  /** Subscribes. Several subscriptions share the one socket. */
  subscribe(options: SubscribeOptions): Subscription {
    const s = new Subscription(options, {
      id: () => ++this.#ids,
      due: (s) => this.#batch.add(s),
      again: (s) => this.#request(s, this.#conn?.isOpen ? this.#conn : s.conn),
      ended: (s) => this.#ended(s),
    });
    if (this.connection.state === "closed") {
      s.refused = { code: this.connection.code, message: this.connection.reason, retry: false, after: 0, ended: true };
      return s;
    }
    this.#subscriptions.add(s);
    this.#request(s, this.#conn);
    this.connect();
    return s;
  }

  /** Connects, unless there is a connection. A subscription does this by itself. */
  connect(): void {
    if (!this.#conn && !this.#timer && this.connection.state !== "closed") this.#open();
  }

  /** The subscriptions that have not ended. */
  get subscriptions(): Subscription[] {
    return [...this.#subscriptions];
  }

  /** When the server last sent anything, unix ms; 0: never. */
  get heard(): number {
    return Math.max(this.#heard, this.#conn?.heard ?? 0, this.#old?.heard ?? 0);
  }

  /** Ends everything; no event follows. */
  close(): void {
    for (const s of this.#subscriptions) s.close();
    this.silence();
    this.#finish("closed", 0);
  }

  #finish(reason: string, code: number): void {
    this.#deaf();
    this.#credentials?.stop();
    clearTimeout(this.#timer);
    clearTimeout(this.#slot);
    this.#conn?.close();
    this.#old?.close();
    this.#conn = this.#old = this.#timer = undefined;
    this.#state("closed", { reason, code });
  }

  #open(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#slot);
    this.#timer = this.#slot = undefined;
    this.#inSlot = false;
    this.#attemptAt = performance.now();
    if (this.#conn) {
      this.#old?.close();
      this.#old = this.#conn;
    } else {
      this.#state("connecting");
    }
    this.#conn = new Connection(this.#urls[this.#turn++ % this.#urls.length], socketClass(this.#options.WebSocket), {
      opened: (c) => void this.#opened(c),
      frame: (c, f) => this.#frame(c, f),
      ended: (c, why) => this.#lost(c, why),
    });
  }

  async #opened(c: Connection): Promise<void> {
    try {
      await this.#credentials?.connect(c);
    } catch (e) {
      return c.fail(`no token: ${e instanceof Error ? e.message : e}`);
    }
    if (c.over || c !== this.#conn) return;
    this.#state("open");
    for (const s of this.#subscriptions) this.#request(s, c);
    this.#moved();
  }

  #request(s: Subscription, c: Connection | undefined): void {
    if (!c?.isOpen || s.ended || (c === this.#conn && this.#credentials?.connected === false)) return;
    s.asking = c;
    c.send(s.request(this.#rate([s])));
  }

  /** Handles the end of the connection. */
  #lost(c: Connection, why: Ending): void {
    this.#heard = Math.max(this.#heard, c.heard);
    if (c === this.#old) {
      this.#old = undefined;
      if (!this.#conn?.isOpen) this.#state("connecting", why);
      // The old connection served the subscriptions whose request the new one has deferred.
      for (const s of this.#subscriptions) if (s.conn === c && s.asking !== this.#conn) this.#request(s, this.#conn);
      return;
    }
    if (c !== this.#conn) return;
    if (c.stable) this.#backoff.reset();
    this.#conn = this.#old; // if a drain's new connection failed, the old one stays
    this.#old = undefined;
    if (this.#conn) {
      for (const s of this.#subscriptions) if (s.conn !== this.#conn || s.pending) this.#request(s, this.#conn);
      return;
    }
    if (why.code >= 4500 && why.code <= 4999 && !(why.code === unauthorized && this.#credentials?.again())) {
      return this.#giveUp(why);
    }
    if (this.#options.maxAttempts && this.#backoff.attempts >= this.#options.maxAttempts) {
      return this.#giveUp({ code: why.code, reason: `gave up after ${this.#backoff.attempts} attempts: ${why.reason}` });
    }
    this.#wait(why);
  }

  /** Waits for the next attempt: for the slot that the server gave, or by the backoff. */
  #wait(why: Ending): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#slot);
    this.#inSlot ||= this.#slot !== undefined;
    this.#slot = undefined;
    const { offline } = surroundings();
    // Platforms sometimes report the network wrongly: a rare attempt costs nothing.
    const wait = offline ? maxBackoff : this.#inSlot ? Math.max(0, this.#slotAt - performance.now()) : this.#backoff.next();
    this.#timer = setTimeout(() => this.#open(), wait);
    this.#state(offline ? "offline" : "waiting", { ...why, wait });
  }

  #giveUp(why: Ending): void {
    const e: ErrorEvent = { code: why.code, message: why.reason, retry: false, after: 0, ended: true };
    const all = [...this.#subscriptions];
    this.#finish(why.reason, why.code);
    for (const s of all) s.end(e);
    this.emit("error", e);
  }

  #frame(c: Connection, f: ServerFrame): void {
    switch (f.type) {
      case "connected":
        this.limits = f.limits;
        break;
      case "subscribed":
        this.#subscribed(c, f);
        break;
      case "update":
        for (const s of this.#of(c, f.view)) s.update(f);
        break;
      case "gap":
        for (const s of this.#of(c, f.view)) s.gap(f.why);
        break;
      case "status":
        for (const s of this.#of(c, f.view)) s.told(f);
        break;
      case "refreshed":
        this.#credentials?.refreshed(c, f);
        for (const v of f.revoked) for (const s of this.#of(c, v)) s.end({ code: 1102, message: "the token no longer has access to this dashboard", retry: false, after: 0, ended: true });
        break;
      case "error":
        this.#error(c, f);
        break;
      case "drain":
        if (c === this.#conn) this.#drain(f.after + Math.random() * f.within);
        break;
    } // else: an answer without content, or a type of a newer server
  }

  /** The subscriptions that get this connection's frames of the view. */
  #of(c: Connection, view: string): Subscription[] {
    return [...this.#subscriptions].filter((s) => s.conn === c && s.view === view);
  }

  #subscribed(c: Connection, f: Subscribed): void {
    this.#credentials?.accepted();
    const meant = this.#meant(c, f);
    for (const s of meant) {
      s.conn = c;
      s.subscribed(f);
    }
    if (meant[0]) {
      // the view has one rate, the last one requested
      for (const o of this.#of(c, f.view)) o.asked = meant[0].asked;
      this.#tune(meant[0]);
    } else if (f.id !== undefined) {
      // the subscription was closed before the answer came
      c.send({ type: "unsubscribe", id: ++this.#ids, view: f.view });
    }
    this.#moved();
  }

  /**
   * The subscriptions that an answer is for: the one that asked, or those whose definition changed.
   */
  #meant(c: Connection, f: Subscribed): Subscription[] {
    const all = [...this.#subscriptions];
    if (f.id === undefined) return f.was ? this.#of(c, f.was).filter((s) => !s.pending) : [];
    const who = all.find((s) => s.pending === f.id && s.asking === c);
    return who ? [who] : this.#of(c, f.view);
  }

  #error(c: Connection, f: ErrorFrame): void {
    if (f.view !== undefined) { // the new definition lacks a panel that the subscription asked for
      for (const s of this.#of(c, f.view)) s.error(f);
      return this.#moved();
    }
    const s = f.id === undefined ? undefined : [...this.#subscriptions].find((s) => s.pending === f.id && s.asking === c);
    if (s) {
      s.error(f);
      this.#moved();
    } else if (f.id === undefined) {
      this.emit("error", { code: f.code, message: f.message, retry: f.retry, after: f.after, ended: false });
    } // else: a set or unsubscribe that crossed a change; the next subscribed corrects it
  }

  /**
   * Reconnects in the slot that the server gave: the new connection is open before the old one
   * closes.
   */
  #drain(after: number): void {
    clearTimeout(this.#slot);
    this.#slotAt = performance.now() + after;
    this.#slot = setTimeout(() => this.#open(), after);
  }

  /** Closes the old connection once no subscription needs it. */
  #moved(): void {
    if (!this.#old || !this.#conn?.isOpen) return;
    for (const s of this.#subscriptions) if (s.conn !== this.#conn) return;
    this.#old.close();
    this.#old = undefined;
  }

  #ended(s: Subscription): void {
    this.#subscriptions.delete(s);
    this.#batch.delete(s);
    if (s.conn && s.view) {
      const others = this.#of(s.conn, s.view);
      if (others[0]) this.#tune(others[0]);
      else s.conn.send({ type: "unsubscribe", id: ++this.#ids, view: s.view });
    }
    this.#moved();
  }

  /** The rate that these subscriptions, which share a view, need now; 0: every flush. */
  #rate(of: Subscription[]): number {
    const rates = of.map((s) => s.options.maxRate || Infinity);
    const hidden = (surroundings().hidden && (this.#options.hiddenRate ?? 0.2)) || Infinity;
    const rate = Math.min(Math.max(...rates), hidden);
    return rate === Infinity ? 0 : rate;
  }

  /** Sets the rate at the server to the one needed now; the place is kept. */
  #tune(s: Subscription): void {
    if (!s.conn?.isOpen || s.pending || !s.view) return;
    const all = this.#of(s.conn, s.view);
    const rate = this.#rate(all);
    if (s.asked === rate) return;
    for (const o of all) o.asked = rate;
    s.conn.send({ type: "set", id: ++this.#ids, view: s.view, maxRate: rate });
  }

  #tuneAll(): void {
    for (const s of this.#subscriptions) this.#tune(s);
  }

  #visible(): void {
    if (surroundings().hidden) return;
    this.#tuneAll();
    this.#now();
  }

  /** The page is shown, or the network is back: stop waiting, and check the old socket. */
  #now(): void {
    this.#conn?.probe(urgent);
    this.#old?.probe(urgent);
    if (!this.#timer) return;
    clearTimeout(this.#timer);
    const at = this.#inSlot ? this.#slotAt : this.#attemptAt + leastBetween;
    this.#timer = setTimeout(() => this.#open(), Math.max(0, at - performance.now()));
  }

  #offline(): void {
    this.#conn?.probe(urgent); // a loopback server may still answer
    if (this.#timer) this.#wait({ code: this.connection.code, reason: this.connection.reason });
  }

  #state(state: ConnectionState["state"], why: { reason?: string; code?: number; wait?: number } = {}): void {
    const last = this.connection;
    this.connection = {
      state, since: Date.now(), attempt: this.#backoff.attempts, wait: why.wait ?? 0,
      reason: why.reason ?? last.reason, code: why.code ?? last.code,
    };
    this.emit("connection", this.connection);
    for (const s of this.#subscriptions) s.connection(this.connection);
  }
}

function socketClass(given: SocketClass | undefined): SocketClass {
  const made = given ?? (globalThis as { WebSocket?: SocketClass }).WebSocket;
  if (!made) throw new Error("this platform has no WebSocket: pass one as the option WebSocket (Node 20 has its own with --experimental-websocket)");
  return made;
}

function webSocketURLs(server?: string | readonly string[]): string[] {
  const bases = server ?? (globalThis as { location?: { origin: string } }).location?.origin ?? [];
  const urls = [bases].flat().map((base) => {
    const u = new URL("v1/ws", base.endsWith("/") ? base : base + "/");
    u.protocol = u.protocol.replace(/^http/, "ws");
    return u.href;
  });
  if (!urls.length) throw new Error("server is missing: there is no page to take the origin from");
  return urls;
}
