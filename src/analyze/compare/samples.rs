//! What samples tell of programs: start-up against steady state, and the translator's share.

use super::key::{Measure, Subject};
use super::run::Run;
use super::stage::{self, Progress};
use crate::analyze::profile::Weight;
use crate::analyze::{Analysis, Filter, Name};
use crate::trace::{Nanos, SampleKind, SamplePlace, StackId};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Samples of one program.
#[derive(Clone, Copy, Default)]
struct Program {
    progress: Progress,
    /// Those in the code of a translator.
    translator: Nanos,
}

/// Sums of on-CPU samples by program, and by tool and stack.
pub(super) struct Sampled {
    /// The tools that were sampled.
    pub(super) tools: Vec<Name>,
    /// Samples by stack, and of which tool: nearly all stacks are of one.
    stacks: Vec<Option<(usize, Weight)>>,
    /// Those of further tools.
    further: FxHashMap<(usize, StackId), Weight>,
    programs: Vec<Program>,
    /// There was a time at which each sample was taken: not so in tools' own profiles.
    timed: bool,
}

impl Sampled {
    /// Reads all samples once.
    pub(super) fn of(analysis: &Analysis<'_>) -> Self {
        let trace = analysis.trace;
        let mut tools: Vec<Name> = Vec::new();
        let mut known: FxHashMap<Name, usize> = FxHashMap::default();
        let mut tool_of: Vec<Option<usize>> = vec![None; trace.processes.len()];
        for (process, role) in analysis.roles.iter() {
            let name = Name::from(role.tool.name());
            let tool = *known.entry(name).or_insert_with_key(|name| {
                tools.push(name.clone());
                tools.len() - 1
            });
            tool_of[process.index()] = Some(tool);
        }
        let stages = stage::of_stacks(trace);
        let mut programs = vec![Program::default(); trace.processes.len()];
        let mut stacks = vec![None; trace.stacks.len()];
        let mut further = FxHashMap::default();
        let filter = Filter {
            kind: SampleKind::OnCpu,
            ..Filter::default()
        };
        let walked = filter.walk(analysis, |process, stack, weight, sample| {
            let tool = tool_of.get(process.index()).copied().flatten();
            if let (Some(tool), Some(of_stack)) = (tool, stacks.get_mut(stack.index())) {
                let (first, sum) = of_stack.get_or_insert((tool, Weight::default()));
                if *first == tool {
                    *sum += weight;
                } else {
                    *further.entry((tool, stack)).or_default() += weight;
                }
            }
            let program = programs.get_mut(process.index());
            let (Some(program), Some(sample)) = (program, sample) else {
                return;
            };
            let stage = stages.get(stack.index()).copied();
            program.progress.add(stage.unwrap_or_default(), weight.time);
            if matches!(
                sample.place,
                SamplePlace::Translator | SamplePlace::TranslatorRuntime
            ) {
                program.translator += weight.time;
            }
        });
        Self {
            tools,
            stacks,
            further,
            programs,
            timed: !walked.from_profiles,
        }
    }

    /// The samples of a tool by stack; `None` where it has none.
    pub(super) fn of_tool(&self, tool: usize) -> Option<Vec<Weight>> {
        let mut any = false;
        let own = self.stacks.iter().map(|of_stack| match of_stack {
            Some((of, weight)) if *of == tool => {
                any = true;
                *weight
            }
            _ => Weight::default(),
        });
        let mut own: Vec<Weight> = own.collect();
        let further = self.further.iter().filter(|((of, _), _)| *of == tool);
        for ((_, stack), weight) in further {
            if let Some(place) = own.get_mut(stack.index()) {
                *place += *weight;
                any = true;
            }
        }
        any.then_some(own)
    }

    /// Adds what programs were sampled for to their packages and tools. Where no stack of any of a
    /// package's programs tells how far they had come, there is no start-up and no steady state.
    pub(super) fn add_to(&self, analysis: &Analysis<'_>, run: &mut Run) {
        if !self.timed || self.stacks.iter().all(Option::is_none) {
            return;
        }
        let mut sums: BTreeMap<Subject, Sums> = BTreeMap::new();
        for (process, role) in analysis.roles.iter() {
            let Some(program) = self.programs.get(process.index()) else {
                continue;
            };
            let package = Subject::Package(role.package.clone().unwrap_or_default());
            let tool = Subject::Tool(Name::from(role.tool.name()));
            for subject in [Subject::Whole, package, tool] {
                sums.entry(subject).or_default().add(program);
            }
        }
        for (subject, sum) in sums {
            let split = sum.told || sum.unplaced == Nanos::ZERO;
            for (measure, time) in [
                (Measure::StartUp, split.then_some(sum.start_up)),
                (Measure::SteadyState, split.then_some(sum.steady)),
                (Measure::Unplaced, Some(sum.unplaced)),
                (Measure::Translator, Some(sum.translator)),
            ] {
                if let Some(time) = time {
                    run.put(subject.clone(), measure, time.0 as f64);
                }
            }
        }
    }
}

/// Of the programs of a package or a tool.
#[derive(Default)]
struct Sums {
    told: bool,
    start_up: Nanos,
    steady: Nanos,
    unplaced: Nanos,
    translator: Nanos,
}

impl Sums {
    fn add(&mut self, program: &Program) {
        self.translator += program.translator;
        match program.progress.split() {
            Some((start_up, steady)) => {
                self.told = true;
                self.start_up += start_up;
                self.steady += steady;
            }
            None => self.unplaced += program.progress.total(),
        }
    }
}
