// The view of where time went: merged stacks as boxes, each as wide as the time in it and in what it calls.

import { Behind, type Listed } from "./behind.js";
import { sized } from "./canvas.js";
import type { Table } from "./data.js";
import { button, choice, el, fill, link, name } from "./dom.js";
import { counted, duration, share } from "./format.js";
import { Hint } from "./hint.js";
import { middle, type Range } from "./layout.js";
import { changed, limits, processLabel, takes, takesOfBase } from "./limits.js";
import type { Model } from "./model.js";
import type { Selection } from "./selection.js";
import {
  BASE,
  type Box,
  boxes,
  byChance,
  CALLS,
  Counterparts,
  type Frame,
  follow,
  KINDS,
  PROFILE,
  ROOT,
  RUNNING,
  type Spent,
  type Stacks,
  type Weight,
} from "./stacks.js";
import type { MakeView, Page, View } from "./views.js";

const GROUPS = [
  { title: "All", what: "all stacks merged" },
  { title: "Tools", what: "apart for each tool" },
  { title: "Packages", what: "apart for each package that was worked for" },
  { title: "Processes", what: "apart for each program" },
] as const;
const ALL = 0;
const TOOLS = 1;
const PACKAGES = 2;

/** What is counted of each kind. */
const UNITS = ["sample", "sample", "call", "stack"];

/** Two runs in one picture: the boxes of one, coloured by what they are in the other. */
const DIFFERENCES = [
  { kind: RUNNING, other: BASE, title: "Difference", what: "CPU of this run, coloured by how it differs from base" },
  { kind: BASE, other: RUNNING, title: "Base", what: "CPU of base, coloured by what became of it: shows what is gone" },
];
/** Colours of what is the same, faster and slower, as `gotrace flamegraph --base` has them. */
const SAME = "#dde1e6";
const FASTER = "86, 163, 224";
const SLOWER = "239, 125, 46";
/** How much colour the least difference has; all is for twice or half. */
const LEAST_COLOUR = 0.15;

const HEIGHT = 18;
/** Boxes of fewer pixels are left out. */
const LEAST = 0.7;
const FONT = "11.5px ui-monospace, monospace";
const MOST_OF_WINDOW = 0.7;
/** What is written on a box is black, for all boxes are light; those that are searched for are dark. */
const ON_BOX = "#14171a";
const ROOT_COLOUR = "#dde1e6";
/** How much is left of what is around what is shown, and of what is not searched for. */
const DIM = 0.4;
const MATCH = "#6d28d9";
const ON_MATCH = "#ffffff";
/** Parts of the way that are shown before and behind those that are left out. */
const FIRST_CRUMBS = 2;
const LAST_CRUMBS = 3;
const MOST_BEHIND = 200;

export const flame: MakeView = (page) => {
  return page.stacks.kinds.size === 0 ? null : new Flame(page);
};

class Flame implements View {
  readonly id = "flame";
  readonly title = "Flame graph";
  readonly element = el("div", { class: "flame" });
  readonly keys = [
    ["← → ↑ ↓", "the box beside, the caller, the heaviest that is called"],
    ["Enter, click", "zoom to a box; Backspace goes back to its caller"],
    ["Home, 0", "show everything"],
    ["I", "callers below functions, or functions below callers"],
    ["1 2 3 …", "CPU, waiting, calls, …"],
  ] as const;

  readonly #page: Page;
  readonly #stacks: Stacks;
  readonly #model: Model;
  readonly #canvas = el("canvas", {
    class: "lanes",
    tabindex: "0",
    role: "application",
    "aria-label": "flame graph: arrows go from box to box, Enter zooms, ? shows all keys",
  });
  readonly #scroller = el("div", { class: "scroller" });
  readonly #spacer = el("div", { class: "spacer" });
  readonly #hint = new Hint();
  readonly #kinds = el("span", { class: "groupings", role: "group", "aria-label": "what is measured" });
  readonly #groups = el("span", { class: "groupings", role: "group", "aria-label": "what stands below stacks" });
  readonly #turn = button(() => this.#invert(), { title: "callers of each function" }, "Inverted");
  readonly #chips = el("span", { class: "chips" });
  readonly #sum = el("p", { class: "sum" });
  readonly #crumbs = el("nav", { class: "crumbs", "aria-label": "callers of what is shown" });
  readonly #below = el("p", { class: "below" });
  readonly #legend = el("p", { class: "legend" });
  readonly #behind = new Behind("What is called, as a table", MOST_BEHIND, () => this.#called());

  #kind: number;
  /** The kind that colours tell the difference from. */
  #other: number | null = null;
  #counterparts: Counterparts | null = null;
  #group = TOOLS;
  #inverted = false;
  #spent = new Map<string, Spent>();
  #root: Frame;
  #focus: Frame[] = [];
  #drawn: Box[] = [];
  #at: Frame | null = null;
  #hovered: Frame | null = null;
  /** Functions that are searched for; null for no search. */
  #matching: Set<number> | null = null;
  #stale = false;
  #frame = 0;

  constructor(page: Page) {
    this.#page = page;
    this.#stacks = page.stacks;
    this.#model = page.model;
    this.#kind = this.#offered()[0]?.kind ?? 0;
    this.#root = page.stacks.flame(this.#spent, false);
    this.#spacer.append(this.#canvas);
    this.#scroller.append(this.#spacer);
    this.#scroller.addEventListener("scroll", () => this.#redraw());
    this.#listen();
    this.element.append(
      el("div", { class: "bar" }, this.#kinds, this.#groups, this.#turn, this.#chips),
      this.#sum,
      this.#crumbs,
      el("div", { class: "pictures" }, this.#scroller, this.#hint.element),
      this.#below,
      this.#legend,
      this.#behind.element,
    );
    this.#stale = true;
  }

  show(): void {
    if (this.#stale) this.#merge();
    this.#layOut();
    this.#draw();
  }

  select(now: Selection, before: Selection): void {
    if (now.search !== before.search) this.#match(now.search);
    if (changed(now, before)) this.#stale = true;
    if (!this.element.isConnected) return;
    if (this.#stale) this.#merge();
    this.#describe();
    this.#layOut();
  }

  key(event: KeyboardEvent): boolean {
    const keys: Record<string, () => void> = {
      ArrowDown: () => this.#go((frame) => frame.children()[0]),
      ArrowUp: () => this.#go((frame) => this.#way(frame).at(-2)),
      ArrowRight: () => this.#go((frame) => this.#beside(frame, 1)),
      ArrowLeft: () => this.#go((frame) => this.#beside(frame, -1)),
      Enter: () => this.#at && this.#zoom(this.#way(this.#at)),
      Backspace: () => this.#zoom([this.#root, ...this.#focus].slice(0, -1)),
      Home: () => this.#zoom([]),
      "0": () => this.#zoom([]),
      i: () => this.#invert(),
      n: () => this.#nextMatch(1),
      N: () => this.#nextMatch(-1),
    };
    for (const [at, { kind, other }] of this.#offered().entries()) keys[String(at + 1)] = () => this.#measure(kind, other);
    const act = keys[event.key] ?? keys[event.key.toLowerCase()];
    act?.();
    return act !== undefined;
  }

  #offered() {
    const kinds = this.#stacks.kinds;
    const own = KINDS.map((kind) => ({ ...kind, other: null }));
    return [...own, ...DIFFERENCES].filter(({ kind, other }) => kinds.has(kind) && (other === null || kinds.has(other)));
  }

  #measure(kind: number, other: number | null): void {
    this.#kind = kind;
    this.#other = other;
    this.#merge();
    this.#layOut();
  }

  #invert(): void {
    this.#inverted = !this.#inverted;
    this.#focus = [];
    this.#merge();
    this.#layOut();
  }

  /** Merges the stacks of what is selected anew. */
  #merge(): void {
    this.#stale = false;
    const keys = this.#focus.map((frame) => frame.key);
    this.#spent = this.#groupsOf(this.#kind);
    this.#root = this.#stacks.flame(this.#spent, this.#inverted);
    const other = this.#other === null ? null : this.#stacks.flame(this.#groupsOf(this.#other), this.#inverted);
    this.#counterparts = other && new Counterparts(this.#root, other);
    this.#focus = follow(this.#root, keys);
    this.#at = null;
    this.#hint.hide();
    this.#describe();
  }

  /** What is selected of a kind. A piece of one run's time is none of another's. */
  #groupsOf(kind: number): Map<string, Spent> {
    const { now } = this.#page.selection;
    const passes = kind === BASE ? takesOfBase : takes;
    const filter = { takes: passes(this.#model, now), range: this.#range() };
    const processes = kind === BASE ? this.#page.data.table("base_processes") : this.#model.processes;
    return this.#stacks.groups(kind, filter, (process) => this.#groupOf(processes, process));
  }

  #range(): Range | null {
    return this.#other === null ? this.#page.selection.now.range : null;
  }

  #groupOf(processes: Table, process: number): string {
    if (this.#group === ALL || (this.#group > PACKAGES && this.#other !== null)) return "";
    if (this.#group === TOOLS) return processes.name("tool", process) || "[no tool]";
    if (this.#group === PACKAGES) return processes.name("package", process) || "[no package]";
    return processLabel(this.#model, process);
  }

  /** What stands around the picture. */
  #describe(): void {
    const kinds = this.#offered().map(({ kind, other, title, what }) =>
      choice(title, what, kind === this.#kind && other === this.#other, () => this.#measure(kind, other)),
    );
    fill(this.#kinds, ...kinds);
    const groups = GROUPS.map(({ title, what }, group) =>
      choice(title, what, group === this.#group, () => {
        this.#group = group;
        this.#focus = [];
        this.#merge();
        this.#layOut();
      }),
    );
    fill(this.#groups, ...groups);
    this.#turn.setAttribute("aria-pressed", String(this.#inverted));
    fill(this.#chips, ...limits(this.#model, this.#page.selection), this.#matching && el("span", { class: "chip" }, this.#matchWords(this.#matching)));
    fill(this.#sum, this.#sumWords());
    this.#describeColours();
  }

  #sumWords(): string {
    const run = this.#page.data.table("run");
    const imported = run.name("imported", 0);
    const own = ["CPU time", "waiting", "", imported ? "" : "CPU time by the tools' own profiles"];
    const unit = run.number("count", 0);
    const what = unit > 0 ? "" : (own[this.#kind] ?? "CPU time of base");
    const { time } = this.#root.total;
    const { now } = this.#page.selection;
    if (time === 0) {
      const why = this.#kind === PROFILE && now.range ? ": profiles have no times" : "";
      return `Nothing of this kind is in what is selected${why}.`;
    }
    const sampling = this.#page.data.table("sampling");
    const step = sampling.number("step", 0);
    const folded = sampling.number("folded", 0);
    const range = this.#range();
    const about = this.#stacks.isEstimate(this.#kind, { range }) ? "about" : "";
    const notes = [[about, duration(time), what, "in", this.#countWords(this.#root.total)].filter(Boolean).join(" ")];
    if (unit > 0) notes.push(`${duration(unit)} stands for a count: it has no unit`);
    const other = this.#counterparts?.of({ frame: this.#root, around: null } as Box);
    if (other) {
      notes.push(`${duration(other.total.time)} in ${this.#other === BASE ? "base" : "this run"}`);
      notes.push("blue is faster now, orange is slower, full colour twice or half; grey may be chance");
      if (now.range) notes.push("of the whole runs: a piece of one's time is none of the other's");
    } else if (step > 0) notes.push(`equal stacks of a program within ${duration(step)} are one: a piece of time takes its part of them`);
    const addedUp = sampling.number("added_up", 0);
    if (this.#kind === CALLS && addedUp > 0) {
      const programs = counted(addedUp, "program");
      const cut = range ? ", so they cannot be cut: a piece of time takes its part of the program's life" : "";
      notes.push(`of ${programs} they were added up as they were recorded${cut}`);
    }
    if (folded > 0 && this.#hasFolded()) notes.push(`${counted(folded, "path")} that least was spent in are folded`);
    return `${notes.join("; ")}.`;
  }

  /** Whether paths of this kind are among those that were folded. */
  #hasFolded(): boolean {
    const functions = this.#page.data.table("functions");
    const folded = functions.rows().find((row) => functions.name("name", row).startsWith("[folded:"));
    return [...this.#spent.values()].some(({ paths }) => paths.some((path) => path !== ROOT && this.#stacks.functions[path] === folded));
  }

  #countWords({ count: number }: Weight): string {
    return counted(Math.round(number), UNITS[this.#kind] ?? "sample");
  }

  #matchWords(functions: ReadonlySet<number>): string {
    const sum = { time: 0, count: 0 };
    for (const spent of this.#spent.values()) sum.time += this.#stacks.sumOf(spent, functions).time;
    return `${counted(functions.size, "function matches", "functions match")}: ${duration(sum.time)}, ${share(sum.time, this.#root.total.time)}`;
  }

  /** Colours, and which part of the time is in code of each. */
  #describeColours(): void {
    if (this.#counterparts) {
      fill(this.#legend);
      return;
    }
    const origins = this.#page.data.table("origins");
    const of = this.#page.data.table("functions").bytes("origin");
    const parts = new Float64Array(origins.count);
    for (const spent of this.#spent.values()) {
      spent.paths.forEach((path, at) => {
        const origin = path === ROOT ? undefined : of[this.#stacks.functions[path] as number];
        if (origin !== undefined) parts[origin] = (parts[origin] as number) + spent.sum(at, at + 1).time;
      });
    }
    const entries = origins.rows().filter((row) => (parts[row] as number) > 0);
    fill(
      this.#legend,
      ...entries.flatMap((row) => {
        const colour = el("span", { class: "swatch", "aria-hidden": "true" });
        colour.style.background = origins.name("colour", row);
        return [colour, `${origins.name("words", row)} ${share(parts[row] as number, this.#root.total.time)} `];
      }),
    );
  }

  #match(search: string): void {
    this.#matching = null;
    if (search === "") return;
    const functions = this.#page.data.table("functions");
    this.#matching = new Set(functions.rows().filter((row) => functions.name("name", row).toLowerCase().includes(search)));
  }

  #matches(frame: Frame): boolean {
    if (!this.#matching) return false;
    if (frame.function !== null) return this.#matching.has(frame.function);
    return frame !== this.#root && frame.key.toLowerCase().includes(this.#page.selection.now.search);
  }

  #boxOf(frame: Frame): Box | undefined {
    return this.#drawn.find((box) => box.frame === frame);
  }

  /** The frames from the root to this one. */
  #way(frame: Frame): Frame[] {
    const found: Frame[] = [];
    for (let box: Box | null | undefined = this.#boxOf(frame); box; box = box.around) found.unshift(box.frame);
    return found;
  }

  #beside(frame: Frame, by: number): Frame | undefined {
    const depth = this.#boxOf(frame)?.depth;
    const row = this.#drawn.filter((box) => box.depth === depth).sort((a, b) => a.x - b.x);
    return row[row.findIndex((box) => box.frame === frame) + by]?.frame;
  }

  /** Moves the cursor. */
  #go(step: (frame: Frame) => Frame | undefined): void {
    const next = step(this.#at ?? this.#focus.at(-1) ?? this.#root);
    if (next && this.#boxOf(next)) this.#stand(next);
  }

  #stand(frame: Frame): void {
    this.#at = frame;
    const box = this.#boxOf(frame);
    if (box) {
      const y = box.depth * HEIGHT;
      const { scrollTop, clientHeight } = this.#scroller;
      if (y < scrollTop || y + HEIGHT > scrollTop + clientHeight) this.#scroller.scrollTop = y - clientHeight / 2;
      this.#showHint(frame, box.x, y + HEIGHT - this.#scroller.scrollTop);
    }
    this.#page.say(this.#facts(frame).join("; "));
    this.#redraw();
  }

  #nextMatch(by: 1 | -1): void {
    const found = this.#drawn.filter((box) => this.#matches(box.frame)).sort((a, b) => a.depth - b.depth || a.x - b.x);
    if (found.length === 0) return;
    const at = found.findIndex((box) => box.frame === this.#at);
    const next = found[(at < 0 ? (by > 0 ? 0 : found.length - 1) : at + by + found.length) % found.length];
    if (next) this.#stand(next.frame);
  }

  /** Shows the last of these frames in full width. */
  #zoom(way: readonly Frame[]): void {
    this.#focus = way.slice(1);
    this.#at = null;
    this.#hint.hide();
    this.#layOut();
    this.#page.say(this.#facts(this.#focus.at(-1) ?? this.#root).join("; "));
  }

  #layOut(): void {
    const width = this.#scroller.clientWidth || this.element.clientWidth || 1;
    this.#drawn = boxes(this.#root, this.#focus, width, LEAST);
    const deepest = this.#drawn.reduce((most, box) => Math.max(most, box.depth), 0);
    const whole = (deepest + 1) * HEIGHT;
    this.#spacer.style.height = `${whole}px`;
    const height = this.#page.theme.height(whole, MOST_OF_WINDOW);
    this.#scroller.style.height = `${height}px`;
    this.#below.hidden = height === whole;
    fill(this.#below, `↓ Stacks are ${deepest + 1} rows deep: scroll for more.`);
    this.#showWay();
    this.#behind.fill();
    this.#redraw();
  }

  /** The way to what is shown, each part a button that zooms to it. */
  #showWay(): void {
    const way = [this.#root, ...this.#focus];
    this.#crumbs.hidden = way.length === 1;
    const last = way.length - 1;
    const crumb = (frame: Frame, at: number) =>
      at === last
        ? el("b", {}, name(this.#shortened(frame, 60)))
        : link(this.#shortened(frame, 60), () => this.#zoom(way.slice(0, at + 1)));
    const parts: HTMLElement[] = way.map(crumb);
    if (parts.length > FIRST_CRUMBS + LAST_CRUMBS + 1) parts.splice(FIRST_CRUMBS, parts.length - FIRST_CRUMBS - LAST_CRUMBS, el("span", {}, "…"));
    fill(this.#crumbs, ...parts.flatMap((part, at) => (at === 0 ? [part] : [" › ", part])));
  }

  #redraw(): void {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const width = this.#scroller.clientWidth;
    const height = this.#scroller.clientHeight;
    const context = sized(this.#canvas, width, height);
    if (!context) return;
    const colours = this.#page.theme.now;
    context.fillStyle = colours.page;
    context.fillRect(0, 0, width, height);
    context.font = FONT;
    context.textBaseline = "middle";
    const letter = context.measureText("m").width;
    const top = this.#scroller.scrollTop;
    for (const box of this.#drawn) {
      const { frame, depth, x, width } = box;
      const y = depth * HEIGHT - top;
      if (y + HEIGHT < 0 || y > height) continue;
      const matches = this.#matches(frame);
      const wide = Math.max(width - (width > 3 ? 1 : 0), LEAST);
      const isDim = this.#matching ? !matches : depth < this.#focus.length;
      context.globalAlpha = isDim ? DIM : 1;
      context.fillStyle = matches ? MATCH : this.#colour(box);
      context.fillRect(x, y, wide, HEIGHT - 1);
      const room = Math.floor((wide - 8) / letter);
      const label = room < 3 ? "" : this.#shortened(frame, room);
      context.globalAlpha = 1;
      context.fillStyle = matches ? ON_MATCH : isDim ? colours.text : ON_BOX;
      if (label !== "") context.fillText(label, x + 4, y + HEIGHT / 2);
      if (frame !== this.#at && frame !== this.#hovered) continue;
      context.strokeStyle = frame === this.#at ? colours.accent : colours.text;
      context.lineWidth = 2;
      context.strokeRect(x + 1, y + 1, Math.max(wide - 2, 1), HEIGHT - 3);
    }
  }

  #colour(box: Box): string {
    const { frame } = box;
    if (this.#counterparts) return this.#changeColour(box);
    if (frame === this.#root) return ROOT_COLOUR;
    if (frame.function === null) return this.#page.data.table("origins").name("colour", 0);
    return this.#page.data.table("functions").name("colour", frame.function);
  }

  #label(frame: Frame): string {
    if (frame === this.#root) return "all";
    if (frame.function === null) return frame.key;
    return this.#page.data.table("functions").name("name", frame.function) || "(no name)";
  }

  /** What a box costs in base, and now. */
  #sides(box: Box): [base: Weight, now: Weight] {
    const other = this.#counterparts?.of(box)?.total ?? { time: 0, count: 0 };
    return this.#other === BASE ? [other, box.frame.total] : [box.frame.total, other];
  }

  #changeColour(box: Box): string {
    const [base, now] = this.#sides(box);
    if (byChance(base, now)) return SAME;
    const factor = Math.abs(Math.log2(Math.max(now.time, 1) / Math.max(base.time, 1)));
    const amount = LEAST_COLOUR + (1 - LEAST_COLOUR) * Math.min(factor, 1);
    return `color-mix(in srgb, rgb(${now.time > base.time ? SLOWER : FASTER}) ${100 * amount}%, ${SAME})`;
  }

  /** A function in so many characters: whole, without the folders of its package, without that, without its
   * receiver, or the beginning of what is left then. */
  #shortened(frame: Frame, most: number): string {
    const label = this.#label(frame);
    if (label.length <= most || frame.function === null) return middle(label, most);
    // Type arguments and receivers have dots and slashes of their own.
    const plain = label.split(/[[(]/, 1)[0] as string;
    const last = label.slice(plain.lastIndexOf("/") + 1);
    const own = last.slice(last.indexOf(".") + 1);
    const method = own.replace(/^\([^)]*\)\./, "");
    const fits = [last, own, method].find((words) => words.length <= most);
    return fits ?? `${method.slice(0, most - 1)}…`;
  }

  /** What is known of a box. */
  #facts(frame: Frame): string[] {
    const whole = this.#root.total.time;
    const lines = [this.#label(frame)];
    lines.push(`${this.#inverted ? "time" : "total"}: ${duration(frame.total.time)}, ${share(frame.total.time, whole)}, ${this.#countWords(frame.total)}`);
    if (!this.#inverted && frame.function !== null) lines.push(`self: ${duration(frame.own.time)}, ${share(frame.own.time, whole)}`);
    const shown = this.#focus.at(-1);
    if (shown && shown !== frame) lines.push(`${share(frame.total.time, shown.total.time)} of ${this.#shortened(shown, 40)}`);
    const box = this.#counterparts && this.#boxOf(frame);
    if (box) {
      const [base, now] = this.#sides(box);
      const chance = byChance(base, now) ? ", may be chance" : "";
      lines.push(`base: ${duration(base.time)}, now: ${duration(now.time)}, ${now.time < base.time ? "-" : "+"}${duration(Math.abs(now.time - base.time))}${chance}`);
    }
    if (frame.function === null) return lines;
    const functions = this.#page.data.table("functions");
    const file = functions.name("file", frame.function);
    const paths = this.#page.data.table("paths");
    const line = frame.path === null ? 0 : paths.number("line", frame.path);
    if (file !== "") lines.push(line > 0 ? `${file}:${line}` : file);
    const origin = this.#page.data.table("origins").name("words", functions.number("origin", frame.function));
    const inlined = frame.path !== null && paths.number("inlined", frame.path) > 0;
    lines.push(inlined ? `${origin}, inlined` : origin);
    return lines;
  }

  #listen(): void {
    const canvas = this.#canvas;
    canvas.addEventListener("pointermove", (event) => {
      const box = this.#boxAt(event.offsetX, event.offsetY);
      if (box?.frame !== this.#hovered) {
        this.#hovered = box?.frame ?? null;
        this.#redraw();
      }
      canvas.style.cursor = box ? "pointer" : "default";
      if (box) this.#showHint(box.frame, event.offsetX, event.offsetY);
      else this.#hint.hide();
    });
    canvas.addEventListener("pointerleave", () => {
      this.#hovered = null;
      this.#hint.hide();
      this.#redraw();
    });
    canvas.addEventListener("click", (event) => {
      const box = this.#boxAt(event.offsetX, event.offsetY);
      if (box) this.#zoom(this.#way(box.frame));
    });
  }

  #boxAt(x: number, y: number): Box | undefined {
    const depth = Math.floor((y + this.#scroller.scrollTop) / HEIGHT);
    return this.#drawn.find((box) => box.depth === depth && box.x <= x && x < box.x + box.width);
  }

  #showHint(frame: Frame, x: number, y: number): void {
    this.#hint.show(this.#facts(frame), x, y, this.#scroller.clientWidth);
  }

  /** What the box in full width calls. */
  #called(): Listed<Frame> {
    const way = [this.#root, ...this.#focus];
    const shown = way.at(-1) ?? this.#root;
    return {
      caption: `${this.#inverted ? "Who calls" : "What is called by"} ${this.#label(shown)}`,
      head: ["function", "total", "of all", "self"],
      all: shown.children(),
      row: (frame) => [
        this.#label(frame),
        () => this.#zoom([...way, frame]),
        duration(frame.total.time),
        share(frame.total.time, this.#root.total.time),
        duration(frame.own.time),
      ],
      numeric: [false, true, true, true],
    };
  }
}
