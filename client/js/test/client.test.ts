import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { change, epoch, record, schema, Script, settle, snapshot, subscribed, viewA, viewB } from "./script.js";

let script: Script;
beforeEach(() => {
  vi.useFakeTimers();
  script = new Script();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const count = (s: any) => s.panels[0]?.rows()[0]?.values[0];

async function served(options: object = {}, client: object = {}) {
  const c = script.client(client);
  const s = c.subscribe({ dashboard: "d", ...options });
  await settle();
  script.last.serve();
  return { c, s, socket: script.last };
}

describe("one socket", () => {
  test("carries several dashboards, each with its frames", async () => {
    const { c, s: a, socket } = await served();
    const b = c.subscribe({ dashboard: "e", tenant: "acme", panels: ["p"], maxRate: 5 });
    expect(socket.of("subscribe")[1]).toEqual({ type: "subscribe", id: 2, tenant: "acme", dashboard: "e", panels: ["p"], maxRate: 5 });
    socket.serve(viewB);
    socket.say(change(10, 12), change(10, 14, viewB));
    expect([count(a), count(b), script.sockets.length]).toEqual([12, 14, 1]);
    expect([socket.url, socket.protocols]).toEqual(["ws://dashfeed.test/v1/ws", "dashfeed.v1.json"]);
  });

  test("two subscriptions to one view share its frames, at the greater rate, until the last leaves", async () => {
    const { c, s: a, socket } = await served({ maxRate: 1 });
    const b = c.subscribe({ dashboard: "d", maxRate: 5 });
    socket.serve(viewA);
    socket.say(change(10, 12));
    expect([count(a), count(b)]).toEqual([12, 12]);
    b.close();
    expect(socket.of("set")).toMatchObject([{ view: viewA, maxRate: 1 }]);
    socket.say(change(12, 13));
    expect([count(a), count(b), socket.of("unsubscribe")]).toEqual([13, 12, []]);
    a.close();
    expect(socket.of("unsubscribe")).toMatchObject([{ view: viewA }]);
  });

  test("a second subscription to a view does not slow the first", async () => {
    const { c, socket } = await served({ maxRate: 5 });
    c.subscribe({ dashboard: "d", maxRate: 1 });
    socket.serve(viewA);
    expect(socket.of("set")).toMatchObject([{ view: viewA, maxRate: 5 }]);
  });

  test("a subscription that is closed before its answer is unsubscribed after the answer", async () => {
    const { c, socket } = await served();
    const b = c.subscribe({ dashboard: "e" });
    b.close();
    socket.serve(viewB);
    expect(socket.of("unsubscribe")).toMatchObject([{ view: viewB }]);
    expect(c.subscriptions.length).toBe(1);
  });

  test.each([
    ["http://h:1", "ws://h:1/v1/ws"], ["https://h", "wss://h/v1/ws"], ["https://h/base", "wss://h/base/v1/ws"], ["https://h/base/", "wss://h/base/v1/ws"],
  ])("of server %s is %s", async (server, url) => {
    script.client({ server }).connect();
    expect(script.last.url).toBe(url);
  });

  test("without a WebSocket the error says what to do", () => {
    expect(() => script.client({ WebSocket: class { constructor() { throw new Error("refused"); } } as any }).connect()).toThrow("refused");
    expect(() => script.client({ server: undefined })).toThrow("server is missing");
  });
});

describe("what the server says", () => {
  test("a gap, then a snapshot", async () => {
    const { s, socket } = await served();
    const seen = record(s, "gap", "snapshot", "update");
    socket.say({ type: "gap", view: viewA, why: "retention" });
    expect([count(s), s.place]).toEqual([1, undefined]);
    socket.say({ ...snapshot(), to: 30 });
    expect(seen).toMatchObject([["gap", { why: "retention" }], ["snapshot", { version: 30 }]]);
  });

  test("a status; on another connection it is live until told otherwise", async () => {
    const { s, socket } = await served();
    const seen = record(s, "status");
    socket.say({ type: "status", view: viewA, state: "stale", lag: 4120, since: 77 });
    socket.drop();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(s.status.state).toBe("stale");
    script.last.serve(viewA, true);
    expect(seen.map(([, e]) => e)).toEqual([{ state: "stale", lag: 4120, since: 77 }, { state: "live", lag: 0, since: null }]);
  });

  test("a new definition: the view continues under its new name and schema", async () => {
    const { c, s: a, socket } = await served({ panels: ["p"] });
    const b = c.subscribe({ dashboard: "d" });
    socket.serve(viewB);
    const seen = record(b, "snapshot");
    const view = "00000000000000cc";
    socket.say(subscribed(undefined, view, false, { was: viewB, schema: [{ ...schema[0], columns: ["sum"] }] }), snapshot(view, "00000002"));
    socket.say(change(10, 12), change(10, 13, view, "00000002"));
    expect([a.view, a.version, b.view, b.version, b.panels[0].columns, seen.length]).toEqual([viewA, 12, view, 13, ["sum"], 1]);
  });

  test("types, fields and messages of a newer server change nothing", async () => {
    const { s, socket } = await served();
    socket.say({ type: "hologram", view: viewA }, { ...change(10, 11), crc: 7, hint: {} }, "not JSON", "null", "[]", '{"type":7}');
    socket.onmessage({ data: new ArrayBuffer(8) });
    expect([s.version, socket.sent.length, socket.readyState]).toEqual([11, 1, 1]);
  });

  test("an update that leaves a gap: it asks again with its place, and takes nothing until the answer", async () => {
    const { s, socket } = await served();
    socket.say(change(12, 14), change(14, 15));
    await settle();
    expect(socket.of("subscribe").slice(1)).toMatchObject([{ since: { epoch, version: 10, view: viewA } }]);
    socket.say(change(10, 16));
    expect(s.version).toBe(10);
    socket.serve(viewA, true);
    socket.say(change(10, 17));
    expect(s.version).toBe(17);
  });

  test("an unreadable cell: it asks from 0, more and more slowly if that does not help", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.999);
    const { s, socket } = await served();
    const asked: number[] = [];
    for (let i = 0; i < 1_000; i++) {
      const n = socket.of("subscribe").length;
      socket.say({ ...change(10, 11), cells: [{ n: 0 }] });
      await vi.advanceTimersByTimeAsync(100);
      socket.say({ type: "pong", id: 0 });
      if (socket.of("subscribe").length > n) {
        asked.push(i * 100);
        expect(socket.of("subscribe").at(-1).since).toBeUndefined();
        socket.serve();
      }
    }
    expect([asked.length, asked[0], count(s)]).toEqual([7, 0, 1]);
  });
});

describe("an error", () => {
  test("with retry is retried by itself", async () => {
    const c = script.client();
    const s = c.subscribe({ dashboard: "d" });
    const seen = record(s, "error");
    await settle();
    script.last.say({ type: "error", id: 1, code: 1300, message: "starting", retry: true, after: 1_000 });
    expect(seen).toEqual([["error", { code: 1300, message: "starting", retry: true, after: 1_000, ended: false }]]);
    await vi.advanceTimersByTimeAsync(999);
    expect(script.last.of("subscribe").length).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    script.last.serve();
    expect(count(s)).toBe(1);
  });

  test("without retry ends the subscription and no other", async () => {
    const { c, s: a, socket } = await served();
    const b = c.subscribe({ dashboard: "a b" });
    const seen = record(b, "error");
    socket.say({ type: "error", id: 2, code: 1103, message: "not allowed", retry: false, after: 0 });
    expect(seen).toMatchObject([["error", { code: 1103, ended: true }]]);
    expect([b.refused?.code, a.ended, c.subscriptions]).toEqual([1103, false, [a]]);
  });

  test("about the place makes it ask from 0", async () => {
    const { socket } = await served();
    socket.drop();
    await vi.advanceTimersByTimeAsync(1_000);
    script.last.say({ type: "error", id: script.last.of("subscribe")[0].id, code: 1105, message: "since", retry: false, after: 0 });
    await settle();
    expect(script.last.of("subscribe")[1].since).toBeUndefined();
  });

  test("without id goes to the client", async () => {
    const { c, s, socket } = await served();
    const seen = [record(c, "error"), record(s, "error")];
    socket.say({ type: "error", code: 1107, message: "at most 128", retry: true, after: 1_000 });
    expect(seen).toMatchObject([[["error", { code: 1107, ended: false }]], []]);
  });
});

describe("a token", () => {
  const tokens = () => {
    let n = 0;
    return vi.fn(async () => ({ token: `t${++n}`, expires: 100 }));
  };

  test("is sent before any request, and again before it expires", async () => {
    const token = tokens();
    const { socket } = await served({}, { token });
    expect(socket.sent.map((f) => f.type)).toEqual(["connect", "subscribe"]);
    expect(socket.sent[0].token).toBe("t1");
    for (let i = 0; i < 8; i++) {
      await vi.advanceTimersByTimeAsync(10_000);
      socket.say({ type: "pong", id: 0 });
    }
    expect(socket.of("refresh")).toMatchObject([{ token: "t2" }]);
    socket.say({ type: "refreshed", id: socket.of("refresh")[0].id, expires: 20, revoked: [] });
    await vi.advanceTimersByTimeAsync(8_000);
    socket.say({ type: "pong", id: 0 });
    await vi.advanceTimersByTimeAsync(8_000);
    expect(socket.of("refresh")[1].token).toBe("t3");
    expect(token.mock.calls).toEqual([["connect"], ["refresh"], ["refresh"]]);
  });

  test("that has expired is replaced once, then it is over", async () => {
    const { c, socket } = await served({}, { token: tokens() });
    socket.drop(4501);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(script.last.of("connect")[0].token).toBe("t2");
    script.last.drop(4501);
    expect(c.connection).toMatchObject({ state: "closed", code: 4501 });
  });

  test("that loses access to a view ends its subscription", async () => {
    const { s, socket } = await served({}, { token: tokens() });
    const seen = record(s, "error");
    socket.say({ type: "refreshed", id: 9, expires: 100, revoked: [viewA] });
    expect(seen).toMatchObject([["error", { code: 1102, ended: true }]]);
  });

  test("that cannot be fetched is a failed attempt", async () => {
    const c = script.client({ token: () => Promise.reject(new Error("signed out")) });
    c.connect();
    await settle();
    expect(c.connection).toMatchObject({ state: "waiting", reason: "no token: signed out" });
  });
});

test("a listener that throws does not stop the others", async () => {
  const { s, socket } = await served();
  const uncaught: unknown[] = [];
  const hear = (e: unknown) => uncaught.push(e);
  const before = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException").on("uncaughtException", hear);
  s.on("update", () => { throw new Error("of the page"); });
  const seen = record(s, "update");
  socket.say(change(10, 11));
  vi.useRealTimers();
  await new Promise((done) => setImmediate(done));
  process.removeAllListeners("uncaughtException");
  for (const l of before) process.on("uncaughtException", l);
  expect([seen.length, uncaught]).toEqual([1, [new Error("of the page")]]);
});

test("a removed listener gets no more events", async () => {
  const { s, socket } = await served();
  const seen: unknown[] = [];
  const off = s.on("update", (e) => seen.push(e));
  socket.say(change(10, 11));
  off();
  socket.say(change(11, 12));
  expect(seen.length).toBe(1);
});
