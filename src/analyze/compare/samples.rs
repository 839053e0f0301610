//! What samples tell of programs: start-up against steady state, and the translator's share.

use super::key::{Measure, Subject};
use super::run::Run;
use crate::analyze::profile::Weight;
use crate::analyze::{Analysis, Filter, Name};
use crate::trace::{Nanos, SampleKind, SamplePlace, StackId, Trace};
use rustc_hash::FxHashMap;

/// Samples of one program.
#[derive(Clone, Copy, Default)]
struct Program {
    /// A sample with the program's `main` on its stack has been seen.
    started: bool,
    /// Samples before that one.
    start_up: Nanos,
    /// All others.
    steady: Nanos,
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
        let in_main = stacks_in_main(trace);
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
            program.started |= in_main.get(stack.index()) == Some(&true);
            if program.started {
                program.steady += weight.time;
            } else {
                program.start_up += weight.time;
            }
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

    /// Adds what programs were sampled for to their packages and tools.
    pub(super) fn add_to(&self, analysis: &Analysis<'_>, run: &mut Run) {
        if !self.timed || self.stacks.iter().all(Option::is_none) {
            return;
        }
        for (process, role) in analysis.roles.iter() {
            let Some(program) = self.programs.get(process.index()) else {
                continue;
            };
            let package = Subject::Package(role.package.clone().unwrap_or_default());
            let tool = Subject::Tool(Name::from(role.tool.name()));
            for subject in [Subject::Whole, package, tool] {
                for (measure, time) in [
                    (Measure::StartUp, program.start_up),
                    (Measure::SteadyState, program.steady),
                    (Measure::Translator, program.translator),
                ] {
                    let sum = run.figure(subject.clone(), measure) + time.0 as f64;
                    run.put(subject.clone(), measure, sum);
                }
            }
        }
    }
}

/// Of each stack, whether the program's own beginning is on it: `main.main` of Go, `main` of C.
fn stacks_in_main(trace: &Trace) -> Vec<bool> {
    let is_main: Vec<bool> = trace
        .functions
        .iter()
        .map(|function| matches!(trace.strings.get(function.name), b"main.main" | b"main"))
        .collect();
    let frames: Vec<bool> = (0..trace.frames.len())
        .map(|frame| {
            let names = trace.symbols.get(frame);
            let names = names.and_then(|names| names.as_deref().ok());
            let mut names = names.unwrap_or_default().iter();
            names.any(|at| is_main.get(at.function.index()) == Some(&true))
        })
        .collect();
    let mut stacks = vec![false; trace.stacks.len()];
    for (index, id) in (0..trace.stacks.len()).zip((0..).map(StackId)) {
        // Callers stand before their callees in the table.
        if let Some((callers, frame)) = trace.stacks.node(id) {
            let of_callers = stacks.get(callers.index()) == Some(&true);
            stacks[index] = of_callers || frames.get(frame.index()) == Some(&true);
        }
    }
    stacks
}
