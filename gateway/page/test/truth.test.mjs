// The page under trouble: what it reports of its state, and that its numbers equal the server's
// afterwards.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch } from "./browser.mjs";
import { equalsServer } from "./equal.mjs";
import { Proxy } from "./proxy.mjs";
import { Server, until } from "./server.mjs";

const definition = `
time: {bound: 0s, idle: none, lateness: 30s}
dedupe: {by: id, horizon: 1h}
panels:
  - {id: seconds, title: By country, window: {tumbling: 1s}, keep: 60, group_by: [labels.country], aggregates: [count, sum, avg, max]}
  - {id: hops, window: {hopping: 10s, every: 5s}, keep: 12, aggregates: [count, sum]}
  - {id: sessions, window: {session: 2s}, keep: 50, group_by: [labels.country], aggregates: [count, sum]}
  - {id: tens, window: {count: 10}, keep: 20, aggregates: [sum]}
  - {id: few, window: {tumbling: 1s}, keep: 3, group_by: [labels.user], max_groups: 3, aggregates: [count]}
  - {id: last, window: latest, group_by: [labels.country]}
`;
const countries = ["DE", "FR", "IT", "PL"];
let ids = 0;

/** Events over some seconds that end now; some of them late, so that windows are corrected. */
function events(n) {
  const now = Date.now();
  return Array.from({ length: n }, (_, i) => ({
    id: `e${++ids}`, dashboard: "checkout", metric: "latency", value: Math.round(Math.random() * 1e6) / 1000,
    time: now - 60_000 + Math.floor((i / n) * 55_000) - (i % 17 === 0 ? 20_000 : 0),
    labels: { country: countries[i % 4], user: `u${i % 9}` }, metadata: { n: i },
  }));
}

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

/** Opens a tab tall enough for every panel, with tables; `base` is the server's address. */
async function open(t, base, context) {
  const own = context ?? (await browser.newContext({ viewport: { width: 1280, height: 5000 } }));
  if (!context) t.after(() => own.close());
  const page = await own.newPage();
  page.errors = [];
  page.on("pageerror", (e) => page.errors.push(String(e)));
  await page.goto(`${base}/d/checkout?view=tables`);
  await state(page, "Live");
  await page.evaluate(() => { window.neverReloaded = true; });
  return page;
}

function state(page, ...words) {
  return page.waitForFunction((words) => words.includes(document.querySelector(".dashboard")?.dataset.state), words, { timeout: 40_000, polling: 10 });
}

async function still(page) {
  assert.equal(await page.evaluate(() => window.neverReloaded), true, "the page must not reload");
  assert.deepEqual(page.errors, []);
}

async function start(t) {
  const server = await Server.start(t);
  await server.define("checkout", definition);
  await server.post(events(300));
  return server;
}

test("the numbers on the page are the server's", async (t) => {
  const server = await start(t);
  const page = await open(t, server.url);
  for (let i = 0; i < 5; i++) await server.post(events(100));
  const compared = await equalsServer(page, server, "checkout");
  assert.ok(compared > 500, `only ${compared} values were compared`);
  const marks = await page.locator("tbody .mark").allTextContents();
  for (const state of ["partial", "final", "corrected"]) assert.ok(marks.some((m) => m.startsWith(state)), `no window is ${state}: the test shows nothing`);
  t.diagnostic(`${compared} values compared`);
  await still(page);
});

test("the numbers beside a chart are the server's", async (t) => {
  const server = await start(t);
  const page = await open(t, server.url);
  await page.getByRole("button", { name: "Charts" }).click();
  await server.post(events(50));
  const read = await server.read("checkout");
  await page.waitForFunction((v) => document.querySelector(".dashboard").dataset.version === v, `${read.epoch}:${read.version}`);
  const panel = read.schema.findIndex((s) => s.panel === "seconds");
  const newest = Math.max(...read.cells.filter((c) => c[1] === panel).map((c) => c[2]));
  const want = Object.fromEntries(read.cells.filter((c) => c[1] === panel && c[2] === newest).map((c) => [c[4][0], String(c[6][0])]));
  const got = await page.locator("section[data-panel=seconds] .legend li").evaluateAll((all) =>
    Object.fromEntries(all.map((li) => [li.querySelector(".name").textContent, li.querySelector("data").value]).filter(([, v]) => v !== "")));
  assert.ok(Object.keys(want).length > 0);
  assert.deepEqual(got, want);
  await still(page);
});

test("server killed and restarted: the page reports it within 2 s and resumes without a reload", async (t) => {
  const server = await start(t);
  const page = await open(t, server.url);
  const killed = Date.now();
  await server.kill();
  await state(page, "Disconnected");
  const said = Date.now() - killed;
  assert.ok(said <= 2000, `reported after ${said} ms`);
  assert.match(await page.locator(".how").textContent(), /The numbers are those of/);
  await page.locator(".how", { hasText: /\d failed attempts/ }).waitFor();
  assert.match(await page.locator(".how").textContent(), /The numbers are those of (just now|\d+ s ago)\./, "independent of failed attempts");
  server.launch();
  await server.ready();
  await server.post(events(100));
  const back = Date.now();
  await state(page, "Live");
  t.diagnostic(`said after ${said} ms; live ${Date.now() - back} ms after the server`);
  await equalsServer(page, server, "checkout");
  await still(page);
});

test("offline and online", async (t) => {
  const server = await start(t);
  const proxy = await Proxy.start(t, server.port);
  const page = await open(t, proxy.url);
  proxy.down = true;
  await page.context().setOffline(true);
  const gone = Date.now();
  proxy.cut();
  await state(page, "Offline");
  const said = Date.now() - gone;
  assert.ok(said <= 2000, `reported after ${said} ms`);
  await server.post(events(100));
  proxy.down = false;
  await page.context().setOffline(false);
  const back = Date.now();
  await state(page, "Live");
  t.diagnostic(`said after ${said} ms; live ${Date.now() - back} ms after the network`);
  await equalsServer(page, server, "checkout");
  await still(page);
});

test("a socket that is dead without a close", async (t) => {
  const server = await start(t);
  const proxy = await Proxy.start(t, server.port);
  const page = await open(t, proxy.url);
  proxy.swallow();
  const gone = Date.now();
  await server.post(events(100));
  await state(page, "Silent", "Disconnected");
  const said = Date.now() - gone;
  assert.ok(said <= 16_000, `reported after ${said} ms`);
  await state(page, "Live");
  t.diagnostic(`said after ${said} ms; live again after ${Date.now() - gone} ms`);
  await equalsServer(page, server, "checkout");
  await still(page);
});

test("a server that hangs and continues", async (t) => {
  const server = await start(t);
  const page = await open(t, server.url);
  server.process.kill("SIGSTOP");
  await state(page, "Silent", "Disconnected");
  server.process.kill("SIGCONT");
  await state(page, "Live");
  await server.post(events(100));
  await equalsServer(page, server, "checkout");
  await still(page);
});

test("two tabs", async (t) => {
  const server = await start(t);
  const context = await browser.newContext({ viewport: { width: 1280, height: 5000 } });
  t.after(() => context.close());
  const one = await open(t, server.url, context);
  const two = await open(t, server.url, context);
  await server.post(events(100));
  await equalsServer(two, server, "checkout");
  await one.bringToFront();
  await equalsServer(one, server, "checkout");
  await one.close();
  await server.post(events(100));
  await two.bringToFront();
  await equalsServer(two, server, "checkout");
  await still(two);
});

test("a server of a newer format: a snapshot, no error", async (t) => {
  const server = await start(t);
  const proxy = await Proxy.start(t, server.port);
  const page = await open(t, proxy.url);
  const before = await page.locator(".dashboard").getAttribute("data-version");
  // The newer server computes other epochs and knows more types, fields and forms.
  const other = (epoch) => [...epoch].map((c) => (15 - parseInt(c, 16)).toString(16)).join("");
  const swap = (text) => text.replace(/"epoch":"([0-9a-f]{8})"/g, (_, e) => `"epoch":"${other(e)}"`);
  proxy.rewrite = {
    toServer: swap,
    toClient: (text) => {
      const f = JSON.parse(swap(text));
      f.weather = { sunny: true };
      if (f.schema) for (const s of f.schema) s.colour = ["of", "hope"];
      return [JSON.stringify({ type: "forecast", view: f.view, of: 1 }), JSON.stringify(f)];
    },
  };
  const errors = [];
  page.on("console", (m) => m.type() === "error" && !/ERR_|WebSocket connection/.test(m.text()) && errors.push(m.text()));
  proxy.cut();
  await page.waitForFunction((epoch) => {
    const d = document.querySelector(".dashboard").dataset;
    return d.state === "Live" && d.version.slice(0, 8) !== epoch;
  }, before.slice(0, 8), { timeout: 20_000 });
  await server.post(events(100));
  await equalsServer(page, { read: async (d) => { const r = await server.read(d); return { ...r, epoch: other(r.epoch) }; } }, "checkout");
  assert.deepEqual(errors, []);
  await still(page);
});

test("stale and moving: shown in words, with the time since when, and live again", async (t) => {
  const server = await start(t);
  const proxy = await Proxy.start(t, server.port);
  let say; // what a server that follows other machines would send after an update
  proxy.rewrite = {
    toServer: (text) => text,
    toClient: (text) => {
      const f = JSON.parse(text);
      return say && f.type === "update" ? [text, JSON.stringify({ type: "status", view: f.view, ...say })] : text;
    },
  };
  const page = await open(t, proxy.url);
  const today = new Date().toISOString().slice(0, 10);
  for (const [status, label, words, lag] of [
    [{ state: "moving", lag: 0, since: Date.parse(`${today}T03:04:05Z`) }, "Moving", /Moving to another machine, since 03:04:05 UTC;/, "not known"],
    [{ state: "stale", lag: 0, since: Date.parse(`${today}T03:04:05Z`) }, "Stale", /No newer data is known, since 03:04:05 UTC;/, "not known"],
    [{ state: "stale", lag: 4120, since: Date.parse("2013-02-07T03:04:05Z") }, "Stale", /4 s behind its log, since 7 Feb 2013 03:04:05 UTC\./, "4 s"],
    [{ state: "live", lag: 0, since: null }, "Live", /Last change/, "none"],
  ]) {
    say = status;
    await server.post(events(10));
    await state(page, label);
    await until(`the words of ${label}`, async () => words.test(await page.locator(".how").textContent()));
    assert.equal(await page.locator(".fresh dd").nth(1).textContent(), lag);
    assert.match(await page.locator("[role=status].aside").textContent(), label === "Live" ? /are live/ : new RegExp(`not live: ${label}`));
  }
  await equalsServer(page, server, "checkout");
  await still(page);
});

test("a new definition while the dashboard is watched", async (t) => {
  const server = await start(t);
  const page = await open(t, server.url);
  await server.define("checkout", definition.replace("title: By country", "title: By land").replace("{id: tens", "{id: nines").replace("{count: 10}", "{count: 9}"));
  await page.getByRole("heading", { name: "By land" }).waitFor();
  await server.post(events(100));
  await until("the new panel is shown", () => page.locator("section[data-panel=nines]").count());
  await equalsServer(page, server, "checkout");
  await still(page);
});
