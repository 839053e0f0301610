//! Firefox Profiler's processed profile (JSON), for profiler.firefox.com and whatever else reads it.
//!
//! An [`Analysis`] comes in. What goes out is the format's version 60, which later viewers upgrade:
//!
//! - each build is a process with a thread, whose markers are its actions, their waits for a slot, and
//!   the critical path; another one has what was lost or not seen;
//! - each program is a process with its threads: samples of running threads, which weigh the CPU time
//!   that they stand for; markers on its main thread are its life, its phases, and what its dynamic
//!   loader did;
//! - stacks, frames, functions and images are shared by all threads; a frame's category is the kind of
//!   code that it is in.
//!
//! Times are milliseconds since the trace's start. Left out: gotrace's own processes, waiting threads
//! (their weights and those of running ones cannot be added), stacks of tools' own profiles, which have
//! no time, and calls of goroutines.

mod categories;
mod markers;
mod meta;
mod places;
mod samples;
mod threads;

use crate::analyze::Analysis;
use crate::trace::Nanos;
use markers::Markers;
use places::Places;
use samples::Counted;
use serde::Serialize;
use std::io::{self, Write};

/// Writes a trace; returns how many blocks of it could not be read.
///
/// Reads samples once, and once more for each 2¹⁷ of them. Memory is bounded by the trace's tables.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn write(analysis: &Analysis<'_>, out: &mut impl Write) -> io::Result<u64> {
    let trace = analysis.trace;
    let counted = Counted::of(trace);
    let mut places = Places::of(trace, &counted.used);
    let (markers, unreadable_bindings) = Markers::of(analysis, &mut places.strings);
    let unreadable_blocks = counted.unreadable_blocks + unreadable_bindings;
    let threads = threads::all(analysis, &counted, markers);
    out.write_all(b"{\"meta\":")?;
    meta::write(analysis, &threads, unreadable_blocks, out)?;
    out.write_all(b",\n\"libs\":[")?;
    places.write_images(out)?;
    out.write_all(b"],\n\"threads\":[")?;
    threads::write(trace, &threads, &places, out)?;
    out.write_all(b"],\n\"shared\":{")?;
    places.write(&counted.used, out)?;
    out.write_all(b"}}\n")?;
    Ok(unreadable_blocks)
}

fn millis(time: Nanos) -> f64 {
    time.0 as f64 / 1e6
}

/// Writes the elements of a list, which are made as they are written.
fn put_all<T: Serialize>(all: impl IntoIterator<Item = T>, out: &mut impl Write) -> io::Result<()> {
    for (position, element) in all.into_iter().enumerate() {
        out.write_all(if position > 0 { b"," } else { b"" })?;
        serde_json::to_writer(&mut *out, &element)?;
    }
    Ok(())
}

/// Writes a column of a table, and what parts it from the next member.
fn put_column<T: Serialize>(
    name: &str,
    all: impl IntoIterator<Item = T>,
    out: &mut impl Write,
) -> io::Result<()> {
    write!(out, "\n\"{name}\":[")?;
    put_all(all, out)?;
    out.write_all(b"],")
}

/// Writes an object without its last brace, so that members can follow.
fn put_open(object: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    let text = serde_json::to_vec(object)?;
    out.write_all(text.strip_suffix(b"}").unwrap_or(&text))
}
