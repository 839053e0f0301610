import assert from "node:assert/strict";
import { test } from "node:test";
import { matching } from "../compare.js";
import { made } from "./made.js";

const row = (kind: string, name: string, measure: string, size: number, change = 1) => ({ kind, name, measure, size, "change#": change });
const DATA = made({
  compared: [
    row("whole", "", "steady state", 9),
    row("whole", "", "CPU", 5),
    row("package", "Net/http", "CPU", 3),
    row("package", "fmt", "CPU", -8),
    row("package", "net", "CPU", 1, 2),
    row("whole", "", "wall", 1),
  ],
});

test("the whole command begins with wall and CPU time, however much else differs", () => {
  assert.deepEqual(matching(DATA, "whole", ""), [5, 1, 0]);
});

test("packages that changed come first, then those that differ most; the search limits them", () => {
  assert.deepEqual(matching(DATA, "package", ""), [4, 3, 2]);
  assert.deepEqual(matching(DATA, "package", "net"), [4, 2]);
});
