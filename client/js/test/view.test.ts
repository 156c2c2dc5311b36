import { describe, expect, test } from "vitest";
import { View } from "../src/index.js";
import { change, epoch, schema, snapshot, subscribed, viewA, viewB } from "./script.js";

function at10(): View {
  const v = new View();
  v.subscribed(subscribed(1) as any);
  v.apply(snapshot() as any);
  return v;
}

const count = (v: View) => v.panels[0].rows().map((r) => r.values[0]);

describe("rule 1 of the protocol", () => {
  test.each<[string, any, any, number, unknown[]]>([
    ["begins at the version", change(10, 12), { snapshot: false }, 12, [12]],
    ["begins before it", change(3, 12), { snapshot: false }, 12, [12]],
    ["ends at it", change(9, 10), "known", 10, [1]],
    ["ends before it", change(3, 9), "known", 10, [1]],
    ["begins after it", change(11, 12), "gap", 10, [1]],
    ["another epoch", change(10, 12, viewA, "00000002"), "gap", 10, [1]],
    ["a snapshot of another epoch", snapshot(viewA, "00000002"), { snapshot: true }, 10, [1]],
    ["a snapshot that is older", { ...snapshot(), to: 9 }, "known", 10, [1]],
    ["a snapshot that is newer", { ...snapshot(), to: 11, cells: [] }, { snapshot: true }, 11, []],
    ["removed before cells", { ...change(10, 11), removed: [0, 77], cells: [[1, 0, 0, 10_000, ["m"], 0, [5, 5]]] }, { snapshot: false }, 11, [5]],
    ["no cells", { ...change(10, 40), cells: [] }, { snapshot: false }, 40, [1]],
    ["a cell by number that is not known", { ...change(10, 11), cells: [[0, 0, [7]], [5, 0, [1]]] }, "unreadable", 10, [1]],
    ["a form of a newer server", { ...change(10, 11), cells: [[0, 0, [7]], { n: 0 }] }, "unreadable", 10, [1]],
    ["a longer form", { ...change(10, 11), cells: [[1, 0, 0, 1, ["m"], 0, [1], "new"]] }, "unreadable", 10, [1]],
    ["a panel that is not in the schema", { ...change(10, 11), cells: [[1, 4, 0, 1, ["m"], 0, [1]]] }, "unreadable", 10, [1]],
    ["cells that are no array", { ...change(10, 11), cells: {} }, "unreadable", 10, [1]],
  ])("%s", (_, update, result, version, counts) => {
    const v = at10();
    const got = v.apply(update);
    if (typeof result === "string") expect(got).toBe(result);
    else expect(got).toMatchObject(result);
    expect([v.version, count(v)]).toEqual([version, counts]);
  });

  test("applying the same update twice is harmless", () => {
    const v = at10();
    v.apply(change(10, 12) as any);
    expect(v.apply(change(10, 12) as any)).toBe("known");
    expect(count(v)).toEqual([12]);
  });
});

describe("the held rows", () => {
  test("a snapshot leaves out cells it cannot read, and says how many", () => {
    const v = at10();
    v.gap();
    v.apply({ ...snapshot(), cells: [{ n: 1 }, ...snapshot().cells] } as any);
    expect([v.unreadable, v.size, v.version]).toEqual([1, 1, 10]);
  });

  test("after a gap only a snapshot is taken, of whatever version; the rows stay until then", () => {
    const v = at10();
    v.gap();
    expect([v.place, count(v)]).toEqual([undefined, [1]]);
    expect(v.apply(change(10, 12) as any)).toBe("gap");
    expect(v.apply({ ...snapshot(), to: 4, cells: [] } as any)).toMatchObject({ snapshot: true });
    expect([v.version, count(v)]).toEqual([4, []]);
  });

  test("a new definition keeps the old rows under the old schema until its snapshot", () => {
    const v = at10();
    v.subscribed(subscribed(undefined, viewB, false, { schema: [{ ...schema[0], panel: "new", columns: ["sum"] }] }) as any);
    expect([v.panels[0].panel, count(v)]).toEqual(["p", [1]]);
    v.apply(snapshot(viewB, "00000002") as any);
    expect([v.panels[0].panel, v.panels[0].columns]).toEqual(["new", ["sum"]]);
  });

  test("resumed keeps everything; the overflow may be new", () => {
    const v = at10();
    v.subscribed(subscribed(2, viewA, true, { schema: [{ ...schema[0], overflow: { groups: 7 } }] }) as any);
    expect([v.place, v.panels[0].overflow]).toEqual([{ epoch, version: 10, view: viewA }, { groups: 7 }]);
  });

  test("a resume under another view does not keep the rows", () => {
    const v = at10();
    v.subscribed(subscribed(2, viewB, true) as any);
    expect([v.place, v.apply(change(10, 12, viewB) as any)]).toEqual([undefined, "gap"]);
  });

  test("a dashboard without records gives no place to resume from", () => {
    const v = new View();
    v.subscribed(subscribed(1) as any);
    expect(v.apply({ type: "update", view: viewA, epoch: "00000000", from: 0, to: 0, cells: [] })).toMatchObject({ snapshot: true });
    expect(v.place).toBeUndefined();
  });

  test("a growing session keeps its row, with another end", () => {
    const v = at10();
    const row = v.panels[0].rows()[0];
    v.apply({ ...change(10, 11), cells: [[0, 0, 0, 12_000, ["m"], 2, [3, 4]]] } as any);
    expect(v.panels[0].rows()[0]).toBe(row);
    expect(row).toMatchObject({ end: 12_000, revision: 2, final: true, values: [3, 4] });
  });
});

test("after a day of windows only those within keep are left", () => {
  const v = at10();
  for (let n = 1; n <= 8_640; n++) {
    const cell = [n, 0, n * 10_000, (n + 1) * 10_000, ["m"], 0, [n, 0]];
    v.apply({ ...change(9 + n, 10 + n), cells: [cell], removed: n >= 60 ? [n - 60] : [] } as any);
  }
  expect([v.version, v.size, v.panels[0].size, v.panels[0].rows().length]).toEqual([8_650, 60, 60, 60]);
});
