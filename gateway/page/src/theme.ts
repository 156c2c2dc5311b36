import { attribute, h, text } from "./dom.js";

const themes = ["system", "light", "dark"] as const;
type Theme = (typeof themes)[number];
const key = "dashfeed.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

function stored(): Theme {
  try {
    const t = localStorage.getItem(key);
    return themes.find((x) => x === t) ?? "system";
  } catch {
    return "system"; // the browser forbids storage
  }
}

let theme = stored();

function apply(): void {
  const shown = theme === "system" ? (dark.matches ? "dark" : "light") : theme;
  attribute(document.documentElement, "data-theme", shown);
  listeners.forEach((l) => l());
}

/** Calls the listener whenever the colours have changed; returns a function that removes it. */
export function onTheme(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** A colour or length of the style sheet, with its current value. */
export function styleValue(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Applies the stored or the system's theme, and returns the switch. */
export function themeSwitch(): HTMLElement {
  const button = h("button", { type: "button", class: "quiet" });
  const name = h("span", { class: "wide" });
  button.append(h("span", { "aria-hidden": "true" }, "◐ "), h("span", { class: "wide" }, "Theme: "), name);
  const label = () => {
    text(name, theme);
    attribute(button, "aria-label", `Theme: ${theme}`);
  };
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    try {
      localStorage.setItem(key, theme);
    } catch { /* it holds until the page is loaded again */ }
    label();
    apply();
  });
  dark.addEventListener("change", apply);
  label();
  apply();
  return button;
}
