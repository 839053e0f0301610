//! Samples in; out go those of the same stack and labels as one.

use super::parts::Parts;
use super::places;
use super::proto::{Label, Profile, Sample};
use super::values::{Sum, Values};
use crate::analyze::profile::Weight;
use crate::analyze::{Analysis, PhaseIndex};
use crate::export::stacks::UsedStacks;
use crate::export::{samples, words};
use crate::trace::{Goid, Nanos, ProcessId, SampleKind, SamplePlace, StackId};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::io::{self, Write};

/// Sums that are held at most; then they are written. A reader adds up those of the same stack.
const MOST_SUMS: usize = 1 << 17;

/// What samples that are one have in common.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    process: ProcessId,
    goroutine: Option<Goid>,
    /// Position in [`PhaseIndex::rows`].
    phase: Option<usize>,
    place: SamplePlace,
    stack: StackId,
}

/// Writes all samples; where there are none, the tools' own
/// profiles. Returns which stacks they have, and how many blocks could not be read.
pub(super) fn write(
    analysis: &Analysis<'_>,
    values: Values,
    parts: &mut Parts<impl Write>,
) -> io::Result<(UsedStacks, u64)> {
    let trace = analysis.trace;
    let mut writer = SampleWriter {
        analysis,
        phases: &PhaseIndex::of(analysis),
        values,
        used: UsedStacks::of(trace),
        sums: IndexMap::default(),
        parts,
    };
    let mut unreadable_blocks = writer.phases.unreadable_blocks();
    unreadable_blocks += samples::walk(trace, |process, sample| {
        let key = Key {
            process: process.id,
            goroutine: sample.goroutine,
            phase: writer.phases.position(sample),
            place: sample.place,
            stack: sample.stack,
        };
        writer.add(key, sample.kind, sample.weight)
    })?;
    if trace.sample_count() == 0 {
        let shows = |process| analysis.roles.get(process).is_some();
        for profile in trace
            .profiles
            .iter()
            .filter(|profile| shows(profile.process))
        {
            let key = Key {
                process: profile.process,
                goroutine: None,
                phase: None,
                place: SamplePlace::User,
                stack: profile.stack,
            };
            writer.add(key, SampleKind::OnCpu, profile.weight)?;
        }
    }
    writer.flush()?;
    Ok((writer.used, unreadable_blocks))
}

struct SampleWriter<'a, 't, W: Write> {
    analysis: &'a Analysis<'t>,
    phases: &'a PhaseIndex,
    values: Values,
    used: UsedStacks,
    sums: IndexMap<Key, Sum, FxBuildHasher>,
    parts: &'a mut Parts<W>,
}

impl<W: Write> SampleWriter<'_, '_, W> {
    fn add(&mut self, key: Key, kind: SampleKind, time: Nanos) -> io::Result<()> {
        if self.sums.len() >= MOST_SUMS && !self.sums.contains_key(&key) {
            self.flush()?;
        }
        self.used.mark(self.analysis.trace, key.stack);
        let sum = self.sums.entry(key).or_default();
        let of_kind = match kind {
            SampleKind::OnCpu => &mut sum.running,
            SampleKind::OffCpu => &mut sum.waiting,
        };
        *of_kind += Weight { time, samples: 1 };
        Ok(())
    }

    /// Writes the sums and forgets them.
    fn flush(&mut self) -> io::Result<()> {
        let mut sums = std::mem::take(&mut self.sums);
        for (key, sum) in sums.drain(..) {
            let sample = Sample {
                location_id: places::of_stack(self.analysis.trace, key.stack),
                value: self.values.of_sum(&sum),
                label: self.labels(key)?,
            };
            self.parts.put(&Profile {
                sample: vec![sample],
                ..Profile::default()
            })?;
        }
        // As many will come again.
        self.sums = sums;
        Ok(())
    }

    fn labels(&mut self, key: Key) -> io::Result<Vec<Label>> {
        let mut labels = labels_of_program(self.analysis, key.process, self.parts)?;
        if let Some(phase) = key.phase.and_then(|at| self.phases.rows().get(at)) {
            let phase = format!("{} {}", phase.track, phase.phase);
            labels.push(self.parts.text_label("phase", &phase)?);
        }
        let place = words::sample_place(key.place);
        labels.push(self.parts.text_label("place", place)?);
        if let Some(goroutine) = key.goroutine {
            labels.push(self.parts.number_label("goroutine", goroutine.0)?);
        }
        Ok(labels)
    }
}

/// Labels that all samples of a program have.
pub(super) fn labels_of_program(
    analysis: &Analysis<'_>,
    process: ProcessId,
    parts: &mut Parts<impl Write>,
) -> io::Result<Vec<Label>> {
    let mut labels = Vec::new();
    if let Some(role) = analysis.roles.get(process) {
        labels.push(parts.text_label("tool", role.tool.name())?);
        if let Some(package) = &role.package {
            labels.push(parts.text_label("package", package)?);
        }
    }
    if let Some(process) = analysis.trace.process(process) {
        labels.push(parts.number_label("process", process.pid.0.into())?);
    }
    Ok(labels)
}
