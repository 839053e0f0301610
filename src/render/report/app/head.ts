// The top of the page: what took how long, what gates it, and what to mind.

import type { Data } from "./data.js";
import { el, name, paint, swatch } from "./dom.js";
import { count, counted, duration, percent, share } from "./format.js";
import { type Model, RUNNING, WAITING } from "./model.js";
import type { Page } from "./views.js";

/** Packages of the critical path that are named at most, and how much of it they are at least. */
const NAMED = 5;
const LEAST = 0.005;

export function head(page: Page): HTMLElement {
  return el("div", { class: "head" }, tiles(page.data), gate(page), warnings(page.data));
}

function tiles(data: Data): HTMLElement {
  const run = data.table("run");
  const number = (column: string) => run.number(column, 0);
  const cores = number("cores");
  const parallelism = number("parallelism").toFixed(2);
  const cached = number("cached") > 0 ? `, ${count(number("cached"))} cached` : "";
  const tile = (value: string, what: string, more: string) =>
    el("div", { class: "tile" }, el("dt", {}, what), el("dd", {}, el("strong", {}, value), el("span", {}, more)));
  return el(
    "dl",
    { class: "tiles" },
    tile(duration(number("wall")), "wall time", counted(number("processes"), "process", "processes")),
    tile(duration(number("cpu")), "CPU time", `${counted(number("samples"), "sample")}`),
    tile(parallelism, "parallelism", cores > 0 ? `of ${counted(cores, "core")}` : ""),
    tile(count(number("built")), "actions built", `${counted(number("builds"), "build")}${cached}`),
  );
}

/** A package, and how long the critical path ran for it. */
interface Gate {
  name: string;
  action: number;
  longest: number;
  time: number;
  colour: number;
}

/** What the critical path is made of: the packages on it, by their time; waiting; all else. */
export function gates(model: Model): { packages: Gate[]; waiting: number; other: number } {
  const { path } = model;
  const packages = new Map<string, Gate>();
  let waiting = 0;
  let other = 0;
  for (const row of path.rows()) {
    const time = path.number("end", row) - path.number("start", row);
    const kind = path.number("kind", row);
    if (kind === WAITING) waiting += time;
    else if (kind !== RUNNING) other += time;
    else {
      const name = path.name("package", row) || path.name("label", row);
      const action = path.number("action", row);
      const colour = path.number("colour", row);
      const gate = packages.get(name) ?? { name, action, longest: 0, time: 0, colour };
      if (time > gate.longest) Object.assign(gate, { action, colour, longest: time });
      gate.time += time;
      packages.set(name, gate);
    }
  }
  return { packages: [...packages.values()].sort((a, b) => b.time - a.time), waiting, other };
}

function gate(page: Page): HTMLElement | null {
  const { model } = page;
  const { packages, waiting, other } = gates(model);
  const first = packages[0];
  const wall = model.data.table("run").number("wall", 0);
  if (!first) return null;
  const select = (gate: Gate) => () => {
    page.open("timeline");
    page.selection.set({ action: gate.action, span: model.spanOfAction(gate.action) });
  };
  const bar = (gate: Gate) => {
    const fill = paint(el("span", { class: "fill", "aria-hidden": "true" }), gate.colour);
    fill.style.width = `${(100 * gate.time) / first.time}%`;
    return el(
      "li",
      {},
      el(
        "button",
        { type: "button", class: "gate", onclick: select(gate) },
        fill,
        el("span", { class: "share" }, share(gate.time, wall)),
        el("span", { class: "time" }, duration(gate.time)),
        name(gate.name, { class: "what" }),
      ),
    );
  };
  const saved = model.data.table("what_if");
  const helps = saved.rows().find((row) => saved.name("package", row) === first.name);
  const named = packages.filter(({ time }, at) => at === 0 || (at < NAMED && time >= LEAST * wall));
  const rest = packages.slice(named.length).reduce((sum, gate) => sum + gate.time, 0);
  return el(
    "section",
    { class: "gating", "aria-label": "what gates the build" },
    el("h2", {}, name(first.name, { class: "first" }), ` gates the build: ${share(first.time, wall)} of its wall time`),
    helps !== undefined &&
      el("p", {}, `If it cost nothing, the build would take ${duration(saved.number("saved", helps))} less.`),
    el("ol", {}, ...named.map(bar)),
    el(
      "p",
      { class: "rest" },
      [
        rest > 0 && `${counted(packages.length - named.length, "package")} more on the critical path ${share(rest, wall)}`,
        waiting > 0 && `waiting for a slot ${share(waiting, wall)}`,
        other > 0 && `go itself and what is around it ${share(other, wall)}`,
      ]
        .filter(Boolean)
        .join(" · "),
    ),
    legend(model),
  );
}

/** Colours that occur, and what they stand for. */
function legend(model: Model): HTMLElement {
  const used = new Set(model.actions.bytes("colour"));
  const colour = model.colours.rows().filter((row) => used.has(row));
  return el(
    "p",
    { class: "legend" },
    ...colour.flatMap((row) => [swatch(row), `${model.colours.name("words", row)} `]),
    el("span", { class: "swatch critical", "aria-hidden": "true" }),
    "on the critical path",
  );
}

/** What to mind before anything on the page is believed. */
function warnings(data: Data): HTMLElement | null {
  const list: [kind: string, words: string][] = [];
  const run = data.table("run");
  const status = run.name("status", 0);
  if (run.number("failed", 0)) list.push(["error", `The command failed: ${status}.`]);
  else if (status) list.push(["warning", `The command: ${status}.`]);
  const imported = run.name("imported", 0);
  if (imported) {
    const times = run.number("counts", 0) > 0 ? ": its times are counts, a nanosecond each" : "";
    list.push(["note", `Imported from ${imported}, not recorded by gotrace${times}.`]);
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
  const compared = data.table("compared");
  const wall = compared.rows().find((row) => compared.name("kind", row) === "whole" && compared.name("measure", row) === "wall");
  if (wall !== undefined) {
    const [base, now, ratio, verdict] = ["base", "new", "ratio", "verdict"].map((column) => compared.name(column, wall));
    list.push(["base", `Wall time ${base} in base, ${now} here: ${ratio}${verdict ? `, ${verdict}` : ""}.`]);
  }
  const tax = data.table("tax").number("share", 0);
  if (tax > 0.05) list.push(["warning", `Recording cost ${percent(tax)} of the command's CPU time.`]);
  if (list.length === 0) return null;
  const items = list.map(([kind, words]) => el("li", { class: kind }, el("b", {}, kind), " ", name(words)));
  return el("ul", { class: "warnings", "aria-label": "warnings" }, ...items);
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
