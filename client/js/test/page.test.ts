import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Subscription } from "../src/index.js";
import { Page } from "./page.js";
import { change, record, Script, settle, subscribed, viewA } from "./script.js";

let page: Page;
let script: Script;
beforeEach(() => {
  vi.useFakeTimers();
  page = new Page();
  script = new Script();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

async function subscribe(options: object = {}, client: object = {}): Promise<Subscription> {
  const s = script.client(client).subscribe({ dashboard: "d", ...options });
  await settle();
  script.last.serve();
  return s;
}

describe("a hidden page", () => {
  test.each<[string, object, object, number[]]>([
    ["every flush", {}, {}, [0.2, 0]],
    ["a rate of its own", { maxRate: 4 }, {}, [0.2, 4]],
    ["as asked for", { maxRate: 4 }, { hiddenRate: 1 }, [1, 4]],
    ["slower than that already", { maxRate: 0.2 }, {}, []],
    ["not lowered", { maxRate: 4 }, { hiddenRate: 0 }, []],
  ])("lowers the rate and restores it: %s", async (_, options, client, rates) => {
    const s = await subscribe(options, client);
    page.show(false);
    const set = script.last.of("set")[0];
    if (set) script.last.say(subscribed(set.id, viewA, true, { rate: set.maxRate }));
    script.last.say(change(10, 11));
    page.show(true);
    expect(script.last.of("set").map((f) => [f.view, f.maxRate])).toEqual(rates.map((r) => [viewA, r]));
    script.last.say(change(11, 12));
    expect([s.version, script.last.of("subscribe").length]).toEqual([12, 1]);
  });

  test("a subscription made while it is hidden begins slowly", async () => {
    page.show(false);
    await subscribe();
    expect(script.last.of("subscribe")[0].maxRate).toBe(0.2);
    page.show(true);
    expect(script.last.of("set")).toMatchObject([{ maxRate: 0 }]);
  });

  test("when it is shown, a dead socket is found within 2 s", async () => {
    const s = await subscribe();
    page.show(false);
    page.show(true);
    expect(script.last.of("ping").length).toBe(1);
    const states = record(s, "connection");
    await vi.advanceTimersByTimeAsync(2_000);
    expect(states[0][1]).toMatchObject({ state: "waiting", reason: "no answer" });
  });

  test("when it is shown, there is no waiting out the backoff", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.999);
    await subscribe();
    script.opens = false;
    for (let i = 0; i < 4; i++) {
      script.last.drop();
      if (i < 3) await vi.advanceTimersByTimeAsync(30_000);
    }
    const n = script.sockets.length;
    page.show(false);
    await vi.advanceTimersByTimeAsync(1_000);
    page.show(true);
    await settle();
    expect(script.sockets.length).toBe(n + 1);
    script.last.drop();
    for (let i = 0; i < 5; i++) page.show(true); // but not more than one a second
    await vi.advanceTimersByTimeAsync(900);
    expect(script.sockets.length).toBe(n + 1);
    await vi.advanceTimersByTimeAsync(100);
    expect(script.sockets.length).toBe(n + 2);
  });
});

describe("a network that goes", () => {
  test("is reported, pauses attempts, and its return reconnects at once", async () => {
    const s = await subscribe();
    const states = record(s, "connection");
    page.network(false);
    await vi.advanceTimersByTimeAsync(2_000); // the socket does not answer
    expect(states.at(-1)[1]).toMatchObject({ state: "offline" });
    await vi.advanceTimersByTimeAsync(29_000);
    expect(script.sockets.length).toBe(1);
    page.network(true);
    await settle();
    expect(script.sockets.length).toBe(2);
    expect(script.last.of("subscribe")).toMatchObject([{ since: { version: 10 } }]);
  });

  test("while waiting for an attempt", async () => {
    const s = await subscribe();
    script.last.drop();
    page.network(false);
    expect(s.refused).toBeUndefined();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(script.sockets.length).toBe(1);
    page.network(true);
    await settle();
    expect(script.sockets.length).toBe(2);
  });

  test("does not matter if the server still answers", async () => {
    const s = await subscribe();
    const states = record(s, "connection");
    page.network(false);
    script.last.say({ type: "pong", id: 1 });
    await vi.advanceTimersByTimeAsync(5_000);
    expect(states).toEqual([]);
  });
});

describe("animation frames", () => {
  test("one event a frame covers everything since the last", async () => {
    const s = await subscribe({}, { schedule: undefined });
    const seen = record(s, "snapshot", "update");
    script.last.say(change(10, 11));
    expect(seen).toEqual([]);
    page.frame();
    expect(seen).toMatchObject([["snapshot", { version: 11 }]]);
    expect(vi.getTimerCount()).toBe(1); // the one that asks after silence
    script.last.say(change(11, 12), { ...change(12, 13), cells: [[1, 0, 0, 10_000, ["n"], 0, [7, 7]]] }, change(13, 14));
    expect(s.version).toBe(14);
    page.frame();
    page.frame();
    expect(seen.length).toBe(2);
    expect(seen[1]).toMatchObject(["update", { from: 11, to: 14, removed: [], panels: new Set([0]) }]);
    expect(seen[1][1].changed.map((r: any) => [r.number, r.values])).toEqual([[0, [14, 2]], [1, [7, 7]]]);
  });

  test("a row that came and went within a frame is reported as removed", async () => {
    const s = await subscribe({}, { schedule: undefined });
    page.frame();
    const seen = record(s, "update");
    script.last.say({ ...change(10, 11), cells: [[1, 0, 0, 10_000, ["n"], 0, [7, 7]]] }, { ...change(11, 12), cells: [], removed: [1] });
    page.frame();
    expect([seen[0][1].changed, seen[0][1].removed.map((r: any) => r.number)]).toEqual([[], [1]]);
  });

  test("a page without frames gets its events by a timer", async () => {
    const s = await subscribe({}, { schedule: undefined });
    const seen = record(s, "snapshot");
    await vi.advanceTimersByTimeAsync(249);
    expect(seen).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(seen.length).toBe(1);
    page.frame();
    expect(seen.length).toBe(1);
  });

  test("parts are reported once they are complete", async () => {
    const s = await subscribe();
    const seen = record(s, "update");
    script.last.say({ ...change(10, 11), more: true });
    expect(seen).toEqual([]);
    script.last.say(change(11, 12));
    expect(seen).toMatchObject([["update", { from: 10, to: 12 }]]);
  });
});
