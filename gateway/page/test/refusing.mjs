// A server that serves the page and refuses everything else, in the protocol's words, as a gateway
// with tokens does.
import { createHash } from "node:crypto";
import http from "node:http";

/**
 * `refuse` is { status, code, message } for HTTP. A WebSocket's handshake gets the same answer, or,
 * if `close` is given, is accepted and closed with that code.
 */
export async function refusing(t, pages, refuse, close) {
  const body = JSON.stringify({ error: { code: refuse.code, message: refuse.message, retry: false, after: 0 } });
  const server = http.createServer(async (request, response) => {
    if (request.url.startsWith("/v1/")) {
      response.writeHead(refuse.status, { "content-type": "application/json" }).end(body);
      return;
    }
    const got = await fetch(pages + request.url, { headers: { "accept-encoding": "identity" } });
    const { "content-type": type, "content-security-policy": policy } = Object.fromEntries(got.headers);
    response.writeHead(got.status, { "content-type": type, ...(policy && { "content-security-policy": policy }) }).end(Buffer.from(await got.arrayBuffer()));
  });
  server.on("upgrade", (request, socket) => {
    socket.on("error", () => {}).resume(); // without this the end goes unnoticed
    if (!close) return void socket.end(`HTTP/1.1 ${refuse.status} Refused\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
    const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: dashfeed.v1.json\r\n" +
      `Sec-WebSocket-Accept: ${accept}\r\n\r\n`);
    const reason = Buffer.from(refuse.message);
    socket.end(Buffer.concat([Buffer.from([0x88, reason.length + 2, close >> 8, close & 255]), reason]));
  });
  await new Promise((r) => server.listen(0, "127.0.0.1", r));
  t.after(() => new Promise((r) => {
    server.close(r);
    server.closeAllConnections();
  }));
  return `http://127.0.0.1:${server.address().port}`;
}
