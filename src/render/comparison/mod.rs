//! Pictures of a comparison: figures of two groups of runs in, SVG out.
//!
//! - [`slopes`] draws a line for each package, from its CPU time in base to that in new;
//! - [`distributions`] draws every run of a few figures as a dot, base above new.
//!
//! A verdict is never told by a colour alone: a sign stands beside it.

mod canvas;
pub mod distributions;
#[cfg(test)]
mod made;
pub mod slopes;
mod spread;

use crate::analyze::compare::{Comparison, Row, Verdict};
use crate::render::change;

/// How a row is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    /// Class of its elements.
    class: &'static str,
    /// What stands beside its name.
    sign: &'static str,
}

impl Look {
    const SLOWER: Self = Self {
        class: "slower",
        sign: "▲",
    };
    const FASTER: Self = Self {
        class: "faster",
        sign: "▼",
    };
    const SAME: Self = Self {
        class: "same",
        sign: "",
    };

    fn of(row: &Row) -> Self {
        match row.verdict {
            Some(Verdict::Slower) => Self::SLOWER,
            Some(Verdict::Faster) => Self::FASTER,
            _ => Self::SAME,
        }
    }
}

/// All of a row, in lines: for whoever points at it.
fn tooltip(comparison: &Comparison, row: &Row) -> String {
    let measure = row.key.measure;
    let side = |values: &[f64], median: f64| match values {
        [] => "not there".to_owned(),
        [_] => change::value(median, measure),
        several => format!(
            "{}, median of {} runs",
            change::value(median, measure),
            several.len()
        ),
    };
    let mut lines = vec![
        change::what(&row.key),
        format!("base {}", side(&row.base, row.base_median())),
        format!("new {}", side(&row.new, row.new_median())),
    ];
    if !row.base.is_empty() && !row.new.is_empty() {
        lines.push(changed(row));
    }
    let verdict = change::verdict(comparison, row);
    if !verdict.is_empty() {
        lines.push(verdict);
    }
    lines.join("\n")
}

/// `+300 ms, +25 % [+20 %, +31 %]`.
fn changed(row: &Row) -> String {
    let difference = change::difference(row.difference(), row.key.measure);
    let ratio = change::relative(row.ratio());
    let interval = change::interval(row.ratio_interval());
    format!("{difference}, {ratio} {interval}")
        .trim_end()
        .to_owned()
}
