/**
 * The browser client of Dashfeed.
 *
 *     const client = new Client({ server: "https://dashfeed.example" });
 *     const checkout = client.subscribe({ dashboard: "checkout" });
 *     checkout.on("snapshot", () => drawAll(checkout.panels));
 *     checkout.on("update", (e) => e.panels.forEach((i) => draw(checkout.panels[i])));
 *
 * Guarantees: a subscription holds what the server had at its version; it resumes from its place
 * after any disconnect; it emits at most one event an animation frame, however much comes.
 */
export { Client, type ClientEvents, type ClientOptions } from "./client.js";
export {
  Subscription, type ErrorEvent, type GapEvent, type SnapshotEvent, type StatusEvent, type SubscribeOptions,
  type SubscriptionEvents, type UpdateEvent,
} from "./subscription.js";
export { Panel, groupKey, type Row, type Series } from "./panel.js";
export { View, type Change, type Refusal } from "./view.js";
export type { Token, TokenSource } from "./credentials.js";
export { parseFrame } from "./frames.js";
export type { Axis, Group, GapWhy, Limits, PanelSchema, Place, Value, ViewState, Window } from "./frames.js";
export type { ConnectionState, Socket, SocketClass } from "./connection.js";
