type Attributes = Record<string, string | boolean | undefined>;
type Child = Node | string | null | undefined | false;

/** Makes an element. Strings among the children become text, never markup. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) e.setAttribute(name, "");
    else if (value !== undefined && value !== false) e.setAttribute(name, value);
  }
  for (const c of children) if (c || c === "") e.append(c);
  return e;
}

/**
 * Sets the text if it differs: an unchanged node costs no layout. It keeps the text node, since a
 * new one makes the browser build its box again.
 */
export function text(e: Node, to: string): void {
  const only = e.firstChild;
  if (only instanceof Text && !only.nextSibling) {
    if (only.data !== to) only.data = to;
  } else if (e.textContent !== to) e.textContent = to;
}

/** Sets an attribute if it differs; undefined removes it. */
export function attribute(e: Element, name: string, to: string | undefined): void {
  if (to === undefined) {
    if (e.hasAttribute(name)) e.removeAttribute(name);
  } else if (e.getAttribute(name) !== to) e.setAttribute(name, to);
}

/** Shows or hides an element. */
export function show(e: HTMLElement, visible: boolean): void {
  if (e.hidden === visible) e.hidden = !visible;
}

/**
 * Grows an element to fit its text, and never shrinks it. With a size of its own (contain: size in
 * the style sheet) a changed number costs its own layout only, and nothing beside it moves.
 */
export function room(e: HTMLElement): void {
  const need = Math.max(4, Math.ceil((e.textContent ?? "").length / 3) * 3);
  if (need > (parseInt(e.style.width) || 0)) e.style.width = `${need}ch`;
}

/**
 * Sets a number for programs and, rounded, for people. An element shows values of one kind: equal
 * values have equal texts. Returns true if the value differs.
 */
export function setData(e: HTMLDataElement, value: unknown, words: (v: unknown) => string): boolean {
  const exact = value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
  if (e.value === exact && e.hasAttribute("value")) return false;
  e.value = exact;
  text(e, words(value));
  return true;
}
