// The small build of tests/show/build.rs: compile m/a, which unlocks m/b, which unlocks a link.

import assert from "node:assert/strict";
import { test } from "node:test";
import { NONE } from "../data.js";
import { leading, pieces } from "../head.js";
import { CRITICAL, Model } from "../model.js";
import { made } from "./made.js";

const BUILD = made({
  run: [{ end: 1000, wall: 1000 }],
  actions: [
    { package: "m/cmd", label: "link m/cmd", "waited_for@": 1, "process@": NONE },
    { package: "m/b", label: "compile m/b", "waited_for@": 2, "process@": 2 },
    { package: "m/a", label: "compile m/a", "waited_for@": NONE, "process@": 1 },
  ],
  processes: [
    { package: "", tool: "go" },
    { package: "m/a", tool: "compile" },
    { package: "m/b", tool: "compile" },
  ],
  path: [
    { "kind#": 2, label: "go: load", package: "", "action@": NONE, "colour#": 6, start: 0, end: 60 },
    { "kind#": 1, label: "waiting for a slot: compile m/a", package: "m/a", "action@": 2, "colour#": 0, start: 60, end: 100 },
    { "kind#": 0, label: "compile m/a", package: "m/a", "action@": 2, "colour#": 0, start: 100, end: 300 },
    { "kind#": 0, label: "compile m/b", package: "m/b", "action@": 1, "colour#": 0, start: 300, end: 700 },
    { "kind#": 0, label: "link m/cmd", package: "m/cmd", "action@": 0, "colour#": 1, start: 700, end: 950 },
    { "kind#": 3, label: "go itself", package: "", "action@": NONE, "colour#": 6, start: 950, end: 1000 },
  ],
  tracks: [
    { "view#": 0, "depth#": 0, "process@": NONE, "count@": 3, label: "" },
    { "view#": 1, "depth#": 0, "process@": 2, "count@": 1, label: "m/b" },
    { "view#": 1, "depth#": 1, "process@": 2, "count@": 2, label: "phases" },
  ],
  spans: [
    { start: 100, end: 300, "kind#": 0, "of@": 2, "flags#": CRITICAL, label: "m/a" },
    { start: 300, end: 700, "kind#": 0, "of@": 1, "flags#": CRITICAL, label: "m/b" },
    { start: 700, end: 950, "kind#": 0, "of@": 0, "flags#": CRITICAL, label: "m/cmd" },
    { start: 300, end: 700, "kind#": 1, "of@": 2, "flags#": CRITICAL, label: "m/b" },
    { start: 310, end: 400, "kind#": 2, "of@": 2, "flags#": 0, label: "parse" },
    { start: 400, end: 690, "kind#": 2, "of@": 2, "flags#": 0, label: "SSA" },
  ],
});

test("the path is what gates the build", () => {
  const all = pieces(new Model(BUILD));
  assert.deepEqual(
    all.map(({ name, time, row, builds }) => [name, time, row, builds]),
    [
      ["m/b", 400, 3, true],
      ["m/cmd", 250, 4, true],
      ["m/a", 200, 2, true],
      // Loading, 60, and the end of the command, 50.
      ["go itself", 110, 0, false],
      ["waiting for a slot", 40, 1, false],
    ],
  );
});

/** Pieces of a path by kind, action, label, package and length, behind each other. */
function built(actions: string[], path: [kind: number, action: number, label: string, of: string, length: number][], best: string): Model {
  let at = 0;
  return new Model(
    made({
      actions: actions.map((kind) => ({ kind })),
      what_if: [{ package: best }],
      path: path.map(([kind, action, label, of, length]) => ({
        "kind#": kind,
        "action@": action,
        label,
        package: of,
        "standard#": Number(of === "runtime"),
        start: at,
        end: (at += length),
      })),
    }),
  );
}

test("what leads is what would help most, and no package where most is something else", () => {
  const led = (...of: Parameters<typeof built>) => {
    const model = built(...of);
    return leading(model, pieces(model))?.name;
  };
  // A little less on the path, and more is gained without it.
  assert.equal(led(["compile", "compile"], [[0, 0, "compile runtime", "runtime", 524], [0, 1, "compile m/t", "m/t", 519]], "m/t"), "m/t");
  // Looking up what is in the cache is no action of a package that works.
  assert.equal(led(["compile"], [[2, NONE, "go: load", "", 40], [0, NONE, "check cache runtime", "runtime", 41], [0, 0, "compile m/t", "m/t", 50]], "runtime"), "go itself");
  assert.equal(led(["compile", "run"], [[0, 0, "compile m/t", "m/t", 50], [0, 1, "run m/t", "m/t", 60]], "m/t"), "run m/t");
  assert.equal(led(["compile"], [[1, 0, "waiting for a slot: compile m/t", "m/t", 60], [0, 0, "compile m/t", "m/t", 50]], "m/t"), "waiting for a slot");
});

test("actions know what they waited for and what they unlock", () => {
  const model = new Model(BUILD);
  assert.deepEqual([0, 1, 2].map((action) => model.waitedFor(action)), [1, 2, null]);
  assert.deepEqual([0, 1, 2].map((action) => model.unlockedBy(action)), [[], [0], [1]]);
  assert.deepEqual([0, 1, 2].map((action) => model.spanOfAction(action)), [2, 1, 0]);
});

test("spans know their track, their program and their package", () => {
  const model = new Model(BUILD);
  assert.deepEqual([...model.first], [0, 3, 4]);
  assert.deepEqual([0, 2, 3, 5].map((span) => model.trackOfSpan(span)), [0, 0, 1, 2]);
  assert.deepEqual([0, 1, 2, 3, 5].map((span) => model.processOf(span)), [1, 2, null, 2, 2]);
  assert.deepEqual([0, 2, 4].map((span) => model.packageOf(span)), ["m/a", "m/cmd", "m/b"]);
  assert.equal(model.spanOfProcess(2), 3);
  assert.equal(model.phasesOf(2), 2);
  assert.equal(model.phasesOf(1), null);
});
