// A table that sorts by any of its columns. Rows come in as numbers; what they say, columns tell.

import { button, el, fill, link, name } from "./dom.js";
import { count } from "./format.js";

/** A column: of numbers, which stand to the right, or of words. */
export interface Column {
  title: string;
  /** What it is, where its title is too short to tell. */
  what?: string;
  value: (row: number) => number | string;
  /** A number, as it is shown. */
  text?: (value: number) => string;
}

/** A table. */
export interface Sheet {
  columns: Column[];
  /** Rows that are shown. */
  rows: number[];
  /** Selects what a row is about; without it nothing can be selected. */
  pick?: (row: number) => void;
  isPicked?: (row: number) => boolean;
}

export interface Order {
  column: number;
  descending: boolean;
}

/** Rows that are shown at once. */
const PIECE = 200;

/** Rows by what a column says of them: numbers by size, words by the alphabet; what is not known comes last. */
export function sorted(rows: readonly number[], value: (row: number) => number | string, descending: boolean): number[] {
  const by = descending ? -1 : 1;
  const words = new Intl.Collator("en", { numeric: true });
  const keys = new Map(rows.map((row) => [row, value(row)]));
  return [...rows].sort((one, other) => {
    const [a, b] = [keys.get(one), keys.get(other)];
    if (typeof a === "number" && typeof b === "number") {
      if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b)) || one - other;
      return by * (a - b) || one - other;
    }
    return by * words.compare(String(a), String(b)) || one - other;
  });
}

/** Builds the table; `reorder` is called with what it is to be sorted by. */
export function sheet([title, notes]: [title: string, notes: string], { columns, rows, pick, isPicked }: Sheet, order: Order, reorder: (order: Order) => void): HTMLElement {
  const key = columns[order.column] as Column;
  const all = sorted(rows, key.value, order.descending);
  const numeric = columns.map((column) => column.text !== undefined);
  const greatest = columns.map(({ value }, at) => (numeric[at] ? all.reduce((most, row) => Math.max(most, Number(value(row)) || 0), 0) : 0));
  const head = columns.map(({ title, what }, at) => {
    const sorts = at === order.column;
    const descending = sorts ? !order.descending : (numeric[at] ?? false);
    const arrow = sorts ? (order.descending ? " ↓" : " ↑") : "";
    const sort = button(() => reorder({ column: at, descending }), { title: what }, `${title}${arrow}`);
    const direction = order.descending ? "descending" : "ascending";
    return el("th", { scope: "col", class: numeric[at] ? "number" : undefined, "aria-sort": sorts ? direction : undefined }, sort);
  });
  const body = el("tbody");
  const more = link("", () => add());
  const cell = (row: number, at: number) => {
    const { value, text } = columns[at] as Column;
    const said = value(row);
    if (text && typeof said === "number") {
      const cell = el("td", { class: said === 0 ? "number zero" : "number" }, Number.isNaN(said) ? "-" : text(said));
      const part = (100 * said) / (greatest[at] || 1);
      if (at === order.column) cell.style.background = `linear-gradient(to left, var(--chip) ${part}%, transparent ${part}%)`;
      return cell;
    }
    const words = String(said);
    return el("td", {}, at > 0 || !pick ? name(words) : link(words, () => pick(row)));
  };
  function add(): void {
    const from = body.childElementCount;
    for (const row of all.slice(from, from + PIECE)) {
      body.append(el("tr", { "aria-selected": isPicked?.(row) ? "true" : undefined }, ...columns.map((_, at) => cell(row, at))));
    }
    const left = all.length - body.childElementCount;
    more.hidden = left === 0;
    fill(more, `${count(left)} more`);
  }
  add();
  return el("div", { class: "sheet" }, el("table", {}, el("caption", {}, title, notes !== "" && el("p", { class: "words" }, notes)), el("thead", {}, el("tr", {}, ...head)), body), more);
}
