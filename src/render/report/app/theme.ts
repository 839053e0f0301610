// Light or dark: as the system has it, or as the switch says; on paper always light.

import type { Table } from "./data.js";

const KEY = "gotrace.theme";
/** Pixels of a canvas: half of what browsers bear, for screens that have two for each. */
const HIGHEST = 8_000;
type Choice = "auto" | "light" | "dark";

/** Colours of what is drawn on canvases; what is HTML has its own in style.css. */
export interface Colours {
  /** By row of the table `colours`. */
  bars: string[];
  text: string;
  faint: string;
  grid: string;
  page: string;
  stripe: string;
  onBar: string;
  critical: string;
  accent: string;
  waiting: string;
  loss: string;
}

export class Theme {
  #choice: Choice = remembered();
  isPrinting = false;
  readonly #system = matchMedia("(prefers-color-scheme: dark)");
  readonly #listeners: (() => void)[] = [];

  constructor(private readonly colours: Table) {
    this.#apply();
    this.#system.addEventListener("change", () => this.#apply());
    addEventListener("beforeprint", () => this.#print(true));
    addEventListener("afterprint", () => this.#print(false));
  }

  get isDark(): boolean {
    if (this.isPrinting) return false;
    return this.#choice === "auto" ? this.#system.matches : this.#choice === "dark";
  }

  /** Calls `listener` when colours change. */
  follow(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Changes between light and dark. */
  toggle(): void {
    this.#choice = this.isDark ? "light" : "dark";
    try {
      localStorage.setItem(KEY, this.#choice);
    } catch {
      // A page from disk may have no storage: the choice lasts as long as the page.
    }
    this.#apply();
  }

  get now(): Colours {
    const bars = this.colours.rows().map((row) => this.colours.name(this.isDark ? "dark" : "light", row));
    return this.isDark
      ? {
          bars,
          text: "#e3e6ea",
          faint: "#9aa3ae",
          grid: "#2b3138",
          page: "#15181c",
          stripe: "#1b1f24",
          onBar: "#0b0d0f",
          critical: "#ff7b72",
          accent: "#6cb6ff",
          waiting: "#8b949e",
          loss: "#e5534b",
        }
      : {
          bars,
          text: "#14171a",
          faint: "#5c6670",
          grid: "#e2e5e9",
          page: "#ffffff",
          stripe: "#f6f7f9",
          onBar: "#14171a",
          critical: "#c5221f",
          accent: "#0b63c5",
          waiting: "#8a9099",
          loss: "#c5221f",
        };
  }

  /** How high a picture is drawn: on paper whole, as far as canvases go, else as much of it as a part of the window has
   * room for. */
  height(whole: number, part: number): number {
    return Math.min(whole, this.isPrinting ? HIGHEST : Math.max(innerHeight * part, 160));
  }

  #print(printing: boolean): void {
    this.isPrinting = printing;
    // As wide as paper before views draw: what a browser makes of the window's width then is too late to ask.
    document.documentElement.toggleAttribute("data-printing", printing);
    this.#apply();
  }

  #apply(): void {
    document.documentElement.dataset["theme"] = this.isDark ? "dark" : "light";
    const root = document.documentElement.style;
    this.now.bars.forEach((colour, row) => root.setProperty(`--bar-${row}`, colour));
    for (const listener of this.#listeners) listener();
  }
}

function remembered(): Choice {
  try {
    const choice = localStorage.getItem(KEY);
    return choice === "light" || choice === "dark" ? choice : "auto";
  } catch {
    return "auto";
  }
}
