import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { Client, type Subscription } from "../src/index.js";
import { Page } from "./page.js";
import { event, Server } from "./server.js";

let server: Server;
let client: Client;
beforeAll(async () => {
  server = await Server.start();
});
afterAll(() => server?.end());
afterEach(() => {
  client?.close();
  vi.unstubAllGlobals();
});

const at = 1795422000000;
const definition = (dashboard: string, aggregates: string) => `
dashboard: ${dashboard}
dedupe: {by: none}
panels:
  - {id: rps, title: Requests, window: {tumbling: 10s}, keep: 5, group_by: [labels.country], aggregates: [${aggregates}], max_groups: 3}
  - {id: sessions, window: {session: 5s}, keep: 4, group_by: [labels.country], aggregates: [count]}
  - {id: now, window: latest, group_by: [metric]}
`;

/** Events of a time some seconds later, of several countries, some of them late. */
function events(second: number): object[] {
  return ["DE", "FR", "GB", "IT", "ES"].map((country, i) => ({
    metric: "latency", value: second * 10 + i, time: at + (second - (i === 2 ? 9 : 0)) * 1_000, labels: { country },
  }));
}

/** The rows in the form of cells on the wire, in order of number. */
function cells(s: Subscription): unknown[] {
  return s.panels.flatMap((p) => p.rows())
    .map((r) => [r.number, r.panel, r.start, r.end, r.group, r.revision, r.values])
    .sort((a, b) => (a[0] as number) - (b[0] as number));
}

/** Expects the subscription to hold what the server reports of the same version. */
async function expectEqual(s: Subscription, version: number): Promise<void> {
  if (s.version < version) await event(s, "update", () => s.version >= version);
  const said = await server.read(s.dashboard, s.options.panels ? `panels=${s.options.panels}` : "");
  expect(said.version).toBe(s.version);
  expect(cells(s)).toEqual(said.cells.sort((a: any, b: any) => a[0] - b[0]));
  expect(s.place).toEqual({ epoch: said.epoch, version: said.version, view: said.view });
}

async function subscribe(dashboard: string, options: object = {}): Promise<Subscription> {
  const s = client.subscribe({ dashboard, ...options });
  await event(s, "snapshot");
  return s;
}

describe("against the server", () => {
  test("two dashboards and a part of one equal what GET returns, window after window", async () => {
    await server.define("fold", definition("fold", "count, avg, p95, max"));
    await server.define("other", definition("other", "sum"));
    client = new Client({ server: server.url });
    const [all, part, other] = await Promise.all([subscribe("fold"), subscribe("fold", { panels: ["now"] }), subscribe("other")]);
    expect(all.view).not.toBe(part.view);
    for (let second = 0; second < 90; second += 3) {
      const version = await server.post("fold", ...events(second));
      await expectEqual(all, version);
      await expectEqual(part, version);
      if (second % 30 === 0) await expectEqual(other, await server.post("other", ...events(second)));
    }
    const rps = all.panel("rps")!;
    expect(rps.columns).toEqual(["count", "avg", "p95", "max"]);
    expect(rps.rows().some((r) => r.final) && rps.rows().some((r) => !r.final)).toBe(true);
    expect(rps.rows().some((r) => r.group === null), "the overflow group").toBe(true);
    expect(rps.series("count").starts.length).toBe(5);
  });

  test("a new definition reaches every view of the dashboard", async () => {
    await server.define("again", definition("again", "count"));
    await server.post("again", ...events(0));
    client = new Client({ server: server.url });
    const [all, part] = await Promise.all([subscribe("again"), subscribe("again", { panels: ["rps"] })]);
    const snapshots = Promise.all([all, part].map((s) => event(s, "snapshot", () => s.panel("rps")!.columns.length === 2)));
    await server.define("again", definition("again", "count, sum"));
    await snapshots;
    const version = await server.post("again", ...events(3));
    await expectEqual(all, version);
    await expectEqual(part, version);
  });

  test("a dashboard without records can be watched, and shows its first record", async () => {
    client = new Client({ server: server.url });
    const s = await subscribe("unborn");
    expect([s.version, s.ready, s.place]).toEqual([0, true, undefined]);
    const first = event(s, "snapshot", () => s.version > 0);
    const version = await server.post("unborn", { metric: "m", value: 1, time: at });
    await first;
    await expectEqual(s, version);
  });

  test("a refusal is reported", async () => {
    client = new Client({ server: server.url });
    const s = client.subscribe({ dashboard: "a b" });
    expect(await event(s, "error")).toMatchObject({ code: 1103, ended: true });
  });

  test("killed and restarted: reported at once, resumed from the place, and equal", async () => {
    await server.define("kill", definition("kill", "count, avg"));
    await server.post("kill", ...events(0));
    client = new Client({ server: server.url });
    const s = await subscribe("kill");
    await expectEqual(s, await server.post("kill", ...events(3)));
    const waiting = event(s, "connection", (e) => e.state === "waiting");
    const began = performance.now();
    await server.kill();
    await waiting;
    expect(performance.now() - began).toBeLessThan(2_000);
    const { epoch } = s;
    const snapshots: unknown[] = [];
    s.on("snapshot", (e) => snapshots.push(e));
    const open = event(s, "connection", (e) => e.state === "open");
    await server.start();
    await open;
    await expectEqual(s, await server.post("kill", ...events(12)));
    expect([s.epoch, snapshots]).toEqual([epoch, []]);
  });

  test("asleep, without a close: found within 2 s of being shown, and resumed", async () => {
    await server.post("sleep", { metric: "m", value: 1, time: at });
    const page = new Page();
    client = new Client({ server: server.url, schedule: (run) => run() });
    const s = await subscribe("sleep");
    const lost = event(s, "connection", (e) => e.state === "waiting");
    server.signal("SIGSTOP");
    page.show(false);
    page.show(true);
    const began = performance.now();
    const why = await lost;
    expect(why.reason).toBe("no answer");
    expect(performance.now() - began).toBeGreaterThan(1_900);
    server.signal("SIGCONT");
    await event(s, "connection", (e) => e.state === "open");
    await expectEqual(s, await server.post("sleep", { metric: "m", value: 2, time: at + 1 }));
    // The answer of a healthy server keeps the connection.
    const states: unknown[] = [];
    s.on("connection", (e) => states.push(e));
    const { heard } = client;
    page.show(true);
    await vi.waitUntil(() => client.heard > heard);
    expect(states).toEqual([]);
  });

  test("hidden: the rate is lowered and restored, the place is kept", async () => {
    await server.post("hide", { metric: "m", value: 1, time: at });
    const page = new Page();
    client = new Client({ server: server.url, schedule: (run) => run() });
    const s = await subscribe("hide", { maxRate: 20 });
    expect(s.rate).toBe(20);
    const snapshots: unknown[] = [];
    s.on("snapshot", (e) => snapshots.push(e));
    page.show(false);
    await vi.waitUntil(() => s.rate === 0.2);
    page.show(true);
    await vi.waitUntil(() => s.rate === 20);
    await expectEqual(s, await server.post("hide", { metric: "m", value: 2, time: at + 1 }));
    expect(snapshots).toEqual([]);
  });
});
