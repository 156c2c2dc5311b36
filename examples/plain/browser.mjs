// Opens plain.html in Chromium and prints its lines as they come: node browser.mjs PAGE_URL HOST:PORT DASHBOARD
import { chromium } from 'playwright-core';

const [page, host, dashboard] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const tab = await browser.newPage();
tab.on('pageerror', (error) => { console.error(error); process.exit(1); });
await tab.exposeFunction('tell', (line) => console.log(line));
await tab.addInitScript(() => {
  new MutationObserver((changes) => {
    for (const change of changes) for (const node of change.addedNodes) if (node.tagName === 'LI') window.tell(node.textContent);
  }).observe(document, { childList: true, subtree: true });
});
await tab.goto(`${page}#${host}/${dashboard}`);
process.stdin.on('end', async () => { await browser.close(); process.exit(0); }).resume();
