// The top of the page: what took how long, what gates it, and what to mind.

import { type Data, NONE } from "./data.js";
import { button, el, name, paint, swatch } from "./dom.js";
import { count, counted, duration, percent, share } from "./format.js";
import { GO_ITSELF, type Model, RUNNING, WAITING } from "./model.js";
import type { Page } from "./views.js";

/** Pieces of the critical path that are named at most, and how much of it they are at least. */
const NAMED = 5;
const LEAST = 0.005;

export function head(page: Page): HTMLElement {
  return el("div", { class: "head" }, tiles(page.data), gate(page), warnings(page.data));
}

function tiles(data: Data): HTMLElement {
  const run = data.table("run");
  const number = (column: string) => run.number(column, 0);
  const cores = number("cores");
  const cached = number("cached") > 0 ? `, ${count(number("cached"))} cached` : "";
  // The CPU time of a program is told when it ends.
  const least = number("unended") > 0 ? "≥ " : "";
  const tile = (value: string, what: string, more: string) =>
    el("div", { class: "tile" }, el("dt", {}, what), el("dd", {}, el("strong", {}, value), el("span", {}, more)));
  const samples = number("samples") > 0 ? counted(number("samples"), "sample") : "";
  return el(
    "dl",
    { class: "tiles" },
    number("wall") > 0 && tile(duration(number("wall")), "wall time", counted(number("processes"), "process", "processes")),
    number("cpu") > 0 && tile(`${least}${duration(number("cpu"))}`, "CPU time", samples),
    number("cpu") > 0 && tile(`${least}${number("parallelism").toFixed(2)}`, "parallelism", cores > 0 ? `of ${counted(cores, "core")}` : ""),
    number("builds") > 0 && tile(count(number("built")), "actions built", `${counted(number("builds"), "build")}${cached}`),
  );
}

/** A package or something else, and how long the critical path was for it. */
export interface Piece {
  name: string;
  /** The go command's packages gate a build; what it ran, waiting, and itself do not. */
  builds: boolean;
  standard: boolean;
  /** Row of the path that was longest. */
  row: number;
  longest: number;
  time: number;
}

/** Kinds of `path` but packages, by their number. */
const OTHERS = ["", "waiting for a slot", "go itself", "go itself", "outside of go"];
/** Kinds of actions that run what was built. */
const RUNS = ["run", "test run", "generate"];

/** What the critical path is made of, by time. */
export function pieces({ path, actions }: Model): Piece[] {
  const found = new Map<string, Piece>();
  for (const row of path.rows()) {
    const time = path.number("end", row) - path.number("start", row);
    const action = path.number("action", row);
    const runs = RUNS.includes(actions.name("kind", action));
    // Looking into the cache and the like is done by the go command itself.
    const kind = path.number("kind", row) || (action === NONE ? GO_ITSELF : RUNNING);
    const builds = kind === RUNNING && !runs;
    const label = path.name("label", row);
    const of = OTHERS[kind] || (builds && path.name("package", row)) || label;
    const piece = found.get(of) ?? { name: of, builds, standard: path.number("standard", row) > 0, row, longest: 0, time: 0 };
    if (time > piece.longest) Object.assign(piece, { row, longest: time });
    piece.time += time;
    found.set(of, piece);
  }
  return [...found.values()].sort((a, b) => b.time - a.time);
}

/** What leads: the largest piece; of packages, the one without which the build would be shortest. */
export function leading(model: Model, all: readonly Piece[]): Piece | undefined {
  const best = model.data.table("what_if").name("package", 0);
  return (all[0]?.builds && all.find(({ builds, name }) => builds && name === best)) || all[0];
}

function gate(page: Page): HTMLElement | null {
  const { model } = page;
  const { path } = model;
  const all = pieces(model);
  const first = leading(model, all);
  const wall = model.data.table("run").number("wall", 0);
  if (!first || model.data.table("builds").count === 0) return null;
  const select = ({ row }: Piece) => () => {
    page.open("timeline");
    const action = path.number("action", row);
    if (path.number("kind", row) === RUNNING && action !== NONE) {
      page.selection.set({ action, span: model.spanOfAction(action) });
    } else page.selection.set({ range: { from: path.number("start", row), to: path.number("end", row) } });
  };
  const bar = (piece: Piece) => {
    const fill = paint(el("span", { class: "fill", "aria-hidden": "true" }), path.number("colour", piece.row));
    fill.style.width = share(piece.time, wall).replace(/[< ]/g, "");
    return el(
      "li",
      {},
      button(
        select(piece),
        { class: "gate" },
        fill,
        el("span", { class: "share" }, share(piece.time, wall)),
        el("span", { class: "time" }, duration(piece.time)),
        name(piece.name, { class: "what" }),
      ),
    );
  };
  const named = all.filter((piece, at) => piece === first || (at < NAMED && piece.time >= LEAST * wall));
  const rest = all.filter((piece) => !named.includes(piece));
  const part = share(first.time, wall);
  const saved = model.data.table("what_if");
  const best = saved.name("package", 0);
  const less = `the build would take ${duration(saved.number("saved", 0))} less.`;
  const lead = first.builds ? first : all.find(({ builds, name }) => builds && name === best);
  const own = lead?.standard && all.find(({ builds, standard }) => builds && !standard);
  return el(
    "section",
    { class: "gating", "aria-label": "what gates the build" },
    first.builds
      ? el("h2", {}, name(first.name, { class: "first" }), ` gates the build: ${part} of its wall time`)
      : el("h2", {}, `Most went to `, name(first.name, { class: "first" }), `: ${part} of the wall time`),
    saved.count > 0 &&
      (first.builds
        ? el("p", {}, "If ", name(best), ` cost nothing, ${less}`)
        : el("p", {}, "Of packages, ", name(best, { class: "first" }), ` gates it most: if it cost nothing, ${less}`)),
    own && el("p", {}, "Outside the standard library, ", name(own.name), ` leads: ${share(own.time, wall)}.`),
    el("ol", {}, ...named.map(bar)),
    rest.length > 0 &&
      el("p", { class: "rest" }, `${count(rest.length)} more on the critical path ${share(rest.reduce((sum, { time }) => sum + time, 0), wall)}`),
    legend(model),
  );
}

/** Colours that occur, and what they stand for. */
function legend({ path, actions, colours }: Model): HTMLElement {
  const kinds = path.bytes("kind");
  const onPath = path.bytes("colour").filter((_, row) => kinds[row] !== WAITING);
  const used = new Set([...actions.bytes("colour"), ...onPath]);
  const colour = colours.rows().filter((row) => used.has(row));
  // A mark and its words stay on one line.
  const item = (mark: Node, words: string) => el("span", {}, mark, words);
  const mark = (kind: string) => el("span", { class: `swatch ${kind}`, "aria-hidden": "true" });
  return el(
    "p",
    { class: "legend" },
    ...colour.map((row) => item(swatch(row), colours.name("words", row))),
    kinds.includes(WAITING) && item(mark("waiting"), "waiting for a slot"),
    item(mark("critical"), "on the critical path"),
  );
}

/** What to mind before anything on the page is believed. */
function warnings(data: Data): HTMLElement | null {
  const list: [kind: string, words: string][] = [];
  const run = data.table("run");
  const status = run.name("status", 0);
  if (run.number("failed", 0)) list.push(["error", `The command failed: ${[status, ...failed(data)].join("; ")}.`]);
  else if (status && !run.name("imported", 0)) list.push(["warning", `The command: ${status}.`]);
  const imported = run.name("imported", 0);
  if (imported) list.push(["note", `Imported from ${imported}, not recorded by gotrace.`]);
  const unended = run.number("unended", 0);
  if (unended > 0 && !imported) {
    list.push(["note", `CPU time is known of programs that ended: of ${count(unended)} there are samples alone, if any.`]);
  }
  const compared = data.table("compared");
  const comparison = data.table("comparison");
  if (comparison.count > 0 && comparison.number("comparable", 0) === 0) {
    const why = data.table("caveats");
    list.push(["warning", `It cannot be compared with base: ${why.rows().map((row) => why.name("words", row)).join("; ")}`]);
  }
  const toolchains = data.table("toolchains");
  for (const row of toolchains.rows()) {
    const translator = toolchains.name("translator", row);
    if (translator) {
      const version = `${toolchains.name("version", row)} ${toolchains.name("arch", row)}`;
      list.push(["warning", `${version} ran translated, by ${translator}: it is slower than a native one.`]);
    }
  }
  const findings = data.table("findings");
  for (const row of findings.rows()) {
    const severity = findings.name("severity", row);
    const remedy = findings.name("remedy", row);
    if (severity !== "note") list.push([severity, `${findings.name("text", row)}${remedy && `. What helps: ${remedy}`}`]);
  }
  list.push(...lost(data));
  const folding = data.table("folding");
  if (folding.number("spans", 0) > 0) {
    const into = count(folding.number("into", 0));
    const shorter = duration(folding.number("shorter_than", 0));
    const words = `${count(folding.number("spans", 0))} spans shorter than ${shorter} are folded into ${into}.`;
    list.push(["note", words]);
  }
  const waited = run.number("runqueue", 0);
  if (waited > run.number("cpu", 0)) {
    const words = `Threads waited ${duration(waited)} for a core, more than they ran: the machine was busy.`;
    list.push(["warning", words]);
  }
  const wall = compared.rows().find((row) => compared.name("kind", row) === "whole" && compared.name("measure", row) === "wall");
  if (wall !== undefined) {
    const [base, now, ratio, verdict] = ["base", "new", "ratio", "verdict"].map((column) => compared.name(column, wall));
    list.push(["base", `Wall time ${base} in base, ${now} here: ${ratio}${verdict ? `, ${verdict}` : ""}.`]);
  }
  const tax = data.table("tax").number("share", 0);
  if (tax > 0.05) list.push(["warning", `Recording cost ${percent(tax)} of the command's CPU time.`]);
  if (list.length === 0) return null;
  const rank = (kind: string) => (kind === "error" ? 0 : kind === "warning" ? 1 : 2);
  list.sort(([a], [b]) => rank(a) - rank(b));
  const items = list.map(([kind, words]) => el("li", { class: kind }, el("b", {}, kind), " ", name(words)));
  return el("ul", { class: "warnings", "aria-label": "warnings" }, ...items);
}

/** The actions that failed, in a few words. */
function failed(data: Data): string[] {
  const actions = data.table("actions");
  const rows = actions.rows().filter((row) => actions.name("outcome", row) === "failed");
  const more = rows.length > NAMED ? [`${count(rows.length - NAMED)} more`] : [];
  return [...rows.slice(0, NAMED).map((row) => actions.name("label", row)), ...more];
}

/** What was lost or not seen, by why. */
function lost(data: Data): [kind: string, words: string][] {
  const gaps = data.table("gaps");
  const reasons = new Map<string, string[]>();
  for (const row of gaps.rows()) {
    const number = gaps.number("count", row);
    const what = gaps.name("what", row);
    const words = Number.isNaN(number) ? `not seen: ${what}` : `lost: ${count(number)} ${what}`;
    const why = gaps.name("why", row);
    reasons.set(why, [...(reasons.get(why) ?? []), words]);
  }
  return [...reasons].map(([why, [first = "", ...more]]) => {
    const others = more.length > 0 ? `, and ${more.length} more (see Environment)` : "";
    return ["loss", `${first}${others}: ${why}`];
  });
}
