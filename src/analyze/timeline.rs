//! What happened when: lanes of actions or programs, concurrency and CPU over time.

use super::{Analysis, Name, Tool, cost::ActionRef};
use crate::trace::{Nanos, ProcessId};

/// What lanes hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bars {
    /// Actions of the builds; programs where there are no actions.
    #[default]
    Actions,
    /// All programs, children in lanes of their own.
    Processes,
}

/// How a timeline is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What lanes hold.
    pub bars: Bars,
    /// Number of bins of [`Timeline::concurrency`] and [`Timeline::cpu`].
    pub bins: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bars: Bars::Actions,
            bins: 200,
        }
    }
}

/// What a bar shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarOf {
    /// An action.
    Action(ActionRef),
    /// A program.
    Process(ProcessId),
}

/// One bar of a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// What it shows.
    pub of: BarOf,
    /// What is written on it: the package, or the program's name.
    pub label: Name,
    /// Its colour: the action's main tool (the one that ran longest), or the program's.
    pub tool: Tool,
    /// When it began.
    pub start: Nanos,
    /// When it ended.
    pub end: Nanos,
    /// It lies on the critical path.
    pub critical: bool,
    /// Its end was not seen: it is drawn to the end of the trace.
    pub open: bool,
}

/// Bars that do not overlap, by start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lane {
    /// The bars.
    pub bars: Vec<Bar>,
}

/// How CPU over time was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CpuSource {
    /// From on-CPU samples.
    Samples,
    /// Each program's CPU time, spread evenly over its life.
    #[default]
    Spread,
}

/// What happened when.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    /// End of the trace; it starts at zero.
    pub end: Nanos,
    /// Cores of the machine.
    pub cores: u32,
    /// As few lanes as hold all bars; each bar is in the first lane that is free at its start.
    pub lanes: Vec<Lane>,
    /// Length of a bin.
    pub bin: Nanos,
    /// Mean number of bars under way, bin by bin.
    pub concurrency: Vec<f64>,
    /// Mean number of cores in use by the command, bin by bin.
    pub cpu: Vec<f64>,
    /// How `cpu` was found.
    pub cpu_source: CpuSource,
}

impl Timeline {
    /// Reads all samples once.
    #[must_use]
    pub fn of(analysis: &Analysis<'_>, options: Options) -> Self {
        let _ = (analysis, options);
        Self::default()
    }
}
