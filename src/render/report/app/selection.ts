// What is selected, for all views: a piece of time, a program or an action, and what is searched for.

import type { Range } from "./layout.js";

/** What a view draws apart from the rest, or leaves out. */
export interface Selection {
  /** Only what happened in it. */
  readonly range: Range | null;
  /** Row of `actions`. */
  readonly action: number | null;
  /** Row of `processes`. */
  readonly process: number | null;
  /** Row of `spans`: what was clicked on the timeline. */
  readonly span: number | null;
  /** Only what works for the package of this import path. */
  readonly package: string | null;
  /** What is searched for, in small letters; empty for nothing. */
  readonly search: string;
}

export const NOTHING: Selection = {
  range: null,
  action: null,
  process: null,
  span: null,
  package: null,
  search: "",
};

type Listener = (now: Selection, before: Selection) => void;

/** Holds the selection, and tells all views when it changes. */
export class Store {
  #selection = NOTHING;
  readonly #listeners: Listener[] = [];

  get now(): Selection {
    return this.#selection;
  }

  /** Calls `listener` with every change from now on. */
  follow(listener: Listener): void {
    this.#listeners.push(listener);
  }

  /** Changes a part of it. */
  set(change: Partial<Selection>): void {
    const before = this.#selection;
    this.#selection = { ...before, ...change };
    for (const listener of this.#listeners) listener(this.#selection, before);
  }
}
