import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const repository = new URL("../../..", import.meta.url).pathname;
const directories: string[] = [];

function directory(): string {
  const d = mkdtempSync(join(tmpdir(), "dashfeed-js-"));
  directories.push(d);
  return d;
}

/** The built binary: the one that TEST_BINARY names, or one built now. */
function binary(): string {
  if (process.env.TEST_BINARY) return process.env.TEST_BINARY;
  const path = join(directory(), "dashfeed");
  execFileSync("go", ["build", "-o", path, "./cmd/dashfeed"], { cwd: repository, stdio: "inherit" });
  return path;
}

async function freePort(): Promise<number> {
  const l = createServer().listen(0, "127.0.0.1");
  await once(l, "listening");
  const { port } = l.address() as { port: number };
  l.close();
  await once(l, "close");
  return port;
}

/** A running server on loopback. Its address and data stay the same over restarts. */
export class Server {
  #process: ChildProcess | undefined;

  private constructor(
    private readonly path: string,
    private readonly data: string,
    readonly url: string,
    private readonly admin: string,
  ) {}

  static async start(): Promise<Server> {
    const s = new Server(binary(), directory(), `http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`);
    await s.start();
    return s;
  }

  /** Starts the server, and returns when it is ready. */
  async start(): Promise<void> {
    const host = (url: string) => url.slice("http://".length);
    const p = spawn(this.path, ["run", "--listen", host(this.url), "--admin", host(this.admin), "--data", this.data], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#process = p;
    let log = "";
    p.stderr.on("data", (text) => (log = (log + text).slice(-4_000)));
    const ready = async () => (await fetch(`${this.admin}/readyz`).catch(() => undefined))?.ok;
    while (!(await ready())) if (p.exitCode !== null) throw new Error(`the server ended with ${p.exitCode}:\n${log}`);
  }

  signal(name: NodeJS.Signals): void {
    this.#process?.kill(name);
  }

  /** Ends it with SIGKILL. */
  async kill(): Promise<void> {
    const p = this.#process;
    this.#process = undefined;
    if (!p) return;
    const ended = once(p, "exit");
    p.kill("SIGKILL");
    await ended;
  }

  /** Kills it and removes its data. */
  async end(): Promise<void> {
    await this.kill();
    for (const d of directories) rmSync(d, { recursive: true, force: true });
  }

  /** Appends events to a dashboard; returns the version at which they are folded. */
  async post(dashboard: string, ...events: object[]): Promise<number> {
    const answer = await fetch(`${this.url}/v1/events?dashboard=${dashboard}`, { method: "POST", body: JSON.stringify(events) });
    const { positions, refused } = (await answer.json()) as { positions: Record<string, string>; refused: unknown[] };
    if (answer.status !== 202 || refused?.length) throw new Error(`POST events: ${answer.status} ${JSON.stringify(refused)}`);
    const [[partition, position]] = Object.entries(positions);
    return (await this.read(dashboard, `after=${partition}:${position}&wait=10s`)).version;
  }

  /** The answer of GET /v1/dashboards/{id}. */
  async read(dashboard: string, query = ""): Promise<any> {
    const answer = await fetch(`${this.url}/v1/dashboards/${dashboard}?${query}`);
    if (!answer.ok) throw new Error(`GET ${dashboard}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  async define(dashboard: string, yaml: string): Promise<void> {
    const answer = await fetch(`${this.url}/v1/dashboards/${dashboard}/definition`, { method: "PUT", body: yaml });
    if (!answer.ok) throw new Error(`PUT definition: ${answer.status} ${await answer.text()}`);
  }
}

/** Waits for the first event of that type for which `so` holds. */
export function event(of: { on(type: any, l: (e: any) => void): () => void }, type: string, so: (e: any) => unknown = () => true): Promise<any> {
  return new Promise((done) => {
    const off = of.on(type, (e) => {
      if (!so(e)) return;
      off();
      done(e);
    });
  });
}
