import { h, show, text } from "./dom.js";
import { definition, Refused } from "./reading.js";

/** The definition in force, read-only; it is fetched when the viewer opens it. */
export class DefinitionView {
  readonly element: HTMLDetailsElement;
  readonly #from = h("p", { class: "measure" });
  readonly #text = h("code");
  readonly #box: HTMLElement;
  #old = true;

  constructor(private readonly tenant: string, private readonly dashboard: string) {
    this.#box = h("pre", { tabindex: "0", role: "region", "aria-label": "Definition as YAML" }, this.#text);
    this.element = h("details", { class: "definition" }, h("summary", {}, "Definition"), this.#from, this.#box);
    this.element.addEventListener("toggle", () => this.#load());
    show(this.#box, false);
  }

  /** Handles a changed definition. */
  changed(): void {
    this.#old = true;
    this.#load();
  }

  async #load(): Promise<void> {
    if (!this.#old || !this.element.open) return;
    this.#old = false;
    if (this.#box.hidden) text(this.#from, "Loading …");
    try {
      const got = await definition(this.tenant, this.dashboard);
      text(this.#from, got.isDefault ? "This dashboard has no definition of its own; the default is in force." : "In force. Change it with dashfeed definition apply.");
      text(this.#text, got.yaml);
      show(this.#box, true);
    } catch (e) {
      this.#old = true;
      text(this.#from, `The definition cannot be shown: ${e instanceof Refused ? e.message : String(e)}.`);
    }
  }
}
