//! Calls that take too little for a path of their own, where there are more paths than anybody can use: a compiler of
//! which every function is watched has seventeen million.
//!
//! They are merged below what called them, one sum for each caller, so that no time and no call is lost or another
//! function's. What counts as short is settled for all programs at once, by how many paths would be left; where runs are
//! compared, a path is kept in all of them that is kept in one.

use super::CallSum;
use crate::analyze::profile::Weight;
use crate::trace::Nanos;
use rustc_hash::{FxBuildHasher, FxHashSet};
use std::hash::BuildHasher as _;

/// More paths than a table, a picture or a page has use for.
pub const MOST_PATHS: u64 = 1_000_000;
/// Where each path is kept with all its functions. Those of a compiler, which walks trees, have 4 KiB each as text.
pub const MOST_WHOLE_PATHS: u64 = 200_000;

/// What stands below a caller for its calls that were merged.
pub const SHORTER: &str = "[shorter calls]";

/// Which paths stay.
#[derive(Clone, Copy, Debug)]
pub enum PathChoice<'a> {
    /// Each.
    All,
    /// The longest, at most about so many.
    Longest(u64),
    /// Those that are long in some run.
    Among(&'a LongPaths),
}

/// Paths that are among the longest of some run, by the names of their functions.
#[derive(Clone, Debug, Default)]
pub struct LongPaths {
    /// Where two paths have one hash, which hardly happens, both are.
    hashes: FxHashSet<u64>,
    /// All others took less than this, in each program.
    pub(super) below: Nanos,
}

impl LongPaths {
    /// Adds those of a program's sums that took so long, or lead to one that did. `names` are the hashes of functions' names,
    /// by probe.
    pub(super) fn add(&mut self, sums: &[CallSum], names: &[u64], least: Nanos) {
        self.below = self.below.max(least);
        let long = hashes(sums, names).into_iter().zip(longest(sums));
        let long = long.filter(|(_, longest)| *longest >= least);
        self.hashes.extend(long.map(|(hash, _)| hash));
    }

    /// Of each sum, whether its path is one of these.
    pub(super) fn hold(&self, sums: &[CallSum], names: &[u64]) -> Vec<bool> {
        let hashes = hashes(sums, names).into_iter();
        hashes.map(|hash| self.hashes.contains(&hash)).collect()
    }
}

/// A hash of each sum's path.
fn hashes(sums: &[CallSum], names: &[u64]) -> Vec<u64> {
    let mut hashes: Vec<u64> = Vec::with_capacity(sums.len());
    for sum in sums {
        let caller = sum.caller.and_then(|at| hashes.get(at as usize)).copied();
        let name = names.get(sum.probe.index()).copied().unwrap_or_default();
        hashes.push(FxBuildHasher.hash_one((caller, name)));
    }
    hashes
}

/// Which calls of a tree were merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Paths that took less than this in their program; zero where none were.
    pub below: Nanos,
    /// How many they were, each program's for itself.
    pub paths: u64,
}

/// Where paths begin to be long: 1, 2, 5, 10 ... nanoseconds, and so on to some minutes.
const STEPS: [u64; 36] = steps();

const fn steps() -> [u64; 36] {
    let mut steps = [0; 36];
    let (mut at, mut ten) = (0, 1);
    while at + 3 <= steps.len() {
        steps[at] = ten;
        steps[at + 1] = 2 * ten;
        steps[at + 2] = 5 * ten;
        (at, ten) = (at + 3, 10 * ten);
    }
    steps
}

/// How many paths there are of each length.
#[derive(Clone, Debug)]
pub(super) struct Lengths([u64; STEPS.len() + 1]);

impl Default for Lengths {
    fn default() -> Self {
        Self([0; STEPS.len() + 1])
    }
}

impl Lengths {
    pub(super) fn add(&mut self, total: Nanos) {
        let at = STEPS.partition_point(|step| *step <= total.0);
        if let Some(count) = self.0.get_mut(at) {
            *count = count.saturating_add(1);
        }
    }

    /// How long a path has to be so that at most so many are: zero where all may stay.
    pub(super) fn least(&self, most: u64) -> Nanos {
        let mut stay = 0_u64;
        for (at, count) in self.0.iter().enumerate().rev() {
            stay = stay.saturating_add(*count);
            if stay > most {
                return Nanos(STEPS.get(at).copied().unwrap_or(u64::MAX));
            }
        }
        Nanos::ZERO
    }
}

/// Leaves out sums that are not to stay, nor any that they called, but for those that nobody called. Returns how many of
/// these pass, and for each sum that stays what was left out below it: calls that pass, and their own time.
pub(super) fn merge(
    sums: &mut Vec<CallSum>,
    stay: &[bool],
    passes: impl Fn(&CallSum) -> bool,
) -> (u64, Vec<Weight>) {
    let mut paths = 0;
    let mut merged: Vec<Weight> = Vec::new();
    // Where each sum stands now, or the nearest of its callers that stays.
    let mut places: Vec<u32> = Vec::with_capacity(sums.len());
    for at in 0..sums.len() {
        let sum = sums[at];
        let caller = sum.caller.and_then(|at| places.get(at as usize)).copied();
        if let Some(place) = caller.filter(|_| !stay[at]) {
            if passes(&sum) {
                paths += 1;
                let (time, samples) = (sum.own, sum.calls);
                merged[place as usize] += Weight { time, samples };
            }
            places.push(place);
            continue;
        }
        let place = merged.len();
        sums[place] = CallSum { caller, ..sum };
        merged.push(Weight::default());
        places.push(u32::try_from(place).unwrap_or(u32::MAX));
    }
    sums.truncate(merged.len());
    sums.shrink_to_fit();
    (paths, merged)
}

/// Of each sum the longest time among its own and those of what it called: of a caller that has not ended, or whose end
/// was lost, only that is known.
pub(super) fn longest(sums: &[CallSum]) -> Vec<Nanos> {
    let mut longest: Vec<Nanos> = sums.iter().map(|sum| sum.total).collect();
    for (at, sum) in sums.iter().enumerate().rev() {
        if let Some(caller) = sum.caller {
            let caller = caller as usize;
            longest[caller] = longest[caller].max(longest[at]);
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_paths_stay_as_may() {
        let mut lengths = Lengths::default();
        // Two that took no time, three of 1 ns, one of 4, two of 5, one of 49 and one of 50, one that ends with time.
        for total in [0, 1, 5, 49, 1, 0, 5, 50, u64::MAX, 4, 1] {
            lengths.add(Nanos(total));
        }
        let least = |most| lengths.least(most).0;
        assert_eq!(least(11), 0);
        // Without those of no time it is nine, and then six, five, three and two.
        assert_eq!([least(10), least(9)], [1, 1]);
        assert_eq!([least(8), least(6)], [2, 2]);
        assert_eq!(least(5), 5);
        assert_eq!([least(4), least(3)], [10, 10]);
        assert_eq!(least(2), 50);
        assert_eq!(least(1), 100);
        assert_eq!(least(0), u64::MAX);
        assert_eq!(STEPS[..4], [1, 2, 5, 10]);
        assert_eq!(STEPS[35], 500_000_000_000);
    }
}
