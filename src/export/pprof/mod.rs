//! pprof's format (`profile.proto`, packed by gzip), for `go tool pprof` and whatever else reads it.
//!
//! An [`Analysis`] comes in. What goes out, a part at a time:
//!
//! - samples with `samples` (count) and `cpu` (nanoseconds), with `waits` and `off_cpu` where waiting threads
//!   were sampled, and with `calls` and `call_time` where calls were added up as they were recorded; of stacks
//!   that were imported as counts, with `samples` alone; those of the same stack and labels are one;
//! - their labels: `tool`, `package`, `phase`, `place` (text), `process` (a pid) and `goroutine`
//!   (numbers);
//! - images as mappings with their build ids, frames as locations with the functions that were inlined
//!   into them;
//! - what was lost or not seen as comments.
//!
//! Left out: gotrace's own processes, and all that has no stack.

mod calls;
mod parts;
mod places;
mod proto;
mod samples;
mod values;

use crate::analyze::{Analysis, summary};
use crate::export::period;
use parts::Parts;
use proto::{Profile, ValueType};
use std::io::{self, Write};
use values::Values;

/// Writes a trace; returns how many blocks of it could not be read.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn write(analysis: &Analysis<'_>, out: &mut impl Write) -> io::Result<u64> {
    let mut parts = Parts::begin(out)?;
    let values = Values::of(analysis);
    let (stacks, unread_samples) = samples::write(analysis, values, &mut parts)?;
    let (probes, unread_trees) = calls::write(analysis, values, &mut parts)?;
    let unreadable_blocks = unread_samples + unread_trees;
    places::write(analysis.trace, &stacks, &probes, &mut parts)?;
    head(analysis, values, unreadable_blocks, &mut parts)?;
    parts.finish()?;
    Ok(unreadable_blocks)
}

/// What a profile says of itself.
fn head(
    analysis: &Analysis<'_>,
    values: Values,
    unreadable_blocks: u64,
    parts: &mut Parts<impl Write>,
) -> io::Result<()> {
    let trace = analysis.trace;
    let mut types = Vec::new();
    for (name, unit) in values.types() {
        types.push(ValueType {
            r#type: parts.text(name)?,
            unit: parts.text(unit)?,
        });
    }
    let shown = types.get(values.shown()).map_or(0, |shown| shown.r#type);
    let periodic = types.get(values.periodic()).copied();
    let mut head = Profile {
        sample_type: types,
        period_type: periodic,
        period: period::of(trace).unwrap_or_default().0.cast_signed(),
        time_nanos: trace.anchor.unix_ns.cast_signed(),
        duration_nanos: trace.command_end().0.cast_signed(),
        default_sample_type: shown,
        ..Profile::default()
    };
    let command = format!("command: {}", summary::command(analysis));
    head.comment.push(parts.text(&command)?);
    for gap in analysis.gaps(unreadable_blocks) {
        let words = match gap.count {
            Some(count) => format!("lost: {count} {}: {}", gap.what, gap.why),
            None => format!("not seen: {}: {}", gap.what, gap.why),
        };
        head.comment.push(parts.text(&words)?);
    }
    parts.put(&head)
}
