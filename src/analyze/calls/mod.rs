//! Function calls: entries and exits in, calls with their durations out.
//!
//! [`walk`] pairs the events of a trace as they stream from its file; memory is bounded by the
//! calls that are open at once. [`Trees`] has those that were added up as they were recorded. [`Statistics`] adds
//! calls up; [`tree()`] merges them by their callers; [`Slowest`] keeps the longest. [`Recorded`] says how they were
//! recorded. [`lanes`] has the calls of each goroutine as they happen.

mod durations;
pub mod lanes;
mod pairing;
mod recorded;
mod short;
mod slowest;
mod statistics;
mod tree;
mod trees;

pub use durations::Durations;
pub use pairing::{Call, CallEnd, OpenCall, Pairing};
pub use recorded::Recorded;
pub use short::{LongPaths, MOST_PATHS, MOST_WHOLE_PATHS, Merged, PathChoice, SHORTER};
pub use slowest::{Slow, Slowest};
pub use statistics::{CallRow, GroupBy, Statistics, stack_name};
pub use tree::tree;
pub use trees::{CallSum, FunctionSum, ProgramTree, Trees};

use super::{Analysis, Filter};
use crate::trace::{Nanos, ProcessId, StringId};

/// What a walk over calls came across.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// Entries of all functions; where calls were added up, calls that ended.
    pub entries: u64,
    /// Exits for which no entry was recorded: the recording began within their call, or the
    /// entry was lost.
    pub orphan_exits: u64,
    /// Blocks of calls that could not be read.
    pub unreadable_blocks: u64,
    /// Programs whose calls were added up as they were recorded: of these there are no single calls.
    pub added_up: u64,
    /// Such programs that are left out, for they lie in part within the time range that was asked for.
    pub cut: u64,
}

impl Walked {
    /// This, and what another walk over other calls came across.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            entries: self.entries.saturating_add(other.entries),
            orphan_exits: self.orphan_exits.saturating_add(other.orphan_exits),
            unreadable_blocks: self
                .unreadable_blocks
                .saturating_add(other.unreadable_blocks),
            added_up: self.added_up.saturating_add(other.added_up),
            cut: self.cut.saturating_add(other.cut),
        }
    }
}

/// Walks the single calls of the programs that pass `filter`, in the order of their end, with the calls
/// around each: those of the same stack that were open when it ended, outermost first, whoever asked
/// for them. Of a time range the calls that begin in it pass. Of programs whose calls were added up ([`Trees`]),
/// some may be here as well: to be shown, not to be added up.
pub fn walk(
    analysis: &Analysis<'_>,
    filter: &Filter,
    each: impl FnMut(&Call, &[OpenCall]),
) -> Walked {
    walk_of(analysis, filter, |_| true, each)
}

/// The same of the programs that `trees` does not have: with those all calls, each once.
pub fn walk_beside(
    trees: &Trees<'_>,
    analysis: &Analysis<'_>,
    filter: &Filter,
    each: impl FnMut(&Call, &[OpenCall]),
) -> Walked {
    walk_of(analysis, filter, |process| !trees.has(process), each)
}

fn walk_of(
    analysis: &Analysis<'_>,
    filter: &Filter,
    is_wanted: impl Fn(ProcessId) -> bool,
    mut each: impl FnMut(&Call, &[OpenCall]),
) -> Walked {
    let trace = analysis.trace;
    let processes = trace.processes.iter();
    let takes: Vec<bool> = processes
        .map(|process| is_wanted(process.id) && filter.takes_process(&analysis.roles, process))
        .collect();
    let named: Vec<bool> = trace
        .probes
        .iter()
        .map(|probe| probe.set == StringId::EMPTY)
        .collect();
    let range = filter.from.unwrap_or(Nanos::ZERO)..filter.to.unwrap_or(Nanos(u64::MAX));
    let mut each = |call: &Call, callers: &[OpenCall]| {
        let asked_for = !filter.named || named.get(call.probe.index()) == Some(&true);
        if asked_for && range.contains(&call.begin) {
            // Only what passes holds the time of what it calls.
            let around = |open: &OpenCall| open.probe == call.probe && range.contains(&open.begin);
            let recursive = call.recursive && callers.iter().rev().any(around);
            each(&Call { recursive, ..*call }, callers);
        }
    };
    let mut pairing = Pairing::of(trace);
    let mut unreadable_blocks = 0;
    for block in trace.calls() {
        let Ok(block) = block else {
            unreadable_blocks += 1;
            continue;
        };
        for event in block.iter() {
            if takes.get(event.process.index()) == Some(&true) {
                pairing.take(&event, &mut each);
            }
        }
    }
    let walked = pairing.finish(analysis.end, &mut each);
    Walked {
        unreadable_blocks,
        ..walked
    }
}
