// Takes docs/screenshots from a running demo: node screenshots.mjs http://127.0.0.1:8080
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { launch } from "./test/browser.mjs";

const server = process.argv[2] ?? "http://127.0.0.1:8080";
const directory = fileURLToPath(new URL("../../docs/screenshots/", import.meta.url));
const looks = [
  ["light", { viewport: { width: 1280, height: 900 }, colorScheme: "light" }],
  ["dark", { viewport: { width: 1280, height: 900 }, colorScheme: "dark" }],
  ["narrow", { viewport: { width: 360, height: 1100 }, colorScheme: "light", isMobile: true, hasTouch: true }],
];

await mkdir(directory, { recursive: true });
const browser = await launch();
for (const [look, options] of looks) {
  const context = await browser.newContext(options);
  for (const [name, path] of [["departures", "/d/departures"], ["airports", "/d/airports"], ["day", "/d/day"], ...(process.argv[3] === "all" ? [["list", "/"], ["tables", "/d/departures?view=tables"]] : [])]) {
    const page = await context.newPage();
    page.on("pageerror", (e) => console.error(`${name}: ${e}`));
    page.on("console", (m) => m.type() === "error" && console.error(`${name}: ${m.text()}`));
    await page.goto(server + path);
    await page.locator("[data-state=Live], .dashboards li").first().waitFor();
    await page.waitForTimeout(1500); // for charts that are drawn later
    await page.screenshot({ path: `${directory}${name}-${look}.png`, fullPage: process.argv[3] === "all" });
    await page.close();
  }
  await context.close();
}
await browser.close();
