// Draws what stands above the lanes: time axis, cores in use and actions under way, the critical path.

import { ticks } from "./axis.js";
import { NONE } from "./data.js";
import { counted } from "./format.js";
import { shade } from "./lanes.js";
import { label, means, type Range, type Scale } from "./layout.js";
import { type Model, RUNNING, WAITING } from "./model.js";
import type { Colours } from "./theme.js";

export const AXIS = 22;
export const CHART = 76;
export const PATH = 20;
/** Height of all of it. */
export const HEAD = AXIS + CHART + 14 + PATH + 6;

export interface Chart {
  readonly model: Model;
  readonly scale: Scale;
  readonly colours: Colours;
  readonly range: Range | null;
}

const CHARACTER = 6.1;
const FONT = "11px system-ui, sans-serif";

export function drawChart(context: CanvasRenderingContext2D, chart: Chart): void {
  const { scale, colours } = chart;
  context.clearRect(0, 0, scale.width, HEAD);
  context.font = FONT;
  context.textBaseline = "middle";
  drawAxis(context, chart);
  drawCurves(context, chart);
  drawPathRow(context, chart);
  drawGaps(context, chart);
  if (chart.range) shade(context, scale, chart.range, HEAD, colours);
}

function drawAxis(context: CanvasRenderingContext2D, { scale, colours }: Chart): void {
  for (const tick of ticks(scale.from, scale.to, scale.width / 90)) {
    const x = Math.round(scale.x(tick.at)) + 0.5;
    context.fillStyle = colours.grid;
    context.fillRect(x - 0.5, AXIS - 5, 1, CHART + 5);
    context.fillStyle = colours.faint;
    context.textAlign = x > scale.width - 40 ? "right" : x < 20 ? "left" : "center";
    context.fillText(tick.label, Math.min(Math.max(x, 2), scale.width - 2), 8);
  }
  context.textAlign = "left";
}

function drawCurves(context: CanvasRenderingContext2D, { model, scale, colours }: Chart): void {
  const { data } = model;
  const bin = data.table("chart").number("bin", 0);
  const cores = data.table("run").number("cores", 0);
  const cpu = means(data.table("cpu").numbers("cores"), bin, scale, Math.ceil(scale.width));
  const underWay = means(data.table("under_way").numbers("count"), bin, scale, Math.ceil(scale.width));
  const waiting = means(data.table("waiting").numbers("count"), bin, scale, Math.ceil(scale.width));
  const wanted = underWay.map((value, x) => value + (waiting[x] ?? 0));
  const most = [cpu, underWay].reduce((most, values) => values.reduce((a, b) => Math.max(a, b), most), Math.max(cores, 1));
  const bottom = AXIS + CHART;
  const y = (value: number) => bottom - (CHART - 14) * (value / most);
  context.fillStyle = colours.bars[0] ?? colours.faint;
  context.globalAlpha = 0.4;
  context.beginPath();
  context.moveTo(0, bottom);
  cpu.forEach((value, x) => {
    context.lineTo(x, y(value));
    context.lineTo(x + 1, y(value));
  });
  context.lineTo(scale.width, bottom);
  context.fill();
  context.globalAlpha = 1;
  const line = (values: Float64Array, colour: string, dashes: number[]) => {
    context.strokeStyle = colour;
    context.lineWidth = 1;
    context.setLineDash(dashes);
    context.beginPath();
    values.forEach((value, x) => context.lineTo(x, Math.max(y(value), AXIS + 1)));
    context.stroke();
    context.setLineDash([]);
  };
  line(wanted, colours.accent, [1, 2]);
  const base = data.table("base_cpu").numbers("cores");
  if (base.length > 0) line(means(base, data.table("base_chart").number("bin", 0), scale, Math.ceil(scale.width)), colours.critical, [5, 2]);
  line(underWay, colours.text, []);
  let room = scale.width;
  if (cores > 0) {
    context.strokeStyle = colours.faint;
    context.setLineDash([4, 4]);
    context.beginPath();
    context.moveTo(0, y(cores));
    context.lineTo(scale.width, y(cores));
    context.stroke();
    context.setLineDash([]);
    context.fillStyle = colours.faint;
    const words = counted(cores, "core");
    room -= context.measureText(words).width + 12;
    context.textAlign = "right";
    context.fillText(words, scale.width - 4, y(cores) - 7);
    context.textAlign = "left";
  }
  context.fillStyle = colours.grid;
  context.fillRect(0, bottom, scale.width, 1);
  const sampled = data.table("chart").number("sampled", 0) > 0;
  const area = sampled ? "cores in use (area)" : "cores in use (area: CPU time spread over each program's life)";
  context.fillStyle = colours.faint;
  const waits = waiting.some((value) => value > 0) ? ", with those that wait for a slot (dots)" : "";
  const compared = base.length > 0 ? ", in base (dashes)" : "";
  const titles = [`${area}${compared}, under way at once (line)${waits}`, `cores in use (area)${compared}, under way (line)`, `cores in use${compared}`];
  const title = titles.find((title) => context.measureText(title).width <= room) ?? "";
  context.fillText(title, 2, AXIS + 4);
}

/** The critical path as one row. */
function drawPathRow(context: CanvasRenderingContext2D, { model, scale, colours }: Chart): void {
  const { path } = model;
  const top = AXIS + CHART + 14;
  const kinds = path.bytes("kind");
  const starts = path.numbers("start");
  const ends = path.numbers("end");
  context.fillStyle = colours.faint;
  if (path.count > 0) context.fillText("critical path", 2, top - 6);
  for (const row of path.rows()) {
    const x = Math.max(scale.x(starts[row] as number), -2);
    const width = Math.min(scale.x(ends[row] as number), scale.width + 2) - x;
    if (width <= 0) continue;
    const colour = path.bytes("colour")[row] as number;
    if (kinds[row] === WAITING) {
      context.strokeStyle = colours.waiting;
      context.setLineDash([2, 3]);
      context.strokeRect(x + 0.5, top + 0.5, Math.max(width - 1, 0.5), PATH - 3);
      context.setLineDash([]);
    } else {
      context.globalAlpha = kinds[row] === RUNNING ? 1 : 0.55;
      context.fillStyle = colours.bars[colour] ?? colours.faint;
      context.fillRect(x, top, Math.max(width - 0.5, 0.5), PATH - 2);
      context.globalAlpha = 1;
    }
    if (width > 30) {
      context.fillStyle = kinds[row] === RUNNING ? colours.onBar : colours.text;
      context.fillText(pieceLabel(model, row, Math.floor((width - 8) / CHARACTER)), x + 4, top + PATH / 2 - 1);
    }
  }
  if (path.count > 0) {
    context.fillStyle = colours.critical;
    const begin = scale.x(starts[0] as number);
    context.fillRect(begin, top + PATH - 1, scale.x(ends[path.count - 1] as number) - begin, 2);
  }
}

/** What is written on a piece of the critical path that has room for so many characters. */
function pieceLabel({ path }: Model, row: number, most: number): string {
  const whole = path.name("label", row);
  if (whole.length <= most) return whole;
  const kind = path.number("kind", row);
  // The go command looks into its cache itself: that is no work for a package.
  const own = kind === RUNNING && path.number("action", row) === NONE;
  const shorter = kind === WAITING ? ["waiting for a slot", "waiting"] : own ? ["go itself"] : null;
  if (shorter) return shorter.find((words) => words.length <= most) ?? "";
  return label(path.name("package", row) || whole, most);
}

/** Bands where something was lost, flags where something could not be seen. */
function drawGaps(context: CanvasRenderingContext2D, { model, scale, colours }: Chart): void {
  const losses = model.data.table("losses");
  context.fillStyle = colours.loss;
  for (const loss of losses.rows()) {
    const x = scale.x(losses.number("from", loss));
    const width = Math.max(scale.x(losses.number("to", loss)) - x, 2);
    context.globalAlpha = 0.2;
    context.fillRect(x, AXIS, width, CHART);
    context.globalAlpha = 1;
    context.fillRect(x, AXIS - 3, width, 3);
  }
  const spots = model.data.table("blind_spots");
  for (const spot of spots.rows()) {
    const x = scale.x(spots.number("time", spot));
    context.beginPath();
    context.moveTo(x, AXIS + 1);
    context.lineTo(x - 4, AXIS - 6);
    context.lineTo(x + 4, AXIS - 6);
    context.fill();
  }
}
