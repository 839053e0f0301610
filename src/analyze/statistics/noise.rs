//! What runs of one and the same thing differ by: the floor under any claim of a change.

use super::bootstrap::ratio;
use super::order::{median, quantile, sorted, standard_deviation};

/// The noise floor of one row, from the runs of an A/A group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// How many runs it is made of, at least two.
    pub runs: usize,
    /// The median, in the unit of the values.
    pub median: f64,
    /// The standard deviation, in the unit of the values.
    pub standard_deviation: f64,
    /// In 95 % of all pairs of these runs, the larger value is at most this many times the smaller.
    /// 1 means none; infinite where values are zero and others are not.
    pub ratio: f64,
}

impl Noise {
    /// From the values of one row, each of one run. `None` of fewer than two, or where one is
    /// negative.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let sorted = sorted(values);
        if *sorted.first()? < 0.0 {
            return None;
        }
        let pairs = sorted.iter().enumerate().flat_map(|(at, &small)| {
            let larger = &sorted[at + 1..];
            larger.iter().map(move |&large| ratio(small, large))
        });
        let ratios: Vec<f64> = pairs.collect();
        Some(Self {
            runs: sorted.len(),
            median: median(&sorted)?,
            standard_deviation: standard_deviation(&sorted)?,
            ratio: quantile(&ratios, 0.95)?,
        })
    }

    /// Whether one value on each side differs by more than 95 % of the pairs of this group do.
    #[must_use]
    pub fn exceeded_by(&self, base: f64, new: f64) -> bool {
        ratio(base.min(new), base.max(new)) > self.ratio
    }
}
