//! Loads and relocations in; points and slices on a thread of its own for each process out.

use super::events::{Args, Event, Events};
use super::goroutines::FIRST;
use crate::analyze::Analysis;
use crate::analyze::bindings::Happened;
use crate::trace::{Pid, ProcessId};
use rustc_hash::FxHashSet;
use std::io::{self, Write};

/// The thread of loaders: the last number before those of phases and goroutines, which no thread
/// of Linux has.
const THREAD: u32 = FIRST - 1;

/// Writes what loaders did; returns how many blocks of binds could not be read.
pub(super) fn write(analysis: &Analysis<'_>, events: &mut Events<impl Write>) -> io::Result<u64> {
    let happened = Happened::of(analysis);
    let mut named: FxHashSet<Pid> = FxHashSet::default();
    let mut thread = |process: ProcessId, events: &mut Events<_>| {
        let Some(process) = analysis.trace.process(process) else {
            return Ok(None);
        };
        let thread = (process.pid.0, THREAD);
        if named.insert(process.pid) {
            events.name_thread(thread, "dynamic linking")?;
        }
        io::Result::Ok(Some(thread))
    };
    for span in &happened.spans {
        let linking = &span.linking;
        let Some(thread) = thread(linking.process, events)? else {
            continue;
        };
        let mut args = Args::default().number("binds", span.binds);
        if let Some(cpu) = linking.cpu {
            args = args.number("cpu_ns", cpu.0);
        }
        events.put(&Event {
            name: span.name(),
            cat: "linking",
            args: Some(args),
            ..Event::slice(thread, (linking.from, linking.to))
        })?;
    }
    for mark in &happened.marks {
        let load = &mark.load;
        let Some(thread) = thread(load.process, events)? else {
            continue;
        };
        let mut args = Args::default().text("image", &*mark.image);
        if let Some(slide) = load.slide {
            args = args.text("slide", format!("{slide:#x}"));
        }
        events.put(&Event {
            name: mark.file(),
            cat: "load",
            args: Some(args),
            ..Event::point(thread, load.time)
        })?;
    }
    Ok(happened.unreadable_blocks)
}
