// Elements of the page. Whatever is a name goes into a node of text: nothing is ever parsed as HTML.

type Child = Node | string | null | undefined | false;
type Properties = Record<string, string | boolean | EventListener | undefined>;

/** An element with attributes (functions are listeners: `onclick`) and children. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Properties = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (typeof value === "string") element.setAttribute(name, value);
  }
  fill(element, ...children);
  return element;
}

/** A button, and what it does. */
export function button(act: () => void, properties: Properties, ...children: Child[]): HTMLButtonElement {
  return el("button", { type: "button", ...properties, onclick: act }, ...children);
}

/** A name that leads somewhere. */
export function link(words: string, act: () => void): HTMLButtonElement {
  return button(act, { class: "link" }, name(words));
}

/** One of several, of which one is chosen. */
export function choice(words: string, what: string | undefined, chosen: boolean, act: () => void): HTMLButtonElement {
  return button(act, { title: what, "aria-pressed": String(chosen) }, words);
}

/** What limits a view, and what a button that takes it away is called and does. */
export function chip(words: Child[], label: string, remove: () => void): HTMLElement {
  return el("span", { class: "chip" }, ...words, button(remove, { "aria-label": label }, "✕"));
}

/** Replaces what is in an element. */
export function fill(element: Element, ...children: Child[]): void {
  element.replaceChildren(...children.filter((child): child is Node | string => !!child));
}

/** A name of the trace, kept from turning the direction of what stands around it; its lines break between its parts. */
export function name(text: string, properties: Properties = {}): HTMLElement {
  const [first = "", ...more] = parts(text);
  return el("bdi", properties, first, ...more.flatMap((part) => [el("wbr"), part]));
}

/** A name as the pieces that its lines may break between: of paths and of words with dots, not of numbers. */
export function parts(text: string): string[] {
  return text.split(/(?<=[\w)\]][/._-])(?=[^\s\d/._-])/);
}

/** What paints with a row of the table `colours`, as long as the page's theme is the same. */
export function paint(element: HTMLElement, colour: number): HTMLElement {
  element.style.background = `var(--bar-${colour})`;
  return element;
}

/** A square of a colour of the table `colours`. */
export function swatch(colour: number): HTMLElement {
  return paint(el("span", { class: "swatch", "aria-hidden": "true" }), colour);
}

/** A table with a head; cells that are numbers stand to the right. */
export function table(caption: string, head: string[], rows: (Node | string)[][], numeric: boolean[]): HTMLElement {
  const cell = (tag: "th" | "td") => (child: Node | string, at: number) =>
    el(tag, { class: numeric[at] ? "number" : undefined, scope: tag === "th" ? "col" : undefined }, child);
  return el(
    "table",
    {},
    el("caption", {}, caption),
    el("thead", {}, el("tr", {}, ...head.map(cell("th")))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map(cell("td"))))),
  );
}
