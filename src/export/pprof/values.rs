//! What a trace holds in; which values each sample of the file has out.

use super::parts::number;
use crate::analyze::Analysis;
use crate::analyze::profile::Weight;

/// The values of a file's samples.
#[derive(Clone, Copy, Debug)]
pub(super) enum Values {
    /// How many, and how much time they stand for.
    Times {
        /// The same of waiting threads, too.
        waits: bool,
        /// The same of calls that were added up as they were recorded, too.
        calls: bool,
        /// There are stacks beside calls.
        has_stacks: bool,
    },
    /// Stacks were imported as counts, which have no unit.
    Counts {
        /// What one count is in the trace, in nanoseconds.
        one: u64,
    },
}

/// What samples that are one come to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    pub(super) running: Weight,
    pub(super) waiting: Weight,
    /// Calls, and their own time.
    pub(super) called: Weight,
}

impl Values {
    pub(super) fn of(analysis: &Analysis<'_>) -> Self {
        let trace = analysis.trace;
        match trace.holds_counts() {
            true => Self::Counts {
                one: trace.count().0.max(1),
            },
            false => Self::Times {
                waits: analysis.has_waiting_samples(),
                calls: trace.call_tree_count() > 0,
                has_stacks: trace.sample_count() > 0 || !trace.profiles.is_empty(),
            },
        }
    }

    /// Names and units, in the order of [`Self::of_sum`].
    pub(super) fn types(self) -> Vec<(&'static str, &'static str)> {
        let mut types = vec![("samples", "count")];
        if let Self::Times { waits, calls, .. } = self {
            types.push(("cpu", "nanoseconds"));
            if waits {
                types.extend([("waits", "count"), ("off_cpu", "nanoseconds")]);
            }
            if calls {
                types.extend([("calls", "count"), ("call_time", "nanoseconds")]);
            }
        }
        types
    }

    /// The position of what is sampled with the trace's period.
    pub(super) const fn periodic(self) -> usize {
        match self {
            Self::Counts { .. } => 0,
            Self::Times { .. } => 1,
        }
    }

    /// The position of the one that readers show unless they are asked for another.
    pub(super) fn shown(self) -> usize {
        let has_calls_alone = matches!(
            self,
            Self::Times {
                calls: true,
                has_stacks: false,
                ..
            }
        );
        match has_calls_alone {
            true => self.types().len().saturating_sub(1),
            false => self.periodic(),
        }
    }

    pub(super) fn of_sum(self, sum: &Sum) -> Vec<i64> {
        let weights = match self {
            Self::Counts { one } => return vec![number(sum.running.time.0 / one)],
            Self::Times { waits, calls, .. } => [
                Some(sum.running),
                waits.then_some(sum.waiting),
                calls.then_some(sum.called),
            ],
        };
        let weights = weights.into_iter().flatten();
        weights
            .flat_map(|of| [number(of.samples), number(of.time.0)])
            .collect()
    }
}
