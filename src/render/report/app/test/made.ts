// Makes data as it is drawn in src/render/report/columns.rs, byte by byte.

import { Data } from "../data.js";

export const MAGIC = [..."gotrace\x01"].map((c) => c.charCodeAt(0));

/** One column: kind, name, count, values. */
export function column(kind: number, name: string, count: number, values: ArrayLike<number>): number[] {
  const head = [kind, 0, name.length, 0, count & 255, count >> 8, 0, 0, ...[...name].map((c) => c.charCodeAt(0))];
  const pad = (bytes: number[]) => [...bytes, ...Array<number>((8 - (bytes.length % 8)) % 8).fill(0)];
  return [...pad(head), ...pad(Array.from(values))];
}

type Value = number | string;

/** Tables of rows. A column is of bytes where its name ends in `#`, of words where in `@`; else of numbers, or of names. */
export function made(tables: Record<string, Record<string, Value>[]>): Data {
  const names: string[] = [];
  const bytes = [...MAGIC];
  const id = (name: string) => (name === "" ? 0 : names.includes(name) ? names.indexOf(name) + 1 : names.push(name));
  for (const [table, rows] of Object.entries(tables)) {
    for (const key of Object.keys(rows[0] ?? {})) {
      const values = rows.map((row) => row[key] as Value);
      const name = `${table}.${key.replace(/[#@]$/, "")}`;
      const words = (kind: number, of: number[]) =>
        column(kind, name, of.length, new Uint8Array(Uint32Array.from(of).buffer));
      if (typeof values[0] === "string") bytes.push(...words(3, values.map((value) => id(String(value)))));
      else if (key.endsWith("#")) bytes.push(...column(0, name, values.length, values.map(Number)));
      else if (key.endsWith("@")) bytes.push(...words(1, values.map(Number)));
      else bytes.push(...column(2, name, values.length, new Uint8Array(Float64Array.from(values, Number).buffer)));
    }
  }
  const text = new TextEncoder();
  const encoded = names.map((name) => text.encode(name));
  const ends = encoded.reduce((ends, name) => [...ends, (ends.at(-1) ?? 0) + name.length], [0]);
  bytes.push(...column(1, "strings.ends", ends.length, new Uint8Array(Uint32Array.from(ends).buffer)));
  const all = encoded.flatMap((name) => [...name]);
  bytes.push(...column(0, "strings.text", all.length, all));
  return new Data(Uint8Array.from(bytes).buffer);
}
