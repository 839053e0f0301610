// Draws the rows of the timeline: bars, what waits for what, the critical path, marks, and losses.

import { after, inSight, label, type Range, type Row, rowAt, type Scale } from "./layout.js";
import { ACTION, CRITICAL, type Model, OPEN, RUNNING, WAITS } from "./model.js";
import type { Colours } from "./theme.js";

/** What is drawn, and how. */
export interface Lanes {
  readonly model: Model;
  readonly rows: readonly Row[];
  /** The rows by their tracks. */
  readonly rowOf: ReadonlyMap<number, Row>;
  readonly scale: Scale;
  readonly colours: Colours;
  /** Pixels that are scrolled away above. */
  readonly top: number;
  readonly height: number;
  readonly hovered: number | null;
  readonly selected: number | null;
  readonly range: Range | null;
  /** Whether a span stays bright; null where all do. */
  readonly matches: ((span: number) => boolean) | null;
  /** Actions are coloured by the phases of their programs, not by their tools. */
  readonly byPhase: boolean;
}

const FONT = "11px system-ui, sans-serif";
const CHARACTER = 6.1;
/** Bars keep so many pixels of the row below them free. */
const SPACE = 2;
/** A row that is higher is not below another one. */
const LANE = 20;
/** A bar that is narrower has no label. */
const NARROWEST_LABEL = 24;
/** And one that is lower. */
const LOWEST_LABEL = 14;

export function drawLanes(context: CanvasRenderingContext2D, lanes: Lanes): void {
  const { scale, colours, rows, top, height } = lanes;
  context.clearRect(0, 0, scale.width, height);
  context.save();
  context.translate(0, -top);
  const first = rowAt(rows, top);
  for (let at = first; at < rows.length && (rows[at] as Row).y < top + height; at += 1) {
    const row = rows[at] as Row;
    if (lanes.model.tracks.bytes("depth")[row.track] === 0 && at % 2 === 1) {
      context.fillStyle = colours.stripe;
      context.fillRect(0, row.y - 1, scale.width, row.height);
    }
    drawRow(context, lanes, row);
  }
  drawMarks(context, lanes, first);
  drawPath(context, lanes);
  for (const span of new Set([lanes.selected, lanes.hovered])) {
    if (span !== null) drawLinks(context, lanes, span);
  }
  context.restore();
  drawLosses(context, lanes);
  if (lanes.range) shade(context, scale, lanes.range, height, colours);
}

/** Darkens what lies outside of the selected piece of time. */
export function shade(
  context: CanvasRenderingContext2D,
  scale: Scale,
  range: Range,
  height: number,
  colours: Colours,
): void {
  const from = Math.max(scale.x(range.from), 0);
  const to = Math.min(scale.x(range.to), scale.width);
  context.save();
  context.globalAlpha = 0.6;
  context.fillStyle = colours.page;
  context.fillRect(0, 0, from, height);
  context.fillRect(to, 0, scale.width - to, height);
  context.globalAlpha = 1;
  context.fillStyle = colours.accent;
  context.fillRect(from - 1, 0, 1, height);
  context.fillRect(to, 0, 1, height);
  context.restore();
}

function drawRow(context: CanvasRenderingContext2D, lanes: Lanes, row: Row): void {
  const { model, scale, colours } = lanes;
  const { start, end, colour, flags, kind, of } = model.spans;
  const count = model.tracks.words("count")[row.track] ?? 0;
  const first = model.first[row.track] ?? 0;
  if (count === 0) drawHeading(context, lanes, row);
  const [begin, stop] = inSight(start, end, first, count, scale);
  const cpu = model.actions.numbers("cpu");
  const height = row.height - SPACE;
  const alone = count === 1 && row.height >= LANE;
  // Spans that share a pixel with one that is drawn are not drawn again.
  let drawnTo = -1;
  context.font = FONT;
  context.textBaseline = "middle";
  for (let span = begin; span < stop; span += 1) {
    const x = Math.max(scale.x(start[span] as number), -2);
    const right = Math.min(scale.x(end[span] as number), scale.width + 2);
    const marked = span === lanes.selected || span === lanes.hovered;
    if (right <= drawnTo && !marked) continue;
    const width = Math.max(right - x, 1);
    drawnTo = Math.floor(x + width) + (width <= 1 ? 1 : 0);
    const bright = !lanes.matches || lanes.matches(span);
    context.globalAlpha = bright ? 1 : 0.18;
    context.fillStyle = colours.bars[colour[span] as number] ?? colours.faint;
    const gap = width > 3 ? 0.5 : 0;
    const waits = kind[span] === WAITS;
    // Who waits is a line, who runs is a bar.
    if (waits) context.fillRect(x, row.y + height / 2 - 1, width - gap, 2);
    else context.fillRect(x, row.y, width - gap, height);
    if (lanes.byPhase && kind[span] === ACTION) drawPhases(context, lanes, span, { x, y: row.y, width: width - gap, height });
    const flag = flags[span] as number;
    if (width > 3 && kind[span] === ACTION) {
      drawCpu(context, cpu[of[span] as number] ?? 0, (end[span] as number) - (start[span] as number), x, width, row.y + height);
    }
    if (flag & OPEN) drawOpenEnd(context, colours, right, row.y, height);
    if (flag & CRITICAL) {
      context.strokeStyle = colours.critical;
      context.lineWidth = 1.5;
      context.strokeRect(x + 0.75, row.y + 0.75, Math.max(width - 1.5, 0.5), height - 1.5);
    }
    if (marked) {
      context.strokeStyle = colours.text;
      context.lineWidth = 2;
      context.strokeRect(x + 1, row.y + 1, Math.max(width - 2, 1), height - 2);
    }
    if (height < LOWEST_LABEL || waits) continue;
    if (width >= NARROWEST_LABEL && (!alone || width >= CHARACTER * model.label(span).length)) {
      const text = label(model.label(span), Math.floor((width - 8) / CHARACTER));
      context.fillStyle = colours.onBar;
      context.fillText(text, x + 4, row.y + height / 2);
    } else if (alone) {
      drawLabelBeside(context, lanes, span, x, right, row.y + height / 2);
    }
  }
  context.globalAlpha = 1;
}

/** The name of a track without spans stands above those that it is about. */
function drawHeading(context: CanvasRenderingContext2D, { model, colours }: Lanes, row: Row): void {
  context.font = `600 ${FONT}`;
  context.textBaseline = "middle";
  context.fillStyle = colours.text;
  context.fillText(model.tracks.name("label", row.track), 2, row.y + row.height / 2);
}

/** The phases of an action's program over its bar; what is in none is grey. */
function drawPhases(
  context: CanvasRenderingContext2D,
  { model, scale, colours }: Lanes,
  span: number,
  bar: { x: number; y: number; width: number; height: number },
): void {
  context.fillStyle = colours.bars.at(-1) ?? colours.faint;
  context.fillRect(bar.x, bar.y, bar.width, bar.height);
  const process = model.processOf(span);
  const track = process === null ? null : model.phasesOf(process);
  if (track === null) return;
  const { start, end, colour } = model.spans;
  const from = Math.max(scale.time(bar.x), start[span] as number);
  const to = Math.min(scale.time(bar.x + bar.width), end[span] as number);
  const count = model.tracks.words("count")[track] ?? 0;
  const [begin, stop] = inSight(start, end, model.first[track] ?? 0, count, { from, to });
  for (let phase = begin; phase < stop; phase += 1) {
    const x = scale.x(Math.max(start[phase] as number, from));
    context.fillStyle = colours.bars[colour[phase] as number] ?? colours.faint;
    context.fillRect(x, bar.y, scale.x(Math.min(end[phase] as number, to)) - x, bar.height);
  }
}

/** The label of a bar that has its row for itself: behind it, or where there is no room, before it. */
function drawLabelBeside(
  context: CanvasRenderingContext2D,
  { model, scale, colours }: Lanes,
  span: number,
  x: number,
  right: number,
  y: number,
): void {
  const text = model.label(span);
  const width = CHARACTER * text.length;
  context.fillStyle = colours.faint;
  if (right + width + 6 < scale.width || x < width + 6) context.fillText(text, Math.max(right, 0) + 5, y);
  else {
    context.textAlign = "right";
    context.fillText(text, x - 5, y);
    context.textAlign = "left";
  }
}

/** A strip below an action: as long as its programs used the CPU; the rest they waited. */
function drawCpu(
  context: CanvasRenderingContext2D,
  cpu: number,
  wall: number,
  x: number,
  width: number,
  bottom: number,
): void {
  context.save();
  context.fillStyle = "#000";
  context.globalAlpha *= 0.45;
  context.fillRect(x, bottom - 3, width * Math.min(cpu / Math.max(wall, 1), 1), 3);
  context.restore();
}

/** What went on beyond what was seen has a torn end. */
function drawOpenEnd(
  context: CanvasRenderingContext2D,
  colours: Colours,
  x: number,
  y: number,
  height: number,
): void {
  context.fillStyle = colours.page;
  for (let tooth = 0; tooth < height; tooth += 6) {
    context.beginPath();
    context.moveTo(x + 1, y + tooth);
    context.lineTo(x - 4, y + tooth + 3);
    context.lineTo(x + 1, y + tooth + 6);
    context.fill();
  }
}

/** Ticks where images were loaded, and underlines where symbols were bound, in rows of programs. */
function drawMarks(context: CanvasRenderingContext2D, lanes: Lanes, first: number): void {
  const { model, rows, scale, colours, top, height } = lanes;
  const marks = model.data.table("marks");
  if (marks.count === 0) return;
  const of = marks.words("process");
  const from = marks.numbers("from");
  const to = marks.numbers("to");
  const binds = marks.numbers("binds");
  context.fillStyle = colours.onBar;
  for (let at = first; at < rows.length && (rows[at] as Row).y < top + height; at += 1) {
    const row = rows[at] as Row;
    const { tracks } = model;
    if (tracks.bytes("view")[row.track] !== 1 || tracks.bytes("depth")[row.track] !== 0) continue;
    const process = tracks.words("process")[row.track] as number;
    const [begin, end] = marksOf(of, process);
    let drawn = -1;
    for (let mark = begin; mark < end; mark += 1) {
      const x = scale.x(from[mark] as number);
      const width = Math.max(scale.x(to[mark] as number) - x, 1);
      if (x + width < 0 || x > scale.width || x + width <= drawn) continue;
      const isLoad = binds[mark] === 0 && from[mark] === to[mark];
      context.fillRect(x, row.y + row.height - SPACE - (isLoad ? 5 : 2), width, isLoad ? 5 : 2);
      drawn = x + width;
    }
  }
}

/** The marks of a program: they stand by program. */
export function marksOf(of: Uint32Array, process: number): [number, number] {
  return [after(of, 0, of.length, process - 1), after(of, 0, of.length, process)];
}

/** Where a span lies in the picture; null where its track is not shown. */
function place(lanes: Lanes, span: number): { x: number; right: number; y: number; height: number } | null {
  const row = lanes.rowOf.get(lanes.model.trackOfSpan(span));
  if (!row) return null;
  const { start, end } = lanes.model.spans;
  return {
    x: lanes.scale.x(start[span] as number),
    right: lanes.scale.x(end[span] as number),
    y: row.y,
    height: row.height - SPACE,
  };
}

/** Lines from what gated each piece of the critical path to the next. */
function drawPath(context: CanvasRenderingContext2D, lanes: Lanes): void {
  const { model, colours } = lanes;
  const kinds = model.path.bytes("kind");
  const actions = model.path.words("action");
  const steps = model.path.rows().filter((row) => kinds[row] === RUNNING);
  context.strokeStyle = colours.critical;
  context.lineWidth = 1.5;
  let before: ReturnType<typeof place> = null;
  for (const step of steps) {
    const span = model.spanOfAction(actions[step] as number);
    const now = span === null ? null : place(lanes, span);
    if (before && now) link(context, before, now);
    before = now ?? before;
  }
}

/** What an action waited for, and what could begin when it was done. */
function drawLinks(context: CanvasRenderingContext2D, lanes: Lanes, span: number): void {
  const { model, colours } = lanes;
  const action = model.actionOf(span);
  const here = place(lanes, span);
  if (action === null || !here) return;
  const placeOf = (other: number) => {
    const span = model.spanOfAction(other);
    return span === null ? null : place(lanes, span);
  };
  context.strokeStyle = colours.accent;
  context.fillStyle = colours.accent;
  context.lineWidth = 1.5;
  const ready = lanes.scale.x(model.actions.numbers("ready")[action] ?? 0);
  if (here.x - ready > 1) {
    context.save();
    context.setLineDash([3, 3]);
    context.beginPath();
    context.moveTo(ready, here.y + here.height / 2);
    context.lineTo(here.x, here.y + here.height / 2);
    context.stroke();
    context.restore();
  }
  const gate = model.waitedFor(action);
  const from = gate === null ? null : placeOf(gate);
  if (from) link(context, from, here);
  for (const next of model.unlockedBy(action)) {
    const to = placeOf(next);
    if (to) link(context, here, to);
  }
}

type Place = NonNullable<ReturnType<typeof place>>;

/** A line from the end of one bar to the start of another, with a dot there. */
function link(context: CanvasRenderingContext2D, from: Place, to: Place): void {
  const y = from.y + from.height / 2;
  const end = to.y + to.height / 2;
  const bend = Math.max(12, Math.abs(to.x - from.right) / 3);
  context.beginPath();
  context.moveTo(from.right, y);
  if (from.y === to.y) {
    // Above what lies between, so that its name stays readable.
    context.lineTo(from.right, from.y - 1);
    context.lineTo(to.x, from.y - 1);
    context.lineTo(to.x, end);
  } else context.bezierCurveTo(from.right + bend, y, to.x - bend, end, to.x, end);
  context.stroke();
  context.save();
  context.fillStyle = context.strokeStyle;
  context.beginPath();
  context.arc(to.x, end, 2.5, 0, 2 * Math.PI);
  context.fill();
  context.restore();
}

/** Bands where something was lost. */
function drawLosses(context: CanvasRenderingContext2D, lanes: Lanes): void {
  const losses = lanes.model.data.table("losses");
  const { scale, colours, height } = lanes;
  context.save();
  context.globalAlpha = 0.14;
  context.fillStyle = colours.loss;
  for (const loss of losses.rows()) {
    const x = scale.x(losses.number("from", loss));
    const width = Math.max(scale.x(losses.number("to", loss)) - x, 2);
    if (x + width >= 0 && x <= scale.width) context.fillRect(x, 0, width, height);
  }
  context.restore();
}
