import { readFileSync } from "node:fs";

/** The golden frames of that file, which the Go tests read too. */
export function golden(file: "client.ndjson" | "server.ndjson"): any[] {
  return readFileSync(new URL(`../../../messages/wire/testdata/${file}`, import.meta.url), "utf8")
    .split("\n")
    .filter((line) => line && !line.startsWith("#"))
    .map((line) => JSON.parse(line));
}
