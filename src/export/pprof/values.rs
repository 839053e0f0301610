//! What was sampled in; which values each sample of the file has out.

use crate::analyze::Analysis;
use crate::analyze::profile::Weight;

/// The values of a file's samples.
#[derive(Clone, Copy, Debug)]
pub(super) enum Values {
    /// How many, and how much time they stand for.
    Times {
        /// The same of waiting threads, too.
        waits: bool,
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
            },
        }
    }

    /// Names and units, in the order of [`Self::of_sum`].
    pub(super) const fn types(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Counts { .. } => &[("samples", "count")],
            Self::Times { waits: false } => &[("samples", "count"), ("cpu", "nanoseconds")],
            Self::Times { waits: true } => &[
                ("samples", "count"),
                ("cpu", "nanoseconds"),
                ("waits", "count"),
                ("off_cpu", "nanoseconds"),
            ],
        }
    }

    /// The position of the one that readers show unless they are asked for another.
    pub(super) const fn shown(self) -> usize {
        match self {
            Self::Counts { .. } => 0,
            Self::Times { .. } => 1,
        }
    }

    pub(super) fn of_sum(self, sum: &Sum) -> Vec<u64> {
        let Sum { running, waiting } = sum;
        match self {
            Self::Counts { one } => vec![running.time.0 / one],
            Self::Times { waits } => {
                let mut values = vec![running.samples, running.time.0];
                if waits {
                    values.extend([waiting.samples, waiting.time.0]);
                }
                values
            }
        }
    }
}
