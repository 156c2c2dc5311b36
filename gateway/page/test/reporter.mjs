// Writes one line of JSON for each test, for browser_test.go. A test's notes come after its end, so
// each test is written when the next one comes.
const sums = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [0-9.]+$/;

export default async function* (source) {
  let last;
  for await (const { type, data } of source) {
    if (type === "test:diagnostic" && last && !sums.test(data.message)) last.notes.push(data.message);
    if (type !== "test:pass" && type !== "test:fail") continue;
    if (last) yield `${JSON.stringify(last)}\n`;
    const error = data.details?.error;
    const cause = error?.cause ?? error;
    last = {
      name: data.name, ok: type === "test:pass", skipped: data.skip !== undefined, ms: Math.round(data.details?.duration_ms ?? 0), nesting: data.nesting,
      error: error ? `${cause?.stack ?? cause?.message ?? cause}` : undefined, notes: [],
    };
  }
  if (last) yield `${JSON.stringify(last)}\n`;
}
