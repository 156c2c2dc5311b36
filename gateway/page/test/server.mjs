// Runs the built binary as a real process, for the tests.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const binary = process.env.PAGE_BINARY;

/** Repeats check until it returns something true. */
export async function until(what, check, within = 20_000) {
  const end = Date.now() + within;
  for (;;) {
    const got = await check();
    if (got) return got;
    if (Date.now() > end) throw new Error(`not within ${within} ms: ${what}`);
    await new Promise((r) => setTimeout(r, 20));
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const s = net.createServer().once("error", reject).listen(0, "127.0.0.1", () => {
      const { port } = s.address();
      s.close(() => resolve(port));
    });
  });
}

export class Server {
  /** Starts a server on free ports and returns when it is ready; it ends with the test. */
  static async start(t, { command = "run", ready = true } = {}) {
    const s = new Server();
    s.command = command;
    s.data = await mkdtemp(join(tmpdir(), "dashfeed-page-"));
    s.port = await freePort();
    s.adminPort = await freePort();
    s.url = `http://127.0.0.1:${s.port}`;
    t.after(async () => {
      await s.kill();
      await rm(s.data, { recursive: true, force: true });
    });
    s.launch();
    if (ready) await s.ready();
    return s;
  }

  launch() {
    this.log = "";
    this.startedAt = performance.now();
    this.process = spawn(binary, [this.command, "--listen", `127.0.0.1:${this.port}`, "--admin", `127.0.0.1:${this.adminPort}`, "--data", this.data], { stdio: ["ignore", "pipe", "pipe"] });
    this.ended = new Promise((r) => this.process.once("exit", r));
    for (const out of [this.process.stdout, this.process.stderr]) out.on("data", (b) => { this.log = (this.log + b).slice(-20_000); });
  }

  ready() {
    return until("the server is ready", async () => {
      if (this.process.exitCode !== null) throw new Error(`the server ended: ${this.log}`);
      return fetch(`http://127.0.0.1:${this.adminPort}/readyz`).then((r) => r.ok, () => false);
    }, 60_000);
  }

  /** Ends the server with SIGKILL. */
  async kill() {
    this.process.kill("SIGKILL");
    await this.ended;
  }

  async define(dashboard, definition) {
    const r = await fetch(`${this.url}/v1/dashboards/${dashboard}/definition`, { method: "PUT", body: typeof definition === "string" ? definition : JSON.stringify(definition) });
    if (!r.ok) throw new Error(`define ${dashboard}: ${r.status} ${await r.text()}`);
  }

  /** Stores events and, unless wait is false, waits until they are folded. */
  async post(events, wait = true) {
    const r = await fetch(`${this.url}/v1/events`, { method: "POST", body: events.map((e) => JSON.stringify(e)).join("\n") });
    const body = await r.json();
    if (r.status !== 202 || body.refusedCount) throw new Error(`post: ${r.status} ${JSON.stringify(body)}`);
    if (!wait) return;
    for (const dashboard of new Set(events.map((e) => e.dashboard))) {
      for (const [partition, position] of Object.entries(body.positions)) await this.read(dashboard, `after=${partition}:${position}&wait=20s`).catch(() => {});
    }
  }

  async read(dashboard, query = "") {
    const r = await fetch(`${this.url}/v1/dashboards/${dashboard}?${query}`);
    if (!r.ok) throw new Error(`read ${dashboard}: ${r.status} ${await r.text()}`);
    return r.json();
  }
}
