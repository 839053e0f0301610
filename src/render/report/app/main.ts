// The page: decodes the data, puts the views together, and takes keys.

import { type Data, decode } from "./data.js";
import { button, el, fill } from "./dom.js";
import { head } from "./head.js";
import { Model } from "./model.js";
import { NOTHING, Store } from "./selection.js";
import { Stacks } from "./stacks.js";
import { Theme } from "./theme.js";
import { type Page, type View, VIEWS } from "./views.js";

/** Keys of the page as a whole. */
const KEYS = [
  ["/", "search"],
  ["N", "the next match; Shift + N the one before"],
  ["Esc", "select nothing"],
  ["T", "light or dark"],
  ["?", "this help"],
] as const;

async function main(): Promise<void> {
  const app = document.getElementById("app");
  if (!app) return;
  if (typeof DecompressionStream === "undefined") {
    const words =
      "This page unpacks its data with DecompressionStream, which this browser does not have. It needs Chrome or Edge 80, Firefox 113, Safari 16.4, or newer.";
    fill(app, el("p", { class: "needs" }, words));
    return;
  }
  try {
    build(app, await decode(document.getElementById("data")?.textContent ?? ""));
  } catch (error) {
    const words = `This page cannot be shown: ${error instanceof Error ? error.message : String(error)}`;
    fill(app, el("p", { class: "needs" }, words));
  }
}

function build(app: HTMLElement, data: Data): void {
  const theme = new Theme(data.table("colours"));
  const selection = new Store();
  const status = el("div", { class: "for-readers", role: "status", "aria-live": "polite" });
  const page: Page = {
    data,
    model: new Model(data),
    stacks: new Stacks(data),
    selection,
    theme,
    open: (id) => open(id),
    say: (words) => {
      status.textContent = words;
    },
  };
  const views = VIEWS.map((make) => make(page)).filter((view): view is View => view !== null);
  const panel = el("div", { class: "panel", role: "tabpanel" });
  const tabs = views.map((view) =>
    button(() => open(view.id), { role: "tab", id: `tab-${view.id}` }, view.title),
  );
  let current = views[0] as View;
  function open(id: string): void {
    current = views.find((view) => view.id === id) ?? current;
    fill(panel, current.element);
    panel.setAttribute("aria-labelledby", `tab-${current.id}`);
    tabs.forEach((tab, at) => {
      const selected = views[at] === current;
      tab.setAttribute("aria-selected", String(selected));
      tab.tabIndex = selected ? 0 : -1;
    });
    current.show();
  }

  const search = el("input", {
    type: "search",
    placeholder: "Search names",
    title: "packages, tools, phases, functions",
    "aria-label": "search",
    oninput: () => selection.set({ search: search.value.trim().toLowerCase() }),
  });
  const help = dialog(views);
  const command = data.table("run").name("command", 0);
  document.title = `${command}: gotrace report`;
  const expand = () => whole.setAttribute("aria-expanded", String(whole.getAttribute("aria-expanded") !== "true"));
  const whole = button(expand, { class: "command", title: command, "aria-expanded": "false" }, el("bdi", {}, command));
  fill(
    app,
    el(
      "header",
      { class: "top" },
      el("h1", {}, el("span", { class: "brand" }, "gotrace"), whole),
      button(() => theme.toggle(), { class: "quiet" }, "light / dark"),
      button(() => help.showModal(), { class: "quiet", "aria-label": "keys" }, "?"),
    ),
    head(page),
    el("nav", { class: "tabs" }, el("div", { role: "tablist" }, ...tabs), search),
    panel,
    status,
    help,
  );

  selection.follow((now, before) => {
    if (search.value.trim().toLowerCase() !== now.search) search.value = now.search;
    for (const view of views) view.select(now, before);
  });
  theme.follow(() => current.show());
  addEventListener("resize", () => current.show());
  addEventListener("keydown", (event) => key(event));
  open(current.id);

  function key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    const target = event.target;
    if (target === search) {
      if (event.key === "Enter" && current.key(new KeyboardEvent("keydown", { key: event.shiftKey ? "N" : "n" }))) event.preventDefault();
      if (event.key === "Escape") {
        search.blur();
        selection.set({ search: "" });
      }
      return;
    }
    if (target instanceof HTMLElement && target.getAttribute("role") === "tab" && step(event.key)) return;
    if (target instanceof HTMLInputElement && target.type !== "checkbox") return;
    if (target instanceof HTMLSelectElement) return;
    const keys: Record<string, () => void> = {
      "/": () => search.focus(),
      "?": () => help.showModal(),
      t: () => theme.toggle(),
      Escape: () => {
        search.value = "";
        selection.set(NOTHING);
      },
    };
    if (current.key(event)) event.preventDefault();
    else if (keys[event.key]) {
      event.preventDefault();
      keys[event.key]?.();
    }
  }

  /** Arrows go from tab to tab. */
  function step(key: string): boolean {
    const by = key === "ArrowRight" ? 1 : key === "ArrowLeft" ? -1 : 0;
    const next = views[(views.indexOf(current) + by + views.length) % views.length];
    if (by === 0 || !next) return false;
    open(next.id);
    tabs[views.indexOf(next)]?.focus();
    return true;
  }
}

/** The keys of the page and of its views. */
function dialog(views: readonly View[]): HTMLDialogElement {
  const list = (title: string, keys: readonly (readonly [string, string])[]) =>
    keys.length === 0
      ? null
      : el(
          "section",
          {},
          el("h2", {}, title),
          el("dl", {}, ...keys.flatMap(([keys, what]) => [el("dt", {}, el("kbd", {}, keys)), el("dd", {}, what)])),
        );
  const help: HTMLDialogElement = el(
    "dialog",
    { class: "help", "aria-label": "keys" },
    button(() => help.close(), { class: "quiet", "aria-label": "close" }, "✕"),
    ...views.map((view) => list(view.title, view.keys)),
    list("Everywhere", KEYS),
  );
  return help;
}

void main();
