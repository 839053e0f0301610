//! When threads and goroutines ran and waited, as far as samples tell: samples in, stretches of time out.
//!
//! A sample of a running thread stands for the time before it. Two that follow each other so closely that no
//! third one fits in between are one stretch: the thread ran on.

use super::{Analysis, filter};
use crate::trace::{Goid, Nanos, ProcessId, Sample, SampleKind, Tid};
use rustc_hash::FxHashMap;

/// Who ran or waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A thread.
    Thread(Tid),
    /// A goroutine, whichever threads it was on.
    Goroutine(Goid),
}

/// A time in which somebody ran, or waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// In which program.
    pub process: ProcessId,
    /// Who.
    pub actor: Actor,
    /// From when,
    pub begin: Nanos,
    /// until when.
    pub end: Nanos,
    /// Running or waiting; of goroutines, which wait without a thread, only the first is known.
    pub kind: SampleKind,
    /// Samples that tell so.
    pub samples: u32,
}

/// Calls `each` with every stretch; those of one actor come in the order of time and do not overlap. Reads all
/// samples once, and returns how many blocks could not be read. Memory is bounded by the number of threads and
/// goroutines.
pub fn walk(analysis: &Analysis<'_>, each: impl FnMut(&Stretch)) -> u64 {
    walk_beside(analysis, |_| {}, each)
}

/// As [`walk`], and calls `also` with each sample that is read: to read ten million of them takes as long as to do
/// something with them.
pub fn walk_beside(
    analysis: &Analysis<'_>,
    mut also: impl FnMut(&Sample),
    mut each: impl FnMut(&Stretch),
) -> u64 {
    let mut open: FxHashMap<(ProcessId, Actor), Stretch> = FxHashMap::default();
    let unreadable_blocks = filter::walk(analysis.trace, |sample| {
        also(sample);
        let Some(process) = analysis.trace.process(sample.process) else {
            return;
        };
        if analysis.roles.get(sample.process).is_none() {
            return;
        }
        let goroutine = sample
            .goroutine
            .filter(|_| sample.kind == SampleKind::OnCpu);
        let actors = [
            Some(Actor::Thread(sample.tid)),
            goroutine.map(Actor::Goroutine),
        ];
        for actor in actors.into_iter().flatten() {
            take(&mut open, actor, sample, process.start, &mut each);
        }
    });
    let mut last: Vec<Stretch> = open.into_values().collect();
    last.sort_by_key(|stretch| (stretch.process, stretch.begin, stretch.end));
    last.iter().for_each(each);
    unreadable_blocks
}

/// Makes the actor's stretch longer, or begins another one behind it.
fn take(
    open: &mut FxHashMap<(ProcessId, Actor), Stretch>,
    actor: Actor,
    sample: &Sample,
    born: Nanos,
    each: &mut impl FnMut(&Stretch),
) {
    let begin = sample.time.since(sample.weight).max(born);
    let new = Stretch {
        process: sample.process,
        actor,
        begin,
        end: sample.time.max(begin),
        kind: sample.kind,
        samples: 1,
    };
    let Some(before) = open.get_mut(&(sample.process, actor)) else {
        open.insert((sample.process, actor), new);
        return;
    };
    let goes_on = sample.kind == SampleKind::OnCpu
        && before.kind == SampleKind::OnCpu
        && begin.since(before.end) < sample.weight;
    if goes_on {
        before.end = before.end.max(new.end);
        before.samples = before.samples.saturating_add(1);
        return;
    }
    each(before);
    *before = Stretch {
        begin: begin.max(before.end),
        end: new.end.max(before.end),
        ..new
    };
}
