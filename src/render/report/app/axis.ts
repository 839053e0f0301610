// Marks of a time axis at round times.

import { duration } from "./format.js";

export interface Tick {
  /** Nanoseconds. */
  at: number;
  label: string;
}

const SECOND = 1e9;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Round lengths of time: 1, 2, 5 of each power of ten up to seconds, then those of the clock. */
const STEPS = [
  ...Array.from({ length: 9 }, (_, power) => [1, 2, 5].map((n) => n * 10 ** power)).flat(),
  ...[1, 2, 5, 10, 20, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 20, 30].map((n) => n * MINUTE),
  ...[1, 2, 5, 10, 20, 50, 100].map((n) => n * HOUR),
];

/** Marks from one time to another, about `most` of them at most. */
export function ticks(from: number, to: number, most: number): Tick[] {
  const length = Math.max(to - from, 1);
  const step = STEPS.find((step) => length / step <= Math.max(most, 1)) ?? length;
  const ticks: Tick[] = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
    ticks.push({ at, label: label(at, step) });
  }
  return ticks;
}

const UNITS = [
  [SECOND, "s"],
  [1e6, "ms"],
  [1e3, "µs"],
] as const;

function label(at: number, step: number): string {
  if (at === 0) return "0";
  if (step >= 10 * SECOND) return at < MINUTE ? `${at / SECOND} s` : duration(at);
  // Milliseconds behind seconds are written as parts of those, and so are shorter ones.
  const [unit, name] = UNITS.find(([unit]) => at >= unit) ?? [1, "ns"];
  const decimals = Math.max(0, Math.ceil(-Math.log10(step / unit) - 1e-9));
  return `${(at / unit).toFixed(decimals)} ${name}`;
}
