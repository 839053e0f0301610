//! Which row of a report's tables a program, an action or a colour has.

use super::columns::NONE;
use crate::analyze::cost::ActionRef;
use crate::analyze::{Analysis, Name, PhaseRow, Phases};
use crate::render::palette::Family;
use crate::trace::ProcessId;
use rustc_hash::FxHashMap;

/// The rows of programs and of actions that work, in the order of the trace.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) processes: Vec<ProcessId>,
    pub(super) actions: Vec<ActionRef>,
    of_processes: FxHashMap<ProcessId, u32>,
    of_actions: FxHashMap<ActionRef, u32>,
    /// Colours of the phases, by track, phase, and whether they go on beside others.
    of_phases: FxHashMap<(Name, Name, bool), u8>,
}

impl Rows {
    /// gotrace's own programs have none, nor have actions without work.
    pub(super) fn of(analysis: &Analysis<'_>, phases: &Phases) -> Self {
        let processes: Vec<_> = analysis.roles.iter().map(|(id, _)| id).collect();
        let builds = (0..).zip(&analysis.builds.builds);
        let actions: Vec<_> = builds
            .flat_map(|(build, graph)| {
                let working = graph.indexed().filter(|(_, action)| action.works());
                working.map(move |(action, _)| ActionRef { build, action })
            })
            .collect();
        let phases = phases.rows.iter().enumerate();
        let phases = phases.map(|(rank, row)| (key_of(row), colour(rank_colour(rank, row))));
        Self {
            of_phases: phases.collect(),
            of_processes: processes.iter().copied().zip(0..).collect(),
            of_actions: actions.iter().copied().zip(0..).collect(),
            processes,
            actions,
        }
    }

    pub(super) fn process(&self, id: ProcessId) -> u32 {
        self.of_processes.get(&id).copied().unwrap_or(NONE)
    }

    pub(super) fn action(&self, action: ActionRef) -> u32 {
        self.of_actions.get(&action).copied().unwrap_or(NONE)
    }

    /// The row of the colour of a phase: those that took most have one of their own.
    pub(super) fn phase_colour(&self, phase: &PhaseRow) -> u8 {
        let found = self.of_phases.get(&key_of(phase));
        found.copied().unwrap_or_else(|| colour(Family::Other))
    }
}

fn key_of(phase: &PhaseRow) -> (Name, Name, bool) {
    (phase.track.clone(), phase.phase.clone(), phase.beside)
}

fn rank_colour(rank: usize, phase: &PhaseRow) -> Family {
    if phase.beside {
        Family::Other
    } else {
        Family::of_rank(rank)
    }
}

/// The row of a colour.
pub(super) fn colour(family: Family) -> u8 {
    let mut rows = (0..).zip(Family::ALL);
    rows.find(|(_, one)| *one == family)
        .map_or(0, |(row, _)| row)
}
