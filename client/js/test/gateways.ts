import { expect, test } from "vitest";
import { Client } from "../src/index.js";
import { event } from "./server.js";

// TEST_GATEWAYS and TEST_ADMINS hold the public and the admin addresses of gateway-1 and gateway-2,
// separated by commas.
const [gateways, admins] = ["TEST_GATEWAYS", "TEST_ADMINS"].map((name) => process.env[name]!.split(","));

async function post(url: string, path: string, body: object): Promise<void> {
  const answer = await fetch(url + path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`POST ${path}: ${answer.status} ${await answer.text()}`);
}

test("a client of two gateways moves from a draining one to the other, and misses nothing", async () => {
  const add = () => post(gateways[1], "/v1/events?dashboard=d", { metric: "m", value: 1 });
  await add();
  const client = new Client({ server: gateways });
  const states: string[] = [];
  const lived: string[] = [];
  client.on("connection", (s) => states.push(s.state));
  const s = client.subscribe({ dashboard: "d" });
  s.on("gap", () => lived.push("gap"));
  s.on("status", (f: any) => lived.push(f.state));
  await event(s, "update", () => s.version >= 1);
  states.length = lived.length = 0;

  await post(admins[0], "/cluster/drain", { node: "gateway-1" });
  for (let said = ""; !said.includes("draining: 0 sessions are left"); ) {
    await add();
    said = await (await fetch(`${admins[0]}/readyz?verbose`)).text();
  }
  const version = s.version + 1;
  await add();
  await event(s, "update", () => s.version >= version);
  expect(lived).toEqual([]);
  expect(states.filter((state) => state !== "open")).toEqual([]);
  client.close();
});
