// Where things lie, against values worked out by hand.

import assert from "node:assert/strict";
import { test } from "node:test";
import { after, bottom, inSight, label, means, middle, rowAt, rows, Scale } from "../layout.js";

/** A trace of 1000 ns. */
const WHOLE = { from: 0, to: 1000 };

test("a scale goes from times to pixels and back", () => {
  const scale = new Scale(WHOLE, 200, 600, 100);
  assert.equal(scale.x(300), 25);
  assert.equal(scale.time(25), 300);
  assert.equal(scale.pixel, 4);
});

test("zooming keeps what is under the pointer, and never leaves the trace", () => {
  const scale = new Scale(WHOLE, 0, 1000, 100).zoomed(25, 0.5);
  // 250 ns lie at 25 px: 125 ns before it, 375 behind it.
  assert.deepEqual([scale.from, scale.to], [125, 625]);
  assert.equal(scale.x(250), 25);
  const out = scale.zoomed(25, 100);
  assert.deepEqual([out.from, out.to, out.isWhole], [0, 1000, true]);
  const near = scale.zoomed(25, 1e-9);
  assert.equal(near.to - near.from, 100);
});

test("panning stops at both ends", () => {
  const scale = new Scale(WHOLE, 100, 300, 100);
  assert.deepEqual([scale.panned(0.5).from, scale.panned(0.5).to], [200, 400]);
  assert.deepEqual([scale.panned(-9).from, scale.panned(9).to], [0, 1000]);
  const late = new Scale({ from: 50, to: 1000 }, 100, 300, 100);
  assert.deepEqual([late.panned(-9).from, late.panned(-9).to], [50, 250]);
  assert.deepEqual([late.zoomedOut().from, late.zoomedOut().isWhole], [50, true]);
});

test("spans in sight are found at both ends", () => {
  // The spans of another track around three of ours: 0..10, 10..20, 30..40.
  const starts = Float64Array.from([99, 0, 10, 30, 0]);
  const ends = Float64Array.from([100, 10, 20, 40, 1]);
  const seen = (from: number, to: number) => inSight(starts, ends, 1, 3, { from, to });
  assert.deepEqual(seen(0, 100), [1, 4]);
  assert.deepEqual(seen(10, 29), [2, 3]);
  assert.deepEqual(seen(20, 29), [3, 3]);
  assert.deepEqual(seen(35, 36), [3, 4]);
  assert.equal(after(starts, 1, 0, 5), 1);
});

test("the mean of a pixel is that of the bins it covers", () => {
  const values = Float64Array.from([1, 3, 5, 7]);
  // Bins of 10: two pixels of 20 each, four of 10, and eight of 5.
  const of = (pixels: number) => [...means(values, 10, new Scale({ from: 0, to: 40 }, 0, 40, 1), pixels)];
  assert.deepEqual(of(2), [2, 6]);
  assert.deepEqual(of(4), [1, 3, 5, 7]);
  assert.deepEqual(of(8), [1, 1, 3, 3, 5, 5, 7, 7]);
  // From 5 to 15: half of the first bin, half of the second.
  assert.deepEqual([...means(values, 10, new Scale({ from: 0, to: 40 }, 5, 15, 1), 1)], [2]);
});

test("rows lie below each other, what belongs to one without a gap", () => {
  const depths = [0, 1, 0, 0].map((depth, track) => ({ track, depth }));
  const laid = rows(depths, { full: 20, nested: 10, gap: 2 });
  assert.deepEqual(
    laid.map(({ y, height }) => [y, height]),
    [
      [0, 20],
      [20, 10],
      [32, 20],
      [54, 20],
    ],
  );
  assert.equal(bottom(laid), 74);
  assert.deepEqual([0, 19.9, 20, 31, 33, 73.9, 74].map((y) => rowAt(laid, y)), [0, 0, 1, 2, 2, 3, 4]);
});

test("a label that is too long loses its middle", () => {
  assert.equal(middle("internal/runtime/syscall", 24), "internal/runtime/syscall");
  assert.equal(middle("internal/runtime/syscall", 10), "int…yscall");
  assert.deepEqual([4, 3].map((most) => middle("internal", most)), ["i…al", ""]);
  assert.deepEqual([24, 23, 7, 6].map((most) => label("internal/runtime/syscall", most)), [
    "internal/runtime/syscall",
    "syscall",
    "syscall",
    "s…call",
  ]);
});
