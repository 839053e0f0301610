//! How large a change is: 95 % intervals by the bootstrap, with resamples weighed instead of drawn.
//!
//! A resample takes as many values as the group has, each any of the group's with the same
//! chance; the interval holds the middle 95 % of what comes out (Efron's percentile interval). Of
//! medians these chances have a closed form, so nothing is drawn: there is no seed, and no error
//! but that of the sample itself.

use super::order::{between, middle, sorted};

/// What is left out at each end of an interval.
const OUTSIDE: f64 = 0.025;

/// Rounding of sums of chances.
const ROUNDING: f64 = 1e-12;

/// A chance that makes no difference to an interval.
const NOTHING: f64 = 1e-14;

/// An estimate with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The value for the groups as they are.
    pub estimate: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
}

/// How many times `base` the value `new` is. Equal values give 1, also two zeros and two
/// infinities; of zero anything else is infinitely many times.
#[must_use]
pub fn ratio(base: f64, new: f64) -> f64 {
    if base == new { 1.0 } else { new / base }
}

/// How much more than `base` the value `new` is. Equal values give 0, also two infinities.
#[must_use]
pub fn difference(base: f64, new: f64) -> f64 {
    if base == new { 0.0 } else { new - base }
}

/// The [`ratio`] of the medians, new to base, with its 95 % interval, the groups resampled each
/// for itself. `None` where a group has fewer than two values, or one is negative.
#[must_use]
pub fn ratio_interval(base: &[f64], new: &[f64]) -> Option<Interval> {
    let (base, new) = (sorted(base), sorted(new));
    if *base.first()? < 0.0 || *new.first()? < 0.0 {
        return None;
    }
    interval(&base, &new, ratio)
}

/// The [`difference`] of the medians, new minus base, with its 95 % interval, the groups
/// resampled each for itself. `None` where a group has fewer than two values.
#[must_use]
pub fn difference_interval(base: &[f64], new: &[f64]) -> Option<Interval> {
    interval(&sorted(base), &sorted(new), difference)
}

/// The median of a group with its 95 % interval. `None` where it has fewer than two values.
#[must_use]
pub fn median_interval(values: &[f64]) -> Option<Interval> {
    // From a group that does not vary.
    interval(&[0.0, 0.0], &sorted(values), difference)
}

/// The interval of a comparison of medians that grows with the second and falls with the first.
fn interval(base: &[f64], new: &[f64], compare: impl Fn(f64, f64) -> f64) -> Option<Interval> {
    if base.len() < 2 || new.len() < 2 {
        return None;
    }
    let estimate = compare(middle(base)?, middle(new)?);
    let pairs = Pairs {
        base: medians(base),
        new: cumulated(medians(new)),
        compare,
    };
    Some(Interval {
        estimate,
        low: pairs.first(OUTSIDE - ROUNDING)?,
        high: pairs.first(1.0 - OUTSIDE + ROUNDING)?,
    })
}

/// A median that a resample can have, and its chance.
#[derive(Clone, Copy)]
struct Outcome {
    median: f64,
    chance: f64,
}

/// What the median of a resample of these sorted values can be, ascending.
fn medians(values: &[f64]) -> Vec<Outcome> {
    let chances = Chances::of(values.len());
    let mut outcomes = Vec::new();
    for (at, &value) in values.iter().enumerate() {
        outcomes.push(Outcome {
            median: value,
            chance: chances.only(at),
        });
        for (above, &other) in values.iter().enumerate().skip(at + 1) {
            // They fall as the two are further apart.
            let chance = chances.both(at, above);
            if chance < NOTHING {
                break;
            }
            outcomes.push(Outcome {
                median: between(value, other),
                chance,
            });
        }
    }
    outcomes.sort_unstable_by(|a, b| a.median.total_cmp(&b.median));
    outcomes
}

/// The same outcomes, each with the chance of itself and of all before it.
fn cumulated(mut outcomes: Vec<Outcome>) -> Vec<Outcome> {
    let mut sum = 0.0;
    for outcome in &mut outcomes {
        sum += outcome.chance;
        outcome.chance = sum;
    }
    outcomes
}

/// The chances that values of a sorted group, by their place in it, are in the middle of a
/// resample: for an odd number one value is there, for an even number two, equal or not.
struct Chances {
    /// How many values.
    n: usize,
    /// The logarithm of the number of ways to choose half of them, rounded down.
    ln_ways: f64,
    /// For 0 to n: the chance that the lower of the middle ones is among the first so many.
    lower: Vec<f64>,
    /// The same of the upper one.
    upper: Vec<f64>,
    /// For 0 to n: the logarithm of the chance that half of a resample, rounded down, is among the
    /// first so many; as many last ones have the same.
    ln_half: Vec<f64>,
    /// The same, and one of them at least is the last of the first so many.
    ln_half_with: Vec<f64>,
}

impl Chances {
    fn of(n: usize) -> Self {
        let half = n / 2;
        let ln_ways = (1..=half).map(|at| ((n - half + at) as f64 / at as f64).ln());
        let ln_half: Vec<f64> = (0..=n)
            .map(|first| half as f64 * (first as f64 / n as f64).ln())
            .collect();
        // A half that is among the first so many, but not among one less.
        let without = |first: usize| (ln_half[first - 1] - ln_half[first]).exp();
        let with = (1..=n).map(|first| ln_half[first] + (-without(first)).ln_1p());
        let mut chances = Self {
            n,
            ln_ways: ln_ways.sum(),
            lower: vec![1.0; n + 1],
            upper: vec![1.0; n + 1],
            ln_half_with: std::iter::once(f64::NEG_INFINITY).chain(with).collect(),
            ln_half,
        };
        // The second half mirrors the first: smallest and largest change places.
        for first in 0..=half {
            let upper = chances.more_than_half(first);
            let lower = upper + chances.halves(&chances.ln_half, first, n - first);
            chances.upper[first] = upper;
            chances.lower[first] = lower;
            chances.upper[n - first] = 1.0 - lower;
            chances.lower[n - first] = 1.0 - upper;
        }
        chances
    }

    /// The chance that more than half of a resample are among the first so many, which are at most
    /// half of all.
    fn more_than_half(&self, first: usize) -> f64 {
        if first == 0 {
            return 0.0;
        }
        let (half, odds) = (self.n / 2, first as f64 / (self.n - first) as f64);
        let rest = (self.n - first) as f64 / self.n as f64;
        let one_more = odds * (self.n - half) as f64 / (half + 1) as f64;
        let ln_rest = (self.n - half) as f64 * rest.ln();
        let mut term = one_more * (self.ln_ways + self.ln_half[first] + ln_rest).exp();
        let mut sum = 0.0;
        for taken in half + 1..=self.n {
            sum += term;
            term *= odds * (self.n - taken) as f64 / (taken + 1) as f64;
        }
        sum
    }

    /// The chance that half of a resample is among the `first` so many and the other half among the
    /// `last` so many, with one of the two logarithms for each. An odd number has no halves.
    fn halves(&self, ln_half: &[f64], first: usize, last: usize) -> f64 {
        if self.n % 2 == 1 {
            return 0.0;
        }
        (self.ln_ways + ln_half[first] + ln_half[last]).exp()
    }

    /// The chance that the middle is this value alone.
    fn only(&self, at: usize) -> f64 {
        // Not where the lower middle is before it or the upper one after; both was taken off twice.
        let around = self.halves(&self.ln_half, at, self.n - at - 1);
        (self.upper[at + 1] - self.lower[at] + around).max(0.0)
    }

    /// The chance that the two in the middle are this value and that one above it.
    fn both(&self, at: usize, above: usize) -> f64 {
        self.halves(&self.ln_half_with, at + 1, self.n - above)
    }
}

/// All comparisons of a median of the base group with one of the new group.
struct Pairs<F> {
    /// Ascending, with their chances.
    base: Vec<Outcome>,
    /// Ascending, with their cumulated chances.
    new: Vec<Outcome>,
    compare: F,
}

impl<F: Fn(f64, f64) -> f64> Pairs<F> {
    /// The smallest result up to which at least this share of all results lies.
    fn first(&self, share: f64) -> Option<f64> {
        let compare = |base: &Outcome, new: &Outcome| (self.compare)(base.median, new.median);
        let mut low = compare(self.base.last()?, self.new.first()?);
        let mut high = compare(self.base.first()?, self.new.last()?);
        // Half way in the order of floating-point numbers, and each time on to the next result.
        while low < high {
            let limit = number(place(low).midpoint(place(high)));
            let split = self.split(limit.max(low).min(high.next_down()));
            if split.share >= share {
                high = split.last;
            } else {
                low = split.next;
            }
        }
        Some(low)
    }

    /// Divides the results into those up to a limit and those above it.
    fn split(&self, limit: f64) -> Split {
        let mut split = Split {
            share: 0.0,
            last: f64::NEG_INFINITY,
            next: f64::INFINITY,
        };
        // The larger the base, the more of the new ones are within the limit.
        let mut new = self.new.iter().peekable();
        let mut within = 0.0;
        for base in &self.base {
            while let Some(outcome) = new.peek() {
                let result = (self.compare)(base.median, outcome.median);
                if result > limit {
                    split.next = split.next.min(result);
                    break;
                }
                split.last = split.last.max(result);
                within = outcome.chance;
                new.next();
            }
            split.share += base.chance * within;
        }
        split
    }
}

/// The results up to a limit, and above it.
struct Split {
    /// The chance of those up to it.
    share: f64,
    /// The largest of those.
    last: f64,
    /// The smallest above it.
    next: f64,
}

/// The place of a floating-point number among all in their order.
fn place(number: f64) -> i64 {
    let bits = number.to_bits().cast_signed();
    if bits < 0 { i64::MIN - bits } else { bits }
}

/// The number at a place.
fn number(place: i64) -> f64 {
    f64::from_bits(if place < 0 { i64::MIN - place } else { place }.cast_unsigned())
}
