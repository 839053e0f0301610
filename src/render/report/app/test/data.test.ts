// Data as it is drawn in src/render/report/columns.rs, byte by byte.

import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { Data, decode } from "../data.js";
import { column, MAGIC } from "./made.js";

const BYTES = Uint8Array.from([
  ...MAGIC,
  // 7.0 and 9.0, as IEEE 754 has them.
  ...column(2, "t.at", 2, [0, 0, 0, 0, 0, 0, 0x1c, 0x40, 0, 0, 0, 0, 0, 0, 0x22, 0x40]),
  ...column(3, "t.name", 2, [1, 0, 0, 0, 0, 0, 0, 0]),
  ...column(0, "t.flag", 2, [5, 6]),
  ...column(1, "strings.ends", 2, [0, 0, 0, 0, 2, 0, 0, 0]),
  ...column(0, "strings.text", 2, [0xc3, 0xa9]),
]);

test("columns are read where they lie", () => {
  const table = new Data(BYTES.buffer).table("t");
  assert.equal(table.count, 2);
  assert.deepEqual([...table.numbers("at")], [7, 9]);
  assert.deepEqual([...table.bytes("flag")], [5, 6]);
  assert.deepEqual(table.rows().map((row) => table.name("name", row)), ["é", ""]);
});

test("what is not there is empty, and what is wrong is refused", () => {
  const data = new Data(Uint8Array.from(MAGIC).buffer);
  assert.equal(data.table("none").count, 0);
  assert.deepEqual([...data.table("none").words("x")], []);
  assert.throws(() => new Data(Uint8Array.from([1, 2, 3]).buffer), /not that of this version/);
  assert.throws(() => new Data(Uint8Array.from([...MAGIC, ...column(9, "a.b", 0, [])]).buffer), /a\.b.*not known/);
});

test("the page's text is base64 of gzip", async () => {
  const data = await decode(gzipSync(BYTES).toString("base64"));
  assert.equal(data.table("t").count, 2);
});
