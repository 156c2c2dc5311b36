import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { build } from "vite";

test("the bundle is one module of at most 10 kB gzipped that imports nothing", async () => {
  const made: any = await build({ root: new URL("..", import.meta.url).pathname, logLevel: "silent", build: { write: false } });
  const [chunk, ...rest] = (Array.isArray(made) ? made[0] : made).output;
  expect([rest, chunk.imports, chunk.dynamicImports]).toEqual([[], [], []]);
  const bytes = gzipSync(chunk.code).length;
  console.log(`dashfeed.js: ${chunk.code.length} bytes, ${bytes} gzipped`);
  expect(bytes).toBeLessThanOrEqual(10_000);
  const { Client } = await import(/* @vite-ignore */ `data:text/javascript,${encodeURIComponent(chunk.code)}`);
  expect(Client).toBeTypeOf("function");
});
