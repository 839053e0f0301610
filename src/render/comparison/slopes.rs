//! The slope chart: how the CPU time of each package went from base to new.
//!
//! The scale is logarithmic, so that equal slopes are equal ratios, in packages of milliseconds
//! as in those of seconds. What is zero stands below the scale.

use super::canvas::{CHARACTER, Canvas, LINE};
use super::spread::spread;
use super::{Look, tooltip};
use crate::analyze::compare::{Comparison, Measure, Row, Verdict};
use crate::render::text::{middle, safe};
use crate::render::{change, units};
use crate::trace::Nanos;
use std::io;

/// Packages whose lines bear their names, unless more are asked for.
pub const NAMED: usize = 40;

/// Lines that are drawn at all.
const DRAWN: usize = 1000;

const WIDTH: f64 = 1250.0;
const MARGIN: f64 = 14.0;
/// Where lines begin and end.
const LEFT: f64 = 386.0;
const RIGHT: f64 = 690.0;
/// Columns of the labels: ends of those on the left, beginnings of those on the right.
const LEFT_VALUE: f64 = LEFT - 32.0;
const LEFT_NAME: f64 = LEFT_VALUE - 56.0;
const RIGHT_VALUE: f64 = RIGHT + 32.0;
const RIGHT_CHANGE: f64 = RIGHT_VALUE + 56.0;
const RIGHT_SIGN: f64 = RIGHT_CHANGE + 52.0;
const RIGHT_NAME: f64 = RIGHT_SIGN + 16.0;
/// The last column ends at the margin.
const INTERVAL: f64 = 122.0;
/// Where the chart begins.
const HEAD: f64 = 96.0;
/// The least height of the chart.
const LEAST: f64 = 300.0;
/// How far below the scale zero is.
const BELOW: f64 = 26.0;
/// Length of the line of what is on one side only.
const STUB: f64 = 60.0;

/// Draws the packages of a comparison, with names at the `named` that differ most; the others are
/// lines without names.
///
/// # Errors
///
/// Those of the writer.
pub fn draw(comparison: &Comparison, named: usize, out: &mut dyn io::Write) -> io::Result<()> {
    let rows = comparison.ranked("package", Measure::Cpu);
    let mut chart = Chart::of(comparison, &rows, named);
    chart.head();
    chart.grid();
    chart.lines();
    chart.labels();
    chart.foot(rows.len());
    let size = (WIDTH, chart.y);
    let name = "CPU time of each package in base and in new";
    chart.canvas.write(size, name, out)
}

struct Chart<'a> {
    comparison: &'a Comparison,
    canvas: Canvas,
    /// The first `named` of them bear their names.
    rows: &'a [&'a Row],
    named: usize,
    scale: Scale,
    /// Where the next part begins.
    y: f64,
}

/// Heights of values.
#[derive(Clone, Copy, Debug)]
struct Scale {
    /// Logarithms of the least and of the largest value.
    low: f64,
    high: f64,
    top: f64,
    bottom: f64,
    zeros: bool,
}

impl Scale {
    fn of(values: impl Iterator<Item = f64> + Clone, labels: usize) -> Self {
        let zeros = values.clone().any(|value| value <= 0.0);
        let logarithms = values.filter(|value| *value > 0.0).map(f64::ln);
        let (low, high) = logarithms.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| {
            (low.min(at), high.max(at))
        });
        let (low, high) = if low > high { (0.0, 0.0) } else { (low, high) };
        // A factor of two is high enough for a difference of a percent to be a flat line.
        let more = (2_f64.ln() - (high - low)).max(0.0) / 2.0;
        Self {
            low: low - more,
            high: high + more,
            top: HEAD,
            bottom: HEAD + LEAST.max(labels as f64 * LINE),
            zeros,
        }
    }

    fn y(&self, value: f64) -> f64 {
        if value <= 0.0 {
            return self.bottom + BELOW;
        }
        let part = (value.ln() - self.low) / (self.high - self.low);
        self.bottom - part.clamp(0.0, 1.0) * (self.bottom - self.top)
    }

    /// The lowest place of a label.
    fn end(&self) -> f64 {
        self.bottom + if self.zeros { BELOW } else { 0.0 }
    }

    /// Round values on the scale, thinned until they stand apart.
    fn marks(&self) -> Vec<f64> {
        let powers = (0..=18).map(|power| 10_f64.powi(power));
        let of = |factors: &[f64]| -> Vec<f64> {
            let all = powers
                .clone()
                .flat_map(|power| factors.iter().map(move |factor| factor * power));
            let inside = |value: &f64| (self.low..=self.high).contains(&value.ln());
            all.filter(inside).collect()
        };
        let decades = (self.high - self.low) / 10_f64.ln();
        match decades {
            _ if decades <= 1.0 => of(&[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0]),
            _ if decades <= 2.5 => of(&[1.0, 2.0, 5.0]),
            _ => of(&[1.0]),
        }
    }
}

/// A label, before it is known where it can stand.
struct Label<'a> {
    row: &'a Row,
    wanted: f64,
}

impl<'a> Chart<'a> {
    fn of(comparison: &'a Comparison, rows: &'a [&'a Row], named: usize) -> Self {
        let rows = rows.get(..DRAWN).unwrap_or(rows);
        let named = named.min(rows.len());
        let values = rows.iter().flat_map(|row| {
            let base = (!row.base.is_empty()).then(|| row.base_median());
            let new = (!row.new.is_empty()).then(|| row.new_median());
            let fan = fan(row).map(|ends| ends.map(Some)).unwrap_or_default();
            [base, new].into_iter().chain(fan).flatten()
        });
        Self {
            comparison,
            canvas: Canvas::default(),
            rows,
            named,
            scale: Scale::of(values, named),
            y: 0.0,
        }
    }

    fn head(&mut self) {
        let canvas = &mut self.canvas;
        canvas.text(MARGIN, 24.0, "title", "CPU time of each package");
        let most = ((WIDTH - 2.0 * MARGIN) / CHARACTER) as usize;
        let runs = change::runs(self.comparison);
        canvas.text(MARGIN, 42.0, "quiet", &middle(&runs, most, '…'));
        let mut x = MARGIN;
        for (class, sign, words) in [
            ("slower", "▲ ", "slower"),
            ("faster", "▼ ", "faster"),
            ("same", "", "not told from noise"),
            ("one-sided", "", "on one side only"),
        ] {
            canvas.line((x, 56.0), (x + 24.0, 56.0), class);
            canvas.text(x + 30.0, 60.0, class, sign.trim_end());
            let signed = x + 30.0 + sign.chars().count() as f64 * CHARACTER;
            canvas.text(signed, 60.0, "", words);
            x = signed + words.chars().count() as f64 * CHARACTER + 10.0;
        }
        if self.rows.iter().any(|row| row.ratio_interval().is_some()) {
            let right = WIDTH - MARGIN;
            canvas.text(right, 84.0, "strong end", "95 % interval");
        }
        canvas.text(LEFT, 84.0, "strong middle", "base");
        canvas.text(RIGHT, 84.0, "strong middle", "new");
    }

    fn grid(&mut self) {
        let scale = self.scale;
        for mark in scale.marks() {
            let y = scale.y(mark);
            self.canvas.line((LEFT, y), (RIGHT, y), "grid");
            let words = units::duration(Nanos(mark as u64));
            let middle = f64::midpoint(LEFT, RIGHT);
            self.canvas.text(middle, y - 3.0, "quiet middle", &words);
        }
        if scale.zeros {
            let y = scale.y(0.0);
            self.canvas.line((LEFT, y), (RIGHT, y), "grid");
            let middle = f64::midpoint(LEFT, RIGHT);
            self.canvas.text(middle, y - 3.0, "quiet middle", "0 s");
        }
        for x in [LEFT, RIGHT] {
            self.canvas.line((x, scale.top), (x, scale.end()), "axis");
        }
        self.y = scale.end();
    }

    /// Those that are most worth seeing are drawn last, above the others.
    fn lines(&mut self) {
        for (at, row) in self.rows.iter().enumerate().rev() {
            let look = Look::of(row);
            let faint = if at < self.named { "" } else { " faint" };
            let class = format!("{}{faint}", look.class);
            let (base, new) = (
                self.scale.y(row.base_median()),
                self.scale.y(row.new_median()),
            );
            self.canvas.begin(&tooltip(self.comparison, row));
            if row.new.is_empty() {
                self.canvas
                    .line((LEFT, base), (LEFT + STUB, base), "one-sided");
                self.canvas.dot(LEFT, base, 3.5, "one-sided");
            } else if row.base.is_empty() {
                self.canvas
                    .line((RIGHT - STUB, new), (RIGHT, new), "one-sided");
                self.canvas.dot(RIGHT, new, 3.5, "one-sided");
            } else {
                if let Some(ends) = fan(row) {
                    let [low, high] = ends.map(|end| (RIGHT, self.scale.y(end)));
                    let fan = format!("{} interval", look.class);
                    self.canvas.triangle([(LEFT, base), low, high], &fan);
                }
                self.canvas.line((LEFT, base), (RIGHT, new), &class);
                self.canvas.dot(LEFT, base, 2.5, &class);
                self.canvas.dot(RIGHT, new, 2.5, &class);
            }
            self.canvas.end();
        }
    }

    fn labels(&mut self) {
        let named = self.rows.get(..self.named).unwrap_or_default();
        let label = |row: &&'a Row, median: f64| Label {
            row,
            wanted: self.scale.y(median),
        };
        let left = named.iter().filter(|row| !row.base.is_empty());
        let left = left.map(|row| label(row, row.base_median())).collect();
        let right = named.iter().filter(|row| !row.new.is_empty());
        let right = right.map(|row| label(row, row.new_median())).collect();
        for (labels, of_base) in [(left, true), (right, false)] {
            for (label, y) in self.placed(labels) {
                if of_base {
                    self.left(&label, y);
                } else {
                    self.right(&label, y);
                }
            }
        }
    }

    fn placed(&self, mut labels: Vec<Label<'a>>) -> Vec<(Label<'a>, f64)> {
        labels.sort_by(|a, b| a.wanted.total_cmp(&b.wanted));
        let wanted: Vec<f64> = labels.iter().map(|label| label.wanted).collect();
        let places = spread(&wanted, LINE - 1.0, self.scale.top, self.scale.end());
        labels.into_iter().zip(places).collect()
    }

    fn left(&mut self, label: &Label<'_>, y: f64) {
        let row = label.row;
        let canvas = &mut self.canvas;
        canvas.begin(&tooltip(self.comparison, row));
        canvas.line((LEFT - 4.0, label.wanted), (LEFT_VALUE + 2.0, y), "leader");
        let value = change::value(row.base_median(), Measure::Cpu);
        canvas.text(LEFT_VALUE, y + 4.0, "end", &value);
        let name = name(row, LEFT_NAME - MARGIN);
        canvas.text(LEFT_NAME, y + 4.0, "end", &name);
        canvas.end();
    }

    fn right(&mut self, label: &Label<'_>, y: f64) {
        let row = label.row;
        let canvas = &mut self.canvas;
        canvas.begin(&tooltip(self.comparison, row));
        canvas.line(
            (RIGHT + 4.0, label.wanted),
            (RIGHT_VALUE - 2.0, y),
            "leader",
        );
        let value = change::value(row.new_median(), Measure::Cpu);
        canvas.text(RIGHT_VALUE, y + 4.0, "", &value);
        let words = match row.verdict {
            Some(Verdict::OnlyInNew) => "new".to_owned(),
            _ => change::relative(row.ratio()),
        };
        canvas.text(RIGHT_CHANGE, y + 4.0, "", &words);
        let look = Look::of(row);
        canvas.text(RIGHT_SIGN, y + 4.0, look.class, look.sign);
        let name = name(row, WIDTH - MARGIN - INTERVAL - RIGHT_NAME);
        canvas.text(RIGHT_NAME, y + 4.0, "", &name);
        let interval = change::interval(row.ratio_interval());
        canvas.text(WIDTH - MARGIN, y + 4.0, "quiet end", &interval);
        canvas.end();
    }

    /// What the picture does not show.
    fn foot(&mut self, packages: usize) {
        self.y += 28.0;
        let mut lines = change::caveats(self.comparison);
        let needed = self.rows.iter().find_map(|row| match row.verdict {
            Some(Verdict::TooFewRuns { need }) => Some(need),
            _ => None,
        });
        if let (Some(need), false) = (needed, self.comparison.is_single()) {
            lines.push(format!("too few runs for verdicts, need {need}"));
        }
        if let more @ 1.. = packages.saturating_sub(self.rows.len()) {
            lines.push(format!("{} that differ less are not drawn", counted(more)));
        }
        if let more @ 1.. = self.rows.len().saturating_sub(self.named) {
            lines.push(format!(
                "{} that differ less are faint lines without a name",
                counted(more)
            ));
        }
        if packages == 0 {
            lines.push("no package on either side".to_owned());
        }
        for line in lines {
            self.canvas.text(MARGIN, self.y, "quiet", &line);
            self.y += LINE;
        }
    }
}

/// Of what changed beyond noise, where new is expected: the 95 % interval of the difference, from
/// the median of base on.
fn fan(row: &Row) -> Option<[f64; 2]> {
    let interval = row.difference_interval()?;
    let base = row.base_median();
    let ends = [interval.low, interval.high].map(|end| (base + end).max(0.0));
    (Look::of(row) != Look::SAME).then_some(ends)
}

fn counted(packages: usize) -> String {
    units::counted(packages as u64, "package", "packages")
}

/// As much of the name as fits.
fn name(row: &Row, width: f64) -> String {
    let name = safe(&row.key.subject.name());
    middle(&name, (width / CHARACTER) as usize, '…')
}

#[cfg(test)]
mod tests;
