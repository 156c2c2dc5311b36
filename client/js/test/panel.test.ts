import { expect, test } from "vitest";
import { Panel, type Group, type Row } from "../src/index.js";
import { schema } from "./script.js";

const row = (number: number, start: number, group: Group, value: unknown, revision = 0): Row => ({
  number, panel: 0, start, end: start + 10, group, revision, final: revision > 0, values: [value, 0],
});

test("rows are in order of start, then group, the overflow last", () => {
  const p = new Panel(0, schema[0]);
  for (const r of [row(1, 10, null, 1), row(2, 10, ["b"], 2), row(3, 0, ["z"], 3), row(4, 10, [null], 4), row(5, 10, ["a"], 5)]) p.put(r);
  expect(p.rows().map((r) => r.number)).toEqual([3, 5, 2, 4, 1]);
  const kept = p.rows();
  expect(p.rows()).toBe(kept);
  p.delete(5);
  expect(p.rows().map((r) => r.number)).toEqual([3, 2, 4, 1]);
});

test("a series is aligned: a group without a window, or without a number, has null", () => {
  const p = new Panel(0, schema[0]);
  for (const r of [row(1, 0, ["a"], 1, 1), row(2, 10, ["b"], 2), row(3, 10, ["a"], null, 1), row(4, 20, ["b"], "text", 2), row(5, 20, null, 9, 1)]) p.put(r);
  expect(p.series("count")).toEqual({
    starts: [0, 10, 20],
    groups: [["a"], ["b"], null],
    values: [[1, null, null], [null, 2, null], [null, null, 9]],
    final: [true, false, true],
  });
  expect(p.series(1).values[0]).toEqual([0, 0, null]);
  expect(p.series("unknown").values[0]).toEqual([null, null, null]);
});
