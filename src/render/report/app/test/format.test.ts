// Numbers and axes, against what the tests of src/render/units.rs and axis.rs expect.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ticks } from "../axis.js";
import { bytes, count, counted, duration, percent, share } from "../format.js";

test("durations have three digits", () => {
  const cases: [number, string][] = [
    [0, "0 s"],
    [7, "7 ns"],
    [999_499, "999 µs"],
    [999_500, "1.00 ms"],
    [9_995_000, "10.0 ms"],
    [312_000_000, "312 ms"],
    [1_240_000_000, "1.24 s"],
    [59_950_000_000, "1 min 00 s"],
    [124_000_000_000, "2 min 04 s"],
    [7_320_000_000_000, "2 h 02 min"],
  ];
  for (const [nanos, expected] of cases) assert.equal(duration(nanos), expected);
});

test("shares, counts and sizes", () => {
  assert.deepEqual([0.82, 0.041, 0.0001, 0].map(percent), ["82 %", "4.1 %", "<0.1 %", "0 %"]);
  assert.equal(share(1, 0), "-");
  assert.deepEqual([0, 999, 16_482, 1_234_567].map(count), ["0", "999", "16,482", "1,234,567"]);
  assert.equal(counted(1, "match", "matches"), "1 match");
  assert.deepEqual([1023, 1_048_576, 1_023_488].map(bytes), ["1023 B", "1.00 MiB", "0.98 MiB"]);
});

test("marks of the axis are round", () => {
  const labels = (from: number, to: number, most: number) => ticks(from, to, most).map(({ label }) => label);
  assert.deepEqual(labels(0, 1e9, 5), ["0", "200 ms", "400 ms", "600 ms", "800 ms", "1.0 s"]);
  assert.deepEqual(labels(0, 1e6, 3), ["0", "500 µs", "1.0 ms"]);
  assert.deepEqual(labels(605_200_000, 605_400_000, 2), ["605.2 ms", "605.3 ms", "605.4 ms"]);
  assert.deepEqual(labels(0, 5e9, 5), ["0", "1 s", "2 s", "3 s", "4 s", "5 s"]);
  assert.deepEqual(labels(12.31e9, 12.36e9, 5), ["12.31 s", "12.32 s", "12.33 s", "12.34 s", "12.35 s", "12.36 s"]);
  assert.deepEqual(labels(0, 120e9, 4), ["0", "30 s", "1 min 00 s", "1 min 30 s", "2 min 00 s"]);
});
