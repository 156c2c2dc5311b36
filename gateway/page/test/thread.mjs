// What the page's main thread does, by the CPU time that it takes: wall time would include other
// programs on the machine.

/**
 * Runs `during` and returns how busy the main thread was meanwhile, in per cent, and its longest
 * task, in ms.
 */
export async function measureThread(browser, page, during) {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Performance.enable", { timeDomain: "threadTicks" });
  const spent = async () => (await cdp.send("Performance.getMetrics")).metrics.find((m) => m.name === "TaskDuration").value;
  const tracer = await browser.newBrowserCDPSession();
  const events = [];
  tracer.on("Tracing.dataCollected", (e) => events.push(...e.value));
  await tracer.send("Tracing.start", { transferMode: "ReportEvents", traceConfig: { includedCategories: ["toplevel"], excludedCategories: ["*"] } });
  const [before, began] = [await spent(), performance.now()];
  await during();
  const [after, ended] = [await spent(), performance.now()];
  const complete = new Promise((r) => tracer.once("Tracing.tracingComplete", r));
  await tracer.send("Tracing.end");
  await complete;
  await tracer.detach();
  const tasks = mainTasks(events);
  const longest = tasks.reduce((a, b) => (b.tdur > a.tdur ? b : a), { tdur: 0, dur: 0 });
  return {
    seconds: (ended - began) / 1000,
    busy: Number(((after - before) / (ended - began) * 1e5).toFixed(1)),
    longest: Math.round(longest.tdur / 1000), onTheWall: Math.round(longest.dur / 1000), tasks: tasks.length,
  };
}

/** The tasks of the page's main thread: of the renderers, the one that did most. */
function mainTasks(events) {
  const names = new Map(events.filter((e) => e.name === "thread_name").map((e) => [`${e.pid}:${e.tid}`, e.args.name]));
  const byThread = new Map();
  for (const e of events) {
    if (e.ph !== "X" || !e.name.endsWith("RunTask") || e.tdur === undefined) continue;
    const thread = `${e.pid}:${e.tid}`;
    if (names.get(thread) !== "CrRendererMain") continue;
    if (!byThread.has(thread)) byThread.set(thread, []);
    byThread.get(thread).push(e);
  }
  const sum = (tasks) => tasks.reduce((s, e) => s + e.tdur, 0);
  return [...byThread.values()].sort((a, b) => sum(b) - sum(a))[0] ?? [];
}
