// The view of how the trace differs from what it is laid beside: figures of both, and what to make of that.

import type { Data } from "./data.js";
import { el, fill, link, name, table } from "./dom.js";
import { count } from "./format.js";
import type { Selection } from "./selection.js";
import type { MakeView, Page } from "./views.js";

/** The kind of rows that are about all of the command: they have no names. */
const WHOLE = "whole";
/** Kinds of rows, in their order, and what they are called. */
const KINDS: [kind: string, title: string][] = [
  [WHOLE, "The whole command"],
  ["package", "Packages"],
  ["tool", "Tools"],
  ["phase", "Phases"],
  ["action", "Actions"],
  ["function", "Functions"],
  ["signal", "Signals"],
];
const HEAD = ["what", "measure", "base", "new", "difference", "ratio", "95 % interval", "verdict"];
/** Rows of a kind, until all are asked for. */
const MOST = 15;
/** Measures of the whole command, in their order. */
const MEASURES = ["wall", "CPU", "parallelism", "longest chain"];
const WORDS =
  "start-up: samples in programs before their main began; steady state: since then; self: with a function innermost; total: with it anywhere on the stack.";
const NUMERIC = [false, false, true, true, true, true, true, false];

export const compare: MakeView = (page) => {
  const { data } = page;
  const comparison = data.table("comparison");
  if (comparison.count === 0) return null;
  const caveats = data.table("caveats");
  const comparable = comparison.number("comparable", 0) > 0;
  const tables = el("div", { class: "kinds" });
  /** Kinds that all rows are shown of. */
  const whole = new Set<string>();
  const build = () => {
    const sections = KINDS.map(([kind, title]) => section(page, kind, title, whole.has(kind), () => {
      whole.add(kind);
      build();
    }));
    fill(tables, ...sections);
  };
  build();
  const words = caveats.rows().map((row) => el("li", { class: "warning" }, name(caveats.name("words", row))));
  const element = el(
    "div",
    { class: "compare" },
    el("p", {}, name(comparison.name("sides", 0))),
    el("p", {}, name(comparison.name("runs", 0))),
    comparable && el("p", { class: "words" }, `Of repeated runs, figures here are medians; all else on the page shows the first. ${WORDS}`),
    !comparable && el("p", {}, el("strong", {}, "The two cannot be compared:")),
    words.length > 0 && el("ul", { class: "warnings" }, ...words),
    tables,
  );
  const select = (now: Selection, before: Selection) => {
    if (now.search !== before.search) build();
  };
  return { id: "compare", title: "Compare", element, keys: [], show: () => {}, select, key: () => false };
};

/** `compared.change` of what did not. */
const SAME = 1;

/** The rows of a kind that match what is searched for. */
export function matching(data: Data, kind: string, search: string): number[] {
  const compared = data.table("compared");
  const rows = compared
    .rows()
    .filter((row) => compared.name("kind", row) === kind && (kind === WHOLE || compared.name("name", row).toLowerCase().includes(search)));
  const place = (row: number) => [...MEASURES, compared.name("measure", row)].indexOf(compared.name("measure", row));
  if (kind === WHOLE) return rows.sort((a, b) => place(a) - place(b));
  // What is said to have changed first, then by how much.
  const told = (row: number) => Number(compared.number("change", row) !== SAME);
  const size = (row: number) => Math.abs(compared.number("size", row));
  return rows.sort((a, b) => told(b) - told(a) || size(b) - size(a));
}

/** The rows of a kind, the first or all; a click on a package selects it. */
function section({ data, selection }: Page, kind: string, title: string, all: boolean, showAll: () => void): HTMLElement | null {
  const compared = data.table("compared");
  const rows = matching(data, kind, selection.now.search);
  if (rows.length === 0) return null;
  const cells = (all ? rows : rows.slice(0, MOST)).map((row) => {
    const of = compared.name("name", row);
    const text = (column: string) => name(compared.name(column, row));
    const what =
      kind === "package"
        ? link(of, () => selection.set({ package: of }))
        : name(of);
    const change = ["faster", "", "slower"][compared.number("change", row)];
    return [
      ...(kind === WHOLE ? [] : [what]),
      ...["measure", "base", "new", "difference", "ratio", "interval"].map(text),
      el("span", { class: change }, text("verdict")),
    ];
  });
  const more = rows.length - cells.length;
  const from = Number(kind === WHOLE);
  return el(
    "section",
    {},
    table(title, HEAD.slice(from), cells, NUMERIC.slice(from)),
    more > 0 && link(`${count(more)} more`, showAll),
  );
}
