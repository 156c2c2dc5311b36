import { attribute, h, show, text } from "./dom.js";

const denied = [1101, 1102, 4501, 4502, 401, 403];

/** Whether an error or close code means that the viewer has no access. */
export function notAllowed(code: number): boolean {
  return denied.includes(code);
}

/**
 * Whether a code means that there is no such dashboard, or that the viewer has no access: servers
 * do not tell which.
 */
export function notSeen(code: number): boolean {
  return code === 1104;
}

/** Returns a command that sends a dashboard's first event. */
export function firstEvent(dashboard: string): string {
  return `curl ${location.origin}/v1/events -d '${JSON.stringify({ dashboard, metric: "latency", value: 12.5 })}'`;
}

/**
 * Shows a notice in an element: its kind, title, sentence and optional command; undefined removes
 * it.
 */
export function notice(place: HTMLElement, words: [kind: string, title: string, sentence: string, command?: string] | undefined): void {
  if (!words) {
    if (place.childElementCount) place.replaceChildren();
    return;
  }
  const [kind, title, sentence, command] = words;
  if (!place.childElementCount) place.append(h("div", {}, h("h2", {}), h("p", {}), h("code", {})));
  const box = place.firstElementChild!;
  attribute(box, "class", `notice ${kind}`);
  text(box.children[0], title);
  text(box.children[1], sentence);
  text(box.children[2], command ?? "");
  show(box.children[2] as HTMLElement, command !== undefined);
}
