import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Backoff } from "../src/backoff.js";
import { golden } from "./golden.js";
import { change, epoch, record, Script, settle, snapshot, subscribed, viewA, viewB } from "./script.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Makes all random numbers `r`. */
const dice = (r: number) => void vi.spyOn(Math, "random").mockReturnValue(r);

test("the wait is anything up to 1 s, 2 s, 4 s … 30 s", () => {
  for (const r of [0, 0.25, 0.999]) {
    dice(r);
    const b = new Backoff();
    expect([...Array(8)].map(() => b.next())).toEqual([1, 2, 4, 8, 16, 30, 30, 30].map((s) => s * 1_000 * r));
    expect(b.next(40_000)).toBe(40_000);
  }
});

describe("reconnecting", () => {
  test("for ever, more and more slowly, and from the place", async () => {
    dice(0.5);
    const script = new Script();
    const s = script.client().subscribe({ dashboard: "d" });
    await settle();
    script.last.serve();
    script.last.say(change(10, 15));
    script.opens = false;
    for (const wait of [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]) {
      const n = script.sockets.length;
      script.last.drop();
      await vi.advanceTimersByTimeAsync(wait - 1);
      expect(script.sockets.length, `before ${wait}`).toBe(n);
      await vi.advanceTimersByTimeAsync(1);
      expect(script.sockets.length, `after ${wait}`).toBe(n + 1);
    }
    script.last.open();
    await settle();
    expect(script.last.of("subscribe")).toMatchObject([{ dashboard: "d", since: { epoch, version: 15, view: viewA } }]);
    script.last.serve(viewA, true);
    script.last.say(change(12, 20));
    expect([s.version, s.panels[0].rows()[0].values[0]]).toEqual([20, 20]);
  });

  test("the time of the server's last message survives failed attempts", async () => {
    dice(0.5);
    const script = new Script();
    const client = script.client();
    client.connect();
    await settle();
    script.last.say({ type: "pong", id: 1 });
    const heard = Date.now();
    expect(client.heard).toBe(heard);
    script.opens = false;
    for (const wait of [500, 1_000, 2_000]) {
      script.last.drop();
      expect(client.heard).toBe(heard);
      await vi.advanceTimersByTimeAsync(wait);
      expect(client.heard).toBe(heard);
    }
  });

  test("begins again at 1 s only after a connection that lasted 10 s", async () => {
    dice(0.5);
    const script = new Script();
    const client = script.client();
    client.connect();
    for (const [lived, wait] of [[0, 500], [9_000, 1_000], [9_999, 2_000], [10_000, 500], [100, 1_000]]) {
      await vi.advanceTimersByTimeAsync(lived);
      script.last.drop();
      expect(client.connection).toMatchObject({ state: "waiting", wait });
      await vi.advanceTimersByTimeAsync(wait);
    }
  });

  test("gives up after maxAttempts, and reports it to every subscription", async () => {
    const script = new Script();
    script.opens = false;
    const client = script.client({ maxAttempts: 3 });
    const s = client.subscribe({ dashboard: "d" });
    const seen = [...[client, s].map((of) => record(of, "error"))];
    for (let i = 0; i < 4; i++) {
      script.last.drop();
      await vi.advanceTimersByTimeAsync(30_000);
    }
    expect(script.sockets.length).toBe(4);
    expect(client.connection).toMatchObject({ state: "closed", attempt: 3 });
    for (const e of seen) expect(e).toMatchObject([["error", { ended: true, message: expect.stringContaining("gave up after 3 attempts") }]]);
    expect(client.subscribe({ dashboard: "late" }).ended).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each([[1000, true], [1001, true], [1012, true], [4001, true], [4499, true], [4500, false], [4503, false], [4999, false], [5000, true]])(
    "a close with %i reconnects: %s", async (code, back) => {
      const script = new Script();
      const client = script.client();
      client.connect();
      await settle();
      script.last.drop(code);
      expect(client.connection).toMatchObject({ state: back ? "waiting" : "closed", code });
      await vi.advanceTimersByTimeAsync(1_000);
      expect(script.sockets.length).toBe(back ? 2 : 1);
    });

  test("an attempt that hangs is given up after 10 s", async () => {
    const script = new Script();
    script.opens = false;
    const client = script.client();
    client.connect();
    await vi.advanceTimersByTimeAsync(9_999);
    expect(client.connection.state).toBe("connecting");
    await vi.advanceTimersByTimeAsync(1);
    expect(client.connection).toMatchObject({ state: "waiting", reason: "could not connect in time" });
    expect(script.last.readyState).toBe(3);
  });

  test("closing leaves nothing behind, and no event follows", async () => {
    const script = new Script();
    const client = script.client();
    const s = client.subscribe({ dashboard: "d" });
    await settle();
    script.last.serve();
    const seen = [...record(client, "connection", "error"), ...record(s, "update", "error", "connection")];
    client.close();
    expect([seen, vi.getTimerCount(), script.last.readyState, client.connection.state]).toEqual([[], 0, 3, "closed"]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(script.sockets.length).toBe(1);
  });
});

describe("a drain", () => {
  test("the new connection is open, in its slot, before the old one closes", async () => {
    dice(0.5);
    const script = new Script();
    const client = script.client();
    const a = client.subscribe({ dashboard: "d" });
    await settle();
    const old = script.last;
    old.serve();
    const seen = record(client, "connection");
    old.say({ type: "drain", after: 3_000, within: 4_000 });
    await vi.advanceTimersByTimeAsync(4_999);
    expect(script.sockets.length).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(script.sockets.length).toBe(2);
    expect(script.last.of("subscribe")).toMatchObject([{ since: { version: 10 } }]);
    old.say(change(10, 11)); // the old one serves until the new one has answered
    expect([a.version, old.readyState]).toEqual([11, 1]);
    script.last.say(subscribed(script.last.of("subscribe")[0].id, viewA, true));
    expect(old.readyState).toBe(3);
    script.last.say(change(10, 12));
    expect(a.version).toBe(12);
    expect(seen.map(([, e]) => e.state)).not.toContain("waiting");
  });

  test("its slot wins over the backoff if the old connection ends first", async () => {
    dice(0.5);
    const script = new Script();
    const client = script.client();
    client.connect();
    await settle();
    script.last.say({ type: "drain", after: 6_000, within: 0 });
    await vi.advanceTimersByTimeAsync(1_000);
    script.last.drop(1012);
    expect(client.connection).toMatchObject({ state: "waiting", wait: 5_000, code: 1012 });
    await vi.advanceTimersByTimeAsync(4_999);
    expect(script.sockets.length).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(script.sockets.length).toBe(2);
  });

  test("if the new connection fails the old one stays", async () => {
    const script = new Script();
    const client = script.client();
    const s = client.subscribe({ dashboard: "d" });
    await settle();
    const old = script.last;
    old.serve();
    script.opens = false;
    old.say({ type: "drain", after: 10, within: 0 });
    await vi.advanceTimersByTimeAsync(10);
    script.last.drop();
    old.say(change(10, 11));
    expect([s.version, client.connection.state, old.readyState]).toEqual([11, "open", 1]);
  });
});

describe("several servers", () => {
  const server = ["http://a.test", "http://b.test/base", "https://c.test"];

  test("take turns at each attempt", async () => {
    dice(0.5);
    const script = new Script();
    script.client({ server }).connect();
    for (const wait of [500, 1_000, 2_000, 4_000]) {
      script.last.drop();
      await vi.advanceTimersByTimeAsync(wait);
    }
    expect(script.sockets.map((s) => s.url)).toEqual(
      ["ws://a.test/v1/ws", "ws://b.test/base/v1/ws", "wss://c.test/v1/ws", "ws://a.test/v1/ws", "ws://b.test/base/v1/ws"]);
    expect(() => script.client({ server: [] })).toThrow("server is missing");
  });

  /**
   * Returns a client at a.test with two subscriptions, which a drain moves in 100 ms, and then its
   * connection to b.test.
   */
  async function drained() {
    const script = new Script();
    const client = script.client({ server });
    const subscriptions = ["d", "e"].map((dashboard) => client.subscribe({ dashboard }));
    await settle();
    const old = script.last;
    const asked = old.of("subscribe");
    [viewA, viewB].forEach((view, i) => old.say(subscribed(asked[i].id, view), snapshot(view)));
    const seen = subscriptions.map((s) => record(s, "snapshot", "update", "gap", "error"));
    seen.forEach((s) => (s.length = 0));
    old.say(golden("server.ndjson").find((f) => f.type === "drain"));
    await vi.advanceTimersByTimeAsync(3_120 + 4_000);
    return { script, client, subscriptions, old, next: script.last, asked: script.last.of("subscribe"), seen };
  }

  test("a drain moves to the next server: every subscription resumes from its place, nothing is lost or doubled", async () => {
    const { client, subscriptions: [d, e], old, next, asked, seen } = await drained();
    expect([old.host, next.host]).toEqual(["a.test", "b.test"]);
    expect(asked).toMatchObject([{ dashboard: "d", since: { version: 10 } }, { dashboard: "e", since: { version: 10 } }]);
    old.say(change(10, 11, viewA), change(10, 11, viewB));
    next.say(subscribed(asked[0].id, viewA, true), change(10, 12, viewA));
    // the client no longer takes d's updates from it, but still e's
    old.say(change(11, 13, viewA), change(11, 12, viewB));
    expect([d.version, e.version, old.readyState]).toEqual([12, 12, 1]);
    next.say(subscribed(asked[1].id, viewB, true), change(10, 12, viewB), change(12, 13, viewA), change(12, 14, viewB));
    expect([d.version, e.version, old.readyState]).toEqual([13, 14, 3]);
    expect(seen.map((s) => s.map(([type, u]) => [type, u.from, u.to]))).toEqual([
      [["update", 10, 11], ["update", 11, 12], ["update", 12, 13]],
      [["update", 10, 11], ["update", 11, 12], ["update", 12, 14]],
    ]);
    expect(client.connection.state).toBe("open");
  });

  test("if the next server defers a subscription, the old one serves it until it closes", async () => {
    const { script, subscriptions: [d, e], old, next, asked, seen } = await drained();
    next.say(subscribed(asked[0].id, viewA, true), { type: "error", id: asked[1].id, code: 1300, message: "loading", retry: true, after: 1_000 });
    old.say(change(10, 11, viewB));
    expect([e.version, old.readyState]).toEqual([11, 1]);
    await vi.advanceTimersByTimeAsync(1_000);
    const again = next.of("subscribe").at(-1);
    expect(again).toMatchObject({ dashboard: "e", since: { version: 11 } });
    old.drop(1012);
    next.say(subscribed(again.id, viewB, true), change(11, 12, viewB));
    expect([d.version, e.version, script.sockets.length]).toEqual([10, 12, 2]);
    expect(seen[1].map(([type]) => type)).toEqual(["error", "update", "update"]);
  });

  test("if the next server fails half way, all return to the old one, and those that had moved resume from their place", async () => {
    const { client, subscriptions: [d, e], old, next, asked } = await drained();
    next.say(subscribed(asked[0].id, viewA, true), change(10, 12, viewA));
    next.drop();
    const back = old.of("subscribe").slice(2);
    expect(back).toMatchObject([{ dashboard: "d", since: { version: 12 } }, { dashboard: "e", since: { version: 10 } }]);
    old.say(subscribed(back[0].id, viewA, true), subscribed(back[1].id, viewB, true), change(11, 13, viewA), change(10, 13, viewB));
    expect([d.version, e.version, client.connection.state]).toEqual([13, 13, "open"]);
    old.drop(1012);
    expect(client.connection.state).toBe("waiting");
  });
});

describe("a dead socket", () => {
  test("is asked after 10 s of silence, and lost if nothing comes within 5 s", async () => {
    const script = new Script();
    const client = script.client();
    client.connect();
    await settle();
    await vi.advanceTimersByTimeAsync(9_000);
    script.last.say({ type: "update", view: viewA }); // anything heard counts
    await vi.advanceTimersByTimeAsync(9_999);
    expect(script.last.of("ping")).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(script.last.of("ping")).toEqual([{ type: "ping", id: 1 }]);
    script.last.say({ type: "pong", id: 1 });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(script.last.of("ping").length).toBe(2);
    await vi.advanceTimersByTimeAsync(4_999);
    expect(client.connection.state).toBe("open");
    await vi.advanceTimersByTimeAsync(1);
    expect(client.connection).toMatchObject({ state: "waiting", reason: "no answer" });
  });

  test("costs one small message in 10 s, for ever", async () => {
    const script = new Script();
    script.client().connect();
    await settle();
    for (let i = 0; i < 360; i++) {
      await vi.advanceTimersByTimeAsync(10_000);
      script.last.say({ type: "pong", id: script.last.sent.at(-1)?.id });
    }
    expect([script.sockets.length, script.last.of("ping").length]).toEqual([1, 360]);
    expect(vi.getTimerCount()).toBeLessThan(3);
  });
});
