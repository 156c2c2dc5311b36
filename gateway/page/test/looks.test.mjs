// What the page shows, to whom, and at which sizes: states, addresses, names from data, keyboard,
// axe, small screens.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { launch } from "./browser.mjs";
import { Proxy } from "./proxy.mjs";
import { refusing } from "./refusing.mjs";
import { Server, until } from "./server.mjs";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const evil = `<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>"'&amp;\${window.pwned=1}`;
const long = "W".repeat(200);

let browser, server;
const ends = [];
before(async () => {
  browser = await launch();
  server = await Server.start({ after: (end) => ends.push(end) });
  await server.define("checkout", {
    title: "Checkout", time: { bound: "0s", idle: "none", lateness: "30s" }, panels: [
      { id: "seconds", title: "Orders", window: { tumbling: "1s" }, keep: 60, group_by: ["labels.country"], aggregates: ["count", "sum"] },
      { id: "now", title: "Now", window: { tumbling: "1h" }, keep: 2, group_by: ["labels.country"], aggregates: ["count"], max_groups: 2 },
      { id: "runs", title: "Runs", window: { session: "2s" }, keep: 20, group_by: ["labels.country"], aggregates: ["count"] },
      { id: "last", title: "Last", window: "latest", group_by: ["labels.country"] },
      { id: "never", title: "Never", filter: 'metric == "never"', window: { tumbling: "1s" }, aggregates: ["count"] },
    ],
  });
  const now = Date.now();
  await server.post(Array.from({ length: 200 }, (_, i) => ({
    id: `a${i}`, dashboard: "checkout", metric: "orders", value: i, time: now - 100_000 + 400 * i - (i % 50 === 49 ? 25_000 : 0), labels: { country: ["DE", "FR", "IT", "PL"][i % 4] }, metadata: { n: i },
  })));
  await server.post([{ dashboard: "other", metric: "m", value: 1 }]);
  // Names that browsers, and careless scripts, could take for something else.
  await server.define("constructor", {
    title: evil, panels: [
      { id: "toString", title: evil, window: { tumbling: "1s" }, keep: 60, group_by: ["labels.country", "metric"], aggregates: ["count"] },
      { id: "valueOf", title: long, window: { tumbling: "1h" }, keep: 2, group_by: ["labels.country"], aggregates: ["count"] },
      { id: "last", title: evil, window: "latest", group_by: ["metric"] },
      { id: "runs", title: evil, window: { session: "5s" }, group_by: ["labels.country"], aggregates: ["count"] },
    ],
  });
  await server.post([evil, long, "__proto__", "", "\u202egnol"].map((v, i) => ({
    id: `h${i}`, dashboard: "constructor", metric: v || "m", value: i, labels: { country: v, __proto__: "x" }, metadata: { [evil]: evil, __proto__: evil },
  })));
});
after(async () => {
  await browser.close();
  for (const end of ends) await end();
});

async function open(t, path, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  t.after(() => context.close());
  const page = await context.newPage();
  page.complaints = [];
  page.requests = [];
  page.on("pageerror", (e) => page.complaints.push(String(e)));
  page.on("console", (m) => ["error", "warning"].includes(m.type()) && page.complaints.push(m.text()));
  page.on("request", (r) => page.requests.push(r.url()));
  if (options.prepare) await options.prepare(page);
  await page.goto(path.startsWith("http") ? path : server.url + path);
  return page;
}

const live = (page) => page.waitForFunction(() => document.querySelector(".dashboard")?.dataset.state === "Live", undefined, { polling: 10 });
const painted = (page) => page.waitForFunction(() => [...document.querySelectorAll("section[data-panel]")].filter((c) => c.getBoundingClientRect().top < innerHeight).every((c) => c.querySelector(".body > *, .empty:not([hidden])")));

test("the list: search, navigation to a dashboard and back, reload", async (t) => {
  const page = await open(t, "/");
  const items = page.locator(".dashboards li:visible");
  await until("three dashboards", async () => (await items.count()) === 3);
  await page.getByLabel("Search").fill("CHECK");
  await until("one found", async () => (await items.count()) === 1);
  assert.match(page.url(), /\?q=CHECK$/);
  await page.reload();
  await until("one found after reload", async () => (await items.count()) === 1);
  await page.getByRole("link", { name: "Checkout" }).click();
  await live(page);
  await page.getByRole("heading", { level: 1, name: "Checkout" }).waitFor();
  assert.equal(new URL(page.url()).pathname, "/d/checkout");
  await page.getByRole("button", { name: "Tables" }).click();
  await page.locator("section[data-panel=seconds] tbody tr").first().waitFor();
  await page.reload();
  await live(page);
  await page.locator("section[data-panel=seconds] tbody tr").first().waitFor();
  await page.goBack();
  await until("the list again", async () => (await items.count()) === 1);
  await page.getByLabel("Search").fill("nothing like it");
  await page.getByRole("heading", { name: "Nothing found" }).waitFor();
  assert.deepEqual(page.complaints, []);
});

test("more dashboards than one answer holds: shown a hundred at a time, searched by the server", async (t) => {
  const names = Array.from({ length: 2_250 }, (_, i) => `m${String(i).padStart(4, "0")}`);
  const many = (list) => server.post(list.map((dashboard) => ({ id: dashboard, tenant: "many", dashboard, metric: "m", value: 1 })), false);
  await many(names.slice(0, 900));
  const page = await open(t, "/?tenant=many");
  const items = page.locator(".dashboards li");
  const sum = (words) => page.locator(".list .measure", { hasText: words }).waitFor();
  const more = page.getByRole("button", { name: /^Show \d+ more$/ });
  await sum("The first 100 of 900 dashboards of many");
  await more.click();
  await until("two hundred", async () => (await items.count()) === 200);
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "m0100", "the focus moves to the first new one");
  await page.getByLabel("Search").fill("089"); // anywhere in the name: the page has all of them
  await sum("11 dashboards of many");
  await page.getByLabel("Search").fill("");

  await many(names.slice(900));
  await sum("The first 100 of more than 1,000 dashboards of many; the search matches beginnings of names");
  for (let n = 200; n <= 1_100; n += 100) {
    await more.click();
    await until(`${n} are shown`, async () => (await items.count()) === n);
  }
  await sum("The first 1,100 of more than 2,000 dashboards");
  await page.getByLabel("Search").fill("m22");
  await sum("50 dashboards of many");
  assert.equal(await items.first().locator("a").textContent(), "m2200");
  await page.reload();
  await sum("50 dashboards of many");
  await page.getByLabel("Search").fill("m1");
  await sum("The first 100 of 1,000 dashboards of many");
  await page.getByLabel("Search").fill("x");
  await page.getByRole("heading", { name: "Nothing found" }).waitFor();
  assert.equal(await more.isVisible(), false);
  assert.deepEqual(page.complaints, []);
});

test("loading, empty, error and not-allowed states", async (t) => {
  const empty = await open(t, "/?tenant=nobody");
  await empty.getByRole("heading", { name: "No dashboards yet" }).waitFor();
  const unborn = await open(t, "/d/unborn");
  await unborn.getByRole("heading", { name: "No events yet" }).waitFor();
  await server.post([{ dashboard: "unborn", metric: "m", value: 42 }]);
  await unborn.locator("data[value='42']").first().waitFor();
  const wrong = await open(t, "/d/%3Cb%3E");
  await wrong.getByRole("heading", { name: "This dashboard cannot be shown" }).waitFor();
  const never = await open(t, "/d/checkout", { viewport: { width: 1280, height: 3000 } });
  await never.locator("p.empty:not([hidden])", { hasText: "No windows yet" }).waitFor();

  let answer;
  const held = new Promise((r) => { answer = r; });
  const slow = await open(t, "/", { prepare: (page) => page.route("**/v1/dashboards?*", async (route) => { await held; await route.continue(); }) });
  await slow.getByRole("heading", { name: "Loading" }).waitFor();
  answer();
  await slow.getByRole("link", { name: "Checkout" }).waitFor();

  const failing = await open(t, "/", { prepare: (page) => page.route("**/v1/dashboards?*", (route) => route.abort()) });
  await failing.getByRole("heading", { name: "The list cannot be read" }).waitFor();
  await failing.unroute("**/v1/dashboards?*");
  await failing.getByRole("link", { name: "Checkout" }).waitFor();

});

test("not allowed: by HTTP, at the handshake, by a close, by an error", async (t) => {
  const unauthorized = { status: 401, code: 1101, message: "no token" };
  const forbidden = { status: 403, code: 1102, message: "the token may not do this" };
  for (const [refuse, close] of [[unauthorized, 0], [forbidden, 0], [unauthorized, 4501], [forbidden, 4502]]) {
    const base = await refusing(t, server.url, refuse, close);
    const list = await open(t, base);
    await list.getByRole("heading", { name: "Not allowed" }).waitFor();
    await list.getByText(refuse.message).waitFor();
    const one = await open(t, `${base}/d/checkout`);
    await one.getByRole("heading", { name: "Not allowed" }).waitFor();
    await one.getByText(refuse.message).first().waitFor();
    assert.equal(await one.locator("section[data-panel]").count(), 0);
    if (close) assert.equal(await one.locator(".dashboard").getAttribute("data-state"), "Ended");
    await list.context().close();
    await one.context().close();
  }
  // The server knows no tokens yet: the proxy replaces its answers to a subscribe.
  for (const [code, message, title] of [[1102, "the token may not do this", "Not allowed"], [1104, "there is no such dashboard, or it may not be seen", "Not found, or not allowed"]]) {
    const proxy = await Proxy.start(t, server.port);
    proxy.rewrite = { toServer: (text) => text, toClient: (text) => {
      const f = JSON.parse(text);
      return f.type === "subscribed" ? JSON.stringify({ type: "error", id: f.id, code, message, retry: false, after: 0 }) : f.type === "connected" ? text : [];
    } };
    const page = await open(t, `${proxy.url}/d/checkout`);
    await page.getByRole("heading", { name: title }).waitFor();
    assert.equal(await page.locator(".dashboard").getAttribute("data-state"), "Ended");
    assert.equal(await page.locator("section[data-panel]").count(), 0);
    await page.context().close();
  }
});

test("the definition is shown, read-only", async (t) => {
  const page = await open(t, "/d/checkout");
  await live(page);
  await page.getByText("Definition", { exact: true }).click();
  await page.getByText("max_groups: 2").waitFor();
  assert.equal(await page.locator("textarea, [contenteditable]").count(), 0);
});

test("overflow and late events are visible", async (t) => {
  const page = await open(t, "/d/checkout", { viewport: { width: 1280, height: 3000 } });
  await live(page);
  const read = await server.read("checkout");
  const { overflowed } = read.counters.panels.now, { late_accepted: late } = read.counters.panels.seconds;
  assert.ok(overflowed > 0 && late > 0, "the data show nothing");
  await page.locator("section[data-panel=now] .counters", { hasText: `${overflowed} events of` }).waitFor();
  await page.locator("section[data-panel=seconds] .counters", { hasText: `${late} late event` }).waitFor();
  await page.locator("section[data-panel=now] ol.bars", { hasText: "all other keys" }).waitFor();
});

test("light and dark: the system's, and the reader's", async (t) => {
  const page = await open(t, "/d/checkout", { colorScheme: "dark" });
  await live(page);
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
  assert.equal(await theme(), "dark");
  await page.getByRole("button", { name: "Theme: system" }).click();
  assert.equal(await theme(), "light");
  await page.reload();
  await live(page);
  assert.equal(await theme(), "light");
  await page.getByRole("button", { name: "Theme: light" }).click();
  await page.getByRole("button", { name: "Theme: dark" }).click();
  assert.equal(await theme(), "dark");
  await page.emulateMedia({ colorScheme: "light" });
  await until("the page follows the system's change", async () => (await theme()) === "light");
});

test("names from data are always text", async (t) => {
  for (const path of ["/", "/d/constructor", "/d/constructor?view=tables"]) {
    const page = await open(t, path, { viewport: { width: 1280, height: 6000 } });
    await page.getByText(evil).first().waitFor();
    if (path !== "/") {
      await live(page);
      await painted(page);
      await page.getByText("Definition", { exact: true }).click();
      await page.locator("pre").waitFor();
      assert.ok((await page.title()).includes(evil));
    }
    assert.equal(await page.evaluate(() => window.pwned), undefined);
    assert.equal(await page.locator("main img, main script, main iframe, main svg").count(), 0);
    assert.deepEqual(page.complaints, []);
  }
});

test("the policy holds, and nothing is loaded from other hosts", async (t) => {
  const page = await open(t, "/d/checkout");
  await live(page);
  await painted(page);
  const policy = (await page.request.get(server.url)).headers()["content-security-policy"];
  assert.doesNotMatch(policy, /unsafe|\*/);
  assert.deepEqual(page.requests.filter((u) => new URL(u).host !== new URL(server.url).host), []);
  assert.deepEqual(page.complaints, []);
  // The policy works: the browser refuses a page that tries.
  assert.equal(await page.evaluate(() => {
    try {
      document.createElement("p").innerHTML = "<b>x</b>";
      return "let through";
    } catch {
      return "refused";
    }
  }), "refused");
});

test("Tab reaches every control, with a visible focus", async (t) => {
  for (const path of ["/", "/d/checkout", "/d/checkout?view=tables"]) {
    const page = await open(t, path, { viewport: { width: 1280, height: 6000 } });
    await page.locator(path === "/" ? ".dashboards li" : ".counters").first().waitFor();
    if (path !== "/") await painted(page);
    const all = await page.evaluate(() => {
      const found = [...document.querySelectorAll("a[href], button, select, input, summary, [tabindex='0']")].filter((e) => e.checkVisibility());
      found.forEach((e, i) => (e.dataset.control = i));
      return found.length;
    });
    const reached = new Set();
    for (let i = 0; i < all + 2; i++) {
      await page.keyboard.press("Tab");
      const at = await page.evaluate(() => {
        const e = document.activeElement;
        const s = getComputedStyle(e);
        return { control: e.dataset.control, outlined: s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2, what: e.outerHTML.slice(0, 80) };
      });
      if (at.control === undefined) continue;
      assert.ok(at.outlined, `${path}: focus is not visible on ${at.what}`);
      reached.add(at.control);
    }
    assert.equal(reached.size, all, `${path}: controls reached by Tab`);
  }
});

test("the keyboard alone works: search, open, tables, theme", async (t) => {
  const page = await open(t, "/");
  await page.locator(".dashboards li").first().waitFor();
  await page.getByLabel("Search").focus();
  await page.keyboard.type("checkout");
  await until("one is found", async () => (await page.locator(".dashboards li").count()) === 1);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await live(page);
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "H1", "the focus moves with the navigation");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.locator("table").first().waitFor();
});

test("axe-core finds nothing serious", async (t) => {
  const found = [];
  for (const colorScheme of ["light", "dark"]) {
    for (const path of ["/", "/?tenant=nobody", "/d/checkout", "/d/checkout?view=tables", "/d/constructor", "/d/%3Cb%3E"]) {
      const page = await open(t, path, { colorScheme, viewport: { width: 1280, height: 4000 } });
      await page.locator(".dashboards li, .notice:not(.loading), .counters").first().waitFor();
      if (path.includes("checkout")) {
        await painted(page);
        await page.getByText("Definition", { exact: true }).click();
        await page.locator("pre").waitFor();
      }
      await page.evaluate(axe);
      const { violations, passes } = await page.evaluate(() => window.axe.run());
      assert.ok(passes.length > 10, "axe looked at something");
      for (const v of violations) found.push(`${v.impact} ${colorScheme} ${path}: ${v.id}: ${v.nodes.map((n) => n.target).join(" | ")}`);
      await page.close();
    }
  }
  t.diagnostic(`${found.length} findings of any weight`);
  for (const f of found) t.diagnostic(f);
  assert.deepEqual(found.filter((f) => /^(serious|critical)/.test(f)), []);
});

test("360 px wide: no horizontal scrolling", async (t) => {
  for (const path of ["/", "/?q=nothing-like-it", "/d/checkout", "/d/checkout?view=tables", "/d/constructor", "/d/constructor?view=tables", "/d/unknown-one"]) {
    const page = await open(t, path, { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true });
    await page.locator(".dashboards li, .notice:not(.loading), .counters").first().waitFor();
    await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
    if (path.startsWith("/d/c")) await page.getByText("Definition", { exact: true }).click();
    const [wide, inner] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(wide <= 360 && inner === 360, `${path}: ${wide} px wide in ${inner}`);
    const cut = await page.evaluate(() => [...document.querySelectorAll("main .card, main .notice, main li")].filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.outerHTML.slice(0, 200)));
    assert.deepEqual(cut, [], `${path}: content wider than its place is cut off`);
  }
});
