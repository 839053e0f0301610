import assert from "node:assert/strict";
import { test } from "node:test";
import { facts } from "../details.js";
import { Model } from "../model.js";
import { made } from "./made.js";

test("how long threads waited is not mistaken for a part of an action's time", () => {
  const second = 1e9;
  const model = new Model(
    made({
      run: [{ wall: 6 * second, end: 6 * second }],
      spans: [{ start: 0, end: 5.19 * second, "label@": 0, "colour#": 0, "kind#": 0, "flags#": 0, "of@": 0, "count@": 1, busy: 0 }],
      actions: [{ start: 0, ready: 0, end: 5.19 * second, cpu: 4.88 * second, runqueue: 4.87 * second, "process@": 0xffffffff, outcome: "built" }],
    }),
  );
  const waited = facts(model, 0, false).filter(([what]) => what === "waited");
  assert.deepEqual(waited, [["waited", "4.87 s for a core, summed over its threads"]]);
});
