import assert from "node:assert/strict";
import { test } from "node:test";
import { parts } from "../dom.js";

test("names break behind slashes, dots and hyphens, numbers do not", () => {
  assert.deepEqual(parts("example.com/diamond/terrain"), ["example.", "com/", "diamond/", "terrain"]);
  assert.deepEqual(parts("/root/.cache/go-build"), ["/root/.cache/", "go-", "build"]);
  assert.deepEqual(parts("4.88 s, -191 ms, go1.27.3"), ["4.88 s, -191 ms, go1.27.3"]);
  assert.deepEqual(parts("go build -a ./..."), ["go build -a ./..."]);
  assert.deepEqual(parts("env.CGO_ENABLED"), ["env.", "CGO_", "ENABLED"]);
});
