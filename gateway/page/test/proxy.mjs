// A TCP proxy that behaves as networks do: it cuts connections, it drops bytes, and it can play a
// server of another version.
import net from "node:net";

export class Proxy {
  #pairs = new Set();
  #swallowed = [];
  #server;
  /** Refuse new connections. */
  down = false;
  /**
   * Changes the text frames of a WebSocket: `toServer` and `toClient` get a text and return one or
   * a list.
   */
  rewrite;

  static async start(t, port) {
    const p = new Proxy();
    p.#server = net.createServer((client) => p.#take(client, port));
    await new Promise((r) => p.#server.listen(0, "127.0.0.1", r));
    p.url = `http://127.0.0.1:${p.#server.address().port}`;
    t.after(() => {
      p.cut();
      return new Promise((r) => p.#server.close(r));
    });
    return p;
  }

  /** Ends every connection at once. */
  cut() {
    for (const { client, server } of [...this.#pairs, ...this.#swallowed]) {
      client.destroy();
      server.destroy();
    }
  }

  /** Keeps existing connections open without data in either direction; new ones work. */
  swallow() {
    for (const pair of this.#pairs) pair.dead = true;
    this.#swallowed.push(...this.#pairs);
    this.#pairs.clear();
  }

  #take(client, port) {
    if (this.down) return void client.destroy();
    const server = net.connect(port, "127.0.0.1");
    const pair = { client, server, dead: false };
    this.#pairs.add(pair);
    const end = () => {
      this.#pairs.delete(pair);
      if (pair.dead) return; // a dead connection does not report its end
      client.destroy();
      server.destroy();
    };
    client.on("error", () => {}).on("close", end);
    server.on("error", () => {}).on("close", end);
    const toServer = this.rewrite ? frames((text) => this.rewrite.toServer(text), true) : (b) => b;
    const toClient = this.rewrite ? frames((text) => this.rewrite.toClient(text), false) : (b) => b;
    client.on("data", (b) => pair.dead || server.write(toServer(b)));
    server.on("data", (b) => pair.dead || client.write(toClient(b)));
  }
}

/**
 * Rewrites the text frames of one direction of a connection that begins with HTTP and becomes a
 * WebSocket.
 */
function frames(change, masked) {
  let held = Buffer.alloc(0);
  let upgraded = false;
  return (chunk) => {
    held = Buffer.concat([held, chunk]);
    const out = [];
    if (!upgraded) {
      const end = held.indexOf("\r\n\r\n");
      const head = end < 0 ? "" : held.subarray(0, end).toString("latin1");
      if (!/upgrade: websocket/i.test(head)) { // plain HTTP passes as it is
        const all = held;
        held = Buffer.alloc(0);
        return all;
      }
      upgraded = true;
      out.push(held.subarray(0, end + 4));
      held = held.subarray(end + 4);
    }
    for (let f; (f = parse(held, masked)); held = held.subarray(f.size)) {
      if (f.opcode !== 1) {
        out.push(held.subarray(0, f.size));
        continue;
      }
      for (const text of [change(f.payload.toString())].flat()) out.push(encode(text, masked));
    }
    return Buffer.concat(out);
  };
}

function parse(b, masked) {
  if (b.length < 2) return undefined;
  let length = b[1] & 127, at = 2;
  if (length === 126) {
    if (b.length < 4) return undefined;
    length = b.readUInt16BE(2);
    at = 4;
  } else if (length === 127) {
    if (b.length < 10) return undefined;
    length = Number(b.readBigUInt64BE(2));
    at = 10;
  }
  const mask = masked ? b.subarray(at, at + 4) : undefined;
  at += masked ? 4 : 0;
  if (b.length < at + length) return undefined;
  const payload = Buffer.from(b.subarray(at, at + length));
  if (mask) for (let i = 0; i < payload.length; i++) payload[i] ^= mask[i & 3];
  return { opcode: b[0] & 15, payload, size: at + length };
}

function encode(text, masked) {
  const payload = Buffer.from(text);
  const head = Buffer.alloc(10);
  head[0] = 0x81;
  let size = 2;
  if (payload.length < 126) head[1] = payload.length;
  else if (payload.length < 65_536) {
    head[1] = 126;
    head.writeUInt16BE(payload.length, 2);
    size = 4;
  } else {
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(payload.length), 2);
    size = 10;
  }
  if (masked) head[1] |= 128;
  return Buffer.concat([head.subarray(0, size), masked ? Buffer.alloc(4) : Buffer.alloc(0), payload]); // a mask of zeros
}
