// How fast the page is, and how much it costs. The tests note their figures; on a busy machine the
// best of several attempts counts.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch } from "./browser.mjs";
import { Server, until } from "./server.mjs";
import { measureThread } from "./thread.mjs";
import { slowdown } from "./yardstick.mjs";

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

async function open(t, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  t.after(() => context.close());
  const page = await context.newPage();
  if (options.init) await page.addInitScript(options.init);
  if (url) await page.goto(url);
  return page;
}

const live = (page) => page.waitForFunction(() => document.querySelector(".dashboard")?.dataset.state === "Live", undefined, { polling: 10 });

/** Repeats measure until one attempt is good enough, at most `most` times; returns the results. */
async function bestOf(measure, good, most = 3) {
  const tried = [];
  for (let i = 0; i < most; i++) {
    tried.push(await measure());
    if (good(tried.at(-1))) break;
  }
  return tried;
}

test("from the start of the binary to the first number: at most 3 s", async (t) => {
  const tried = await bestOf(async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    const server = await Server.start(t, { command: "demo", ready: false });
    const listens = until("the page is served", () => fetch(server.url).then((r) => r.ok, () => false), 30_000);
    await listens;
    await page.goto(`${server.url}/d/departures`);
    await page.waitForFunction(() => [...document.querySelectorAll(".panels data")].some((d) => d.value !== ""), undefined, { polling: 10, timeout: 30_000 });
    const ms = performance.now() - server.startedAt;
    await context.close();
    await server.kill();
    return Math.round(ms);
  }, (ms) => ms <= 3000);
  t.diagnostic(`first number after ${tried.join(", ")} ms`);
  assert.ok(tried.at(-1) <= 3000, `${tried.join(", ")} ms`);
});

test("first paint at most 300 ms, transfer at most 150 kB, nothing twice", async (t) => {
  const server = await Server.start(t);
  await server.post([{ dashboard: "one", metric: "m", value: 1 }]);
  let transferred = 0;
  const tried = await bestOf(async () => {
    const page = await open(t);
    const cdp = await page.context().newCDPSession(page);
    await cdp.send("Network.enable");
    transferred = 0;
    cdp.on("Network.loadingFinished", (e) => { transferred += e.encodedDataLength; });
    await page.goto(`${server.url}/d/one`);
    await live(page);
    return Math.round(await page.evaluate(async () => {
      const seen = () => performance.getEntriesByName("first-contentful-paint")[0];
      while (!seen()) await new Promise((r) => requestAnimationFrame(r));
      return seen().startTime;
    }));
  }, (ms) => ms <= 300, 10); // wall time, which other programs make longer, never shorter
  t.diagnostic(`first paint after ${tried.join(", ")} ms; ${transferred} bytes`);
  assert.ok(tried.at(-1) <= 300, `first paint ${tried.join(", ")} ms`);
  assert.ok(transferred > 1000 && transferred <= 150_000, `${transferred} bytes`);
  const page = await open(t, `${server.url}/d/one`);
  await page.reload();
  const again = await page.evaluate(() => performance.getEntriesByType("resource").filter((e) => /\/assets\/.*\.(js|css)$/.test(e.name)).map((e) => e.transferSize));
  assert.ok(again.length === 2 && again.every((n) => n === 0), `assets again: ${again}`);
});

test("a number is on the screen within 100 ms of its frame", async (t) => {
  const server = await Server.start(t);
  await server.define("quick", { panels: [{ id: "sum", window: "latest", aggregates: ["sum"] }, { id: "by", window: { tumbling: "1h" }, keep: 24, group_by: ["labels.g"], aggregates: ["sum"] }] });
  await server.post([{ dashboard: "quick", metric: "m", value: 1, labels: { g: "a" } }]);
  const page = await open(t, undefined, { init: () => {
    const frames = (window.frames_ = []);
    window.WebSocket = class extends window.WebSocket {
      constructor(...args) {
        super(...args);
        this.addEventListener("message", (e) => frames.push([performance.now(), e.data]));
      }
    };
    // The frame after the one in which the number was set: by then it is drawn.
    window.drawn = (text) => new Promise((done) => {
      const look = () => {
        const shown = [...document.querySelectorAll("section[data-panel] data")].filter((d) => d.textContent.replaceAll(",", "") === text);
        if (shown.length < 2) return requestAnimationFrame(look);
        requestAnimationFrame(() => done(performance.now() - frames.find(([, f]) => f.includes(`[${text}]`))[0]));
      };
      look();
    });
  } });
  await page.goto(`${server.url}/d/quick`);
  await live(page);
  let sum = 1;
  const tried = await bestOf(async () => {
    const took = [];
    for (let i = 0; i < 20; i++) {
      const value = 1000 + i;
      sum += value;
      const waiting = page.evaluate((text) => window.drawn(text), String(sum));
      await server.post([{ dashboard: "quick", metric: "m", value, labels: { g: "a" } }]);
      took.push(await waiting);
    }
    took.sort((a, b) => a - b);
    return { median: Math.round(took[10]), most: Math.round(took[19]) };
  }, (m) => m.most <= 100);
  t.diagnostic(`after its frame, ms: ${JSON.stringify(tried)}`);
  assert.ok(tried.at(-1).median <= 100 && tried.some((m) => m.most <= 100), JSON.stringify(tried));
});

test("20 updates a second on 20 panels: main thread busy under 30 %, no frame over 50 ms", async (t) => {
  const server = await Server.start(t);
  const groups = ["a", "b", "c", "d", "e"];
  await server.define("busy", {
    time: { bound: "0s", idle: "none", lateness: "5s" },
    panels: Array.from({ length: 20 }, (_, i) => i % 4 === 3
      ? { id: `p${i}`, title: `Panel ${i}`, window: "latest", group_by: ["labels.g"], aggregates: ["count", "avg"] }
      : { id: `p${i}`, title: `Panel ${i}`, window: { tumbling: "1s" }, keep: 60, group_by: ["labels.g"], aggregates: ["count", "avg", "max"] }),
  });
  let n = 0;
  const batch = (at) => groups.map((g) => ({ id: `b${++n}`, dashboard: "busy", metric: "m", value: Math.random() * 100, time: at, labels: { g } }));
  for (let s = 60; s > 0; s--) await server.post([...batch(Date.now() - s * 1000), ...batch(Date.now() - s * 1000 + 500)], false);

  for (const [seen, viewport] of [["a screenful", { width: 1280, height: 900 }], ["all 20", { width: 1920, height: 3600 }]]) {
    const page = await open(t, `${server.url}/d/busy`, { viewport });
    await live(page);
    const version = async () => Number((await page.locator(".dashboard").getAttribute("data-version")).split(":")[1]);
    const measure = async () => {
      const first = await version();
      const m = await measureThread(browser, page, async () => {
        const began = performance.now();
        for (let i = 0; i < 160; i++) { // 8 s at its own pace
          const due = began + i * 50;
          await server.post(batch(Date.now()), false);
          await new Promise((r) => setTimeout(r, Math.max(0, due + 50 - performance.now())));
        }
      });
      assert.ok((await version()) - first >= 600, "the page has kept up");
      assert.ok(m.tasks > 160, `${m.tasks} tasks were seen: the trace shows nothing`);
      return { ...m, rate: Number((160 / m.seconds).toFixed(1)) };
    };
    const slow = slowdown();
    const good = (m) => m.busy < 30 * slow && m.longest < 50 * slow;
    const tried = await bestOf(measure, good);
    t.diagnostic(`${seen}, on a machine ${slow.toFixed(1)} times as slow: ${JSON.stringify(tried)}`);
    const best = tried.at(-1);
    assert.ok(best.rate > 15, `only ${best.rate} updates a second came`);
    assert.ok(good(best), `${seen}, on a machine ${slow.toFixed(1)} times as slow: ${JSON.stringify(tried)}`);
    await page.context().close();
  }
});

/** The tables show rows of existing cells only, each once, and as many as exist or fit. */
async function noRowLeft(page, read) {
  const shown = await page.evaluate(() => Object.fromEntries([...document.querySelectorAll("section[data-panel]")].map((section) =>
    [section.dataset.panel, [...section.querySelectorAll("tbody tr")].map((tr) => Number(tr.dataset.cell))])));
  for (const [i, { panel }] of read.schema.entries()) {
    const cells = read.cells.filter((c) => c[1] === i).map((c) => c[0]);
    assert.deepEqual(shown[panel].filter((n) => !cells.includes(n)), [], `${panel}: rows of cells that were removed`);
    assert.equal(new Set(shown[panel]).size, Math.min(60, cells.length), `${panel}: rows, where there are ${cells.length} cells`);
    assert.equal(shown[panel].length, Math.min(60, cells.length), `${panel}: rows twice`);
  }
}

test("24 hours simulated: the heap does not grow", async (t) => {
  const server = await Server.start(t);
  await server.define("long", {
    time: { bound: "0s", idle: "none", lateness: "2m" }, dedupe: { by: "id", horizon: "10m" },
    panels: [
      { id: "minutes", window: { tumbling: "1m" }, keep: 60, group_by: ["labels.g"], aggregates: ["count", "avg"] },
      { id: "hops", window: { hopping: "10m", every: "1m" }, keep: 60, aggregates: ["count"] },
      { id: "runs", window: { session: "30s" }, keep: 50, group_by: ["labels.g"], aggregates: ["count"] },
      { id: "day", window: { tumbling: "1h" }, keep: 3, group_by: ["labels.minute"], max_groups: 30, aggregates: ["count"] },
      { id: "last", window: "latest", group_by: ["labels.g"] },
      { id: "bursts", window: { tumbling: "5m" }, keep: 2, group_by: ["labels.burst"], aggregates: ["count"] }, // grows and shrinks
    ],
  });
  const begin = Math.floor(Date.now() / 60_000) * 60_000 - 25 * 3_600_000;
  const minutes = (from, to) => {
    const events = [];
    for (let m = from; m < to; m++) for (const g of ["a", "b", "c"]) {
      events.push({ id: `${m}${g}`, dashboard: "long", metric: "m", value: m % 97, time: begin + m * 60_000 + (m % 30) * 1000, labels: { g, minute: String(m % 60), burst: m % 60 < 15 ? `${g}${m % 5}` : g }, metadata: { m } });
    }
    return events;
  };
  await server.post(minutes(0, 2));
  const tabs = [];
  for (const query of ["", "?view=tables"]) {
    const page = await open(t, `${server.url}/d/long${query}`, { viewport: { width: 1280, height: 3000 } });
    await live(page);
    const cdp = await page.context().newCDPSession(page);
    tabs.push({ page, used: async () => {
      for (let i = 0; i < 3; i++) await cdp.send("HeapProfiler.collectGarbage");
      const { usedSize } = await cdp.send("Runtime.getHeapUsage");
      return { heap: usedSize, nodes: (await cdp.send("Memory.getDOMCounters")).nodes };
    } });
  }
  const follow = async () => {
    const read = await server.read("long");
    for (const { page } of tabs) {
      await page.waitForFunction((v) => document.querySelector(".dashboard").dataset.version === v, `${read.epoch}:${read.version}`, { timeout: 30_000 });
      // charts that are drawn later
      await page.evaluate(() => new Promise((r) => setTimeout(r, 600)));
    }
    await noRowLeft(tabs[1].page, read);
  };
  let at = 2;
  const to = async (end) => {
    for (; at < end; at += 4) await server.post(minutes(at, Math.min(end, at + 4)));
    await follow();
    return Promise.all(tabs.map((t) => t.used()));
  };
  await to(2 * 60 + 15); // many groups
  await to(3 * 60); // few
  const early = await to(4 * 60);
  const late = await to(24 * 60);
  for (const [i, what] of ["charts", "tables"].entries()) {
    t.diagnostic(`${what}: ${(early[i].heap / 1e6).toFixed(2)} MB and ${early[i].nodes} nodes after 4 h, ${(late[i].heap / 1e6).toFixed(2)} MB and ${late[i].nodes} after 24 h`);
    assert.ok(late[i].heap < early[i].heap + 750_000, `${what}: the heap grew from ${early[i].heap} to ${late[i].heap}`);
    assert.ok(late[i].nodes < early[i].nodes * 1.3 + 200, `${what}: nodes grew from ${early[i].nodes} to ${late[i].nodes}`);
  }
});
