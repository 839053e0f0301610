// The views of the page, in the order of their tabs. To add one: write a module with a function of type
// `MakeView`, and name it in VIEWS. A view
//
// - reads the tables that it needs from `page.data`; where the trace has nothing for it, it makes none (null)
//   and has no tab;
// - builds its element once; `show` is called when it comes into sight, when the page's width changes and when
//   the colours do: what is drawn on canvases is drawn then;
// - follows `page.selection`: a change of the piece of time, of the program, of the package, of the search is
//   told to all views, seen or not (`select`); what it selects itself it sets there, and nowhere else;
// - is told keys while it is in sight (`key`), before the page takes them, and says whether it used them.

import { compare } from "./compare.js";
import type { Data } from "./data.js";
import { environment } from "./environment.js";
import { flame } from "./flame.js";
import type { Model } from "./model.js";
import type { Selection, Store } from "./selection.js";
import type { Stacks } from "./stacks.js";
import { tables } from "./tables.js";
import type { Theme } from "./theme.js";
import { timeline } from "./timeline.js";

/** What views share. */
export interface Page {
  readonly data: Data;
  /** What the tables of the timeline say, in terms of rows. */
  readonly model: Model;
  /** What was spent in which functions. */
  readonly stacks: Stacks;
  readonly selection: Store;
  readonly theme: Theme;
  /** Brings a view into sight, by its id. */
  open(view: string): void;
  /** Says something to those who cannot see the picture. */
  say(words: string): void;
}

export interface View {
  /** One word, for links and tests: `timeline`. */
  readonly id: string;
  /** What is written on its tab. */
  readonly title: string;
  readonly element: HTMLElement;
  /** Keys, and what they do, for the help. */
  readonly keys: readonly (readonly [keys: string, what: string])[];
  show(): void;
  select(now: Selection, before: Selection): void;
  key(event: KeyboardEvent): boolean;
}

export type MakeView = (page: Page) => View | null;

export const VIEWS: readonly MakeView[] = [timeline, flame, tables, compare, environment];
