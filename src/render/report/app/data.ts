// The data of the page: tables of columns, as src/render/report/columns.rs writes them.

const MAGIC = "gotrace\x01";
const ALIGNMENT = 8;

/** The row of a table that is none. */
export const NONE = 0xffffffff;

type Column = Uint8Array | Uint32Array | Float64Array;

/** What a column holds, by its kind. */
const KINDS = [Uint8Array, Uint32Array, Float64Array, Uint32Array] as const;

/** Names by their number; each is decoded when it is first asked for. */
export class Names {
  readonly #decoder = new TextDecoder();
  readonly #known: (string | undefined)[] = [""];

  constructor(
    private readonly text: Uint8Array,
    private readonly ends: Uint32Array,
  ) {}

  get count(): number {
    return this.ends.length;
  }

  get(id: number): string {
    let name = this.#known[id];
    if (name === undefined) {
      name = this.#decoder.decode(this.text.subarray(this.ends[id - 1], this.ends[id]));
      this.#known[id] = name;
    }
    return name;
  }
}

/** Rows of equal columns. A column that is not there is empty. */
export class Table {
  constructor(
    readonly count: number,
    private readonly columns: ReadonlyMap<string, Column>,
    private readonly all: Names,
  ) {}

  bytes(column: string): Uint8Array {
    return this.#column(column, Uint8Array);
  }

  words(column: string): Uint32Array {
    return this.#column(column, Uint32Array);
  }

  numbers(column: string): Float64Array {
    return this.#column(column, Float64Array);
  }

  number(column: string, row: number): number {
    return this.columns.get(column)?.[row] ?? 0;
  }

  name(column: string, row: number): string {
    return this.all.get(this.words(column)[row] ?? 0);
  }

  /** The rows, 0 to count. */
  rows(): number[] {
    return Array.from({ length: this.count }, (_, row) => row);
  }

  #column<C extends Column>(name: string, kind: new (length: number) => C): C {
    const found = this.columns.get(name);
    return found instanceof kind ? found : new kind(0);
  }
}

/** All tables of a page. */
export class Data {
  readonly #tables = new Map<string, Map<string, Column>>();
  readonly names: Names;

  constructor(buffer: ArrayBuffer) {
    for (const [name, column] of columns(buffer)) {
      const [table = "", of = ""] = name.split(".");
      const columns = this.#tables.get(table) ?? new Map<string, Column>();
      this.#tables.set(table, columns.set(of, column));
    }
    const strings = this.#tables.get("strings");
    const text = strings?.get("text");
    const ends = strings?.get("ends");
    this.names = new Names(
      text instanceof Uint8Array ? text : new Uint8Array(),
      ends instanceof Uint32Array ? ends : new Uint32Array(),
    );
  }

  table(name: string): Table {
    const columns = this.#tables.get(name) ?? new Map<string, Column>();
    const first = columns.values().next().value;
    return new Table(first?.length ?? 0, columns, this.names);
  }
}

/** Walks the columns of decoded data. */
function* columns(buffer: ArrayBuffer): Generator<[string, Column]> {
  const view = new DataView(buffer);
  const decoder = new TextDecoder();
  const text = (at: number, length: number) => decoder.decode(new Uint8Array(buffer, at, length));
  const aligned = (at: number) => Math.ceil(at / ALIGNMENT) * ALIGNMENT;
  if (buffer.byteLength < MAGIC.length || text(0, MAGIC.length) !== MAGIC) {
    throw new Error("its data is not that of this version of gotrace");
  }
  let at = MAGIC.length;
  while (at < buffer.byteLength) {
    const kind = KINDS[view.getUint8(at)];
    const length = view.getUint16(at + 2, true);
    const count = view.getUint32(at + 4, true);
    const name = text(at + 8, length);
    if (!kind) {
      throw new Error(`${name}: its data is of a kind that is not known`);
    }
    at = aligned(at + 8 + length);
    yield [name, new kind(buffer, at, count)];
    at = aligned(at + count * kind.BYTES_PER_ELEMENT);
  }
}

/** Bytes of base64. */
function unpacked(base64: string): Uint8Array<ArrayBuffer> {
  // Newer than the oldest browsers that the page is for.
  const own = Uint8Array as { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> };
  if (own.fromBase64) return own.fromBase64(base64);
  const text = atob(base64);
  // Not `from`, which takes ten times as long.
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/** Decodes what the page holds: base64 of gzip of columns. */
export async function decode(base64: string): Promise<Data> {
  const stream = new Blob([unpacked(base64)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Data(await new Response(stream).arrayBuffer());
}
