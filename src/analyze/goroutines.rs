//! Goroutines: when they ran and when they waited, from the marks of the set `sched`.

use super::Analysis;
use crate::trace::{CallEdge, Goid, Nanos, PhaseMark, ProbeId, ProcessId, StackOwner, StringId};
use std::collections::BTreeMap;

/// What a goroutine did for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoroutineState {
    /// Its program.
    pub process: ProcessId,
    /// Its number.
    pub goid: Goid,
    /// From when.
    pub begin: Nanos,
    /// Until when.
    pub end: Nanos,
    /// What: `running`, `waiting`.
    pub state: StringId,
}

/// The states of all goroutines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GoroutineStates {
    /// By program, goroutine and time; those of one goroutine do not overlap.
    pub states: Vec<GoroutineState>,
    /// Blocks of calls that could not be read.
    pub unreadable_blocks: u64,
}

impl GoroutineStates {
    /// Reads all calls once. Memory is bounded by the number of marks.
    #[must_use]
    pub fn of(analysis: &Analysis<'_>) -> Self {
        let trace = analysis.trace;
        let mark = |id: ProbeId| {
            let mark = trace.probe(id)?.phase?;
            (trace.strings.get(mark.track) == PhaseMark::GOROUTINES.as_bytes())
                .then_some(mark.phase)
        };
        if trace.probes.iter().all(|probe| mark(probe.id).is_none()) {
            return Self::default();
        }
        let mut states = Self::default();
        let mut marks: BTreeMap<(ProcessId, Goid), Vec<(Nanos, StringId)>> = BTreeMap::new();
        for block in trace.calls() {
            let Ok(block) = block else {
                states.unreadable_blocks += 1;
                continue;
            };
            for event in block.iter() {
                let goid = match event.stack {
                    StackOwner::Goroutine(goid) | StackOwner::System(Some(goid)) => goid,
                    _ => continue,
                };
                if let (CallEdge::Entry, Some(state)) = (event.edge, mark(event.probe)) {
                    let of = marks.entry((event.process, goid)).or_default();
                    of.push((event.time, state));
                }
            }
        }
        // When a mark was lost that others follow, the rest is not known.
        let dropped = trace.dropped_probes.iter();
        let dropped = dropped.filter(|dropped| mark(dropped.probe).is_some());
        let known = dropped.map(|dropped| dropped.at).min();
        for ((process, goid), mut marks) in marks {
            let end = trace.process(process);
            let end = end.map_or(analysis.end, |process| process.end_or(analysis.end));
            let end = known.map_or(end, |known| known.min(end));
            marks.retain(|(time, _)| *time < end);
            marks.sort_by_key(|(time, _)| *time);
            marks.dedup_by_key(|(_, state)| *state);
            let ends = marks.iter().skip(1).map(|(time, _)| *time).chain([end]);
            let spans = marks.iter().zip(ends);
            // A mark without a state is the end of the goroutine.
            let spans = spans.filter(|((_, state), _)| *state != StringId::EMPTY);
            states
                .states
                .extend(spans.map(|(&(begin, state), end)| GoroutineState {
                    process,
                    goid,
                    begin,
                    end,
                    state,
                }));
        }
        states
    }
}
