//! Distribution plots: every run a dot, base above new, with the median and its 95 % interval.
//!
//! A panel for each figure, with a scale of its own that need not begin at zero: what is to be
//! seen is how far the two groups lie apart, beside how far each is spread.

use super::canvas::{CHARACTER, Canvas, LINE};
use super::{Look, changed};
use crate::analyze::compare::{Comparison, Key, Measure, Row, Subject};
use crate::analyze::statistics::{median, median_interval};
use crate::render::text::{middle, safe};
use crate::render::{axis, change, units};
use crate::trace::Nanos;
use std::io;

/// Packages and tools that are drawn unless some are asked for.
pub const DRAWN: usize = 8;

const WIDTH: f64 = 900.0;
const MARGIN: f64 = 14.0;
/// Where the scale begins and ends.
const LEFT: f64 = 110.0;
const RIGHT: f64 = WIDTH - 24.0;
const HEAD: f64 = 76.0;
/// Radius of a dot.
const RADIUS: f64 = 3.2;
/// Height of the dots of one side: the most, the least.
const STRIP: (f64, f64) = (54.0, 20.0);
/// Marks of a scale.
const MARKS: u64 = 6;

/// The rows to draw: wall and CPU time of the whole command, then those that are `picked`, or,
/// where that is `None`, the packages and tools that differ most.
#[must_use]
pub fn rows<'a>(comparison: &'a Comparison, picked: Option<&dyn Fn(&Key) -> bool>) -> Vec<&'a Row> {
    let whole = [Measure::Wall, Measure::Cpu];
    let whole = whole
        .into_iter()
        .filter_map(|measure| comparison.row(&Subject::Whole, measure));
    let kinds = ["package", "tool", "phase"];
    let others = kinds
        .into_iter()
        .flat_map(|kind| comparison.ranked(kind, Measure::Cpu));
    let others: Vec<&Row> = match picked {
        Some(picked) => others.filter(|row| picked(&row.key)).collect(),
        None => {
            let mut others: Vec<&Row> = others
                .filter(|row| row.key.subject.kind() != "phase")
                .collect();
            others.sort_by(|a, b| {
                let told = |row: &Row| Look::of(row) == Look::SAME;
                let size = |row: &Row| row.difference().abs();
                let order = told(a).cmp(&told(b));
                order.then_with(|| size(b).total_cmp(&size(a)))
            });
            others.truncate(DRAWN);
            others
        }
    };
    whole.chain(others).collect()
}

/// Draws rows of a comparison, a panel each.
///
/// # Errors
///
/// Those of the writer.
pub fn draw(comparison: &Comparison, rows: &[&Row], out: &mut dyn io::Write) -> io::Result<()> {
    let mut canvas = Canvas::default();
    head(comparison, rows, &mut canvas);
    let mut y = HEAD;
    for row in rows {
        y = Panel::of(row).draw(comparison, &mut canvas, y);
    }
    let mut lines = change::caveats(comparison);
    if rows.is_empty() {
        lines.push("no figure on either side".to_owned());
    }
    for line in lines {
        canvas.text(MARGIN, y + 4.0, "quiet", &line);
        y += LINE;
    }
    canvas.write((WIDTH, y + 6.0), "Every run of base and of new", out)
}

fn head(comparison: &Comparison, rows: &[&Row], canvas: &mut Canvas) {
    canvas.text(MARGIN, 24.0, "title", "Every run of base and of new");
    let most = ((WIDTH - 2.0 * MARGIN) / CHARACTER) as usize;
    let runs = middle(&safe(&change::runs(comparison)), most, '…');
    canvas.text(MARGIN, 42.0, "quiet", &runs);
    let mut x = MARGIN;
    canvas.dot(x + 5.0, 56.0, RADIUS, "same run");
    canvas.text(x + 16.0, 60.0, "", "a run");
    x += 64.0;
    canvas.line((x, 50.0), (x, 62.0), "same median");
    canvas.text(x + 8.0, 60.0, "", "median");
    x += 66.0;
    canvas.bar((x, 52.0), (x + 24.0, 60.0), "same interval");
    canvas.text(x + 30.0, 60.0, "", "95 % interval of the median");
    x += 226.0;
    if rows.iter().any(|row| row.noise.is_some()) {
        canvas.bar((x, 50.0), (x + 24.0, 62.0), "band");
        canvas.text(
            x + 30.0,
            60.0,
            "",
            "noise: where 95 % of equal runs are to the median of base",
        );
    }
}

/// One figure, and where its values stand.
struct Panel<'a> {
    row: &'a Row,
    /// Ends of the scale.
    low: f64,
    high: f64,
}

impl<'a> Panel<'a> {
    fn of(row: &'a Row) -> Self {
        let values = || {
            row.base
                .iter()
                .chain(&row.new)
                .copied()
                .filter(|value| value.is_finite())
        };
        let low = values().fold(f64::INFINITY, f64::min);
        let high = values().fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = if low > high { (0.0, 0.0) } else { (low, high) };
        // Equal values stand in the middle of a scale of a tenth of what they are.
        let around = ((high - low) * 0.06).max(if high > low { 0.0 } else { high.abs() * 0.05 });
        let around = if around > 0.0 { around } else { 1.0 };
        Self {
            row,
            low: (low - around).max(0.0),
            high: high + around,
        }
    }

    fn x(&self, value: f64) -> f64 {
        let part = (value - self.low) / (self.high - self.low);
        LEFT + part.clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    /// Draws the panel from `y` on, and returns where the next one begins.
    fn draw(&self, comparison: &Comparison, canvas: &mut Canvas, y: f64) -> f64 {
        let row = self.row;
        self.title(comparison, canvas, y + 12.0);
        let top = y + 20.0;
        let look = Look::of(row);
        let sides = [
            ("base", &row.base, Look::SAME.class),
            ("new", &row.new, look.class),
        ];
        let strips = sides.map(|(_, values, _)| Strip::of(values, self));
        let heights = strips.iter().map(|strip| strip.height);
        let bottom = top + heights.sum::<f64>() + 12.0;
        self.marks(canvas, top, bottom);
        self.band(canvas, top, bottom);
        let mut middle = top;
        for ((word, values, class), strip) in sides.into_iter().zip(&strips) {
            middle += strip.height / 2.0 + 3.0;
            self.side(canvas, word, values, middle);
            strip.draw(self, canvas, class, middle);
            middle += strip.height / 2.0 + 3.0;
        }
        bottom + 38.0
    }

    fn title(&self, comparison: &Comparison, canvas: &mut Canvas, y: f64) {
        let row = self.row;
        let what = match row.key.subject {
            Subject::Whole => change::what(&row.key),
            _ => format!("{} of {}", row.key.measure.name(), change::what(&row.key)),
        };
        let look = Look::of(row);
        let mut words = String::new();
        if !row.base.is_empty() && !row.new.is_empty() {
            words.push_str(&changed(row));
        }
        let verdict = change::verdict(comparison, row);
        for part in [&*verdict, look.sign] {
            if !part.is_empty() {
                let between = if words.is_empty() || part == look.sign {
                    " "
                } else {
                    ": "
                };
                words.push_str(between);
                words.push_str(part);
            }
        }
        let room = (WIDTH - 2.0 * MARGIN) / CHARACTER - words.chars().count() as f64 - 4.0;
        let what = middle(&safe(&what), room.max(12.0) as usize, '…');
        canvas.text(MARGIN, y, "strong", &what);
        canvas.text(RIGHT, y, "end", words.trim_start());
    }

    fn marks(&self, canvas: &mut Canvas, top: f64, bottom: f64) {
        canvas.line((LEFT, bottom), (RIGHT, bottom), "axis");
        for (at, label) in self.scale() {
            let x = self.x(at);
            canvas.line((x, top), (x, bottom + 3.0), "grid");
            canvas.text(x, bottom + 15.0, "quiet middle", &label);
        }
    }

    fn scale(&self) -> Vec<(f64, String)> {
        let (low, high) = (Nanos(self.low.ceil() as u64), Nanos(self.high as u64));
        let ticks = axis::ticks_between(low, high, MARKS).into_iter();
        ticks.map(|tick| (tick.at.0 as f64, tick.label)).collect()
    }

    /// Where runs of one and the same thing lie around the median of base.
    fn band(&self, canvas: &mut Canvas, top: f64, bottom: f64) {
        let (Some(noise), Some(base)) = (self.row.noise, median(&self.row.base)) else {
            return;
        };
        if noise.ratio.is_finite() && noise.ratio >= 1.0 {
            let (low, high) = (self.x(base / noise.ratio), self.x(base * noise.ratio));
            canvas.bar((low, top), (high, bottom), "band");
        }
    }

    fn side(&self, canvas: &mut Canvas, word: &str, values: &[f64], middle: f64) {
        let runs = units::counted(values.len() as u64, "run", "runs");
        let words = match values {
            [] => "not there".to_owned(),
            _ => runs,
        };
        canvas.text(LEFT - 12.0, middle - 1.0, "end strong", word);
        canvas.text(LEFT - 12.0, middle + 11.0, "end quiet", &words);
    }
}

/// The dots of one side, each moved away from those that it would lie on.
struct Strip {
    values: Vec<f64>,
    /// How far each is from the middle, in places of a dot.
    places: Vec<i32>,
    /// Height of a place.
    step: f64,
    height: f64,
}

impl Strip {
    fn of(values: &[f64], panel: &Panel<'_>) -> Self {
        let mut values: Vec<f64> = values
            .iter()
            .copied()
            .filter(|value| value.is_finite())
            .collect();
        values.sort_by(f64::total_cmp);
        let xs: Vec<f64> = values.iter().map(|value| panel.x(*value)).collect();
        let places = swarm(&xs, 2.0 * RADIUS);
        let most = places.iter().map(|place| place.abs()).max().unwrap_or(0);
        let step = (2.0 * RADIUS).min((STRIP.0 / 2.0 - RADIUS) / f64::from(most.max(1)));
        let height = 2.0 * (f64::from(most) * step + RADIUS);
        Self {
            values,
            places,
            step,
            height: height.max(STRIP.1),
        }
    }

    fn draw(&self, panel: &Panel<'_>, canvas: &mut Canvas, class: &str, middle: f64) {
        let measure = panel.row.key.measure;
        if let Some(interval) = median_interval(&self.values) {
            let words = format!(
                "median {}, 95 % interval {} to {}",
                change::value(interval.estimate, measure),
                change::value(interval.low, measure),
                change::value(interval.high, measure)
            );
            canvas.begin(&words);
            let (low, high) = (panel.x(interval.low), panel.x(interval.high));
            canvas.bar(
                (low, middle - 5.0),
                (high, middle + 5.0),
                &format!("{class} interval"),
            );
            canvas.end();
        }
        for (value, place) in self.values.iter().zip(&self.places) {
            canvas.begin(&change::value(*value, measure));
            let y = middle + f64::from(*place) * self.step;
            canvas.dot(panel.x(*value), y, RADIUS, &format!("{class} run"));
            canvas.end();
        }
        if let (Some(median), [_, _, ..]) = (median(&self.values), &self.values[..]) {
            let x = panel.x(median);
            let half = self.height / 2.0 + 2.0;
            canvas.line(
                (x, middle - half),
                (x, middle + half),
                &format!("{class} median"),
            );
        }
    }
}

/// For dots at ascending places: how many heights of a dot each is above or below the middle, so
/// that none lies on another. The middle first, then by turns below and above.
fn swarm(xs: &[f64], size: f64) -> Vec<i32> {
    // Where the last dot of each height stands.
    let mut last: Vec<f64> = Vec::new();
    xs.iter()
        .map(|&x| {
            let free = last.iter().position(|before| x - before >= size);
            let turn = free.unwrap_or(last.len());
            match last.get_mut(turn) {
                Some(before) => *before = x,
                None => last.push(x),
            }
            let height = i32::try_from(turn.div_ceil(2)).unwrap_or(i32::MAX);
            if turn % 2 == 1 { height } else { -height }
        })
        .collect()
}

#[cfg(test)]
mod tests;
