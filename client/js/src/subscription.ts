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
  /** Groups that must be met exactly; absent: all. */
  groups?: (string | null)[][];
  /** Updates a second; 0 or absent: every flush of the server. */
  maxRate?: number;
}

/** Everything was replaced, the schema perhaps too: draw anew. */
export interface SnapshotEvent { epoch: string; version: number; time: number }

/** Rows were born, changed or went. One event stands for all updates since the last animation frame. */
export interface UpdateEvent {
  epoch: string;
  /** The versions that it leads from and to. */
  from: number;
  to: number;
  /** Log time, ms. */
  time: number;
  changed: Row[];
  removed: Row[];
  /** Indices of the panels that were touched. */
  panels: Set<number>;
}

/** How fresh the view is; `lag` in ms of log time, `since` in ms, null while live. */
export interface StatusEvent { state: ViewState; lag: number; since: number | null }

/** What is held is void; a snapshot follows. The rows stay to be shown meanwhile. */
export interface GapEvent { why: GapWhy }

/** The server, or the client itself, says no. */
export interface ErrorEvent {
  /** An error or close code of the protocol; 0: it is the client's own. */
  code: number;
  message: string;
  /** It is tried again by itself, after so many ms at least. */
  retry: boolean;
  after: number;
  /** Nothing comes any more. */
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
  /** Has flush called at the next frame. */
  due(s: Subscription): void;
  /** Sends the request of the subscription again. */
  again(s: Subscription): void;
  ended(s: Subscription): void;
}

const badOption = 1105;
/** So long without trouble, and it is forgotten. ms */
const calm = 10_000;

/** One dashboard, or a part of one, kept as the server has it. Made by `client.subscribe`. */
export class Subscription extends Emitter<SubscriptionEvents> {
  readonly options: Readonly<SubscribeOptions>;
  /** The last word on how fresh the view is. */
  status: StatusEvent = { state: "live", lag: 0, since: null };
  /** The rate that the server gave, updates a second; 0: every flush. */
  rate = 0;
  /** Why nothing comes any more; undefined while it lives. */
  refused: ErrorEvent | undefined;

  /** The connection whose frames count. The client's. */
  conn: Connection | undefined;
  /** The request that waits for its answer, and where; 0: none. The client's. */
  pending = 0;
  asking: Connection | undefined;
  /** The rate that the server was last asked for. The client's. */
  asked = 0;

  readonly #view = new View();
  readonly #owner: Owner;
  readonly #backoff = new Backoff();
  #troubled = 0; // when it last had to begin again, by performance.now
  #timer: ReturnType<typeof setTimeout> | undefined;
  #fresh = false; // a snapshot has to be told
  #from = -1; // where the update that has to be told begins; -1: none
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
  /** How many steps the dashboard had taken when it was as the rows show it. */
  get version(): number { return this.#view.version; }
  /** Log time in ms as far as frames have told; 0: not yet. */
  get time(): number { return this.#view.time; }
  /** The panels, as the schema has them; the array is replaced by a snapshot. */
  get panels(): readonly Panel[] { return this.#view.panels; }
  /** The first snapshot has come. */
  get ready(): boolean { return this.#view.epoch !== ""; }
  /** Where it stands; undefined where there is nothing to resume from. */
  get place(): Place | undefined { return this.#view.place; }
  /** Cells of the last snapshot that are of a form this client does not know. */
  get unreadable(): number { return this.#view.unreadable; }
  get ended(): boolean { return this.refused !== undefined; }

  /** The panel of that id. */
  panel(id: string): Panel | undefined {
    return this.panels.find((p) => p.panel === id);
  }

  /** Ends it; no event follows. */
  close(): void {
    if (!this.ended) this.end({ code: 0, message: "closed", retry: false, after: 0, ended: true }, false);
    this.silence();
  }

  /** Ends it for a reason. The client's. */
  end(why: ErrorEvent, tell = true): void {
    if (this.ended) return;
    this.refused = why;
    clearTimeout(this.#timer);
    this.#owner.ended(this);
    if (tell) this.emit("error", why);
  }

  /** The connection's state, passed on. The client's. */
  connection(state: ConnectionState): void {
    this.emit("connection", state);
  }

  /** The request, from the place that is held. The client's. */
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
    if (this.status.state !== "live") this.told({ state: "live", lag: 0, since: null }); // until a status says otherwise
  }

  update(u: Update): void {
    if (this.pending && this.asking === this.conn) return; // a new beginning is under way, from the place that is held
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
    if (performance.now() - this.#troubled > calm) this.#backoff.reset();
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

  /** The server refused the request. */
  error(f: ErrorFrame): void {
    this.pending = 0;
    const again = f.retry || (f.code === badOption && this.#view.place !== undefined);
    if (f.code === badOption) this.#view.gap(); // the place that is held may be what it does not take
    const e: ErrorEvent = { code: f.code, message: f.message, retry: again, after: f.after, ended: !again };
    if (!again) return this.end(e);
    this.emit("error", e);
    this.#later(f.after, this.asking);
  }

  /** Tells what has happened since the last frame. */
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
   * Subscribes again: at once the first time, then more and more slowly where that does not help. `at` is the connection
   * whose word it was: where another one serves, its updates are still taken.
   */
  #later(after: number, at = this.conn): void {
    const wait = this.#backoff.attempts === 0 ? after : this.#backoff.next(after);
    this.#backoff.attempts ||= 1;
    this.pending = -1; // no answer has this id: updates wait
    this.asking = at;
    clearTimeout(this.#timer);
    this.#troubled = performance.now() + wait;
    this.#timer = setTimeout(() => this.#owner.again(this), wait);
  }
}
