import type { ConnectionState, StatusEvent } from "../../../client/js/src/index.js";
import { ago, clockSeconds, count, day, duration } from "./words.js";

/** What the page knows about the freshness of its numbers. Times in unix ms of this machine. */
export interface Known {
  connection: ConnectionState;
  status: StatusEvent;
  ready: boolean;
  /** When the server last sent anything; 0: never. */
  heard: number;
  /** When the numbers last changed; 0: never. */
  changed: number;
  version: number;
  /** Why the subscription has ended. */
  refused?: string;
  now: number;
}

/**
 * The freshness in words. `tone` sets the colour and the mark beside the label, which says the
 * same.
 */
export interface Freshness {
  tone: "good" | "waiting" | "bad";
  label: string;
  sentence: string;
}

/** The client asks after 10 s of silence; after this long the answer is overdue. ms */
const silent = 12_000;

/** Describes the freshness, and never claims more than the page knows. */
export function freshness(k: Known): Freshness {
  const c = k.connection;
  const old = k.ready ? `The numbers are those of ${ago(k.now - k.heard)}.` : "No numbers received yet.";
  if (k.refused !== undefined) return { tone: "bad", label: "Ended", sentence: `${sentence(k.refused)} ${k.ready ? old : ""}`.trim() };
  switch (c.state) {
    case "connecting":
      return c.attempt === 0 && !c.reason
        ? { tone: "waiting", label: "Connecting", sentence: "Connecting to the server." }
        : { tone: "bad", label: "Disconnected", sentence: `${why(c)}, attempt ${c.attempt + 1} is running. ${old}` };
    case "waiting": {
      const left = Math.max(0, c.since + c.wait - k.now);
      const next = left < 1000 ? "the next attempt begins now" : `the next attempt is in ${duration(Math.ceil(left / 1000) * 1000)}`;
      return { tone: "bad", label: "Disconnected", sentence: `${why(c)} at ${local(c.since)}; ${next}. ${old}` };
    }
    case "offline":
      return { tone: "bad", label: "Offline", sentence: `This device has no network since ${local(c.since)}. ${old}` };
    case "closed":
      return { tone: "bad", label: "Ended", sentence: `${sentence(c.reason || "closed")} ${old}` };
  }
  if (k.heard && k.now - k.heard > silent) {
    return { tone: "bad", label: "Silent", sentence: `The server has sent nothing for ${duration(k.now - k.heard)}; the page has asked and waits. ${old}` };
  }
  if (!k.ready) return { tone: "waiting", label: "Loading", sentence: "Connected, waiting for the first numbers." };
  switch (k.status.state) {
    case "stale":
      return { tone: "bad", label: "Stale", sentence: k.status.lag > 0
        ? `The server's copy is ${duration(k.status.lag)} behind its log${since(k)}.`
        : `No newer data is known${since(k)}; updates resume by themselves.` };
    case "moving":
      return { tone: "waiting", label: "Moving", sentence: `Moving to another machine${since(k)}; updates resume by themselves.` };
    case "live":
      return { tone: "good", label: "Live", sentence: k.changed ? `Last change ${ago(k.now - k.changed)}.` : "No change since the page was opened." };
    default:
      return { tone: "waiting", label: String(k.status.state), sentence: "The server reports this state, which this page does not know." };
  }
}

/** Formats the log's lag. */
export function lagWords(status: StatusEvent): string {
  return status.lag > 0 ? duration(status.lag) : status.state === "live" ? "none" : "not known";
}

/** Since when the state lasts, with the date unless it is today. */
function since(k: Known): string {
  const at = k.status.since;
  if (at === null) return "";
  return `, since ${Math.floor(at / 86_400_000) === Math.floor(k.now / 86_400_000) ? "" : `${day(at, k.now)} `}${local(at)}`;
}

/** Formats a time of this machine, in UTC like all others on the page. */
function local(ms: number): string {
  return `${clockSeconds(ms)} UTC`;
}

function why(c: ConnectionState): string {
  const reason = sentence(c.reason || "not connected").replace(/\.$/, "");
  return c.attempt > 1 ? `${reason} (${count(c.attempt, "failed attempt")})` : reason;
}

function sentence(s: string): string {
  const t = s.charAt(0).toUpperCase() + s.slice(1);
  return /[.!?]$/.test(t) ? t : `${t}.`;
}
