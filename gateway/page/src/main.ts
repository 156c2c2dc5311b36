import { Client } from "../../../client/js/src/index.js";
import "uplot/dist/uPlot.min.css";
import { DashboardView } from "./dashboard.js";
import { attribute, h, text } from "./dom.js";
import { ListView } from "./list.js";
import { onRoute, readRoute, type Route } from "./route.js";
import { themeSwitch } from "./theme.js";

const client = new Client();
const main = document.getElementById("main")!;
let view: DashboardView | ListView | undefined;

function go(arrived: boolean): void {
  view?.close();
  const route = readRoute();
  view = route.dashboard ? new DashboardView(client, route as Route & { dashboard: string }) : new ListView(route);
  main.replaceChildren(view.element);
  if (arrived) view.focus.focus({ preventScroll: true });
}

/** The connection's state in the header of every view. */
function connection(): HTMLElement {
  const state = h("span", { class: "connection" });
  const tell = () => {
    const { state: s } = client.connection;
    const used = client.subscriptions.length > 0 || s === "open";
    attribute(state, "data-state", used ? s : "idle");
    text(state, !used ? "" : s === "open" ? "Connected" : s === "connecting" ? "Connecting" : s === "closed" ? "Connection ended" : s === "offline" ? "Offline" : "Not connected");
  };
  client.on("connection", tell);
  tell();
  return state;
}

document.getElementById("top")!.append(h("div", { class: "right" }, connection(), themeSwitch()));
onRoute(() => go(true));
go(false);
