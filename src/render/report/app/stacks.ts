// What was spent in which path of functions, merged anew for whatever is selected. Numbers in, numbers out.

import type { Data } from "./data.js";
import type { Range } from "./layout.js";

/** The path of no function. */
export const ROOT = 0;

/** `cells.kind`. */
export const RUNNING = 0;
export const CALLS = 2;
export const PROFILE = 3;
/** What threads ran in base: its programs are those of `base_processes`. */
export const BASE = 4;
export const KINDS = [
  { kind: 0, id: "cpu", title: "CPU", what: "samples of threads that ran" },
  { kind: 1, id: "waiting", title: "Waiting", what: "samples of threads that waited" },
  { kind: 2, id: "calls", title: "Calls", what: "calls of the functions that were watched" },
  { kind: 3, id: "profiles", title: "Profiles", what: "the CPU profiles that tools wrote of themselves; they have no times" },
] as const;

/** Time, and of how many samples or calls it is. */
export interface Weight {
  time: number;
  count: number;
}

/** What was spent in paths: by path, each once, with sums of all before it. */
export class Spent {
  private constructor(
    readonly paths: Uint32Array,
    private readonly times: Float64Array,
    private readonly counts: Float64Array,
  ) {}

  /** Adds up what belongs to a path. */
  static of(paths: ArrayLike<number>, times: ArrayLike<number>, counts: ArrayLike<number>): Spent {
    const order = Uint32Array.from(paths, (_, at) => at).sort((a, b) => (paths[a] as number) - (paths[b] as number));
    const found: number[] = [];
    const sums = [0];
    const counted = [0];
    for (const at of order) {
      const path = paths[at] as number;
      if (found.at(-1) !== path) {
        found.push(path);
        sums.push(sums.at(-1) as number);
        counted.push(counted.at(-1) as number);
      }
      sums[found.length] = (sums[found.length] as number) + (times[at] as number);
      counted[found.length] = (counted[found.length] as number) + (counts[at] as number);
    }
    return new Spent(Uint32Array.from(found), Float64Array.from(sums), Float64Array.from(counted));
  }

  /** The place of the first path that is not before this one. */
  place(path: number): number {
    let low = 0;
    let high = this.paths.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.paths[middle] as number) < path) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** What was spent in the paths from one place to another. */
  sum(from: number, to: number): Weight {
    const of = (sums: Float64Array) => (sums[to] as number) - (sums[from] as number);
    return { time: of(this.times), count: of(this.counts) };
  }

  get all(): Weight {
    return this.sum(0, this.paths.length);
  }
}

/** Differences of fewer standard errors are left to chance, as `gotrace flamegraph --base` does. */
const STANDARD_ERRORS = 2;

/** Whether two sums of samples, taken at random moments, lie so near to each other that chance may be all that is
 * between them: of a count of samples the variance is that count (Poisson). */
export function byChance(one: Weight, other: Weight): boolean {
  const variance = ({ time, count }: Weight) => (count > 0 ? (time * time) / count : 0);
  return Math.abs(one.time - other.time) <= STANDARD_ERRORS * Math.sqrt(variance(one) + variance(other));
}

/** A box of a flame graph. */
export interface Frame {
  /** Tells it from its siblings, in whatever is selected. */
  readonly key: string;
  /** Row of `functions`; null for what is none. */
  readonly function: number | null;
  /** Row of `paths`, where all of it is one. */
  readonly path: number | null;
  /** Without what it calls. */
  readonly own: Weight;
  readonly total: Weight;
  /** The heaviest first. */
  children(): Frame[];
}

/** Boxes over all others, and over each of a few groups. */
class Group implements Frame {
  readonly function = null;
  readonly path = null;
  readonly own = { time: 0, count: 0 };
  readonly total: Weight;
  #made: Frame[] | null = null;

  constructor(
    readonly key: string,
    private readonly make: () => Frame[],
    total: Weight,
  ) {
    this.total = total;
  }

  children(): Frame[] {
    this.#made ??= heaviest(this.make());
    return this.#made;
  }
}

function heaviest(frames: Frame[]): Frame[] {
  return frames.sort((a, b) => b.total.time - a.total.time || b.total.count - a.total.count);
}

/** A function, called by those of its path. */
class Called implements Frame {
  readonly key: string;
  readonly function: number;
  readonly own: Weight;
  readonly total: Weight;
  #made: Frame[] | null = null;

  constructor(
    private readonly stacks: Stacks,
    private readonly spent: Spent,
    readonly path: number,
    private readonly from: number,
    to: number,
  ) {
    this.function = stacks.functions[path] as number;
    this.key = String(this.function);
    this.total = spent.sum(from, to);
    this.own = spent.sum(from, spent.paths[from] === path ? from + 1 : from);
  }

  children(): Frame[] {
    this.#made ??= heaviest(this.stacks.below(this.spent, this.path, this.from));
    return this.#made;
  }
}

/** A function, and who called what stands below it; many paths. */
class Caller implements Frame {
  readonly key: string;
  readonly function: number;
  readonly path = null;
  readonly own: Weight = { time: 0, count: 0 };
  readonly total: Weight = { time: 0, count: 0 };
  readonly #callers: number[] = [];
  readonly #weights: Weight[] = [];
  #made: Frame[] | null = null;

  constructor(
    private readonly stacks: Stacks,
    of: number,
  ) {
    this.function = of;
    this.key = String(of);
  }

  add(path: number, weight: Weight): void {
    const caller = this.stacks.parents[path] as number;
    grow(this.total, weight);
    if (caller === ROOT) grow(this.own, weight);
    else {
      this.#callers.push(caller);
      this.#weights.push(weight);
    }
  }

  children(): Frame[] {
    this.#made ??= heaviest(this.stacks.callers(this.#callers, this.#weights));
    return this.#made;
  }
}

function grow(sum: Weight, weight: Weight): void {
  sum.time += weight.time;
  sum.count += weight.count;
}

/** What passes: of which programs, and when. */
export interface Filter {
  takes: (process: number) => boolean;
  range: Range | null;
}

/** All paths of the page, and who spent what in them. */
export class Stacks {
  readonly parents: Uint32Array;
  readonly functions: Uint32Array;
  /** Kinds that there are. */
  readonly kinds: ReadonlySet<number>;
  /** Behind the last path that begins with this one. */
  readonly #ends: Uint32Array;
  /** Whether no function of a path is its last one, too. */
  #outermost: Uint8Array | null = null;
  readonly #kind: Uint8Array;
  readonly #process: Uint32Array;
  readonly #path: Uint32Array;
  readonly #to: Uint32Array;
  readonly #length: Uint32Array;
  readonly #time: Float64Array;
  readonly #count: Uint32Array;
  readonly #unit: number;
  readonly #step: number;

  constructor(data: Data) {
    const paths = data.table("paths");
    const cells = data.table("cells");
    this.parents = paths.words("above").map((above, path) => path - above);
    this.functions = paths.words("function");
    this.#ends = Uint32Array.from(this.parents, (_, path) => path + 1);
    for (let path = this.parents.length - 1; path > ROOT; path -= 1) {
      const parent = this.parents[path] as number;
      this.#ends[parent] = Math.max(this.#ends[parent] as number, this.#ends[path] as number);
    }
    this.#kind = cells.bytes("kind");
    this.kinds = new Set(this.#kind);
    this.#process = cells.words("process");
    this.#path = cells.words("path");
    this.#to = cells.words("to");
    this.#length = cells.words("length");
    this.#time = cells.numbers("time");
    this.#count = cells.words("count");
    this.#unit = data.table("sampling").number("unit", 0);
    this.#step = data.table("sampling").number("step", 0);
  }

  /** Whether what is in a piece of time is no more than estimated: cells are merged samples, and the time of a call
   * is taken to be spread evenly over it. */
  isEstimate(kind: number, { range }: Pick<Filter, "range">): boolean {
    return range !== null && (this.#step > 0 || kind === CALLS);
  }

  /** Calls `each` with the cells of a kind that pass, and how much of them does. */
  walk(kind: number, { takes, range }: Filter, each: (process: number, path: number, weight: Weight, cell: number) => void): void {
    for (let cell = 0; cell < this.#kind.length; cell += 1) {
      const process = this.#process[cell] as number;
      if (this.#kind[cell] !== kind || !takes(process)) continue;
      const part = range === null ? 1 : this.#part(cell, range);
      if (part === 0) continue;
      const time = (this.#time[cell] as number) * part;
      each(process, this.#path[cell] as number, { time, count: (this.#count[cell] as number) * part }, cell);
    }
  }

  /** The time of what passes. */
  timeOf(kind: number, filter: Filter): number {
    let sum = 0;
    this.walk(kind, filter, (_process, _path, { time }) => (sum += time));
    return sum;
  }

  /** How much of a cell lies in a piece of time. One that lasts is taken to be spread evenly. */
  #part(cell: number, range: Range): number {
    if (this.#kind[cell] === PROFILE) return 0;
    const to = (this.#to[cell] as number) * this.#unit;
    const length = (this.#length[cell] as number) * this.#unit;
    if (length === 0) return range.from <= to && to < range.to ? 1 : 0;
    const overlap = Math.min(to, range.to) - Math.max(to - length, range.from);
    return Math.max(overlap, 0) / length;
  }

  /** What passes, by path; apart for each group that `groupOf` gives. */
  groups(kind: number, filter: Filter, groupOf: (process: number) => string): Map<string, Spent> {
    const found = new Map<string, { paths: number[]; times: number[]; counts: number[] }>();
    this.walk(kind, filter, (process, path, { time, count }) => {
      const name = groupOf(process);
      const group = found.get(name) ?? { paths: [], times: [], counts: [] };
      if (group.paths.length === 0) found.set(name, group);
      group.paths.push(path);
      group.times.push(time);
      group.counts.push(count);
    });
    return new Map([...found].map(([name, { paths, times, counts }]) => [name, Spent.of(paths, times, counts)]));
  }

  /** The box below all others: of groups, where there are more than the nameless one. */
  flame(groups: ReadonlyMap<string, Spent>, inverted: boolean): Frame {
    const boxes = (spent: Spent) => () => (inverted ? this.#innermost(spent) : this.below(spent, ROOT, 0));
    const total = { time: 0, count: 0 };
    for (const spent of groups.values()) grow(total, spent.all);
    const only = groups.get("");
    if (only && groups.size === 1) return new Group("", boxes(only), total);
    return new Group("", () => [...groups].map(([name, spent]) => new Group(name, boxes(spent), spent.all)), total);
  }

  /** What a path calls; what was spent in it begins at this place. */
  below(spent: Spent, path: number, from: number): Frame[] {
    const frames: Frame[] = [];
    const end = this.#ends[path] ?? 0;
    for (let child = path + 1; child < end; child = this.#ends[child] as number) {
      while ((spent.paths[from] ?? end) < child) from += 1;
      const to = spent.place(this.#ends[child] as number);
      if (to > from) frames.push(new Called(this, spent, child, from, to));
      from = to;
    }
    return frames;
  }

  /** The functions in which all was spent. */
  #innermost(spent: Spent): Frame[] {
    const weights = Array.from(spent.paths, (_, at) => spent.sum(at, at + 1));
    return this.callers(spent.paths, weights);
  }

  /** Boxes for the last functions of paths. */
  callers(paths: ArrayLike<number>, weights: readonly Weight[]): Frame[] {
    const found = new Map<number, Caller>();
    weights.forEach((weight, at) => {
      const path = paths[at] as number;
      if (path === ROOT) return;
      const last = this.functions[path] as number;
      const frame = found.get(last) ?? new Caller(this, last);
      found.set(last, frame);
      frame.add(path, weight);
    });
    return [...found.values()];
  }

  /** What was spent in paths that have one of these functions, each counted once. */
  sumOf(spent: Spent, functions: ReadonlySet<number>): Weight {
    const sum = { time: 0, count: 0 };
    const hits = new Uint8Array(this.parents.length);
    for (let path = ROOT + 1; path < hits.length; path += 1) {
      hits[path] = functions.has(this.functions[path] as number) ? 1 : (hits[this.parents[path] as number] as number);
    }
    spent.paths.forEach((path, at) => {
      if (hits[path]) grow(sum, spent.sum(at, at + 1));
    });
    return sum;
  }

  /** What each function spent itself, and with what it called: a path counts once for each function in it. */
  functionSums(spent: Spent, count: number): { own: Float64Array; total: Float64Array; counts: Float64Array } {
    const own = new Float64Array(count);
    const total = new Float64Array(count);
    const counts = new Float64Array(count);
    this.#outermost ??= this.#findOutermost();
    let from = 0;
    for (let path = ROOT + 1; path < this.parents.length; path += 1) {
      while (from < spent.paths.length && (spent.paths[from] as number) < path) from += 1;
      const last = this.functions[path] as number;
      if (spent.paths[from] === path) {
        const weight = spent.sum(from, from + 1);
        own[last] = (own[last] as number) + weight.time;
        counts[last] = (counts[last] as number) + weight.count;
      }
      if (this.#outermost[path]) {
        const sum = spent.sum(from, spent.place(this.#ends[path] as number));
        total[last] = (total[last] as number) + sum.time;
      }
    }
    return { own, total, counts };
  }

  #findOutermost(): Uint8Array {
    const found = new Uint8Array(this.parents.length);
    /** How often each function stands in the path that is walked. */
    const open = new Map<number, number>();
    const walked: number[] = [];
    for (let path = ROOT + 1; path < found.length; path += 1) {
      while (walked.length > 0 && walked.at(-1) !== this.parents[path]) {
        const last = this.functions[walked.pop() as number] as number;
        open.set(last, (open.get(last) as number) - 1);
      }
      const last = this.functions[path] as number;
      const before = open.get(last) ?? 0;
      found[path] = before === 0 ? 1 : 0;
      open.set(last, before + 1);
      walked.push(path);
    }
    return found;
  }
}

/** A frame where it is drawn. */
export interface Box {
  frame: Frame;
  /** Of the caller; null around the root. */
  around: Box | null;
  depth: number;
  x: number;
  width: number;
}

/** Lays the frames from the root to the last of `focus` over each other in full width, and what that one calls
 * below it, as wide as it is heavy; narrower ones than `least` are left out. */
export function boxes(root: Frame, focus: readonly Frame[], width: number, least: number): Box[] {
  const found: Box[] = [];
  for (const frame of [root, ...focus]) found.push({ frame, around: found.at(-1) ?? null, depth: found.length, x: 0, width });
  const open = found.slice(-1);
  for (let box = open.pop(); box; box = open.pop()) {
    let x = box.x;
    for (const frame of box.frame.children()) {
      const part = frame.total.time / Math.max(box.frame.total.time, 1);
      const next = { frame, around: box, depth: box.depth + 1, x, width: box.width * part };
      x += next.width;
      if (next.width < least) break;
      found.push(next);
      open.push(next);
    }
  }
  return found;
}

/** The frames of these keys, from the root on, as far as there are such. */
export function follow(root: Frame, keys: readonly string[]): Frame[] {
  const found: Frame[] = [];
  let at = root;
  for (const key of keys) {
    const next = at.children().find((frame) => frame.key === key);
    if (!next) break;
    found.push(next);
    at = next;
  }
  return found;
}

/** The boxes of one picture that are those of another. */
export class Counterparts {
  readonly #found = new Map<Frame, Frame | null>();

  constructor(root: Frame, other: Frame) {
    this.#found.set(root, other);
  }

  /** What a box is in the other picture, where it is there. */
  of({ frame, around }: Box): Frame | null {
    const known = this.#found.get(frame);
    if (known !== undefined) return known;
    const outer = around && this.of(around);
    const found = outer?.children().find(({ key }) => key === frame.key) ?? null;
    this.#found.set(frame, found);
    return found;
  }
}
