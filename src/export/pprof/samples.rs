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
        for (key, sum) in std::mem::take(&mut self.sums) {
            let sample = Sample {
                location_id: places::of_stack(self.analysis.trace, key.stack),
                value: self.values.of_sum(&sum).into_iter().map(number).collect(),
                label: self.labels(key)?,
            };
            self.parts.put(&Profile {
                sample: vec![sample],
                ..Profile::default()
            })?;
        }
        Ok(())
    }

    fn labels(&mut self, key: Key) -> io::Result<Vec<Label>> {
        let mut labels = Vec::new();
        if let Some(role) = self.analysis.roles.get(key.process) {
            labels.push(self.text("tool", role.tool.name())?);
            if let Some(package) = &role.package {
                labels.push(self.text("package", package)?);
            }
        }
        if let Some(phase) = key.phase.and_then(|at| self.phases.rows().get(at)) {
            labels.push(self.text("phase", &format!("{} {}", phase.track, phase.phase))?);
        }
        labels.push(self.text("place", words::sample_place(key.place))?);
        if let Some(process) = self.analysis.trace.process(key.process) {
            labels.push(self.number("process", process.pid.0.into())?);
        }
        if let Some(goroutine) = key.goroutine {
            labels.push(self.number("goroutine", goroutine.0)?);
        }
        Ok(labels)
    }

    fn text(&mut self, key: &str, text: &str) -> io::Result<Label> {
        Ok(Label {
            key: self.parts.text(key)?,
            str: self.parts.text(text)?,
            num: 0,
        })
    }

    fn number(&mut self, key: &str, value: u64) -> io::Result<Label> {
        Ok(Label {
            key: self.parts.text(key)?,
            str: 0,
            num: number(value),
        })
    }
}

/// The format's numbers have a sign.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
