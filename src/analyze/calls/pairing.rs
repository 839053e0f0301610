//! Entries and exits to calls, by the depth of the stack.
//!
//! A call is left without an exit when a panic or `runtime.Goexit` takes its frame away, when it
//! ends on a system stack that is abandoned (`mcall`), or by a jump that could not be probed.
//! Whatever happens next on the same stack at its depth, or nearer to the stack's end, proves
//! that it is over.

use super::Walked;
use crate::trace::{
    Argument, CallEdge, CallEvent, Nanos, ProbeId, ProcessId, StackOwner, Tid, Trace,
};
use rustc_hash::FxHashMap;

/// What a goroutine calls last, whether it returned or called `runtime.Goexit`.
const GOROUTINE_END: &[u8] = b"runtime.goexit1";

/// Stacks without open calls are forgotten when there are so many.
const EMPTY_STACKS: usize = 1 << 12;

/// A call that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenCall {
    /// Which function.
    pub probe: ProbeId,
    /// When it began.
    pub begin: Nanos,
    /// First argument, where it was recorded.
    pub argument: Option<Argument>,
    depth: u32,
    tid: Tid,
    /// Time in recorded calls that it made.
    inner: Nanos,
    recursive: bool,
}

/// A call that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Which function.
    pub probe: ProbeId,
    /// In which program.
    pub process: ProcessId,
    /// On whose stack.
    pub stack: StackOwner,
    /// The thread on which it began.
    pub tid: Tid,
    /// When it began.
    pub begin: Nanos,
    /// When it ended, or was seen to have ended.
    pub end: Nanos,
    /// How.
    pub how: CallEnd,
    /// Time in recorded calls that it made.
    pub inner: Nanos,
    /// A call of the same function is around it.
    pub recursive: bool,
    /// First argument, where it was recorded.
    pub argument: Option<Argument>,
}

impl Call {
    /// From begin to end.
    #[must_use]
    pub fn total(&self) -> Nanos {
        self.end.since(self.begin)
    }

    /// Without the recorded calls that it made.
    #[must_use]
    pub fn own(&self) -> Nanos {
        self.total() - self.inner
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallEnd {
    /// It returned.
    Returned,
    /// It jumped to another function.
    TailJumped,
    /// Its frame went away: a panic, `runtime.Goexit`, a stack that was abandoned.
    Unwound,
    /// It was under way when its program ended, or the recording.
    Open,
    /// Only its entry was asked for.
    Instant,
}

/// Whose calls nest: those of one goroutine, wherever it runs, or of one stack of a thread.
type Key = (ProcessId, StackOwner, Tid);

/// Pairs the events of a trace.
#[derive(Debug)]
pub struct Pairing<'t> {
    trace: &'t Trace,
    open: FxHashMap<Key, Vec<OpenCall>>,
    /// Functions that goroutines end with.
    ends: Vec<ProbeId>,
    /// When functions were given up: exits after that are not known.
    given_up: FxHashMap<ProbeId, Nanos>,
    walked: Walked,
}

impl<'t> Pairing<'t> {
    /// Begins without open calls.
    #[must_use]
    pub fn of(trace: &'t Trace) -> Self {
        Self {
            trace,
            open: FxHashMap::default(),
            ends: trace
                .probes
                .iter()
                .filter(|probe| trace.strings.get(probe.function) == GOROUTINE_END)
                .map(|probe| probe.id)
                .collect(),
            given_up: trace
                .dropped_probes
                .iter()
                .map(|dropped| (dropped.probe, dropped.at))
                .collect(),
            walked: Walked::default(),
        }
    }

    /// Takes the next event; `each` is told of calls that are over by it, and of what was open
    /// around them.
    pub fn take(&mut self, event: &CallEvent, each: &mut impl FnMut(&Call, &[OpenCall])) {
        let key = key(event);
        if self.open.len() > EMPTY_STACKS && !self.open.contains_key(&key) {
            self.open.retain(|_, stack| !stack.is_empty());
        }
        // It is passed for some more milliseconds while the kernel takes the probe away.
        if let Some(at) = self.given_up.get_mut(&event.probe) {
            *at = event.time.max(*at);
        }
        let given_up = &self.given_up;
        let close = |stack: &mut Vec<OpenCall>, how, each: &mut _| {
            close(stack, key, (event.time, how), given_up, each);
        };
        let stack = self.open.entry(key).or_default();
        match event.edge {
            CallEdge::Entry => {
                self.walked.entries += 1;
                while stack.last().is_some_and(|call| !is_deeper(event, call)) {
                    close(stack, CallEnd::Unwound, each);
                }
                let probe = self.trace.probe(event.probe);
                let is_end = self.ends.contains(&event.probe);
                while is_end && !stack.is_empty() {
                    close(stack, CallEnd::Unwound, each);
                }
                stack.push(OpenCall {
                    probe: event.probe,
                    begin: event.time,
                    argument: event.argument,
                    depth: event.depth,
                    tid: event.tid,
                    inner: Nanos::ZERO,
                    recursive: stack.iter().any(|call| call.probe == event.probe),
                });
                // What a goroutine ends with does not come back.
                if is_end || probe.is_none_or(|probe| probe.exits == 0) {
                    close(stack, CallEnd::Instant, each);
                }
            }
            CallEdge::Exit | CallEdge::TailJump => {
                let how = match event.edge {
                    CallEdge::TailJump => CallEnd::TailJumped,
                    CallEdge::Entry | CallEdge::Exit => CallEnd::Returned,
                };
                loop {
                    match stack.last() {
                        Some(call) if is_deeper(event, call) => {
                            self.walked.orphan_exits += 1;
                            break;
                        }
                        Some(call) if call.depth == event.depth && call.probe == event.probe => {
                            close(stack, how, each);
                            break;
                        }
                        Some(_) => close(stack, CallEnd::Unwound, each),
                        None => {
                            self.walked.orphan_exits += 1;
                            break;
                        }
                    }
                }
            }
        }
    }

    /// Ends what is open: with its program, or with the recording at `end`.
    pub fn finish(mut self, end: Nanos, each: &mut impl FnMut(&Call, &[OpenCall])) -> Walked {
        let mut left: Vec<_> = self.open.drain().collect();
        left.sort_unstable_by_key(|(key, stack)| (key.0, stack.first().map(|call| call.begin)));
        for (key, mut stack) in left {
            let process = self.trace.process(key.0);
            let end = process.map_or(end, |process| process.end_or(end));
            while !stack.is_empty() {
                close(&mut stack, key, (end, CallEnd::Open), &self.given_up, each);
            }
        }
        self.walked
    }
}

fn key(event: &CallEvent) -> Key {
    let tid = match event.stack {
        StackOwner::Goroutine(_) | StackOwner::Unnumbered(_) => Tid(0),
        _ => event.tid,
    };
    let stack = match event.stack {
        // One stack, on behalf of whomever.
        StackOwner::System(_) => StackOwner::System(None),
        other => other,
    };
    (event.process, stack, tid)
}

/// Whether an event lies within an open call: further from the stack's end.
fn is_deeper(event: &CallEvent, call: &OpenCall) -> bool {
    match event.stack {
        StackOwner::Foreign => event.depth.wrapping_sub(call.depth).cast_signed() > 0,
        _ => event.depth > call.depth,
    }
}

/// Ends the innermost call at this time, in this way. Where its end could not be seen, for its
/// function was no longer watched, it was open until then.
fn close(
    stack: &mut Vec<OpenCall>,
    (process, owner, _): Key,
    (time, how): (Nanos, CallEnd),
    given_up: &FxHashMap<ProbeId, Nanos>,
    each: &mut impl FnMut(&Call, &[OpenCall]),
) {
    let Some(open) = stack.pop() else { return };
    let (time, how) = match given_up.get(&open.probe) {
        Some(&at) if matches!(how, CallEnd::Unwound | CallEnd::Open) => {
            (time.min(at), CallEnd::Open)
        }
        _ => (time, how),
    };
    let call = Call {
        probe: open.probe,
        process,
        stack: owner,
        tid: open.tid,
        begin: open.begin,
        end: time.max(open.begin),
        how,
        inner: open.inner,
        recursive: open.recursive,
        argument: open.argument,
    };
    if let Some(caller) = stack.last_mut() {
        caller.inner += call.total();
    }
    each(&call, stack);
}
