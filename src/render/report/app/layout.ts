// Where things lie: times to pixels, rows of tracks, what is in sight. Numbers in, numbers out.

/** A piece of time in nanoseconds. */
export interface Range {
  from: number;
  to: number;
}

/** The shortest piece of time that is shown: a hundred nanoseconds. */
const NEAREST = 100;

/** Which piece of a trace is in sight, and how wide. */
export class Scale {
  constructor(
    /** All of it. */
    readonly whole: Range,
    readonly from = whole.from,
    readonly to = whole.to,
    readonly width = 1,
  ) {}

  /** Where a time lies. */
  x(time: number): number {
    return ((time - this.from) / (this.to - this.from)) * this.width;
  }

  /** Which time lies there. */
  time(x: number): number {
    return this.from + (x / this.width) * (this.to - this.from);
  }

  /** Nanoseconds of a pixel. */
  get pixel(): number {
    return (this.to - this.from) / this.width;
  }

  get isWhole(): boolean {
    return this.from <= this.whole.from && this.to >= this.whole.to;
  }

  /** All of it, in the same width. */
  zoomedOut(): Scale {
    return new Scale(this.whole).resized(this.width);
  }

  resized(width: number): Scale {
    return new Scale(this.whole, this.from, this.to, Math.max(width, 1));
  }

  /** Shows this piece, moved into the trace and made longer where it is too short. */
  showing(from: number, to: number): Scale {
    const { whole } = this;
    const length = Math.min(Math.max(to - from, NEAREST), whole.to - whole.from);
    const middle = (from + to) / 2;
    const start = Math.min(Math.max(middle - length / 2, whole.from), whole.to - length);
    return new Scale(whole, start, start + length, this.width);
  }

  /** Zooms so that what lies at `x` stays there; a factor below one shows more detail. */
  zoomed(x: number, factor: number): Scale {
    const at = this.time(x);
    const length = Math.min(Math.max((this.to - this.from) * factor, NEAREST), this.whole.to - this.whole.from);
    const from = at - (x / this.width) * length;
    return this.showing(from, from + length);
  }

  /** Moves by a part of what is in sight. */
  panned(part: number): Scale {
    const by = (this.to - this.from) * part;
    return this.showing(this.from + by, this.to + by);
  }
}

/** First of `count` values from `first` on, which ascend, that is greater than `value`. */
export function after(values: ArrayLike<number>, first: number, count: number, value: number): number {
  let low = first;
  let high = first + count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] as number) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The spans of a track that lie in a piece of time, from and to: they do not overlap, and come by time. */
export function inSight(
  starts: Float64Array,
  ends: Float64Array,
  first: number,
  count: number,
  range: Range,
): [number, number] {
  const begin = after(ends, first, count, range.from);
  const end = after(starts, begin, first + count - begin, range.to);
  return [begin, end];
}

/** The mean of values over time, for each pixel of what is in sight. */
export function means(values: Float64Array, bin: number, scale: Scale, pixels: number): Float64Array {
  const means = new Float64Array(pixels);
  const length = (scale.to - scale.from) / pixels;
  for (let pixel = 0; pixel < pixels; pixel += 1) {
    const from = scale.from + pixel * length;
    const to = from + length;
    let sum = 0;
    const last = Math.min(Math.ceil(to / bin), values.length);
    for (let at = Math.floor(from / bin); at < last; at += 1) {
      const overlap = Math.min(to, (at + 1) * bin) - Math.max(from, at * bin);
      sum += (values[at] as number) * Math.max(overlap, 0);
    }
    means[pixel] = sum / length;
  }
  return means;
}

/** A row of the picture: a track, where it lies and how high it is. */
export interface Row {
  track: number;
  y: number;
  height: number;
}

/** Puts tracks below each other: those that begin something in full height, those below it lower. */
export function rows(tracks: Iterable<{ track: number; depth: number }>, heights: Heights): Row[] {
  const rows: Row[] = [];
  let y = 0;
  for (const { track, depth } of tracks) {
    if (depth === 0 && rows.length > 0) y += heights.gap;
    const height = depth === 0 ? heights.full : heights.nested;
    rows.push({ track, y, height });
    y += height;
  }
  return rows;
}

export interface Heights {
  full: number;
  nested: number;
  gap: number;
}

/** Where the last row ends. */
export function bottom(rows: readonly Row[]): number {
  const last = rows.at(-1);
  return last ? last.y + last.height : 0;
}

/** Position of the first row that reaches below `y`; the number of rows where none does. */
export function rowAt(rows: readonly Row[], y: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const row = rows[middle] as Row;
    if (row.y + row.height > y) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Fewer characters of a longer name tell nothing. */
const FEWEST = 4;

/** The text with its middle left out, so that it fits into so many characters. */
export function middle(text: string, most: number): string {
  if (text.length <= most) return text;
  if (most < FEWEST) return "";
  const head = Math.floor((most - 1) / 3);
  return `${text.slice(0, head)}…${text.slice(text.length - (most - 1 - head))}`;
}

/** An import path in so many characters: whole, or its last part, or that with its middle left out. */
export function label(text: string, most: number): string {
  return text.length <= most ? text : middle(text.slice(text.lastIndexOf("/") + 1), most);
}
