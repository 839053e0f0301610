// The view of what ran when: a chart and the critical path above rows of bars.

import { Behind, type Listed } from "./behind.js";
import { sized } from "./canvas.js";
import { AXIS, drawChart, HEAD } from "./chart.js";
import { NONE } from "./data.js";
import { details, facts, title } from "./details.js";
import { chip, choice, el, fill, name, swatch } from "./dom.js";
import { counted, duration, percent } from "./format.js";
import { Hint } from "./hint.js";
import { drawLanes, marksOf } from "./lanes.js";
import { bottom, inSight, type Range, type Row, rowAt, rows, Scale } from "./layout.js";
import { BASE, GOROUTINES, GROUPINGS, type Model, PHASE, PROCESSES } from "./model.js";
import type { Selection } from "./selection.js";
import { RUNNING } from "./stacks.js";
import type { MakeView, Page, View } from "./views.js";

/** Calls have names, threads have none. */
const HEIGHTS = { full: 24, nested: 12, gap: 2 };
const HEIGHTS_OF_CALLS = { ...HEIGHTS, nested: 16 };
/** Rows that are drawn at most without scrolling: of the height of the window. */
const MOST_OF_WINDOW = 0.62;
const ZOOM = 1.5;
const PAN = 0.2;
/** A pointer that moved less has clicked. */
const CLICK = 4;
/** Two fingers are no nearer to each other. */
const FINGER = 8;
/** Entries of the legend. */
const MOST_ENTRIES = 12;
/** Words of the legend, and the colours that stand for them. */
type Entry = [words: string, colours: Iterable<number>];
/** Rows of the table behind the picture. */
const MOST_BEHIND = 500;

/** Imported stacks may have no times: then nothing is on it. */
export const timeline: MakeView = (page) => (page.data.table("run").number("wall", 0) > 0 ? new Timeline(page) : null);

class Timeline implements View {
  readonly id = "timeline";
  readonly title = "Timeline";
  readonly element = el("div", { class: "timeline" });
  readonly keys = [
    ["W S, + −, wheel", "zoom"],
    ["A D, ← →, Shift + drag", "move through time"],
    ["[ ]", "the span before, the next one"],
    ["F", "zoom to what is selected"],
    ["Home, 0", "show everything"],
    ["1 2 3 …", "slots, processes, threads, …"],
    ["C", "colour actions by tool or by phase"],
    ["drag", "select a piece of time; double click zooms to a span"],
  ] as const;

  readonly #page: Page;
  readonly #model: Model;
  readonly #chart = el("canvas", { class: "chart", "aria-hidden": "true" });
  readonly #lanes = el("canvas", {
    class: "lanes",
    tabindex: "0",
    role: "application",
    "aria-label": "timeline: arrows and W A S D move and zoom, brackets go from span to span, ? shows all keys",
  });
  readonly #scroller = el("div", { class: "scroller" });
  readonly #spacer = el("div", { class: "spacer" });
  readonly #hint = new Hint();
  /** Where fingers are, by their pointers. */
  readonly #touches = new Map<number, number>();
  readonly #aside = el("div", { class: "aside" });
  readonly #behind = new Behind("What is in sight, as a table", MOST_BEHIND, () => this.#inSight());
  readonly #chips = el("span", { class: "chips" });
  readonly #groupings = el("span", { class: "groupings", role: "group", "aria-label": "rows" });

  #scale: Scale;
  readonly #legend = el("p", { class: "legend" });
  #grouping = 0;
  #byPhase = false;
  #rows: Row[] = [];
  #rowOf = new Map<number, Row>();
  #box: HTMLInputElement | null = null;
  #hovered: number | null = null;
  /** What was selected and is not in sight yet. */
  #unseen: number | null = null;
  #dragged: Range | null = null;
  /** Whether the click that the next ones may follow at once was on the picture. */
  #onPicture = false;
  /** Whether the pointer moved while its button was down. */
  #moved = false;
  #matching: { search: string; names: Set<number> } = { search: "", names: new Set() };
  #frame = 0;

  constructor(page: Page) {
    this.#page = page;
    this.#model = page.model;
    this.#scale = new Scale(this.#model.whole);
    this.#spacer.append(this.#lanes);
    this.#scroller.append(this.#spacer);
    this.element.append(
      el("div", { class: "bar" }, this.#groupings, this.#colouring(), this.#chips),
      this.#legend,
      el("div", { class: "stage" }, el("div", { class: "pictures" }, this.#chart, this.#scroller, this.#hint.element), this.#aside),
      this.#behind.element,
    );
    this.#scroller.addEventListener("scroll", () => this.#redraw());
    this.#listen(this.#chart);
    this.#listen(this.#lanes);
    // The first click of two opens the pane, which makes the picture narrower: what is under the pointer then is
    // another bar, or the pane.
    this.element.addEventListener("click", ({ detail, target }) => {
      if (detail < 2) this.#onPicture = target instanceof HTMLCanvasElement;
    });
    this.element.addEventListener("dblclick", () => {
      const { span } = this.#page.selection.now;
      if (this.#onPicture && span !== null) this.#fitSpan(span);
    });
    this.#group(GROUPINGS.find(({ view }) => this.#model.tracksOf(view).length > 0)?.view ?? 0);
  }

  show(): void {
    this.#measure();
    this.#revealUnseen();
    this.#draw();
  }

  select(now: Selection, before: Selection): void {
    if (now.search !== before.search) this.#match(now.search);
    if (now.span !== before.span) {
      this.#unseen = now.span;
      if (this.element.isConnected) this.#revealUnseen();
      this.#showDetails(now.span);
    }
    this.#showChips();
    this.#redraw();
  }

  key(event: KeyboardEvent): boolean {
    const zoom = (factor: number) => this.#look(this.#scale.zoomed(this.#scale.width / 2, factor));
    const keys: Record<string, () => void> = {
      w: () => zoom(1 / ZOOM),
      "+": () => zoom(1 / ZOOM),
      "=": () => zoom(1 / ZOOM),
      s: () => zoom(ZOOM),
      "-": () => zoom(ZOOM),
      a: () => this.#look(this.#scale.panned(-PAN)),
      ArrowLeft: () => this.#look(this.#scale.panned(-PAN)),
      d: () => this.#look(this.#scale.panned(PAN)),
      ArrowRight: () => this.#look(this.#scale.panned(PAN)),
      "[": () => this.#step(-1),
      "]": () => this.#step(1),
      f: () => this.#fit(),
      Home: () => this.#look(this.#scale.zoomedOut()),
      "0": () => this.#look(this.#scale.zoomedOut()),
      c: () => this.#toggleColouring(),
      n: () => this.nextMatch(1),
      N: () => this.nextMatch(-1),
    };
    for (const [at, { view }] of this.#offered().entries()) keys[String(at + 1)] = () => this.#group(view);
    const act = keys[event.key] ?? keys[event.key.toLowerCase()];
    act?.();
    return act !== undefined;
  }

  /** Goes to the next span that matches the search; the first one after what is selected. */
  nextMatch(by: 1 | -1): void {
    const { search, span } = this.#page.selection.now;
    if (search === "") return;
    const spans = this.#spansInOrder();
    const at = span === null ? -1 : spans.indexOf(span);
    for (let step = 1; step <= spans.length; step += 1) {
      const next = spans[(at + by * step + 2 * spans.length) % spans.length] as number;
      if (this.#matches(next)) {
        this.#pick(next);
        return;
      }
    }
  }

  /** How many spans match the search. */
  #countMatches(): number {
    return this.#spansInOrder().filter((span) => this.#matches(span)).length;
  }

  #offered() {
    return GROUPINGS.filter(({ view }) => this.#model.tracksOf(view).length > 0);
  }

  /** What changes between colours of tools and of phases, where there are phases. */
  #colouring(): HTMLElement | null {
    if (this.#model.data.table("phases").count === 0) return null;
    const box = el("input", { type: "checkbox", onchange: () => this.#toggleColouring() });
    this.#box = box;
    return el("label", {}, box, " colour by phase");
  }

  #toggleColouring(): void {
    this.#byPhase = !this.#byPhase && this.#box !== null;
    if (this.#box) this.#box.checked = this.#byPhase;
    this.#showLegend();
    this.#redraw();
  }

  /** What the colours stand for that are not those of tools, where such are drawn. */
  #showLegend(): void {
    const grouping = this.#grouping;
    const entries = grouping === PROCESSES || (grouping === 0 && this.#byPhase) ? this.#phaseColours() : this.#actorColours();
    const bars = grouping === PROCESSES ? "Programs are coloured by tool, as above; phases below them: " : "";
    const more = entries.length - MOST_ENTRIES;
    fill(
      this.#legend,
      entries.length > 0 && bars,
      ...entries.slice(0, MOST_ENTRIES).map(([words, colours]) => el("span", {}, ...[...colours].map(swatch), words)),
      more > 0 && `and ${more} more`,
    );
  }

  /** Phases that have colours of their own. */
  #phaseColours(): Entry[] {
    const phases = this.#model.data.table("phases");
    const colour = (row: number) => phases.number("colour", row);
    const rows = phases.rows().filter((row) => colour(row) !== this.#model.colours.count - 1);
    return rows.map((row) => [`${phases.name("track", row)} ${phases.name("phase", row)}`, [colour(row)]]);
  }

  /** What threads and goroutines do, and the calls that were watched. Who runs may have the colour of its tool. */
  #actorColours(): Entry[] {
    const model = this.#model;
    const { kind, colour, label } = model.spans;
    const counts = model.tracks.words("count");
    const found = new Map<number, Set<number>>();
    for (const track of model.tracksOf(this.#grouping)) {
      const first = model.first[track] ?? 0;
      for (let span = first; span < first + (counts[track] ?? 0); span += 1) {
        if ((kind[span] as number) <= PHASE || kind[span] === BASE) continue;
        const words = label[span] as number;
        found.set(words, (found.get(words) ?? new Set()).add(colour[span] as number));
      }
    }
    return [...found].map(([words, colours]) => [model.data.names.get(words), colours]);
  }

  /** Lays the rows of the view: when zoomed, those of programs, threads and goroutines that are in sight. */
  #lay(): void {
    const model = this.#model, scale = this.#scale;
    const depths = model.tracks.bytes("depth");
    const processes = model.tracks.words("process");
    const counts = model.tracks.words("count");
    const [starts, ends] = ["start", "end"].map((column) => model.processes.numbers(column)) as [Float64Array, Float64Array];
    const isInSight = (track: number) => {
      const process = processes[track] as number;
      if (process === NONE) return true;
      if ((starts[process] as number) >= scale.to || (ends[process] as number) <= scale.from) return false;
      if (this.#grouping <= PROCESSES || depths[track] === 0) return true;
      const { start, end } = model.spans;
      const [begin, stop] = inSight(start, end, model.first[track] ?? 0, counts[track] ?? 0, scale);
      return begin < stop;
    };
    const shown = model.tracksOf(this.#grouping).filter((track) => scale.isWhole || isInSight(track));
    const tracks = shown.map((track) => ({ track, depth: depths[track] ?? 0 }));
    this.#rows = rows(tracks, this.#grouping === GOROUTINES ? HEIGHTS_OF_CALLS : HEIGHTS);
    this.#rowOf = new Map(this.#rows.map((row) => [row.track, row]));
    const whole = bottom(this.#rows) + 4;
    this.#spacer.style.height = `${whole}px`;
    this.#scroller.style.height = `${this.#page.theme.height(whole, MOST_OF_WINDOW)}px`;
  }

  #group(view: number): void {
    const whole = this.#model.wholeOf(view);
    if (whole.to !== this.#scale.whole.to) this.#scale = new Scale(whole).resized(this.#scale.width);
    this.#grouping = view;
    this.#lay();
    const buttons = this.#offered().map(({ view: of, title, what }) =>
      choice(title, what, of === view, () => this.#group(of)),
    );
    fill(this.#groupings, ...buttons);
    this.#showLegend();
    this.#scroller.scrollTop = 0;
    this.#measure();
    this.#behind.fill();
    this.#redraw();
  }

  /** Shows a piece of time. */
  #look(scale: Scale): void {
    this.#scale = scale;
    this.#lay();
    this.#hint.hide();
    this.#showChips();
    this.#behind.fill();
    this.#redraw();
  }

  /** Makes what is selected fill the width. */
  #fit(): void {
    const { range, span } = this.#page.selection.now;
    if (range) this.#look(this.#scale.showing(range.from, range.to));
    else if (span !== null) this.#fitSpan(span);
  }

  #fitSpan(span: number): void {
    const { start, end } = this.#model.spans;
    const [from, to] = [start[span] as number, end[span] as number];
    const margin = (to - from) * 0.1;
    this.#look(this.#scale.showing(from - margin, to + margin));
  }

  /** Selects a span. */
  #pick(span: number | null): void {
    const model = this.#model, page = this.#page;
    if (span === null) {
      page.selection.set({ span: null, action: null, process: null });
      return;
    }
    page.selection.set({ span, action: model.actionOf(span), process: model.processOf(span) });
    page.say(`${title(model, span)}: ${facts(model, span, false).map((fact) => fact.join(" ")).join("; ")}`);
  }

  /** Brings what was selected, here or in another view, into sight. */
  #revealUnseen(): void {
    const model = this.#model, span = this.#unseen;
    this.#unseen = null;
    if (span === null) return;
    const view = model.tracks.bytes("view")[model.trackOfSpan(span)] ?? 0;
    if (view !== this.#grouping) this.#group(view);
    const from = model.spans.start[span] as number;
    const to = model.spans.end[span] as number;
    if (to < this.#scale.from || from > this.#scale.to) this.#fitSpan(span);
    const row = this.#rowOf.get(model.trackOfSpan(span));
    if (row && (row.y < this.#scroller.scrollTop || row.y + row.height > this.#scroller.scrollTop + this.#scroller.clientHeight)) {
      this.#scroller.scrollTop = row.y - this.#scroller.clientHeight / 2;
    }
  }

  /** All spans of the rows that are shown, by row and time. */
  #spansInOrder(): number[] {
    const model = this.#model;
    const counts = model.tracks.words("count");
    return this.#rows.flatMap(({ track }) =>
      Array.from({ length: counts[track] ?? 0 }, (_, at) => (model.first[track] ?? 0) + at),
    );
  }

  /** Selects the span before or after, by time. */
  #step(by: 1 | -1): void {
    const { start } = this.#model.spans;
    const time = (span: number) => start[span] as number;
    const spans = this.#spansInOrder().sort((a, b) => time(a) - time(b) || a - b);
    const at = this.#page.selection.now.span === null ? -1 : spans.indexOf(this.#page.selection.now.span);
    const next = spans[at < 0 ? (by > 0 ? 0 : spans.length - 1) : at + by];
    if (next !== undefined) this.#pick(next);
  }

  #match(search: string): void {
    const { names } = this.#model.data;
    const found = new Set<number>();
    if (search !== "") {
      for (let id = 0; id < names.count; id += 1) {
        if (names.get(id).toLowerCase().includes(search)) found.add(id);
      }
    }
    this.#matching = { search, names: found };
  }

  #isLimited(): boolean {
    return this.#matching.search !== "" || this.#page.selection.now.package !== null;
  }

  /** Whether a span is of the package that is selected, and of what is searched for. */
  #isBright(span: number): boolean {
    const selected = this.#page.selection.now.package;
    if (selected !== null && this.#model.packageOf(span) !== selected) return false;
    return this.#matching.search === "" || this.#matches(span);
  }

  /** Whether a span's own name, or that of its package, tool or phase, is searched for. */
  #matches(span: number): boolean {
    const model = this.#model, matching = this.#matching;
    if (matching.names.has(model.spans.label[span] ?? 0)) return true;
    const action = model.actionOf(span);
    if (action !== null) return matching.names.has(model.actions.words("label")[action] ?? 0);
    const process = model.processOf(span);
    if (process === null) return false;
    return ["tool", "package"].some((column) => matching.names.has(model.processes.words(column)[process] ?? 0));
  }

  #showDetails(span: number | null): void {
    fill(this.#aside, span !== null && details(this.#model, span, (next) => this.#pick(next)));
    this.element.classList.toggle("with-details", span !== null);
    this.#hint.hide();
    this.#measure();
  }

  /** What limits what is seen, each with a button that takes it away. */
  #showChips(): void {
    const { range, search, package: selected } = this.#page.selection.now;
    const scale = this.#scale;
    fill(
      this.#chips,
      range &&
        chip([`selected: ${this.#rangeWords(range)}`], "select all of the time", () => this.#page.selection.set({ range: null })),
      !scale.isWhole &&
        chip([`in sight: ${duration(scale.from)} to ${duration(scale.to)}`], "show everything", () =>
          this.#look(scale.zoomedOut()),
        ),
      selected !== null &&
        chip([name(`package: ${selected}`)], "all packages", () => this.#page.selection.set({ package: null })),
      search !== "" && el("span", { class: "chip" }, counted(this.#countMatches(), "match", "matches")),
    );
  }

  /** A piece of time, and the CPU time of the samples that were taken in it. */
  #rangeWords({ from, to }: Range): string {
    const { stacks } = this.#page;
    const filter = { takes: () => true, range: { from, to } };
    const length = `${duration(from)} to ${duration(to)}, ${duration(to - from)}`;
    if (!stacks.kinds.has(RUNNING)) return length;
    const cpu = stacks.timeOf(RUNNING, filter);
    const about = stacks.isEstimate(RUNNING, filter) ? "about " : "";
    return `${length} (${about}${duration(cpu)} CPU, ${percent(cpu / (to - from))} of a core)`;
  }

  #measure(): void {
    this.#lay();
    this.#scale = this.#scale.resized(this.#scroller.clientWidth || this.element.clientWidth);
    this.#redraw();
  }

  #redraw(): void {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const scale = this.#scale, model = this.#model;
    const range = this.#dragged ?? this.#page.selection.now.range;
    const colours = this.#page.theme.now;
    const chart = sized(this.#chart, scale.width, HEAD);
    if (chart) drawChart(chart, { model, scale, colours, range });
    const height = this.#scroller.clientHeight;
    const lanes = sized(this.#lanes, scale.width, height);
    if (!lanes) return;
    drawLanes(lanes, {
      model,
      rows: this.#rows,
      rowOf: this.#rowOf,
      scale,
      colours,
      top: this.#scroller.scrollTop,
      height,
      hovered: this.#hovered,
      selected: this.#page.selection.now.span,
      range,
      matches: this.#isLimited() ? (span) => this.#isBright(span) : null,
      byPhase: this.#byPhase,
    });
  }

  /** The span at a place of the canvas of lanes. */
  #spanAt(x: number, y: number): number | null {
    const at = y + this.#scroller.scrollTop;
    const row = this.#rows[rowAt(this.#rows, at)];
    if (!row || at < row.y) return null;
    const { start, end } = this.#model.spans;
    const first = this.#model.first[row.track] ?? 0;
    const count = this.#model.tracks.words("count")[row.track] ?? 0;
    const near = { from: this.#scale.time(x - 2), to: this.#scale.time(x + 2) };
    const [begin, stop] = inSight(start, end, first, count, near);
    const time = this.#scale.time(x);
    let best: number | null = null;
    for (let span = begin; span < stop; span += 1) {
      if ((start[span] as number) <= time && time < (end[span] as number)) return span;
      best ??= span;
    }
    return best;
  }

  #listen(canvas: HTMLCanvasElement): void {
    const onLanes = canvas === this.#lanes;
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.#press(event, canvas));
    canvas.addEventListener("click", ({ detail, offsetX, offsetY }) => {
      if (detail < 2 && !this.#moved) this.#click(offsetX, offsetY, onLanes);
    });
    canvas.addEventListener("pointermove", (event) => this.#hover(event, canvas, onLanes));
    canvas.addEventListener("pointerleave", () => {
      this.#hovered = null;
      this.#hint.hide();
      this.#redraw();
    });
  }

  /** Zooms; to the side it moves. Where all is in sight already, the page may scroll on. */
  #wheel(event: WheelEvent): void {
    const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (sideways) {
      const by = event.deltaX || event.deltaY;
      event.preventDefault();
      this.#look(this.#scale.panned(by / this.#scale.width));
      return;
    }
    const overflows = this.#spacer.clientHeight > this.#scroller.clientHeight + 1;
    const overLanes = event.currentTarget === this.#lanes;
    if (overLanes && overflows && !event.ctrlKey && !event.metaKey) return;
    if (event.deltaY > 0 && this.#scale.isWhole) return;
    event.preventDefault();
    this.#look(this.#scale.zoomed(event.offsetX, Math.exp(Math.max(-1, Math.min(1, event.deltaY / 240)))));
  }

  /** A click selects, a drag selects a piece of time; with shift, or by touch, it moves. */
  #press(event: PointerEvent, canvas: HTMLCanvasElement): void {
    if (event.button !== 0) return;
    const { pointerId: pointer } = event;
    let begin = { x: event.offsetX, scale: this.#scale };
    const isTouch = event.pointerType === "touch";
    const moves = event.shiftKey || isTouch;
    if (isTouch) this.#touches.set(pointer, begin.x);
    this.#moved = false;
    canvas.setPointerCapture(event.pointerId);
    const move = (event: PointerEvent) => {
      if (event.pointerId !== pointer) return;
      const x = event.offsetX;
      const other = [...this.#touches].find(([touch]) => touch !== pointer)?.[1];
      if (other !== undefined) {
        this.#pinch(this.#touches.get(pointer) ?? x, x, other);
        this.#touches.set(pointer, x);
        begin = { x, scale: this.#scale };
        return;
      }
      this.#moved ||= Math.abs(x - begin.x) >= CLICK;
      if (!this.#moved) return;
      if (moves) {
        this.#look(begin.scale.panned((begin.x - x) / begin.scale.width));
        return;
      }
      const [from, to] = [begin.x, x].map((x) => this.#clamped(x)).sort((a, b) => a - b) as [number, number];
      this.#dragged = { from, to };
      this.#redraw();
    };
    const end = (event: PointerEvent) => {
      if (event.pointerId !== pointer) return;
      this.#touches.delete(pointer);
      canvas.removeEventListener("pointermove", move);
      canvas.removeEventListener("pointerup", end);
      canvas.removeEventListener("pointercancel", end);
      const range = this.#dragged;
      this.#dragged = null;
      if (range) this.#page.selection.set({ range });
    };
    canvas.addEventListener("pointermove", move);
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
  }

  /** Zooms as two fingers go apart: one from `before` to `now`, while the other one rests. */
  #pinch(before: number, now: number, other: number): void {
    this.#moved = true;
    const [apart, together] = [now, before].map((x) => Math.max(Math.abs(x - other), FINGER)) as [number, number];
    this.#look(this.#scale.zoomed((now + other) / 2, together / apart));
  }

  #clamped(x: number): number {
    const { from, to } = this.#model.whole;
    return Math.min(Math.max(this.#scale.time(x), from), to);
  }

  #click(x: number, y: number, onLanes: boolean): void {
    const span = onLanes ? this.#spanAt(x, y) : this.#pathAt(x, y);
    if (span !== null) this.#pick(span);
    else if (this.#page.selection.now.range) this.#page.selection.set({ range: null });
    else this.#pick(null);
  }

  /** The span of the action that the critical path ran through there. */
  #pathAt(x: number, y: number): number | null {
    const piece = this.#pieceAt(x, y);
    const action = piece === null ? null : this.#model.path.number("action", piece);
    return action === null ? null : this.#model.spanOfAction(action);
  }

  /** The piece of the critical path at a place of the chart. */
  #pieceAt(x: number, y: number): number | null {
    if (y < HEAD - 28) return null;
    const { path } = this.#model;
    const time = this.#scale.time(x);
    const found = path.rows().find((row) => path.number("start", row) <= time && time < path.number("end", row));
    return found ?? null;
  }

  #hover(event: PointerEvent, canvas: HTMLCanvasElement, onLanes: boolean): void {
    if (event.buttons !== 0) {
      this.#hint.hide();
      return;
    }
    const { offsetX: x, offsetY: y } = event;
    const span = onLanes ? this.#spanAt(x, y) : null;
    if (span !== this.#hovered) {
      this.#hovered = span;
      this.#redraw();
    }
    canvas.style.cursor = span === null ? "crosshair" : "pointer";
    const lines = onLanes ? this.#hintOfLanes(span, x, y) : this.#hintOfChart(x, y);
    if (lines.length === 0) this.#hint.hide();
    else this.#hint.show(lines, x, canvas.offsetTop + y + (onLanes ? this.#scroller.offsetTop : 0), this.#scale.width);
  }

  #hintOfLanes(span: number | null, x: number, y: number): string[] {
    const model = this.#model;
    if (span === null) {
      const row = this.#rows[rowAt(this.#rows, y + this.#scroller.scrollTop)];
      const label = row ? model.tracks.name("label", row.track) : "";
      return label === "" ? [] : [label];
    }
    const lines = [title(model, span), ...facts(model, span, false).map(([what, value]) => `${what}: ${value}`)];
    const process = model.processOf(span);
    const marks = model.data.table("marks");
    if (process === null || marks.count === 0 || this.#grouping !== 1) return lines;
    const [begin, end] = marksOf(marks.words("process"), process);
    const near = 3 * this.#scale.pixel;
    const time = this.#scale.time(x);
    for (let mark = begin; mark < end; mark += 1) {
      const from = marks.number("from", mark);
      const to = marks.number("to", mark);
      if (from - near > time || to + near < time) continue;
      const binds = marks.number("binds", mark);
      const bound = binds > 0 ? `, ${counted(binds, "bind")}` : "";
      const label = marks.name("label", mark);
      lines.push(from === to && binds === 0 ? `loads ${label}` : `${label}: ${duration(to - from)}${bound}`);
      if (lines.length > 16) break;
    }
    return lines;
  }

  #hintOfChart(x: number, y: number): string[] {
    const { data, path } = this.#model;
    const time = this.#scale.time(x);
    const piece = this.#pieceAt(x, y);
    if (piece !== null) {
      const length = path.number("end", piece) - path.number("start", piece);
      return [path.name("label", piece), `${duration(length)} of the critical path`];
    }
    const bin = Math.floor(time / Math.max(data.table("chart").number("bin", 0), 1));
    const lines = [
      `at ${duration(time)}`,
      `${data.table("cpu").number("cores", bin).toFixed(2)} cores in use`,
      `${data.table("under_way").number("count", bin).toFixed(1)} under way`,
      `${data.table("waiting").number("count", bin).toFixed(1)} waiting for a slot`,
    ];
    const near = 5 * this.#scale.pixel;
    const losses = data.table("losses");
    for (const loss of losses.rows()) {
      if (losses.number("from", loss) - near <= time && time <= losses.number("to", loss) + near) {
        lines.push(`lost: ${losses.number("count", loss)} ${losses.name("what", loss)} (${losses.name("why", loss)})`);
      }
    }
    const spots = data.table("blind_spots");
    for (const spot of spots.rows()) {
      if (Math.abs(spots.number("time", spot) - time) <= near && y < AXIS + 8) {
        lines.push(`not seen: ${spots.name("what", spot)} (${spots.name("why", spot)})`);
      }
    }
    return lines;
  }

  /** Spans of the rows that are shown, by row and time. */
  #inSight(): Listed<number> {
    const model = this.#model, scale = this.#scale;
    const { start, end } = model.spans;
    const counts = model.tracks.words("count");
    return {
      caption: `From ${duration(scale.from)} to ${duration(scale.to)}`,
      head: ["what", "start", "length", "more"],
      all: this.#rows.flatMap(({ track }) => {
        const [begin, stop] = inSight(start, end, model.first[track] ?? 0, counts[track] ?? 0, scale);
        return Array.from({ length: stop - begin }, (_, at) => begin + at);
      }),
      row: (span) => {
        const more = facts(model, span, false).map(([what, value]) => `${what}: ${value}`);
        const [from, to] = [start[span] as number, end[span] as number];
        return [title(model, span), () => this.#pick(span), duration(from), duration(to - from), name(more.slice(1).join("; "))];
      },
      numeric: [false, true, true, false],
    };
  }
}
