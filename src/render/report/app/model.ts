// What the tables of the timeline say, in terms of rows.

import { type Data, NONE, type Table } from "./data.js";
import type { Range } from "./layout.js";

/** Views of the timeline, by their number in `tracks.view`. */
export const GROUPINGS = [
  { view: 0, id: "slots", title: "Slots", what: "actions of the build, in as few lanes as hold them" },
  { view: 1, id: "processes", title: "Processes", what: "every program by itself, its phases below" },
  { view: 2, id: "threads", title: "Threads", what: "when each thread ran and waited" },
  { view: 3, id: "goroutines", title: "Goroutines", what: "calls and states of goroutines" },
  { view: 4, id: "beside", title: "Beside base", what: "the slots of this trace above those of base" },
] as const;

/** Views that are drawn in ways of their own. */
export const PROCESSES = 1;
export const GOROUTINES = 3;
export const BESIDE = 4;

/** `spans.kind`. */
export const ACTION = 0;
export const PROCESS = 1;
export const PHASE = 2;
export const WAITS = 4;
export const BASE = 6;

/** `spans.flags`. */
export const CRITICAL = 1;
export const OPEN = 2;

/** `path.kind`. */
export const RUNNING = 0;
export const WAITING = 1;
export const GO_ITSELF = 3;
export const OUTSIDE = 4;

export interface Spans {
  readonly start: Float64Array;
  readonly end: Float64Array;
  readonly label: Uint32Array;
  readonly colour: Uint8Array;
  readonly kind: Uint8Array;
  readonly flags: Uint8Array;
  readonly of: Uint32Array;
  readonly count: Uint32Array;
  readonly busy: Float64Array;
}

export class Model {
  /** From the command's start to the end of the trace, in nanoseconds. */
  readonly whole: Range;
  readonly spans: Spans;
  readonly tracks: Table;
  readonly actions: Table;
  readonly processes: Table;
  readonly path: Table;
  readonly colours: Table;
  /** Where the spans of each track begin. */
  readonly first: Uint32Array;
  /** The track of each span. */
  #trackOf: Uint32Array | null = null;
  #ofActions: Uint32Array | null = null;
  #ofProcesses: Uint32Array | null = null;
  #phaseTracks: Map<number, number> | null = null;
  #unlocks: number[][] | null = null;

  constructor(readonly data: Data) {
    const spans = data.table("spans");
    this.spans = {
      start: spans.numbers("start"),
      end: spans.numbers("end"),
      label: spans.words("label"),
      colour: spans.bytes("colour"),
      kind: spans.bytes("kind"),
      flags: spans.bytes("flags"),
      of: spans.words("of"),
      count: spans.words("count"),
      busy: spans.numbers("busy"),
    };
    this.tracks = data.table("tracks");
    this.actions = data.table("actions");
    this.processes = data.table("processes");
    this.path = data.table("path");
    const from = this.path.number("start", 0);
    this.whole = { from, to: Math.max(data.table("run").number("end", 0), from + 1) };
    this.colours = data.table("colours");
    const counts = this.tracks.words("count");
    this.first = new Uint32Array(counts.length);
    for (let at = 1; at < counts.length; at += 1) {
      this.first[at] = (this.first[at - 1] as number) + (counts[at - 1] as number);
    }
  }

  /** All of the time that a view has spans in: a base may have taken longer. */
  wholeOf(view: number): Range {
    if (view !== BESIDE) return this.whole;
    const counts = this.tracks.words("count");
    const { from } = this.whole;
    let { to } = this.whole;
    for (const track of this.tracksOf(view)) {
      const count = counts[track] ?? 0;
      if (count > 0) to = Math.max(to, this.spans.end[(this.first[track] ?? 0) + count - 1] ?? 0);
    }
    return { from, to };
  }

  /** The tracks of a view, in the order in which they are drawn. */
  tracksOf(view: number): number[] {
    const views = this.tracks.bytes("view");
    return this.tracks.rows().filter((track) => views[track] === view);
  }

  trackOfSpan(span: number): number {
    if (!this.#trackOf) {
      const of = new Uint32Array(this.spans.start.length);
      const counts = this.tracks.words("count");
      this.first.forEach((first, track) => of.fill(track, first, first + (counts[track] ?? 0)));
      this.#trackOf = of;
    }
    return this.#trackOf[span] ?? 0;
  }

  label(span: number): string {
    return this.data.names.get(this.spans.label[span] ?? 0);
  }

  /** The track of the phases of a program, as long as they divide its time. */
  phasesOf(process: number): number | null {
    if (!this.#phaseTracks) {
      this.#phaseTracks = new Map();
      const views = this.tracks.bytes("view");
      const depths = this.tracks.bytes("depth");
      const processes = this.tracks.words("process");
      for (const track of this.tracks.rows()) {
        const process = processes[track] as number;
        // The first below a program: what goes on beside those is below them.
        if (views[track] === PROCESSES && depths[track] === 1 && !this.#phaseTracks.has(process)) {
          this.#phaseTracks.set(process, track);
        }
      }
    }
    return this.#phaseTracks.get(process) ?? null;
  }

  /** The package that a span is about; empty for none. */
  packageOf(span: number): string {
    const action = this.actionOf(span);
    if (action !== null) return this.actions.name("package", action);
    const process = this.processOf(span);
    return process === null ? "" : this.processes.name("package", process);
  }

  /** The name of the track that a span lies on. */
  trackLabel(span: number): string {
    return this.tracks.name("label", this.trackOfSpan(span));
  }

  /** Row of the action that a span shows. */
  actionOf(span: number): number | null {
    return this.spans.kind[span] === ACTION ? row(this.spans.of[span]) : null;
  }

  /** Row of the program that a span shows, or is a part of. */
  processOf(span: number): number | null {
    const action = this.actionOf(span);
    if (action !== null) return row(this.actions.words("process")[action]);
    return row(this.spans.of[span]);
  }

  /** The span that shows an action. */
  spanOfAction(action: number): number | null {
    this.#ofActions ??= this.#spansOf(ACTION, this.actions.count);
    return row(this.#ofActions[action]);
  }

  /** The span that shows a program in a row of its own. */
  spanOfProcess(process: number): number | null {
    this.#ofProcesses ??= this.#spansOf(PROCESS, this.processes.count);
    return row(this.#ofProcesses[process]);
  }

  #spansOf(kind: number, count: number): Uint32Array {
    const found = new Uint32Array(count).fill(NONE);
    const { kind: kinds, of } = this.spans;
    kinds.forEach((one, span) => {
      const row = of[span] as number;
      if (one === kind && row < count && found[row] === NONE) found[row] = span;
    });
    return found;
  }

  /** The action whose end an action waited for. */
  waitedFor(action: number): number | null {
    return row(this.actions.words("waited_for")[action]);
  }

  /** The actions that could begin when an action was done. */
  unlockedBy(action: number): number[] {
    if (!this.#unlocks) {
      this.#unlocks = this.actions.rows().map(() => []);
      this.actions.words("waited_for").forEach((gate, waiting) => this.#unlocks?.[gate]?.push(waiting));
    }
    return this.#unlocks[action] ?? [];
  }
}

/** A row, or null for none. */
export function row(word: number | undefined): number | null {
  return word === undefined || word === NONE ? null : word;
}
