// The table behind a picture: for who cannot see the picture, or wants numbers.

import { el, fill, link, table } from "./dom.js";

/** What it says of what is in the picture, worked out anew when it is asked for. */
export interface Listed<T> {
  caption: string;
  /** Titles of columns; the first leads to what its row is about. */
  head: string[];
  all: readonly T[];
  row: (one: T) => [words: string, open: () => void, ...more: (Node | string)[]];
  numeric: boolean[];
}

/** A table that is filled as long as it is open. */
export class Behind<T> {
  readonly element: HTMLDetailsElement;

  constructor(
    title: string,
    private readonly most: number,
    private readonly list: () => Listed<T>,
  ) {
    this.element = el("details", { class: "behind", ontoggle: () => this.fill() }, el("summary", {}, title));
  }

  fill(): void {
    if (!this.element.open) return;
    const { most } = this;
    const { caption, head, all, row, numeric } = this.list();
    const rows = all.slice(0, most).map((one) => {
      const [words, open, ...more] = row(one);
      return [link(words, open), ...more];
    });
    const more = all.length > most ? `, the first ${most} of ${all.length}` : "";
    fill(this.element, this.element.firstElementChild, table(caption + more, head, rows, numeric));
  }
}
