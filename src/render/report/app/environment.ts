// The view of what the run was made with: machine, toolchains, settings, findings, what was lost.

import type { Data } from "./data.js";
import { el, name, table } from "./dom.js";
import { bytes, count, duration, percent } from "./format.js";
import type { MakeView } from "./views.js";

export const environment: MakeView = ({ data }) => {
  const element = el("div", { class: "sheets" });
  for (const sheet of [machine(data), lost(data), findings(data), tax(data), settings(data)]) {
    if (sheet) element.append(el("section", {}, sheet));
  }
  return {
    id: "environment",
    title: "Environment",
    element,
    keys: [],
    show: () => {},
    select: () => {},
    key: () => false,
  };
};

function facts(caption: string, rows: [string, string][]): HTMLElement {
  const known = rows.filter(([, value]) => value !== "");
  return table(caption, ["what", "value"], known.map(([what, value]) => [what, name(value)]), []);
}

function machine(data: Data): HTMLElement {
  const host = data.table("host");
  const toolchains = data.table("toolchains");
  const memory = host.number("memory_bytes", 0);
  const recorded = data.table("run").number("recorded_unix_ms", 0);
  return facts("Machine and toolchain", [
    ["recorded", recorded > 0 ? new Date(recorded).toISOString().replace("T", " ").slice(0, 19) + " UTC" : ""],
    ["system", host.name("os", 0)],
    ["distribution", host.name("distribution", 0)],
    ["CPU", host.name("cpu", 0)],
    ["cores", host.number("cores", 0) > 0 ? count(host.number("cores", 0)) : ""],
    ["memory", memory > 0 ? bytes(memory) : ""],
    ["gotrace", host.name("gotrace", 0)],
    ...toolchains.rows().map((row): [string, string] => [
      row === 0 ? "Go" : "Go, too",
      `${toolchains.name("version", row)} ${toolchains.name("arch", row)}, ${how(toolchains.name("translator", row))}`,
    ]),
  ]);
}

function how(translator: string): string {
  return translator === "" ? "native" : `translated by ${translator}`;
}

function lost(data: Data): HTMLElement | null {
  const gaps = data.table("gaps");
  if (gaps.count === 0) return null;
  const rows = gaps.rows().map((row) => {
    const number = gaps.number("count", row);
    return [
      name(gaps.name("what", row)),
      Number.isNaN(number) ? "not seen" : count(number),
      name(gaps.name("why", row)),
    ];
  });
  return table("What was lost or not seen", ["what", "how many", "why"], rows, [false, true, false]);
}

function findings(data: Data): HTMLElement | null {
  const found = data.table("findings");
  if (found.count === 0) return null;
  const rows = found.rows().map((row) => [
    found.name("severity", row),
    name(found.name("text", row)),
    name(found.name("evidence", row)),
    name(found.name("remedy", row)),
  ]);
  return table("What gotrace doctor found", ["severity", "finding", "how that is known", "what helps"], rows, []);
}

function tax(data: Data): HTMLElement | null {
  const tax = data.table("tax");
  if (tax.count === 0) return null;
  return facts("What recording cost", [
    ["CPU of gotrace", duration(tax.number("own", 0))],
    ["CPU in the kernel for it", Number.isNaN(tax.number("kernel", 0)) ? "-" : duration(tax.number("kernel", 0))],
    ["of the command's CPU", percent(tax.number("share", 0))],
    ["memory of gotrace", bytes(tax.number("max_rss_bytes", 0))],
    ["samples", count(data.table("run").number("samples", 0))],
  ]);
}

function settings(data: Data): HTMLElement | null {
  const settings = data.table("settings");
  if (settings.count === 0) return null;
  const rows = settings.rows().map((row) =>
    ["key", "value", "source"].map((column) => name(settings.name(column, row))),
  );
  return table("Settings", ["setting", "value", "where it is from"], rows, []);
}
