import assert from "node:assert/strict";
import { test } from "node:test";
import { sorted } from "../sheet.js";

test("numbers are sorted by size, and what is not known comes last", () => {
  const values = [5, Number.NaN, 10, 5, -1];
  const rows = [0, 1, 2, 3, 4];
  const value = (row: number) => values[row] as number;
  assert.deepEqual(sorted(rows, value, true), [2, 0, 3, 4, 1]);
  assert.deepEqual(sorted(rows, value, false), [4, 0, 3, 2, 1]);
  assert.deepEqual(rows, [0, 1, 2, 3, 4]);
});

test("words are sorted as people sort them", () => {
  const values = ["b10", "b9", "A", "é", "</td>", "b9"];
  const value = (row: number) => values[row] as string;
  assert.deepEqual(sorted([0, 1, 2, 3, 4, 5], value, false).map(value), ["</td>", "A", "b9", "b9", "b10", "é"]);
});
