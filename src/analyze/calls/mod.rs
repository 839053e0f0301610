//! Function calls: entries and exits in, calls with their durations out.
//!
//! [`walk`] pairs the events of a trace as they stream from its file; memory is bounded by the
//! calls that are open at once. [`Statistics`] adds calls up; [`tree()`] merges them by their
//! callers; [`Slowest`] keeps the longest. [`lanes`] has the calls of each goroutine as they happen.

mod durations;
pub mod lanes;
mod pairing;
mod slowest;
mod statistics;
mod tree;

pub use durations::Durations;
pub use pairing::{Call, CallEnd, OpenCall, Pairing};
pub use slowest::{Slow, Slowest};
pub use statistics::{CallRow, GroupBy, Statistics, stack_name};
pub use tree::tree;

use super::{Analysis, Filter};
use crate::trace::{Nanos, StringId};

/// What a walk over calls came across.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// Entries of all functions.
    pub entries: u64,
    /// Exits for which no entry was recorded: the recording began within their call, or the
    /// entry was lost.
    pub orphan_exits: u64,
    /// Blocks of calls that could not be read.
    pub unreadable_blocks: u64,
}

/// Walks the calls of the programs that pass `filter`, in the order of their end, with the calls
/// around each: those of the same stack that were open when it ended, outermost first, whoever asked
/// for them. Of a time range the calls that begin in it pass.
pub fn walk(
    analysis: &Analysis<'_>,
    filter: &Filter,
    mut each: impl FnMut(&Call, &[OpenCall]),
) -> Walked {
    let trace = analysis.trace;
    let takes: Vec<bool> = trace
        .processes
        .iter()
        .map(|process| filter.takes_process(&analysis.roles, process))
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
