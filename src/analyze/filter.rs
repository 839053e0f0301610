//! Which samples a view is about.

use super::{Analysis, Roles, profile::Weight};
use crate::trace::{Nanos, Pid, Process, ProcessId, Sample, SampleKind, StackId, Trace};
use std::convert::Infallible;

/// Where stacks come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// Samples; where the trace has none, the tools' own profiles.
    #[default]
    Any,
    /// What was sampled from outside.
    Samples,
    /// The tools' own CPU profiles. They have no time: a time range excludes them all.
    Profiles,
}

/// Which samples a view is about; the default takes all on-CPU samples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Where stacks come from.
    pub source: Source,
    /// Running (the default) or waiting: the weights of the two cannot be added.
    pub kind: SampleKind,
    /// Only the programs that ran under this pid: one that execs is several.
    pub pid: Option<Pid>,
    /// Only this tool, by [`super::Tool::name`].
    pub tool: Option<String>,
    /// Only programs that work for the package of this import path.
    pub package: Option<String>,
    /// Only from this time on.
    pub from: Option<Nanos>,
    /// Only before this time.
    pub to: Option<Nanos>,
    /// Of calls, only those of functions that the user named: not those of sets.
    pub named: bool,
}

impl Filter {
    /// Whether the samples of a program can pass; its samples are then still to be asked for.
    #[must_use]
    pub fn takes_process(&self, roles: &Roles, process: &Process) -> bool {
        let Some(role) = roles.get(process.id) else {
            return false;
        };
        self.pid.is_none_or(|wanted| wanted == process.pid)
            && self
                .tool
                .as_deref()
                .is_none_or(|wanted| role.tool.name() == wanted)
            && (self.package.is_none() || self.package.as_deref() == role.package.as_deref())
    }

    /// How much of a sample's weight passes the kind and the time range.
    ///
    /// An off-CPU sample covers the time before [`Sample::time`] and is cut to the range.
    #[must_use]
    pub fn weight(&self, sample: &Sample) -> Nanos {
        if sample.kind != self.kind {
            return Nanos::ZERO;
        }
        let from = self.from.unwrap_or(Nanos::ZERO);
        let to = self.to.unwrap_or(Nanos(u64::MAX));
        match sample.kind {
            SampleKind::OnCpu if (from..to).contains(&sample.time) => sample.weight,
            SampleKind::OnCpu => Nanos::ZERO,
            SampleKind::OffCpu => {
                let begin = sample.time.since(sample.weight);
                sample.time.min(to).since(begin.max(from))
            }
        }
    }

    /// Whether a time range is asked for.
    #[must_use]
    pub const fn has_range(&self) -> bool {
        self.from.is_some() || self.to.is_some()
    }
}

/// What a walk over stacks was made of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Walked {
    /// The tools' own profiles, not samples.
    pub(super) from_profiles: bool,
    /// Blocks of samples that could not be read.
    pub(super) unreadable_blocks: u64,
}

/// Walks all samples, block by block, and returns how many blocks could not be read.
pub(super) fn walk(trace: &Trace, mut each: impl FnMut(&Sample)) -> u64 {
    let mut unreadable = 0;
    let Ok(()) = trace.walk_samples::<Infallible>(|block| {
        match block {
            Ok(block) => block.iter().for_each(|sample| each(&sample)),
            Err(_) => unreadable += 1,
        }
        Ok(())
    });
    unreadable
}

impl Filter {
    /// Walks the stacks of what passes, with the weight that passes, and the samples where they are
    /// not the tools' own profiles.
    pub(super) fn walk(
        &self,
        analysis: &Analysis<'_>,
        mut each: impl FnMut(ProcessId, StackId, Weight, Option<&Sample>),
    ) -> Walked {
        let trace = analysis.trace;
        let takes: Vec<bool> = trace
            .processes
            .iter()
            .map(|process| self.takes_process(&analysis.roles, process))
            .collect();
        let takes = |process: ProcessId| takes.get(process.index()) == Some(&true);
        let from_profiles = match self.source {
            Source::Any => trace.sample_count() == 0 && !trace.profiles.is_empty(),
            Source::Samples => false,
            Source::Profiles => true,
        };
        let mut unreadable_blocks = 0;
        if !from_profiles {
            unreadable_blocks = walk(trace, |sample| {
                let time = self.weight(sample);
                if time > Nanos::ZERO && takes(sample.process) {
                    each(
                        sample.process,
                        sample.stack,
                        Weight { time, samples: 1 },
                        Some(sample),
                    );
                }
            });
        } else if !self.has_range() && self.kind == SampleKind::OnCpu {
            for stack in trace.profiles.iter().filter(|stack| takes(stack.process)) {
                let time = stack.weight;
                each(
                    stack.process,
                    stack.stack,
                    Weight { time, samples: 1 },
                    None,
                );
            }
        }
        Walked {
            from_profiles,
            unreadable_blocks,
        }
    }
}
