import { describe, expect, test } from "vitest";
import { Subscription, View, parseFrame } from "../src/index.js";
import { golden } from "./golden.js";

const server = golden("server.ndjson");
const client = golden("client.ndjson");
const updates = server.filter((f) => f.type === "update");
const schema = [
  { ...server.find((f) => f.type === "subscribed").schema[0] },
  { panel: "sessions", title: "", window: { session: 1 }, axis: { unit: "ms", grows: true, text: "" }, keep: 1, groupBy: ["labels.user"], columns: ["count"] },
];

function subscribed(over: object = {}) {
  return { type: "subscribed" as const, id: 1, dashboard: "checkout", view: "9b1e6a02c4d7f810", rate: 0, resumed: false, schema, ...over };
}

describe("golden frames", () => {
  test.each(server.map((f) => [f.type, f]))("%s from the server is read", (_, f) => {
    expect(parseFrame(JSON.stringify(f))).toEqual(f);
  });

  test("the updates fold into what they say", () => {
    const view = new View();
    view.subscribed(subscribed());
    for (const u of updates) expect(view.apply(u), JSON.stringify(u)).toBeTypeOf("object");
    expect(view.place).toEqual({ epoch: "9f2c41d0", version: 1901, view: "9b1e6a02c4d7f810" });
    expect(view.time).toBe(1795422000371);
    expect(view.panels[0].rows().map((r) => [r.number, r.start, r.end, r.group, r.revision, r.final, r.values])).toEqual([
      [7, 1795422000000, 1795422010000, ["DE"], 1, true, [{ unit: "ms" }, [["a", 3, 0], ["b", 1, 1]], "text", true, 1e300, -0.5]],
      [31, 1795422000000, 1795422010000, ["FR"], 0, false, [1, 9.5]],
      [8, 1795422000000, 1795422010000, [null], 1, true, [3, null]],
      [9, 1795422000000, 1795422010000, null, 0, false, [2, 1]],
    ]);
    expect(view.panels[1].rows()).toMatchObject([{ number: 40, end: 1795422031000, group: ['u "1" é'], revision: 2, final: true, values: [12] }]);
  });

  test("a subscription asks as the golden subscribes do", () => {
    const owner = { id: () => 1, due() {}, again() {}, ended() {} };
    const plain = new Subscription({ dashboard: "checkout" }, owner);
    expect(JSON.parse(JSON.stringify(plain.request(0)))).toEqual(client.find((f) => f.type === "subscribe"));
    const part = new Subscription(
      { dashboard: "checkout", tenant: "acme", panels: ["rps"], groups: [["DE"], [null], [""]], maxRate: 4 }, owner,
    );
    part.subscribed(subscribed());
    part.update(updates[0]);
    expect(JSON.parse(JSON.stringify(part.request(4)))).toEqual(client.filter((f) => f.type === "subscribe")[1]);
  });
});
