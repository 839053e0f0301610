// What is known of a span, in words: for the hint beside the pointer, and for the pane of what is selected.

import { button, el, fill, link, name, swatch } from "./dom.js";
import { bytes, count, counted, duration, percent, share } from "./format.js";
import { CRITICAL, type Model, OPEN, PHASE } from "./model.js";

/** A fact: what, and how much. */
export type Fact = readonly [what: string, value: string];

/** What is written above the facts. */
export function title(model: Model, span: number): string {
  const action = model.actionOf(span);
  if (action !== null) return model.actions.name("label", action);
  const process = model.processOf(span);
  const label = model.label(span);
  const kind = model.spans.kind[span] as number;
  if (kind > PHASE) return `${label}: ${model.trackLabel(span)}`;
  if (process === null) return label;
  const tool = model.processes.name("tool", process);
  const work = model.processes.name("package", process);
  if (kind === PHASE) return `${tool} ${label}${work && `: ${work}`}`;
  return tool === label ? label : `${tool} ${label}`;
}

/** What is known of a span; `all` is more than a hint has room for. */
export function facts(model: Model, span: number, all: boolean): Fact[] {
  const { start, end, busy, count: counts, flags } = model.spans;
  const from = start[span] as number;
  const to = end[span] as number;
  const number = counts[span] as number;
  const found: Fact[] = [
    ["time", `${duration(to - from)}, from ${duration(from)} to ${duration(to)}`],
  ];
  if (number > 1) {
    const took = duration(busy[span] as number);
    found.push(["folded", `${counted(number, "short span")}, ${took} in all`]);
  }
  const action = model.actionOf(span);
  if (action !== null) found.push(...actionFacts(model, action));
  const process = model.processOf(span);
  if (process !== null && (all || action === null)) found.push(...processFacts(model, process, all));
  const flag = flags[span] as number;
  if (flag & CRITICAL) found.push(["critical path", `on it, ${share(to - from, model.data.table("run").number("wall", 0))} of the wall time`]);
  if (flag & OPEN) found.push(["end", "was not seen"]);
  return found;
}

function actionFacts(model: Model, action: number): Fact[] {
  const { actions } = model;
  const number = (column: string) => actions.number(column, action);
  const facts: Fact[] = [];
  const wall = number("end") - number("start");
  if (wall > 0) facts.push(["CPU", `${duration(number("cpu"))}, ${percent(number("cpu") / wall)} of a core`]);
  const waited = number("start") - number("ready");
  if (waited > 0) facts.push(["waited", `${duration(waited)} for a slot`]);
  if (number("runqueue") > 0) facts.push(["waited", `${duration(number("runqueue"))} for a core, summed over its threads`]);
  facts.push(["unlocks", `${counted(number("unlocks"), "action")}, gates ${count(number("gates"))}`]);
  const outcome = actions.name("outcome", action);
  if (outcome !== "built") facts.push(["outcome", outcome]);
  return facts;
}

function processFacts(model: Model, process: number, all: boolean): Fact[] {
  const { processes } = model;
  const number = (column: string) => processes.number(column, process);
  const work = [processes.name("tool", process), processes.name("package", process)].filter(Boolean).join(" ");
  const facts: Fact[] = [["process", `${number("pid")} (${work}), ${processes.name("status", process)}`]];
  const cpu = number("user") + number("system");
  if (cpu > 0) facts.push(["its CPU", `${duration(cpu)}, ${duration(number("system"))} of it in the kernel`]);
  const translator = processes.name("translator", process);
  if (translator) facts.push(["translated", `${processes.name("arch", process)}, by ${translator}`]);
  if (!all) return facts;
  if (number("waiting") > 0) facts.push(["waiting", `${duration(number("waiting"))} at least`]);
  if (number("max_rss_bytes") > 0) facts.push(["memory", bytes(number("max_rss_bytes"))]);
  if (number("loads") > 0) {
    const took = number("linking") > 0 ? `, in ${duration(number("linking"))} of linking` : "";
    facts.push(["linking", `${counted(number("loads"), "image")}, ${counted(number("binds"), "bind")}${took}`]);
  }
  return facts;
}

/** The pane of what is selected. `select` is called with the span that is asked for. */
export function details(
  model: Model,
  span: number,
  select: (span: number | null) => void,
): HTMLElement {
  const list = el("dl");
  for (const [what, value] of facts(model, span, true)) {
    list.append(el("dt", {}, what), el("dd", {}, name(value)));
  }
  const process = model.processOf(span);
  const command = process === null ? "" : model.processes.name("command", process);
  const pane = el("section", { class: "details", "aria-label": "what is selected" });
  fill(
    pane,
    el(
      "header",
      {},
      swatch(model.spans.colour[span] as number),
      el("h2", {}, name(title(model, span))),
      button(() => select(null), { class: "quiet", "aria-label": "close" }, "✕"),
    ),
    list,
    links(model, span, select),
    command !== "" && el("details", {}, el("summary", {}, "command line"), el("pre", {}, name(command))),
  );
  return pane;
}

/** Buttons to what an action waited for, and to what waited for it. */
function links(model: Model, span: number, select: (span: number) => void): HTMLElement | null {
  const action = model.actionOf(span);
  if (action === null) return null;
  const linkTo = (of: number) => {
    const to = model.spanOfAction(of);
    return link(model.actions.name("label", of), () => to !== null && select(to));
  };
  const gate = model.waitedFor(action);
  const unlocked = model.unlockedBy(action);
  return el(
    "div",
    { class: "links" },
    gate !== null && el("p", {}, "waited for ", linkTo(gate)),
    unlocked.length > 0 && el("p", {}, "unlocks ", ...unlocked.slice(0, MOST_LINKS).map(linkTo)),
    unlocked.length > MOST_LINKS && el("p", {}, `and ${count(unlocked.length - MOST_LINKS)} more`),
  );
}

const MOST_LINKS = 40;
