import type { Subscription } from "../../../client/js/src/index.js";
import { h, setData, text } from "./dom.js";
import { counters, type Counters, type Reading } from "./reading.js";
import { day, clockSeconds, valueWords } from "./words.js";

/** Shortest time between two reads while the version changes. ms */
const every = 3_000;

const rows: [keyof Counters, string][] = [
  ["records", "records"], ["accepted", "accepted"], ["invalid", "invalid"], ["future", "too far in the future"],
  ["duplicates", "duplicates, counted once"], ["horizon", "older than the duplicate horizon"], ["metrics_dropped", "metrics beyond the limit"], ["set_aside", "set aside"],
];

/** The dashboard's counters, which frames do not carry: read now and then, with their version. */
export class CountersView {
  readonly element: HTMLElement;
  readonly #of = h("p", { class: "measure" }, "Not loaded yet.");
  readonly #values = new Map<keyof Counters, HTMLDataElement>();
  readonly #subscription: Subscription;
  readonly #told: (r: Reading) => void;
  readonly #abort = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running = false;
  #seen = "";

  constructor(s: Subscription, told: (r: Reading) => void) {
    this.#subscription = s;
    this.#told = told;
    const list = h("dl", { class: "counted" });
    for (const [key, name] of rows) {
      const value = h("data", {}, "–");
      this.#values.set(key, value);
      list.append(h("div", {}, h("dt", {}, name), h("dd", {}, value)));
    }
    this.element = h("section", { class: "card counts", "aria-labelledby": "counts" }, h("h2", { id: "counts" }, "Events counted"), this.#of, list);
  }

  /** Handles a changed version. */
  soon(): void {
    this.#timer ??= setTimeout(() => this.now(), every);
  }

  async now(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const s = this.#subscription;
    const at = `${s.epoch}:${s.version}`;
    if (this.#running || !s.ready || at === this.#seen || this.#abort.signal.aborted) return;
    if (document.hidden) return this.soon();
    this.#running = true;
    try {
      const r = await counters(s.tenant, s.dashboard, s.version ? at : undefined, this.#abort.signal);
      this.#seen = `${r.epoch}:${r.version}`;
      this.#show(r);
      this.#told(r);
    } catch {
      // the version beside the numbers shows their age
      if (!this.#abort.signal.aborted) this.soon();
    } finally {
      this.#running = false;
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#abort.abort();
  }

  #show(r: Reading): void {
    const w = r.watermark;
    text(this.#of, `As of version ${valueWords(r.version)}${w === null ? "" : `; watermark ${day(w)} ${clockSeconds(w)} UTC`}.`);
    for (const [key, e] of this.#values) setData(e, r.counters[key], valueWords);
  }
}
