// The view of how the trace differs from what it is laid beside: figures of both, and what to make of that.

import type { Data } from "./data.js";
import { el, name, table } from "./dom.js";
import type { MakeView } from "./views.js";

/** Kinds of rows, in their order, and what they are called. */
const KINDS: [kind: string, title: string][] = [
  ["whole", "The whole command"],
  ["package", "Packages"],
  ["tool", "Tools"],
  ["phase", "Phases"],
  ["action", "Actions"],
  ["function", "Functions"],
  ["signal", "Signals"],
];
const HEAD = ["what", "measure", "base", "new", "difference", "ratio", "95 % interval", "verdict"];
const NUMERIC = [false, false, true, true, true, true, true, false];

export const compare: MakeView = ({ data, selection }) => {
  const comparison = data.table("comparison");
  if (comparison.count === 0) return null;
  const caveats = data.table("caveats");
  const comparable = comparison.number("comparable", 0) > 0;
  const words = caveats.rows().map((row) => el("li", { class: "warning" }, name(caveats.name("words", row))));
  const element = el(
    "div",
    { class: "compare" },
    el("p", {}, name(comparison.name("sides", 0))),
    el("p", {}, name(comparison.name("runs", 0))),
    !comparable && el("p", {}, el("strong", {}, "The two cannot be compared:")),
    words.length > 0 && el("ul", { class: "warnings" }, ...words),
    ...KINDS.map(([kind, title]) => section(data, kind, title, (of) => selection.set({ package: of }))),
  );
  return { id: "compare", title: "Compare", element, keys: [], show: () => {}, select: () => {}, key: () => false };
};

/** `compared.change` of what did not. */
const SAME = 1;

/** The rows of a kind; a click on a package selects it. */
function section(data: Data, kind: string, title: string, select: (of: string) => void): HTMLElement | null {
  const compared = data.table("compared");
  const rows = compared.rows().filter((row) => compared.name("kind", row) === kind);
  if (rows.length === 0) return null;
  // What is said to have changed first, then by how much.
  const told = (row: number) => Number(compared.number("change", row) !== SAME);
  const size = (row: number) => Math.abs(compared.number("size", row));
  rows.sort((a, b) => told(b) - told(a) || size(b) - size(a));
  const cells = rows.map((row) => {
    const of = compared.name("name", row);
    const text = (column: string) => name(compared.name(column, row));
    const what =
      kind === "package"
        ? el("button", { type: "button", class: "link", onclick: () => select(of) }, name(of))
        : name(of);
    const change = ["faster", "", "slower"][compared.number("change", row)];
    return [
      what,
      ...["measure", "base", "new", "difference", "ratio", "interval"].map(text),
      el("span", { class: change }, text("verdict")),
    ];
  });
  return el("section", {}, table(title, HEAD, cells, NUMERIC));
}
