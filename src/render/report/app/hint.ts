// What stands beside the pointer about what is under it.

import { el, fill, name } from "./dom.js";

export class Hint {
  readonly element = el("div", { class: "hint", role: "tooltip", hidden: true });

  /** Shows lines beside a place of the picture, within its width. */
  show(lines: string[], x: number, y: number, width: number): void {
    fill(this.element, ...lines.map((line) => el("div", {}, name(line))));
    this.element.hidden = false;
    const room = width - this.element.offsetWidth - 4;
    this.element.style.left = `${Math.max(Math.min(x + 14, room), 0)}px`;
    this.element.style.top = `${y + 18}px`;
  }

  hide(): void {
    this.element.hidden = true;
  }
}
