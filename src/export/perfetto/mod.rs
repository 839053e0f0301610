//! Perfetto's trace format (protobuf), for ui.perfetto.dev and `trace_processor`.
//!
//! An [`Analysis`] comes in, packets go out one at a time:
//!
//! - each build is a group of tracks: its actions in lanes, and their waits for a slot;
//!   dependencies are flows, and what the end waited for has the category `critical_path`,
//!   beside a track of its own;
//! - each process is a Perfetto process, each program it ran a slice with its arguments;
//! - each process has its phases, and a lane for each goroutine of which calls were recorded: the
//!   calls as slices, samples as points, and with the set `sched` when it ran and waited;
//! - each process has what its dynamic loader did: relocations as slices with the binds that were made
//!   in them, loads as points;
//! - on-CPU samples are perf samples, off-CPU samples slices of their threads;
//! - counters, settings, losses and blind spots have tracks of their own.
//!
//! Left out: stacks of tools' own profiles, which have no time, and gotrace's own processes.

mod builds;
mod goroutines;
mod linking;
mod packets;
mod programs;
mod proto;
mod recording;
mod samples;
mod tracks;

use crate::analyze::Analysis;
use packets::Packets;
use std::io::{self, Write};

/// Writes a trace. Returns how many blocks of samples, calls and binds could not be read.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn write(analysis: &Analysis<'_>, out: &mut impl Write) -> io::Result<u64> {
    let trace = analysis.trace;
    let mut packets = Packets::begin(out, trace.anchor)?;
    recording::notes(trace, &mut packets)?;
    builds::write(analysis, &mut packets)?;
    let mut threads = programs::write(analysis, &mut packets)?;
    recording::counters(analysis, &mut packets)?;
    let (lanes, unreadable_calls) = goroutines::write(analysis, &mut packets)?;
    let unreadable_bindings = linking::write(analysis, &mut packets)?;
    let unreadable_samples = samples::write(trace, (&mut threads, &lanes), &mut packets)?;
    let unreadable = [
        ("samples", unreadable_samples),
        ("calls", unreadable_calls),
        ("bindings", unreadable_bindings),
    ];
    recording::unreadable(trace, unreadable, &mut packets)?;
    Ok(unreadable_samples + unreadable_calls + unreadable_bindings)
}
