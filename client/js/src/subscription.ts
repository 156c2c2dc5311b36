import { Backoff } from "./backoff.js";
import type { Connection, ConnectionState } from "./connection.js";
import { Emitter } from "./emitter.js";
import type { ClientFrame, ErrorFrame, GapWhy, Place, Subscribed, Update, ViewState } from "./frames.js";
import type { Panel, Row } from "./panel.js";
import { View, type Refusal } from "./view.js";

/** What to subscribe to. */
export interface SubscribeOptions {
  dashboard: string;
  /** Absent: `default`. */
  tenant?: string;
  /** Panel ids; absent: all. */
  panels?: string[];
  /** Groups that must match exactly; absent: all. */
  groups?: (string | null)[][];
  /** Updates a second; 0 or absent: every flush of the server. */
  maxRate?: number;
}

/** Everything was replaced, perhaps the schema too: draw again from scratch. */
export interface SnapshotEvent { epoch: string; version: number; time: number }

/**
 * Rows were added, changed or removed. One event covers all updates since the last animation frame.
 */
export interface UpdateEvent {
  epoch: string;
  /** The versions before and after. */
  from: number;
  to: number;
  /** Log time, ms. */
  time: number;
  changed: Row[];
  removed: Row[];
  /** Indices of the changed panels. */
  panels: Set<number>;
}

/** How fresh the view is; `lag` in ms of log time, `since` in ms, null while live. */
export interface StatusEvent { state: ViewState; lag: number; since: number | null }

/** The held rows are void; a snapshot follows. Show the old rows until then. */
export interface GapEvent { why: GapWhy }

/** The server, or the client itself, refuses something. */
export interface ErrorEvent {
  /** An error or close code of the protocol; 0: the client itself refuses. */
  code: number;
  message: string;
  /** The client retries by itself, after at least `after` ms. */
  retry: boolean;
  after: number;
  /** No more events follow. */
  ended: boolean;
}

export interface SubscriptionEvents {
  snapshot: SnapshotEvent;
  update: UpdateEvent;
  status: StatusEvent;
  gap: GapEvent;
  error: ErrorEvent;
  connection: ConnectionState;
}

/** What a subscription asks of its client. */
export interface Owner {
  id(): number;
  /** Schedules a flush for the next frame. */
  due(s: Subscription): void;
  /** Sends the request of the subscription again. */
  again(s: Subscription): void;
  ended(s: Subscription): void;
}

const badOption = 1105;
/** After this long without trouble the backoff is reset. ms */
const settledAfter = 10_000;

/**
 * One dashboard, or a part of one, kept up to date with the server. `client.subscribe` makes it.
 */
export class Subscription extends Emitter<SubscriptionEvents> {
  readonly options: Readonly<SubscribeOptions>;
  /** The last status: how fresh the view is. */
  status: StatusEvent = { state: "live", lag: 0, since: null };
  /** The rate that the server set, updates a second; 0: every flush. */
  rate = 0;
  /** Why the subscription ended; undefined before that. */
  refused: ErrorEvent | undefined;

  /** The connection whose frames count. For the client only. */
  conn: Connection | undefined;
  /** The id of the request that waits for its answer; 0: none. For the client only. */
  pending = 0;
  asking: Connection | undefined;
  /** The rate last requested from the server. For the client only. */
  asked = 0;

  readonly #view = new View();
  readonly #owner: Owner;
  readonly #backoff = new Backoff();
  #troubled = 0; // when it last had to start again, by performance.now
  #timer: ReturnType<typeof setTimeout> | undefined;
  #fresh = false; // a snapshot has to be reported
  #from = -1; // begin of the update that has to be reported; -1: none
  #changed = new Map<number, Row>();
  #removed: Row[] = [];

  constructor(options: SubscribeOptions, owner: Owner) {
    super();
    this.options = options;
    this.#owner = owner;
  }

  get dashboard(): string { return this.options.dashboard; }
  get tenant(): string { return this.options.tenant ?? "default"; }
  get view(): string { return this.#view.view; }
  get epoch(): string { return this.#view.epoch; }
  /** The number of steps that the dashboard had taken when the rows were like this. */
  get version(): number { return this.#view.version; }
  /** Log time in ms as of the last frame with one; 0: unknown yet. */
  get time(): number { return this.#view.time; }
  /** The panels, in the schema's order; a snapshot replaces the array. */
  get panels(): readonly Panel[] { return this.#view.panels; }
  /** Whether the first snapshot has come. */
  get ready(): boolean { return this.#view.epoch !== ""; }
  /** The place to resume from; undefined if there is none. */
  get place(): Place | undefined { return this.#view.place; }
  /** Number of cells of the last snapshot in a form this client does not know. */
  get unreadable(): number { return this.#view.unreadable; }
  get ended(): boolean { return this.refused !== undefined; }

  /** The panel with that id. */
  panel(id: string): Panel | undefined {
    return this.panels.find((p) => p.panel === id);
  }

  /** Ends the subscription; no event follows. */
  close(): void {
    if (!this.ended) this.end({ code: 0, message: "closed", retry: false, after: 0, ended: true }, false);
    this.silence();
  }

  /** Ends the subscription for a reason. For the client only. */
  end(why: ErrorEvent, tell = true): void {
    if (this.ended) return;
    this.refused = why;
    clearTimeout(this.#timer);
    this.#owner.ended(this);
    if (tell) this.emit("error", why);
  }

  /** Emits the connection's state. For the client only. */
  connection(state: ConnectionState): void {
    this.emit("connection", state);
  }

  /** The request, from the held place. For the client only. */
  request(maxRate: number): ClientFrame {
    const { tenant, dashboard, panels, groups } = this.options;
    clearTimeout(this.#timer);
    this.pending = this.#owner.id();
    this.asked = maxRate;
    return { type: "subscribe", id: this.pending, tenant, dashboard, since: this.#view.place, panels, groups, maxRate: maxRate || undefined };
  }

  subscribed(f: Subscribed): void {
    this.#view.subscribed(f);
    this.rate = f.rate;
    if (f.id !== this.pending) return;
    this.pending = 0;
    // until a status frame changes it
    if (this.status.state !== "live") this.told({ state: "live", lag: 0, since: null });
  }

  update(u: Update): void {
    // a new subscribe is in flight, from the held place
    if (this.pending && this.asking === this.conn) return;
    const before = this.#view.version;
    const change = this.#view.apply(u);
    if (typeof change === "string") return this.#refuse(change);
    if (change.snapshot) {
      this.#fresh = true;
      this.#from = -1;
      this.#changed.clear();
      this.#removed = [];
    } else {
      if (this.#from < 0) this.#from = before;
      for (const r of change.changed) this.#changed.set(r.number, r);
      for (const r of change.removed) {
        this.#changed.delete(r.number);
        this.#removed.push(r);
      }
    }
    if (performance.now() - this.#troubled > settledAfter) this.#backoff.reset();
    if (!u.more) this.#owner.due(this);
  }

  gap(why: GapWhy): void {
    this.#view.gap();
    this.emit("gap", { why });
  }

  told(f: StatusEvent): void {
    this.status = { state: f.state, lag: f.lag, since: f.since };
    this.emit("status", this.status);
  }

  /** Handles the server's refusal of the request. */
  error(f: ErrorFrame): void {
    this.pending = 0;
    const again = f.retry || (f.code === badOption && this.#view.place !== undefined);
    if (f.code === badOption) this.#view.gap(); // the server may have refused the held place
    const e: ErrorEvent = { code: f.code, message: f.message, retry: again, after: f.after, ended: !again };
    if (!again) return this.end(e);
    this.emit("error", e);
    this.#later(f.after, this.asking);
  }

  /** Emits what has happened since the last frame. */
  flush(): void {
    if (this.ended) return;
    const { epoch, version, time } = this.#view;
    if (this.#fresh) {
      this.#fresh = false;
      this.emit("snapshot", { epoch, version, time });
    } else if (this.#from >= 0) {
      const changed = [...this.#changed.values()];
      const removed = this.#removed;
      const panels = new Set([...changed, ...removed].map((r) => r.panel));
      const from = this.#from;
      this.emit("update", { epoch, from, to: version, time, changed, removed, panels });
    }
    this.#from = -1;
    this.#changed.clear();
    this.#removed = [];
  }

  #refuse(why: Refusal): void {
    if (why === "known") return;
    if (why === "unreadable") this.#view.gap(); // from 0
    this.#later(0);
  }

  /**
   * Subscribes again: at once the first time, then more and more slowly if that does not help. `at`
   * is the connection that caused it; while another one serves, its updates are still applied.
   */
  #later(after: number, at = this.conn): void {
    const wait = this.#backoff.attempts === 0 ? after : this.#backoff.next(after);
    this.#backoff.attempts ||= 1;
    this.pending = -1; // no answer has this id: updates are deferred
    this.asking = at;
    clearTimeout(this.#timer);
    this.#troubled = performance.now() + wait;
    this.#timer = setTimeout(() => this.#owner.again(this), wait);
  }
}
