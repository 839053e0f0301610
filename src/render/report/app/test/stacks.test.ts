// Trees by hand:
//
//   1 main             own 5
//   2 ├ work           own 10
//   3 │ └ work         own 20   (it calls itself)
//   4 │   └ leaf       own 1
//   5 └ leaf           own 4
//   6 other            own 60

import assert from "node:assert/strict";
import { test } from "node:test";
import { boxes, type Filter, follow, type Frame, Stacks } from "../stacks.js";
import { made } from "./made.js";

const [MAIN, WORK, LEAF, OTHER] = [0, 1, 2, 3];
const PARENTS = [0, 0, 1, 2, 3, 1, 0];
const FUNCTIONS = [0, MAIN, WORK, WORK, LEAF, LEAF, OTHER];

interface Cell {
  process: number;
  path: number;
  to: number;
  length?: number;
  time: number;
  kind?: number;
}

const CELLS: Cell[] = [
  { process: 0, path: 1, to: 1, time: 5 },
  { process: 0, path: 2, to: 2, time: 10 },
  { process: 1, path: 3, to: 3, time: 20 },
  { process: 1, path: 4, to: 4, time: 1 },
  { process: 1, path: 5, to: 5, time: 4 },
  { process: 1, path: 6, to: 6, time: 60 },
];

function stacks(cells: Cell[]): Stacks {
  const paths = PARENTS.map((parent, path) => ({ "above@": path - parent, "function@": FUNCTIONS[path] as number }));
  const rows = cells.map(({ process, path, to, length, time, kind }) => ({
    "kind#": kind ?? 0,
    "process@": process,
    "path@": path,
    "to@": to,
    "length@": length ?? 0,
    time,
    "count@": 1,
  }));
  return new Stacks(made({ paths, cells: rows, sampling: [{ unit: 10 }] }));
}

const ALL: Filter = { takes: () => true, range: null };

/** All frames, as `depth key own/total`. */
function lines(frame: Frame, depth = 0): string[] {
  const line = `${"  ".repeat(depth)}${frame.key} ${frame.own.time}/${frame.total.time}`;
  return [line, ...frame.children().flatMap((child) => lines(child, depth + 1))];
}

test("stacks are merged from the root on, the heaviest first", () => {
  const all = stacks(CELLS);
  assert.deepEqual(lines(all.flame(all.groups(0, ALL, () => ""), false)), [
    " 0/100",
    "  3 60/60",
    "  0 5/40",
    "    1 10/31",
    "      1 20/21",
    "        2 1/1",
    "    2 4/4",
  ]);
});

test("inverted, each function stands with who called it", () => {
  const all = stacks(CELLS);
  assert.deepEqual(lines(all.flame(all.groups(0, ALL, () => ""), true)), [
    " 0/100",
    "  3 60/60",
    "  1 0/30",
    "    1 0/20",
    "      0 20/20",
    "    0 10/10",
    // As long, in more samples.
    "  2 0/5",
    "    0 4/4",
    "    1 0/1",
    "      1 0/1",
    "        0 1/1",
    "  0 5/5",
  ]);
});

test("groups stand below the stacks of their programs", () => {
  const all = stacks(CELLS);
  const groups = all.groups(0, ALL, (process) => (process === 0 ? "compile" : "link"));
  assert.deepEqual(lines(all.flame(groups, false)).slice(0, 4), [" 0/100", "  link 0/85", "    3 60/60", "    0 0/25"]);
});

test("what is selected limits programs and time", () => {
  const all = stacks([...CELLS, { process: 0, path: 6, to: 20, length: 10, time: 50, kind: 1 }]);
  const only = { takes: (process: number) => process === 1, range: null };
  assert.equal(all.flame(all.groups(0, only, () => ""), false).total.time, 85);
  // A unit is 10: the samples at 30, 40 and 50, but not the one at 60, where the piece of time ends.
  const piece = { takes: () => true, range: { from: 30, to: 60 } };
  assert.equal(all.flame(all.groups(0, piece, () => ""), false).total.time, 25);
  // It waited from 100 to 200.
  const half = { takes: () => true, range: { from: 150, to: 1_000 } };
  assert.equal(all.flame(all.groups(1, half, () => ""), false).total.time, 25);
  assert.deepEqual([...all.kinds], [0, 1]);
  assert.deepEqual(lines(all.flame(all.groups(2, ALL, () => ""), false)), [" 0/0"]);
});

test("a profile has no time that could be selected", () => {
  const all = stacks([{ process: 0, path: 1, to: 0, time: 7, kind: 3 }]);
  const from = { takes: () => true, range: { from: 0, to: 10 } };
  assert.equal(all.flame(all.groups(3, from, () => ""), false).total.time, 0);
  assert.equal(all.flame(all.groups(3, ALL, () => ""), false).total.time, 7);
});

test("a function that calls itself is counted once", () => {
  const all = stacks(CELLS);
  const spent = all.groups(0, ALL, () => "").get("");
  assert.ok(spent);
  const { own, total, counts } = all.functionSums(spent, 4);
  assert.deepEqual([...own], [5, 30, 5, 60]);
  assert.deepEqual([...total], [40, 31, 5, 60]);
  assert.deepEqual([...counts], [1, 2, 2, 1]);
  assert.equal(all.sumOf(spent, new Set([LEAF])).time, 5);
  assert.equal(all.sumOf(spent, new Set([WORK, LEAF])).time, 35);
  assert.equal(all.sumOf(spent, new Set()).time, 0);
});

test("boxes are as wide as their time", () => {
  const all = stacks(CELLS);
  const root = all.flame(all.groups(0, ALL, () => ""), false);
  const drawn = (focus: Frame[]) =>
    boxes(root, focus, 1_000, 15).map(({ frame, depth, x, width }) => [frame.key, depth, x, Math.round(width)]);
  assert.deepEqual(drawn([]), [
    ["", 0, 0, 1_000],
    [String(OTHER), 1, 0, 600],
    [String(MAIN), 1, 600, 400],
    [String(WORK), 2, 600, 310],
    [String(LEAF), 2, 910, 40],
    [String(WORK), 3, 600, 210],
  ]);
  const zoomed = follow(root, [String(MAIN), String(WORK), "none"]);
  assert.deepEqual(drawn(zoomed).slice(0, 4), [
    ["", 0, 0, 1_000],
    [String(MAIN), 1, 0, 1_000],
    [String(WORK), 2, 0, 1_000],
    [String(WORK), 3, 0, Math.round(21_000 / 31)],
  ]);
});
