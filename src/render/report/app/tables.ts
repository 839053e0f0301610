// The view of numbers: packages, tools, phases, functions, programs, images and symbols, each a table that sorts,
// limited to what is selected and searched for.

import { NONE, type Table } from "./data.js";
import { choice, el, fill } from "./dom.js";
import { bytes, count, counted, duration } from "./format.js";
import { changed, isLimited, limits, takes } from "./limits.js";
import { type Model, PHASE } from "./model.js";
import { NOTHING, type Selection } from "./selection.js";
import { type Column, type Order, type Sheet, sheet } from "./sheet.js";
import { KINDS, RUNNING, Spent, type Stacks } from "./stacks.js";
import type { MakeView, Page, View } from "./views.js";

/** A table of the view. */
interface Kind {
  id: string;
  title: string;
  /** The table of the data that its rows are of. */
  of: string;
  /** What it is limited to: programs and time, or nothing. */
  limited: boolean;
  make: () => Sheet;
}

const FIRST: Order = { column: 1, descending: true };
/** How titles of columns end that are of what is selected. */
const SELECTED = " selected";

export const tables: MakeView = (page) => {
  const view = new Tables(page);
  return view.isEmpty ? null : view;
};

class Tables implements View {
  readonly id = "tables";
  readonly title = "Tables";
  readonly element = el("div", { class: "tables" });
  readonly keys = [["1 2 3 …", "packages, tools, phases, ..."]] as const;

  readonly #page: Page;
  readonly #model: Model;
  readonly #stacks: Stacks;
  readonly #kinds: Kind[];
  #kind: Kind | undefined;
  readonly #orders = new Map<string, Order>();
  readonly #buttons = el("span", { class: "groupings", role: "group", "aria-label": "tables" });
  readonly #chips = el("span", { class: "chips" });
  readonly #place = el("div", { class: "place" });
  #stale = true;

  constructor(page: Page) {
    this.#page = page;
    this.#model = page.model;
    this.#stacks = page.stacks;
    const sampled = this.#stacks.kinds.has(RUNNING);
    const kinds: Kind[] = [
      { id: "packages", title: "Packages", of: "packages", limited: true, make: () => this.#costs("packages", "package") },
      { id: "tools", title: "Tools", of: "tools", limited: true, make: () => this.#costs("tools", "tool") },
      { id: "phases", title: "Phases", of: "phases", limited: sampled, make: () => this.#phases() },
      { id: "functions", title: "Functions", of: "functions", limited: true, make: () => this.#functions() },
      { id: "processes", title: "Processes", of: "processes", limited: true, make: () => this.#processes() },
      { id: "images", title: "Images", of: "images", limited: sampled, make: () => this.#images() },
      { id: "symbols", title: "Bindings", of: "symbols", limited: page.data.table("binds").count > 0, make: () => this.#symbols() },
    ];
    this.#kinds = kinds.filter(({ of }) => page.data.table(of).count > 0);
    this.#kind = this.#kinds[0];
    this.element.append(el("div", { class: "bar" }, this.#buttons, this.#chips), this.#place);
  }

  get isEmpty(): boolean {
    return this.#kinds.length === 0;
  }

  show(): void {
    if (this.#stale) this.#build();
  }

  select(now: Selection, before: Selection): void {
    if (!changed(now, before) && now.search === before.search) return;
    this.#stale = true;
    if (this.element.isConnected) this.#build();
  }

  key(event: KeyboardEvent): boolean {
    const kind = this.#kinds[Number(event.key) - 1];
    if (kind) this.#open(kind);
    return kind !== undefined;
  }

  #open(kind: Kind): void {
    this.#kind = kind;
    this.#build();
  }

  #build(): void {
    this.#stale = false;
    const kind = this.#kind;
    if (!kind) return;
    const buttons = this.#kinds.map((one) => choice(one.title, undefined, one === kind, () => this.#open(one)));
    fill(this.#buttons, ...buttons);
    fill(this.#chips, ...limits(this.#model, this.#page.selection));
    const made = kind.make();
    const { search } = this.#page.selection.now;
    const words = made.columns.filter((column) => column.text === undefined);
    const rows = made.rows.filter((row) => words.some(({ value }) => String(value(row)).toLowerCase().includes(search)));
    // A selection of time has an order of its own: at first by what is in it.
    const selected = made.columns.findIndex(({ title }) => title.endsWith(SELECTED));
    const id = `${kind.id} ${selected}`;
    const order = this.#orders.get(id) ?? (selected > 0 ? { column: selected, descending: true } : FIRST);
    const reorder = (order: Order) => {
      this.#orders.set(id, order);
      this.#build();
      this.element.querySelectorAll<HTMLElement>("th button")[order.column]?.focus();
    };
    fill(this.#place, sheet(this.#caption(kind, rows, selected > 0), { ...made, rows }, order, reorder));
  }

  #caption(kind: Kind, rows: readonly number[], selected: boolean): [title: string, notes: string] {
    const table = this.#page.data.table(kind.of);
    // What belongs to no package or tool has a row, and is none.
    const names = table.words("name");
    const named = (rows: readonly number[]) => rows.filter((row) => names[row] !== 0).length;
    const [shown, all] = [named(rows), named(table.rows())];
    const { now } = this.#page.selection;
    const rest = kind.of === "symbols" ? this.#page.data.table("all_symbols").number("count", 0) - table.count : 0;
    const notes = [
      isLimited(now) && !kind.limited && "of the whole run, whatever is selected",
      selected &&
        (kind.of === "symbols"
          ? "those that were bound in what is selected; “binds selected” is of that"
          : `those that ran in what is selected; “CPU selected” is of that, by samples${this.#about()}, and may exceed what the system counted`) +
          "; all else is of the whole run",
      kind.id === "phases" &&
        table.bytes("beside").includes(1) &&
        "those of the runtime went on beside the others, whose times hold theirs: they do not add up",
      rest > 0 && `${counted(rest, "symbol")} more, bound less often, ${rest === 1 ? "is" : "are"} left out`,
    ].filter(Boolean);
    return [`${kind.title}: ${shown === all ? count(all) : `${count(shown)} of ${count(all)}`}`, notes.join("; ")];
  }

  /** Programs that pass, and ran in the piece of time. */
  #ran(now = this.#page.selection.now): number[] {
    const { processes } = this.#model;
    const passes = takes(this.#model, now);
    const starts = processes.numbers("start");
    const ends = processes.numbers("end");
    const inRange = (row: number) => !now.range || ((starts[row] as number) < now.range.to && (ends[row] as number) > now.range.from);
    return processes.rows().filter((row) => passes(row) && inRange(row));
  }

  /** CPU time of samples of what is selected, by the rows that columns of their cells name. */
  #sampled(columns: readonly string[], rows: number, now = this.#page.selection.now): Float64Array {
    const sums = new Float64Array(rows);
    const cells = this.#page.data.table("cells");
    const of = columns.map((column) => cells.words(column));
    this.#stacks.walk(RUNNING, { takes: takes(this.#model, now), range: now.range }, (_process, _path, { time }, cell) => {
      for (const rows of of) {
        const row = rows[cell] as number;
        if (row !== NONE) sums[row] = (sums[row] ?? 0) + time;
      }
    });
    return sums;
  }

  #about(): string {
    return this.#stacks.isEstimate(RUNNING, this.#page.selection.now) ? ", about" : "";
  }

  #costs(of: "packages" | "tools", column: "package" | "tool"): Sheet {
    const table = this.#page.data.table(of);
    const { processes } = this.#model;
    // The package that is selected is one of the table, from which another one can be picked.
    const now = { ...this.#page.selection.now, ...(column === "package" && { package: null }) };
    const ran = new Set(this.#ran(now).map((row) => processes.words(column)[row]));
    const sampled = new Map<number, number>();
    this.#sampled(["process"], processes.count, now).forEach((time, row) => {
      const key = processes.words(column)[row] as number;
      sampled.set(key, (sampled.get(key) ?? 0) + time);
    });
    const names = table.words("name");
    const { selection } = this.#page;
    const number = from(table);
    return {
      columns: [
        { title: column, value: (row) => table.name("name", row) || `[no ${column}]` },
        { title: "CPU", text: duration, value: (row) => table.number("user", row) + table.number("system", row) },
        { title: "kernel", what: "how much of the CPU time was in the kernel", ...number("system", duration) },
        { title: "wall", ...number("wall", duration) },
        { title: "waiting", what: "for whatever, at least", ...number("waiting", duration) },
        ...this.#sampledColumn((row) => sampled.get(names[row] as number) ?? 0),
        { title: "peak memory", ...number("max_rss_bytes", bytes) },
        { title: "processes", ...number("processes", count) },
      ],
      rows: table.rows().filter((row) => ran.has(names[row])),
      ...(column === "package" && {
        pick: (row: number) => {
          const name = table.name("name", row);
          const isPicked = selection.now.package === name;
          selection.set({ process: null, action: null, span: null, package: isPicked ? null : name });
        },
        isPicked: (row: number) => selection.now.package === table.name("name", row),
      }),
      ...(column === "tool" && { pick: (row: number) => this.#seek(table.name("name", row), "timeline") }),
    };
  }

  /** Of the whole run, and of whole programs, there are better numbers. */
  #sampledColumn(value: (row: number) => number, limited: unknown = this.#page.selection.now.range): Column[] {
    if (!limited || !this.#stacks.kinds.has(RUNNING)) return [];
    return [{ title: "CPU selected", what: "by samples, in what is selected", text: duration, value }];
  }

  /** The column of what was sampled in phases or images, and the rows that have any. */
  #inSelected(columns: readonly string[], table: Table): { rows: number[]; column: Column[] } {
    const sampled = this.#sampled(columns, table.count);
    const column = this.#sampledColumn((row) => sampled[row] as number, isLimited(this.#page.selection.now));
    return { column, rows: table.rows().filter((row) => column.length === 0 || (sampled[row] as number) > 0) };
  }

  #phases(): Sheet {
    const table = this.#page.data.table("phases");
    const number = from(table);
    const { rows, column } = this.#inSelected(["phase", "beside"], table);
    return {
      columns: [
        { title: "phase", value: (row) => `${table.name("track", row)}: ${table.name("phase", row)}` },
        { title: "CPU", what: "by samples", ...number("cpu", duration) },
        { title: "wall", ...number("wall", duration) },
        { title: "critical path", what: "how much of it this was", ...number("critical", duration) },
        { title: "times", ...number("count", count) },
        { title: "samples", ...number("samples", count) },
        ...column,
      ],
      rows,
      pick: (row) => {
        const span = this.#longestSpan(table.words("phase")[row] as number, table.name("track", row));
        this.#seek(table.name("phase", row), "timeline");
        this.#page.selection.set({ span });
      },
    };
  }

  /** The longest span of a phase of a tool. */
  #longestSpan(phase: number, tool: string): number | null {
    const { start, end, kind, label, of } = this.#model.spans;
    const length = (span: number) => (end[span] as number) - (start[span] as number);
    let longest: number | null = null;
    for (let span = 0; span < start.length; span += 1) {
      if (kind[span] !== PHASE || label[span] !== phase) continue;
      const isOfTool = this.#model.processes.name("tool", of[span] as number) === tool;
      if (isOfTool && (longest === null || length(span) > length(longest))) longest = span;
    }
    return longest;
  }

  #functions(): Sheet {
    const table = this.#page.data.table("functions");
    const { now } = this.#page.selection;
    const filter = { takes: takes(this.#model, now), range: now.range };
    const kinds = this.#stacks.kinds;
    const seen = new Set<number>();
    const columns = KINDS.filter(({ kind }) => kinds.has(kind)).flatMap(({ kind, title, what }): Column[] => {
      const spent = this.#stacks.groups(kind, filter, () => "").get("") ?? Spent.of([], [], []);
      const { own, total, counts } = this.#stacks.functionSums(spent, table.count);
      total.forEach((time, row) => {
        if (time > 0 || (counts[row] as number) > 0) seen.add(row);
      });
      const column = (name: string, of: Float64Array, more: string): Column => ({
        title: `${title} ${name}`,
        what: `${what}${more}`,
        text: duration,
        value: (row) => of[row] as number,
      });
      return [column("self", own, ": in it, without what it calls"), column("total", total, ": in it and in what it calls")];
    });
    return {
      columns: [
        { title: "function", value: (row) => table.name("name", row) },
        ...columns,
        { title: "file", value: (row) => table.name("file", row) },
      ],
      rows: [...seen],
      pick: (row) => this.#seek(table.name("name", row), "flame"),
    };
  }

  /** Shows in another view where a name is. */
  #seek(name: string, view: string): void {
    this.#page.selection.set({ search: name.toLowerCase() });
    this.#page.open(view);
  }

  #processes(): Sheet {
    const { processes } = this.#model;
    const number = from(processes);
    const linked = processes.numbers("loads").some((loads) => loads > 0);
    const sampled = this.#sampled(["process"], processes.count);
    const { selection } = this.#page;
    return {
      columns: [
        {
          title: "program",
          value: (row) => [processes.name("tool", row), processes.name("package", row)].filter(Boolean).join(" "),
        },
        { title: "CPU", text: duration, value: (row) => processes.number("user", row) + processes.number("system", row) },
        { title: "wall", text: duration, value: (row) => processes.number("end", row) - processes.number("start", row) },
        { title: "start", ...number("start", duration) },
        { title: "waiting", what: "for whatever, at least", ...number("waiting", duration) },
        ...this.#sampledColumn((row) => sampled[row] as number),
        { title: "peak memory", ...number("max_rss_bytes", bytes) },
        ...(linked ? [{ title: "linking", what: "time of relocation", ...number("linking", duration) }, { title: "binds", ...number("binds", count) }] : []),
        { title: "pid", ...number("pid", String) },
        { title: "status", value: (row) => processes.name("status", row) },
      ],
      rows: this.#ran(),
      pick: (process) => {
        if (selection.now.process === process) selection.set({ ...NOTHING, search: selection.now.search, range: selection.now.range });
        else selection.set({ process, action: null, package: null, span: this.#model.spanOfProcess(process) });
      },
      isPicked: (row) => selection.now.process === row,
    };
  }

  #images(): Sheet {
    const table = this.#page.data.table("images");
    const number = from(table);
    const linked = table.numbers("loads").some((loads) => loads > 0);
    const { rows, column } = this.#inSelected(["image"], table);
    const columns: Column[] = [
      { title: "image", value: (row) => table.name("name", row) },
      { title: "CPU", what: "of samples that end in it", ...number("sampled", duration) },
      { title: "processes", ...number("processes", count) },
      { title: "code", what: "the most that one program mapped of it", ...number("code_bytes", bytes) },
      ...column,
    ];
    if (linked) {
      columns.push(
        { title: "loads", ...number("loads", count) },
        { title: "wants", what: "symbols that it wanted bound", ...number("wants", count) },
        { title: "gives", what: "binds to symbols of it", ...number("gives", count) },
        { title: "linking", what: "its part of the time of relocation: an estimate", ...number("linking", duration) },
      );
    }
    return { columns, rows };
  }

  #symbols(): Sheet {
    const table = this.#page.data.table("symbols");
    const binds = this.#page.data.table("binds");
    const { now } = this.#page.selection;
    const number = from(table);
    const column: Column[] = [];
    let rows = table.rows();
    if (isLimited(now) && binds.count > 0) {
      const bound = new Uint32Array(table.count);
      const [symbols, processes, counts] = ["symbol", "process", "count"].map((name) => binds.words(name)) as [Uint32Array, Uint32Array, Uint32Array];
      const passes = takes(this.#model, now);
      binds.numbers("time").forEach((time, row) => {
        if (!passes(processes[row] as number) || (now.range && (time < now.range.from || time >= now.range.to))) return;
        bound[symbols[row] as number] = (bound[symbols[row] as number] as number) + (counts[row] as number);
      });
      rows = rows.filter((row) => bound[row]);
      column.push({ title: "binds selected", text: count, value: (row) => bound[row] as number });
    }
    return {
      columns: [
        { title: "symbol", value: (row) => table.name("name", row) },
        { title: "binds", ...number("binds", count) },
        ...column,
        { title: "lazy", what: "at first calls", ...number("lazy", count) },
        { title: "derived", what: "not seen, worked out from files", ...number("derived", count) },
        { title: "images", what: "that want it", ...number("importers", count) },
        { title: "processes", ...number("processes", count) },
        { title: "bound to", value: (row) => table.name("provider", row) },
      ],
      rows,
    };
  }
}

/** A column of numbers of a table of the data. */
function from(table: Table): (column: string, text: (value: number) => string) => Pick<Column, "value" | "text"> {
  return (column, text) => ({
    text,
    value: (row) => {
      const value = table.number(column, row);
      return value === NONE ? Number.NaN : value;
    },
  });
}
