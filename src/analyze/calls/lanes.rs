//! Calls as they happen on the lanes of goroutines, in the order of time: for pictures.
//!
//! A lane is a goroutine, wherever it ran, or a thread's stack that is no goroutine's. Marks that
//! divide the time of a whole process are none of its calls: they are phases.

use super::{CallEnd, Pairing, stack_name};
use crate::analyze::Analysis;
use crate::trace::{
    Argument, ArgumentKind, CallEdge, CallEvent, Goid, Nanos, PhaseLasts, PhaseMark, Pid, Probe,
    ProbeId, ProcessId, StackOwner, Tid, Trace,
};
use std::borrow::Cow;

/// Whose calls nest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lane {
    /// The process.
    pub pid: Pid,
    stack: StackOwner,
    /// Of goroutines, which move between threads, none.
    tid: Tid,
}

impl Lane {
    /// The lane of a goroutine, or of a stack of a thread.
    #[must_use]
    pub fn of(pid: Pid, stack: StackOwner, tid: Tid) -> Self {
        let (stack, tid) = match stack {
            StackOwner::Goroutine(_) | StackOwner::Unnumbered(_) => (stack, Tid(0)),
            StackOwner::System(_) => (StackOwner::System(None), tid),
            _ => (stack, tid),
        };
        Self { pid, stack, tid }
    }

    /// The goroutine, where it is one that has a number.
    #[must_use]
    pub fn goid(self) -> Option<Goid> {
        match self.stack {
            StackOwner::Goroutine(goid) => Some(goid),
            _ => None,
        }
    }

    /// `goroutine 7`.
    #[must_use]
    pub fn name(self) -> String {
        stack_name(self.stack, self.tid.0)
    }
}

/// What happens on a lane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// A call begins.
    Begin(Option<Argument>),
    /// The innermost call ends.
    End(CallEnd),
    /// A call of a function whose ends were not asked for.
    Instant(Option<Argument>),
}

/// A step, and of what.
#[derive(Clone, Debug)]
pub struct Happened<'t> {
    /// When.
    pub time: Nanos,
    /// Where.
    pub lane: Lane,
    /// Whose call.
    pub probe: ProbeId,
    /// The function.
    pub function: Cow<'t, str>,
    /// The phase that its calls mark.
    pub phase: Option<Cow<'t, str>>,
    /// What.
    pub step: Step,
}

impl Happened<'_> {
    /// What is written on it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.phase.as_deref().unwrap_or(&self.function)
    }

    /// The first argument, in words.
    #[must_use]
    pub fn argument(&self, trace: &Trace) -> Option<String> {
        let (Step::Begin(argument) | Step::Instant(argument)) = self.step else {
            return None;
        };
        argument.map(|argument| argument_words(trace, self.probe, argument))
    }

    /// How it ended, where that needs a word.
    #[must_use]
    pub fn end(&self) -> Option<&'static str> {
        match self.step {
            Step::End(CallEnd::TailJumped) => Some("went on in another function"),
            Step::End(CallEnd::Unwound) => Some("its frame was taken away"),
            Step::End(CallEnd::Open) => Some("not seen"),
            _ => None,
        }
    }
}

/// A first argument in words: a string as it is, an integer as a number, and a word of which no more
/// is known in hexadecimal, for it may be an address.
pub(super) fn argument_words(trace: &Trace, probe: ProbeId, argument: Argument) -> String {
    let kind = trace.probe(probe).map(|probe| probe.argument);
    match (argument, kind.unwrap_or_default()) {
        (Argument::Text(text), _) => trace.text(text).into_owned(),
        (Argument::Integer(word), kind @ (ArgumentKind::Signed(_) | ArgumentKind::Unsigned(_))) => {
            kind.number(word).to_string()
        }
        (Argument::Integer(word), _) => format!("{word:#x}"),
    }
}

/// Walks everything that happened on lanes, of all processes or of one; returns how many blocks of
/// calls could not be read.
///
/// # Errors
///
/// Those of `each`, which end the walk.
pub fn walk<E>(
    analysis: &Analysis<'_>,
    only: Option<Pid>,
    mut each: impl FnMut(&Happened<'_>) -> Result<(), E>,
) -> Result<u64, E> {
    let trace = analysis.trace;
    let drawn: Vec<bool> = trace
        .probes
        .iter()
        .map(|probe| draws(trace, probe))
        .collect();
    let is_drawn = |probe: ProbeId| drawn.get(probe.index()) == Some(&true);
    let takes = |process: ProcessId| {
        let process = trace.process(process).filter(|process| !process.own);
        process.filter(|process| only.is_none_or(|only| process.pid == only))
    };
    let mut pairing = Pairing::of(trace);
    let mut unreadable_blocks = 0;
    let mut ended = Vec::new();
    for block in trace.calls() {
        let Ok(block) = block else {
            unreadable_blocks += 1;
            continue;
        };
        for event in block.iter() {
            let Some(process) = takes(event.process) else {
                continue;
            };
            // The ends come first that the event proves.
            pairing.take(&event, &mut |call, _| ended.push(*call));
            for call in ended.drain(..).filter(|call| is_drawn(call.probe)) {
                let step = match call.how {
                    CallEnd::Instant => Step::Instant(call.argument),
                    how => Step::End(how),
                };
                let lane = Lane::of(process.pid, call.stack, call.tid);
                each(&happened(trace, (event.time, lane), call.probe, step))?;
            }
            if is_drawn(event.probe) && begins(trace, &event) {
                let lane = Lane::of(process.pid, event.stack, event.tid);
                let step = Step::Begin(event.argument);
                each(&happened(trace, (event.time, lane), event.probe, step))?;
            }
        }
    }
    pairing.finish(analysis.end, &mut |call, _| ended.push(*call));
    for call in ended.into_iter().filter(|call| is_drawn(call.probe)) {
        if let Some(process) = trace.process(call.process) {
            let lane = Lane::of(process.pid, call.stack, call.tid);
            let end = process.end_or(analysis.end).max(call.begin);
            each(&happened(
                trace,
                (end, lane),
                call.probe,
                Step::End(call.how),
            ))?;
        }
    }
    Ok(unreadable_blocks)
}

fn begins(trace: &Trace, event: &CallEvent) -> bool {
    let exits = trace.probe(event.probe).map_or(0, |probe| probe.exits);
    event.edge == CallEdge::Entry && exits > 0
}

/// Functions that somebody asked for by name, and marks that last as long as their call.
fn draws(trace: &Trace, probe: &Probe) -> bool {
    match probe.phase {
        Some(mark) => {
            mark.lasts == PhaseLasts::Call
                && trace.strings.get(mark.track) != PhaseMark::GOROUTINES.as_bytes()
        }
        None => trace.strings.get(probe.set) != Probe::ENDS_OF_GOROUTINES.as_bytes(),
    }
}

fn happened(
    trace: &Trace,
    (time, lane): (Nanos, Lane),
    probe: ProbeId,
    step: Step,
) -> Happened<'_> {
    let id = probe;
    let probe = trace.probe(id);
    let phase = probe.and_then(|probe| probe.phase);
    Happened {
        time,
        lane,
        probe: id,
        function: probe.map_or(Cow::Borrowed("?"), |probe| trace.text(probe.function)),
        phase: phase.map(|mark| trace.text(mark.phase)),
        step,
    }
}
