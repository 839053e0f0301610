// What the selection limits views to, in words and for programs.

import { chip, name } from "./dom.js";
import { duration } from "./format.js";
import { type Model, row } from "./model.js";
import type { Selection, Store } from "./selection.js";

/** The one program that is selected, be it by its action. */
export function selectedProcess(model: Model, { process, action }: Selection): number | null {
  if (process !== null || action === null) return process;
  return row(model.actions.words("process")[action]);
}

/** Whether a program passes. */
export function takes(model: Model, selection: Selection): (process: number) => boolean {
  const only = selectedProcess(model, selection);
  const { processes } = model;
  const wanted = selection.package;
  return (process) =>
    (only === null || process === only) && (wanted === null || processes.name("package", process) === wanted);
}

/** Whether a program of base passes: one that did the same work. */
export function takesOfBase(model: Model, selection: Selection): (process: number) => boolean {
  const only = selectedProcess(model, selection);
  const { processes } = model;
  const base = model.data.table("base_processes");
  const same = ["tool", "package"].map((column) => [base.words(column), only === null ? null : processes.number(column, only)] as const);
  const wanted = selection.package;
  return (process) =>
    same.every(([names, name]) => name === null || names[process] === name) && (wanted === null || base.name("package", process) === wanted);
}

const LIMITS = ["range", "process", "action", "package"] as const;

/** Whether anything does not pass. */
export function isLimited(now: Selection): boolean {
  return LIMITS.some((key) => now[key] !== null);
}

/** Whether what passes is something else than it was. */
export function changed(now: Selection, before: Selection): boolean {
  return LIMITS.some((key) => now[key] !== before[key]);
}

export function processLabel(model: Model, process: number): string {
  const of = (column: string) => model.processes.name(column, process);
  return `${[of("tool"), of("package")].filter(Boolean).join(" ")} (${model.processes.number("pid", process)})`;
}

/** What limits, each with a button that takes it away. */
export function limits(model: Model, selection: Store): HTMLElement[] {
  const { now } = selection;
  const limit = (what: string, words: string, change: Partial<Selection>) =>
    chip([`${what} `, name(words)], `all but this ${what}`, () => selection.set(change));
  const process = selectedProcess(model, now);
  const chips: HTMLElement[] = [];
  if (now.range) {
    const words = `${duration(now.range.from)} to ${duration(now.range.to)}`;
    chips.push(limit("time", words, { range: null }));
  }
  if (process !== null) {
    const nothing = { process: null, action: null, span: null };
    chips.push(limit("program", processLabel(model, process), nothing));
  }
  if (now.package !== null) chips.push(limit("package", now.package, { package: null }));
  return chips;
}
