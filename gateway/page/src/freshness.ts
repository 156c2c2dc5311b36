import type { ConnectionState, StatusEvent } from "../../../client/js/src/index.js";
import { ago, clockSeconds, count, day, duration } from "./words.js";

/** What is known of how fresh the numbers are. Times in unix ms of this machine. */
export interface Known {
  connection: ConnectionState;
  status: StatusEvent;
  ready: boolean;
  /** When anything was last heard from the server; 0: never. */
  heard: number;
  /** When the numbers last changed; 0: never. */
  changed: number;
  version: number;
  /** Why nothing comes any more. */
  refused?: string;
  now: number;
}

/** It in words. `tone` is for the colour and the mark beside the label, which says the same. */
export interface Freshness {
  tone: "good" | "waiting" | "bad";
  label: string;
  sentence: string;
}

/** Beyond the client's own question after 10 s of silence, the answer is late. ms */
const silent = 12_000;

/** Says how fresh the numbers are and never more than is known. */
export function freshness(k: Known): Freshness {
  const c = k.connection;
  const old = k.ready ? `The numbers are those of ${ago(k.now - k.heard)}.` : "No numbers have come yet.";
  if (k.refused !== undefined) return { tone: "bad", label: "Ended", sentence: `${sentence(k.refused)} ${k.ready ? old : ""}`.trim() };
  switch (c.state) {
    case "connecting":
      return c.attempt === 0 && !c.reason
        ? { tone: "waiting", label: "Connecting", sentence: "Connecting to the server." }
        : { tone: "bad", label: "Disconnected", sentence: `${why(c)}, attempt ${c.attempt + 1} is under way. ${old}` };
    case "waiting": {
      const left = Math.max(0, c.since + c.wait - k.now);
      const next = left < 1000 ? "the next attempt is about to begin" : `the next attempt is in ${duration(Math.ceil(left / 1000) * 1000)}`;
      return { tone: "bad", label: "Disconnected", sentence: `${why(c)} at ${local(c.since)}; ${next}. ${old}` };
    }
    case "offline":
      return { tone: "bad", label: "Offline", sentence: `This device has no network since ${local(c.since)}. ${old}` };
    case "closed":
      return { tone: "bad", label: "Ended", sentence: `${sentence(c.reason || "closed")} ${old}` };
  }
  if (k.heard && k.now - k.heard > silent) {
    return { tone: "bad", label: "Silent", sentence: `Nothing heard from the server for ${duration(k.now - k.heard)}; asking whether it is there. ${old}` };
  }
  if (!k.ready) return { tone: "waiting", label: "Loading", sentence: "Connected, waiting for the first numbers." };
  switch (k.status.state) {
    case "stale":
      return { tone: "bad", label: "Stale", sentence: k.status.lag > 0
        ? `The server's copy is ${duration(k.status.lag)} behind its log${since(k)}.`
        : `Nothing newer is known${since(k)}; the numbers go on by themselves.` };
    case "moving":
      return { tone: "waiting", label: "Moving", sentence: `On its way to another machine${since(k)}; the numbers go on by themselves.` };
    case "live":
      return { tone: "good", label: "Live", sentence: k.changed ? `Last change ${ago(k.now - k.changed)}.` : "No change since the page was opened." };
    default:
      return { tone: "waiting", label: String(k.status.state), sentence: "The server says so; this page does not know the word." };
  }
}

/** The log's lag in words. */
export function lagWords(status: StatusEvent): string {
  return status.lag > 0 ? duration(status.lag) : status.state === "live" ? "none" : "not known";
}

/** Since when it is so, with the day where it is another. */
function since(k: Known): string {
  const at = k.status.since;
  if (at === null) return "";
  return `, since ${Math.floor(at / 86_400_000) === Math.floor(k.now / 86_400_000) ? "" : `${day(at, k.now)} `}${local(at)}`;
}

/** A time of this machine, in UTC like all others on the page. */
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
