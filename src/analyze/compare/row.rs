//! One figure on both sides: its values, how much they differ, and what to make of that.

use super::FALSE_DISCOVERIES;
use super::key::Key;
use super::lost::Missing;
use crate::analyze::Name;
use crate::analyze::statistics::{
    Interval, Noise, can_tell, difference_interval, median, rank_test, ratio_interval,
    smallest_group, smallest_group_of, smallest_p_of,
};

/// What to make of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// New takes longer, beyond noise.
    Slower,
    /// New takes less long, beyond noise.
    Faster,
    /// Nothing beyond noise was seen.
    WithinNoise,
    /// New does not have it.
    OnlyInBase,
    /// Base does not have it.
    OnlyInNew,
    /// With as many runs, of which so many values are equal, no difference could have been told
    /// from noise.
    TooFewRuns {
        /// Runs a side with which one could.
        need: usize,
    },
    /// Part of what it is made of was lost or not seen.
    Withheld {
        /// What.
        missing: Missing,
        /// In which run, and why.
        lost: Name,
    },
}

impl Verdict {
    /// Slower or faster.
    #[must_use]
    pub const fn is_change(&self) -> bool {
        matches!(self, Self::Slower | Self::Faster)
    }

    /// One side does not have it.
    #[must_use]
    pub const fn is_one_sided(&self) -> bool {
        matches!(self, Self::OnlyInBase | Self::OnlyInNew)
    }

    /// A word or two for tables.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Slower => "slower".to_owned(),
            Self::Faster => "faster".to_owned(),
            Self::WithinNoise => "within noise".to_owned(),
            Self::OnlyInBase => "only in base".to_owned(),
            Self::OnlyInNew => "only in new".to_owned(),
            Self::TooFewRuns { need } => format!("too few runs, need {need}"),
            Self::Withheld { missing, .. } => format!("withheld: {}", missing.words()),
        }
    }
}

/// One figure on both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What it is.
    pub key: Key,
    /// Its value in each run of base; empty where no run has it. A run that lacks what others
    /// have counts as zero: a function of which no sample was taken, a phase that did not occur.
    /// NaN where it may have been there, and was not seen.
    pub base: Vec<f64>,
    /// Its value in each run of new.
    pub new: Vec<f64>,
    /// What it varies by in runs of one and the same thing, where such were given.
    pub noise: Option<Noise>,
    /// How surprising these values are if nothing changed, 0 to 1; `None` where it is not judged.
    pub p: Option<f64>,
    /// For rows that are judged.
    pub verdict: Option<Verdict>,
}

impl Row {
    pub(super) fn new(
        key: Key,
        base: Option<Vec<f64>>,
        new: Option<Vec<f64>>,
        noise: Option<Noise>,
    ) -> Self {
        let judged = key.is_judged();
        let (p, verdict) = match (&base, &new) {
            _ if !judged => (None, None),
            (Some(base), Some(new)) => (Some(rank_test(base, new)), None),
            (Some(_), None) => (None, Some(Verdict::OnlyInBase)),
            (None, _) => (None, Some(Verdict::OnlyInNew)),
        };
        Self {
            key,
            base: base.unwrap_or_default(),
            new: new.unwrap_or_default(),
            noise,
            p,
            verdict,
        }
    }

    /// Says why there is no verdict, unless it is said already.
    pub(super) fn withhold(&mut self, missing: Missing, lost: Name) {
        if !matches!(self.verdict, Some(Verdict::Withheld { .. })) {
            self.p = None;
            self.verdict = Some(Verdict::Withheld { missing, lost });
        }
    }

    /// The smallest p-value that its values could have, however they were divided.
    pub(super) fn smallest_p(&self) -> f64 {
        smallest_p_of(&self.base, &self.new)
    }

    /// `found` says that its test is among those which the family's level leaves; `family` is how
    /// many were judged together; `limit` is the p-value with which it would be found, or tested.
    pub(super) fn judge(&mut self, found: bool, family: usize, limit: f64) {
        let change = self.difference();
        self.verdict = Some(if change == 0.0 {
            Verdict::WithinNoise
        } else if found && change > 0.0 {
            Verdict::Slower
        } else if found {
            Verdict::Faster
        } else {
            match self.needs(family, limit) {
                None => Verdict::WithinNoise,
                Some(need) => Verdict::TooFewRuns { need },
            }
        });
    }

    /// How many runs a side it takes to tell that it differs although no other row does, unless
    /// there are as many.
    fn needs(&self, family: usize, limit: f64) -> Option<usize> {
        let (base, new) = (self.base.len(), self.new.len());
        if !can_tell(base, new, family, FALSE_DISCOVERIES) {
            let need = smallest_group(family, FALSE_DISCOVERIES);
            return Some(need.unwrap_or(usize::MAX));
        }
        let need = smallest_group_of(&self.base, &self.new, limit);
        let need = need.unwrap_or(usize::MAX);
        (need > base.max(new)).then_some(need)
    }

    /// Median of base, zero where it is not there.
    #[must_use]
    pub fn base_median(&self) -> f64 {
        median(&self.base).unwrap_or(0.0)
    }

    /// Median of new, zero where it is not there.
    #[must_use]
    pub fn new_median(&self) -> f64 {
        median(&self.new).unwrap_or(0.0)
    }

    /// Whether both sides are known: what one does not have counts as zero, what was not watched
    /// there does not.
    #[must_use]
    pub fn has_both(&self) -> bool {
        let one_sided = matches!(self.verdict, Some(Verdict::OnlyInBase | Verdict::OnlyInNew));
        one_sided || !(self.base.is_empty() || self.new.is_empty())
    }

    /// Whether the medians of both sides are zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.base_median() == 0.0 && self.new_median() == 0.0
    }

    /// Median of new less that of base.
    #[must_use]
    pub fn difference(&self) -> f64 {
        self.new_median() - self.base_median()
    }

    /// Median of new / median of base; `None` where base has none.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        let base = self.base_median();
        (base > 0.0).then(|| self.new_median() / base)
    }

    /// The ratio with its 95 % interval; `None` where a side has fewer than two runs, or none of it.
    #[must_use]
    pub fn ratio_interval(&self) -> Option<Interval> {
        ratio_interval(&self.base, &self.new)
    }

    /// The difference with its 95 % interval, likewise.
    #[must_use]
    pub fn difference_interval(&self) -> Option<Interval> {
        difference_interval(&self.base, &self.new)
    }
}
