// Compares the numbers on the page with the server's at the same version.
import assert from "node:assert/strict";
import { until } from "./server.mjs";

/** Reads what a page with tables shows, cell by cell, with its version. */
function shown(page) {
  return page.evaluate(() => {
    const panels = {};
    for (const card of document.querySelectorAll("section[data-panel]")) {
      panels[card.dataset.panel] = [...card.querySelectorAll("tr[data-cell]")].map((tr) => ({
        number: Number(tr.dataset.cell),
        state: tr.querySelector(".mark")?.textContent,
        values: [...tr.querySelectorAll("data")].map((d) => [d.getAttribute("value"), d.textContent]),
      }));
    }
    return { version: document.querySelector(".dashboard").dataset.version, state: document.querySelector(".dashboard").dataset.state, panels };
  });
}

/**
 * Waits until page and server are at the same version, and compares every cell of every panel. The
 * page must show tables.
 */
export async function equalsServer(page, server, dashboard) {
  let read, seen;
  await until(`the page of ${dashboard} is at the server's version`, async () => {
    read = await server.read(dashboard);
    seen = await shown(page);
    return seen.state === "Live" && seen.version === `${read.epoch}:${read.version}`;
  });
  for (const more of await page.locator(".body.table button:visible").all()) await more.click();
  await page.evaluate(() => new Promise((r) => setTimeout(r, 600))); // long tables are drawn later
  seen = await shown(page);
  read = await server.read(dashboard);
  assert.equal(seen.version, `${read.epoch}:${read.version}`, "no events came meanwhile");
  let compared = 0;
  read.schema.forEach((schema, i) => {
    const want = read.cells.filter((c) => c[1] === i);
    const got = new Map(seen.panels[schema.panel].map((r) => [r.number, r]));
    assert.equal(got.size, want.length, `rows of ${schema.panel}`);
    assert.equal(seen.panels[schema.panel].length, want.length, `rows of ${schema.panel}, some of them twice`);
    for (const [number, , , , , revision, values] of want) {
      const row = got.get(number);
      assert.ok(row, `cell ${number} of ${schema.panel}`);
      if (row.state !== undefined) assert.equal(row.state, revision === 0 ? "partial" : revision === 1 ? "final" : revision === 2 ? "corrected" : `corrected ${revision - 1} times`);
      values.forEach((v, column) => {
        const [exact, words] = row.values[column];
        const where = `${schema.panel} ${schema.columns[column]} of cell ${number}`;
        assert.equal(exact, v === null ? "" : typeof v === "object" ? JSON.stringify(v) : String(v), where);
        if (typeof v === "number" && schema.columns[column] !== "time") {
          const said = Number(words.replaceAll(",", ""));
          assert.ok(Math.abs(said - v) <= Math.max(Math.abs(v) * 0.005, 1e-12), `${where}: the page shows ${words} for ${v}`);
        }
        compared++;
      });
    }
  });
  return compared;
}
