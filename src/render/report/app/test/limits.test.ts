import assert from "node:assert/strict";
import { test } from "node:test";
import { changed, processLabel, takes } from "../limits.js";
import { Model } from "../model.js";
import { NOTHING } from "../selection.js";
import { made } from "./made.js";

/** `compile a` and `compile b`, each with an action, and the go command. */
const MODEL = new Model(
  made({
    processes: [
      { tool: "go", package: "", "pid@": 7 },
      { tool: "compile", package: "a", "pid@": 8 },
      { tool: "compile", package: "b", "pid@": 9 },
    ],
    actions: [{ "process@": 2 }, { "process@": 1 }],
  }),
);

test("what is selected says which programs pass", () => {
  const passing = (change: object) => [0, 1, 2].filter(takes(MODEL, { ...NOTHING, ...change }));
  assert.deepEqual(passing({}), [0, 1, 2]);
  assert.deepEqual(passing({ process: 1 }), [1]);
  assert.deepEqual(passing({ package: "b" }), [2]);
  // An action stands for its program, unless one is selected itself.
  assert.deepEqual(passing({ action: 0 }), [2]);
  assert.deepEqual(passing({ action: 0, process: 0 }), [0]);
  assert.deepEqual(passing({ process: 1, package: "b" }), []);
});

test("what is searched for changes nothing of that", () => {
  assert.equal(changed(NOTHING, { ...NOTHING, search: "x", span: 1 }), false);
  assert.equal(changed(NOTHING, { ...NOTHING, package: "a" }), true);
});

test("programs are told apart by their number", () => {
  assert.deepEqual([0, 1].map((process) => processLabel(MODEL, process)), ["go (7)", "compile a (8)"]);
});
