//! Calls that take too little for a path of their own, where there are more paths than anybody can use: a compiler of
//! which every function is watched has seventeen million.
//!
//! They are merged below what called them, one sum for each caller, so that no time and no call is lost or another
//! function's. What counts as short is settled for all programs at once, by how many paths would be left.

use super::CallSum;
use crate::analyze::profile::Weight;
use crate::trace::Nanos;

/// More paths than a table, a picture or a page has use for.
pub const MOST_PATHS: u64 = 1_000_000;
/// Where each path is kept with all its functions. Those of a compiler, which walks trees, have 4 KiB each as text.
pub const MOST_WHOLE_PATHS: u64 = 200_000;

/// What stands below a caller for its calls that were merged.
pub const SHORTER: &str = "[shorter calls]";

/// Which paths stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathChoice {
    /// Each.
    All,
    /// The longest, at most about so many.
    Longest(u64),
    /// Those that took so long in their program.
    From(Nanos),
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

/// Leaves out sums that took less than `below`, as all did that they called, but for those that nobody called. Returns how
/// many of these pass, and for each sum that stays what was left out below it: calls that pass, and their own time.
pub(super) fn merge(
    sums: &mut Vec<CallSum>,
    below: Nanos,
    passes: impl Fn(&CallSum) -> bool,
) -> (u64, Vec<Weight>) {
    let longest = longest(sums);
    let mut paths = 0;
    let mut merged: Vec<Weight> = Vec::new();
    // Where each sum stands now, or the nearest of its callers that stays.
    let mut places: Vec<u32> = Vec::with_capacity(sums.len());
    for at in 0..sums.len() {
        let sum = sums[at];
        let caller = sum.caller.and_then(|at| places.get(at as usize)).copied();
        if let Some(place) = caller.filter(|_| longest[at] < below) {
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
fn longest(sums: &[CallSum]) -> Vec<Nanos> {
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
