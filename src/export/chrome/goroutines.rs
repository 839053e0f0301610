//! Calls, phases and states of goroutines in; slices on threads of their own out.

use super::events::{Args, Event, Events};
use crate::analyze::calls::lanes::{self, Happened, Lane, Step};
use crate::analyze::{Analysis, GoroutineStates, PhaseIndex};
use crate::trace::{Pid, StackOwner, Tid};
use rustc_hash::FxHashMap;
use std::io::{self, Write};

/// The first number of a thread that is none: Linux counts to here (`PID_MAX_LIMIT` of
/// include/linux/threads.h).
pub(super) const FIRST: u32 = 1 << 22;

/// What has a thread of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Row {
    Phases,
    Beside,
    Calls(Lane),
    State(Lane),
}

/// The rows that have a number.
#[derive(Debug, Default)]
struct Rows {
    numbers: FxHashMap<(Pid, Row), u32>,
}

impl Rows {
    /// The thread of a row, named when it is first asked for.
    fn thread(
        &mut self,
        pid: Pid,
        row: Row,
        events: &mut Events<impl Write>,
    ) -> io::Result<(u32, u32)> {
        if let Some(&number) = self.numbers.get(&(pid, row)) {
            return Ok((pid.0, number));
        }
        let number = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        let thread = (pid.0, number.saturating_add(FIRST));
        self.numbers.insert((pid, row), thread.1);
        let name = match row {
            Row::Phases => "phases".to_owned(),
            Row::Beside => "phases beside".to_owned(),
            Row::Calls(lane) => lane.name(),
            Row::State(lane) => format!("{}: state", lane.name()),
        };
        events.name_thread(thread, &name)?;
        Ok(thread)
    }
}

/// Writes calls, phases and states; returns how many blocks of calls could not be read.
pub(super) fn write(analysis: &Analysis<'_>, events: &mut Events<impl Write>) -> io::Result<u64> {
    let mut rows = Rows::default();
    phases(analysis, &mut rows, events)?;
    let unreadable_blocks = lanes::walk(analysis, None, |happened| {
        let lane = happened.lane;
        let thread = rows.thread(lane.pid, Row::Calls(lane), events)?;
        put(analysis, happened, thread, events)
    })?;
    states(analysis, &mut rows, events)?;
    Ok(unreadable_blocks)
}

fn put(
    analysis: &Analysis<'_>,
    happened: &Happened<'_>,
    thread: (u32, u32),
    events: &mut Events<impl Write>,
) -> io::Result<()> {
    let mut args = Args::default();
    if happened.phase.is_some() {
        args = args.text("function", &*happened.function);
    }
    if let Some(argument) = happened.argument(analysis.trace) {
        args = args.text("argument", argument);
    }
    if let Some(how) = happened.end() {
        args = args.text("end", how);
    }
    let cat = match happened.phase {
        Some(_) => "phase",
        None => "call",
    };
    let event = match happened.step {
        Step::Begin(_) => Event::begin(thread, happened.time),
        Step::End(_) => Event::end(thread, happened.time),
        Step::Instant(_) => Event::point(thread, happened.time),
    };
    events.put(&Event {
        name: happened.name(),
        cat,
        args: Some(args),
        ..event
    })
}

fn states(
    analysis: &Analysis<'_>,
    rows: &mut Rows,
    events: &mut Events<impl Write>,
) -> io::Result<()> {
    let trace = analysis.trace;
    for state in GoroutineStates::of(analysis).states {
        let Some(process) = trace.process(state.process).filter(|process| !process.own) else {
            continue;
        };
        let lane = Lane::of(process.pid, StackOwner::Goroutine(state.goid), Tid(0));
        let thread = rows.thread(process.pid, Row::State(lane), events)?;
        events.put(&Event {
            name: &trace.text(state.state),
            cat: "goroutine",
            ..Event::slice(thread, (state.begin, state.end))
        })?;
    }
    Ok(())
}

fn phases(
    analysis: &Analysis<'_>,
    rows: &mut Rows,
    events: &mut Events<impl Write>,
) -> io::Result<()> {
    for span in PhaseIndex::of(analysis).spans() {
        let process = analysis.trace.process(span.process);
        let Some(process) = process.filter(|process| !process.own) else {
            continue;
        };
        let row = match span.phase.beside {
            false => Row::Phases,
            true => Row::Beside,
        };
        let thread = rows.thread(process.pid, row, events)?;
        events.put(&Event {
            name: &span.phase.phase.to_string(),
            cat: "phase",
            ..Event::slice(thread, (span.begin, span.end))
        })?;
    }
    Ok(())
}
