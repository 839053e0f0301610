//! The rank test of Mann and Whitney: do two groups come from the same place?

use super::normal;
use super::order::sorted;

/// Up to this product of the numbers of values, 45 and 45 for instance, every division into two
/// groups is counted. The normal approximation beyond is on the side of noise: with 46 and 46 its
/// p-value is 1.05 times the exact one near 0.01, 1.4 times near 0.0001.
const MOST_PAIRS: usize = 2048;

/// The two-sided p-value of Mann and Whitney: the share of all ways to divide these values into
/// groups of these sizes that separate them at least as much as they are, if group means nothing.
///
/// Exact, with ties too: equal values share their mean rank, and the divisions are counted with
/// those ranks. Only of groups too large for that is it the normal approximation, corrected for
/// ties and continuity. 1 where a group is empty, or all values are equal. Only order counts, so
/// infinities are values like others.
#[must_use]
pub fn rank_test(base: &[f64], new: &[f64]) -> f64 {
    let (base, new) = (sorted(base), sorted(new));
    let (few, many) = if base.len() <= new.len() {
        (base, new)
    } else {
        (new, base)
    };
    let ranks = Ranks::of(&few, &many);
    if few.is_empty() || ranks.equal() {
        1.0
    } else if few.len() * many.len() <= MOST_PAIRS {
        ranks.counted()
    } else {
        let u = ranks.sum as f64 / 2.0 - (few.len() * (few.len() + 1)) as f64 / 2.0;
        approximate(few.len(), many.len(), u, ranks.ties)
    }
}

/// The smallest p-value that [`rank_test`] can give to groups of these sizes: that of groups which
/// do not overlap. 1 where a group is empty.
#[must_use]
pub fn smallest_p(n_base: usize, n_new: usize) -> f64 {
    if n_base.saturating_mul(n_new) <= MOST_PAIRS {
        (2.0 / divisions(n_base.min(n_new), n_base.max(n_new))).min(1.0)
    } else {
        approximate(n_base, n_new, 0.0, 0.0)
    }
}

/// Whether groups of these sizes are large enough to tell that a row differs although no other row of
/// its family does: whether [`smallest_p`] is at most `q / family`, the first step of Benjamini and
/// Hochberg.
#[must_use]
pub fn can_tell(n_base: usize, n_new: usize, family: usize, q: f64) -> bool {
    smallest_p(n_base, n_new) <= q / family.max(1) as f64
}

/// The smallest number of values on each side that is large enough, see [`can_tell`]. `None` where
/// `q` is not above zero: then no number is.
#[must_use]
pub fn smallest_group(family: usize, q: f64) -> Option<usize> {
    let possible = q > 0.0;
    possible.then(|| (1..).find(|&n| can_tell(n, n, family, q)))?
}

/// The smallest p-value that [`rank_test`] can give to these values, whichever of them are base's:
/// what they are together decides, and not how they were divided. That of groups without equal
/// values is [`smallest_p`]; 1 where a group is empty, or all values are equal.
#[must_use]
pub fn smallest_p_of(base: &[f64], new: &[f64]) -> f64 {
    let (base, new) = (sorted(base), sorted(new));
    smallest_of_sorted(&base, &new)
}

fn smallest_of_sorted(base: &[f64], new: &[f64]) -> f64 {
    let (few, many) = if base.len() <= new.len() {
        (base, new)
    } else {
        (new, base)
    };
    let ranks = Ranks::of(few, many);
    if few.is_empty() || ranks.equal() {
        1.0
    } else if few.len() * many.len() <= MOST_PAIRS {
        let ends = [true, false].map(|low| ranks.ways_at_end(low));
        let fewest = ends.into_iter().fold(f64::INFINITY, f64::min);
        (2.0 * fewest / divisions(few.len(), many.len())).min(1.0)
    } else {
        let least: usize = ranks.doubled[..few.len()].iter().sum();
        let most: usize = ranks.doubled[many.len()..].iter().sum();
        let smallest_sum = (few.len() * (few.len() + 1)) as f64 / 2.0;
        let ends = [least, most].map(|sum| {
            let u = sum as f64 / 2.0 - smallest_sum;
            approximate(few.len(), many.len(), u, ranks.ties)
        });
        ends[0].min(ends[1])
    }
}

/// How many values on each side are enough for [`smallest_p_of`] to be at most `limit`, if as many of
/// them are equal as of these: the smallest multiple of these groups. `None` where no multiple up to
/// the thousandfold is.
#[must_use]
pub fn smallest_group_of(base: &[f64], new: &[f64], limit: f64) -> Option<usize> {
    let (base, new) = (sorted(base), sorted(new));
    let enough = |times: usize| {
        let repeated = |values: &[f64]| -> Vec<f64> {
            let values = values.iter();
            values
                .flat_map(|value| std::iter::repeat_n(*value, times))
                .collect()
        };
        smallest_of_sorted(&repeated(&base), &repeated(&new)) <= limit
    };
    // The first power of two that is enough, then the first multiple below it.
    let power = (0..=10)
        .map(|power| 1 << power)
        .find(|times| enough(*times))?;
    let times = (power / 2 + 1..=power).find(|times| enough(*times))?;
    Some(times * base.len().max(new.len()))
}

/// Two groups as ranks in what both are together.
struct Ranks {
    /// Twice the rank of each value, ascending: mean ranks of equal values are halves.
    doubled: Vec<usize>,
    /// The sum of `doubled` over the smaller group.
    sum: usize,
    /// How many values the smaller group has.
    few: usize,
    /// The sum of t³ - t over the sets of t equal values.
    ties: f64,
}

impl Ranks {
    /// Merges two sorted groups.
    fn of(few: &[f64], many: &[f64]) -> Self {
        let mut doubled = Vec::with_capacity(few.len() + many.len());
        let (mut sum, mut ties) = (0, 0.0);
        let (mut one, mut other) = (few.iter().peekable(), many.iter().peekable());
        while let Some(&value) = match (one.peek(), other.peek()) {
            (Some(a), Some(b)) => Some(if a <= b { *a } else { *b }),
            (a, b) => a.or(b).copied(),
        } {
            let mut here = 0;
            while one.next_if(|&&next| next == value).is_some() {
                here += 1;
            }
            let mut all = here;
            while other.next_if(|&&next| next == value).is_some() {
                all += 1;
            }
            let rank = 2 * doubled.len() + all + 1;
            doubled.resize(doubled.len() + all, rank);
            sum += here * rank;
            ties += (all as f64).powi(3) - all as f64;
        }
        Self {
            doubled,
            sum,
            few: few.len(),
            ties,
        }
    }

    /// Whether all values are the same.
    fn equal(&self) -> bool {
        self.doubled.first() == self.doubled.last()
    }

    /// In how many ways the smaller group can have the lowest, or the highest, sum: which of the
    /// equal values at its inner end are its own makes no difference.
    fn ways_at_end(&self, low: bool) -> f64 {
        let (few, all) = (self.few, self.doubled.len());
        let (taken, inner) = if low {
            (&self.doubled[..few], self.doubled[few - 1])
        } else {
            (&self.doubled[all - few..], self.doubled[all - few])
        };
        let equal = |ranks: &[usize]| ranks.iter().filter(|rank| **rank == inner).count();
        let (own, alike) = (equal(taken), equal(&self.doubled));
        divisions(own.min(alike - own), own.max(alike - own))
    }

    /// The exact p-value: twice the smaller of the two tails.
    fn counted(mut self) -> f64 {
        // Both ends of the scale are alike; the tail that is nearer is counted.
        let ends = 2 * (self.doubled.len() + 1);
        if 2 * self.sum > self.few * ends {
            self.sum = self.few * ends - self.sum;
            self.doubled.reverse();
            for rank in &mut self.doubled {
                *rank = ends - *rank;
            }
        }
        if self.ties == 0.0 {
            self.sum /= 2;
            for rank in &mut self.doubled {
                *rank /= 2;
            }
        }
        let all = divisions(self.few, self.doubled.len() - self.few);
        let (near, here) = subsets(&self.doubled, self.few, self.sum);
        let near = near / all;
        let far = 1.0 - near + here / all;
        (2.0 * near.min(far)).min(1.0)
    }
}

/// In how many ways values can be divided into groups of these sizes.
fn divisions(few: usize, many: usize) -> f64 {
    let factors = (1..=few).map(|place| (many + place) as f64 / place as f64);
    factors.product::<f64>().round()
}

/// How many subsets of `size` of the ascending weights have at most, and exactly, this sum.
///
/// Weights are taken one after the other; there is a row of counts for each number that is taken.
/// A sum is written as what it is above the smallest possible one of as many, so that a row needs no
/// more places than the answer, and taking the `i`th weight as the `k`th shifts by `w[i] - w[k]`.
fn subsets(weights: &[usize], size: usize, sum: usize) -> (f64, f64) {
    let smallest: usize = weights[..size].iter().sum();
    let width = sum - smallest + 1;
    let mut counts = vec![0.0; (size + 1) * width];
    counts[0] = 1.0;
    for (at, weight) in weights.iter().enumerate() {
        // With fewer, too few would be left to fill the subset.
        let fewest = (size + at + 1).saturating_sub(weights.len()).max(1);
        for taken in (fewest..=size.min(at + 1)).rev() {
            let shift = weight - weights[taken - 1];
            if shift < width {
                let (before, with) = counts.split_at_mut(taken * width);
                let before = &before[(taken - 1) * width..];
                for (count, more) in with[shift..width].iter_mut().zip(before) {
                    *count += more;
                }
            }
        }
    }
    let row = &counts[size * width..];
    (row.iter().sum(), row[width - 1])
}

/// The p-value by the normal approximation of the statistic U (of either group), corrected for
/// continuity and for ties.
fn approximate(one: usize, other: usize, u: f64, ties: f64) -> f64 {
    let (pairs, all) = (one as f64 * other as f64, (one + other) as f64);
    let variance = pairs / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
    let away = (u - pairs / 2.0).abs() - 0.5;
    if variance > 0.0 {
        (2.0 * normal::above(away / variance.sqrt())).min(1.0)
    } else {
        1.0
    }
}
