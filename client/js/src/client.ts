import { Backoff, maxBackoff } from "./backoff.js";
import { Batch, nextFrame } from "./batch.js";
import { Connection, type ConnectionState, type Ending, type SocketClass } from "./connection.js";
import { Emitter } from "./emitter.js";
import type { ErrorFrame, Limits, ServerFrame, Subscribed } from "./frames.js";
import { type ErrorEvent, type SubscribeOptions, Subscription } from "./subscription.js";
import { listen, surroundings } from "./surroundings.js";
import { Credentials, type TokenSource } from "./credentials.js";

/** What a client may be told. */
export interface ClientOptions {
  /**
   * The server's address, as `https://host` or `https://host/base`; absent: the page's own origin. Of several, each
   * attempt goes to the next one, the first to the first.
   */
  server?: string | readonly string[];
  /** Failed attempts in a row until it gives up; absent: never. */
  maxAttempts?: number;
  /** Greatest update rate of every subscription while the page is hidden, updates a second; absent: 0.2; 0: do not lower it. */
  hiddenRate?: number;
  /** Gives the token when the client connects, and again before it expires. */
  token?: TokenSource;
  /** The WebSocket class, where the platform has none of its own. */
  WebSocket?: SocketClass;
  /** When batched events are told; absent: at the next animation frame, or in a timer where there are none. */
  schedule?: (run: () => void) => void;
}

export interface ClientEvents {
  connection: ConnectionState;
  /** What is said to no subscription in particular, and what ends the client. */
  error: ErrorEvent;
}

/** How long an answer may take when there is reason to think the socket is dead. ms */
const urgent = 2_000;
/** Between two attempts, however often the page is shown and hidden. ms */
const leastBetween = 1_000;
const unauthorized = 4501;

/**
 * A connection to a server and the subscriptions that share it. It connects with the first subscription, comes back
 * after whatever happens, and each subscription goes on from its place.
 */
export class Client extends Emitter<ClientEvents> {
  connection: ConnectionState = { state: "connecting", since: Date.now(), attempt: 0, wait: 0, reason: "", code: 0 };
  /** What the server said it allows; undefined until it has. */
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
  #turn = 0; // whose turn the next attempt is
  #conn: Connection | undefined; // the newest
  #old: Connection | undefined; // serves until all subscriptions are on the newest (drain)
  #timer: ReturnType<typeof setTimeout> | undefined; // the next attempt
  #slot: ReturnType<typeof setTimeout> | undefined; // the one that a drain gave
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

  /** Connects, if nothing does already. A subscription does this by itself. */
  connect(): void {
    if (!this.#conn && !this.#timer && this.connection.state !== "closed") this.#open();
  }

  /** The subscriptions that live. */
  get subscriptions(): Subscription[] {
    return [...this.#subscriptions];
  }

  /** When anything was last heard from the server, unix ms; 0: never. */
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

  /** The connection has ended. */
  #lost(c: Connection, why: Ending): void {
    this.#heard = Math.max(this.#heard, c.heard);
    if (c === this.#old) {
      this.#old = undefined;
      if (!this.#conn?.isOpen) this.#state("connecting", why);
      // Whoever the new one has put off was served by the old one until now.
      for (const s of this.#subscriptions) if (s.conn === c && s.asking !== this.#conn) this.#request(s, this.#conn);
      return;
    }
    if (c !== this.#conn) return;
    if (c.stable) this.#backoff.reset();
    this.#conn = this.#old; // where a drain's new connection failed, the old one goes on
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

  /** Waits for the next attempt: the slot that the server gave, or the backoff. */
  #wait(why: Ending): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#slot);
    this.#inSlot ||= this.#slot !== undefined;
    this.#slot = undefined;
    const { offline } = surroundings();
    // Platforms are wrong about the network at times: an attempt now and then costs nothing.
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
        for (const v of f.revoked) for (const s of this.#of(c, v)) s.end({ code: 1102, message: "the token may not see this any more", retry: false, after: 0, ended: true });
        break;
      case "error":
        this.#error(c, f);
        break;
      case "drain":
        if (c === this.#conn) this.#drain(f.after + Math.random() * f.within);
        break;
    } // else: an answer that says nothing, or a type of a newer server
  }

  /** The subscriptions that this connection's frames of the view are for. */
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
      for (const o of this.#of(c, f.view)) o.asked = meant[0].asked; // the view has one rate, the last that was asked for
      this.#tune(meant[0]);
    } else if (f.id !== undefined) c.send({ type: "unsubscribe", id: ++this.#ids, view: f.view }); // it was closed before the answer came
    this.#moved();
  }

  /** Whom an answer is for: who asked for it, or whose definition has changed. */
  #meant(c: Connection, f: Subscribed): Subscription[] {
    const all = [...this.#subscriptions];
    if (f.id === undefined) return f.was ? this.#of(c, f.was).filter((s) => !s.pending) : [];
    const who = all.find((s) => s.pending === f.id && s.asking === c);
    return who ? [who] : this.#of(c, f.view);
  }

  #error(c: Connection, f: ErrorFrame): void {
    if (f.view !== undefined) { // the definition has changed, and lacks a panel that was asked for
      for (const s of this.#of(c, f.view)) s.error(f);
      return this.#moved();
    }
    const s = f.id === undefined ? undefined : [...this.#subscriptions].find((s) => s.pending === f.id && s.asking === c);
    if (s) {
      s.error(f);
      this.#moved();
    } else if (f.id === undefined) {
      this.emit("error", { code: f.code, message: f.message, retry: f.retry, after: f.after, ended: false });
    } // else: a set or unsubscribe that crossed a change; the next subscribed sets it right
  }

  /** Comes back in the slot that the server gave: the new connection is there before the old one goes. */
  #drain(after: number): void {
    clearTimeout(this.#slot);
    this.#slotAt = performance.now() + after;
    this.#slot = setTimeout(() => this.#open(), after);
  }

  /** Lets the old connection go once nobody needs it. */
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

  /** The rate that these subscriptions, which share a view, are to have now; 0: every flush. */
  #rate(of: Subscription[]): number {
    const rates = of.map((s) => s.options.maxRate || Infinity);
    const hidden = (surroundings().hidden && (this.#options.hiddenRate ?? 0.2)) || Infinity;
    const rate = Math.min(Math.max(...rates), hidden);
    return rate === Infinity ? 0 : rate;
  }

  /** Has the server send at the rate that is wanted now; the place is kept. */
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

  /** Somebody looks, or the network is back: no waiting now, and no trust in an old socket. */
  #now(): void {
    this.#conn?.probe(urgent);
    this.#old?.probe(urgent);
    if (!this.#timer) return;
    clearTimeout(this.#timer);
    const at = this.#inSlot ? this.#slotAt : this.#attemptAt + leastBetween;
    this.#timer = setTimeout(() => this.#open(), Math.max(0, at - performance.now()));
  }

  #offline(): void {
    this.#conn?.probe(urgent); // a loopback server may well be there still
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
  if (!made) throw new Error("there is no WebSocket here: give one as an option (Node 20 has its own with --experimental-websocket)");
  return made;
}

function webSocketURLs(server?: string | readonly string[]): string[] {
  const bases = server ?? (globalThis as { location?: { origin: string } }).location?.origin ?? [];
  const urls = [bases].flat().map((base) => {
    const u = new URL("v1/ws", base.endsWith("/") ? base : base + "/");
    u.protocol = u.protocol.replace(/^http/, "ws");
    return u.href;
  });
  if (!urls.length) throw new Error("server is missing: there is no page whose origin could be meant");
  return urls;
}
