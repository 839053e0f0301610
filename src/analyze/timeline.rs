//! What happened when: lanes of actions or programs, concurrency and CPU over time.

use super::{
    Analysis, Name, Tool,
    build::{ActionKind, BuildAction, SegmentKind},
    cost::ActionRef,
    filter, lanes,
};
use crate::trace::{Nanos, ProcessId, SampleKind};
use rustc_hash::FxHashSet;
use std::cmp::Reverse;

/// What lanes hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bars {
    /// Actions of the builds; programs where there are no actions.
    #[default]
    Actions,
    /// All programs, children in lanes of their own.
    Processes,
}

/// How a timeline is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What lanes hold.
    pub bars: Bars,
    /// Number of bins of [`Timeline::concurrency`] and [`Timeline::cpu`].
    pub bins: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bars: Bars::Actions,
            bins: 200,
        }
    }
}

/// What a bar shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarOf {
    /// An action.
    Action(ActionRef),
    /// A program.
    Process(ProcessId),
}

/// One bar of a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// What it shows.
    pub of: BarOf,
    /// What is written on it: the package, or the program's name.
    pub label: Name,
    /// Its colour: the action's main tool (the one that ran longest), or the program's.
    pub tool: Tool,
    /// When it began.
    pub start: Nanos,
    /// When it ended.
    pub end: Nanos,
    /// It lies on the critical path.
    pub critical: bool,
    /// Its end was not seen: it is drawn to the end of the trace.
    pub open: bool,
}

/// Bars that do not overlap, by start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lane {
    /// The bars.
    pub bars: Vec<Bar>,
}

/// How CPU over time was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CpuSource {
    /// From on-CPU samples.
    Samples,
    /// Each program's CPU time, spread evenly over its life.
    #[default]
    Spread,
}

/// What happened when.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    /// End of the trace; it starts at zero.
    pub end: Nanos,
    /// Cores of the machine.
    pub cores: u32,
    /// As few lanes as hold all bars; each bar is in the first lane that is free at its start.
    pub lanes: Vec<Lane>,
    /// Length of a bin.
    pub bin: Nanos,
    /// Mean number of bars under way, bin by bin.
    pub concurrency: Vec<f64>,
    /// Mean number of cores in use by the command, bin by bin.
    pub cpu: Vec<f64>,
    /// How `cpu` was found.
    pub cpu_source: CpuSource,
    /// Blocks of samples that could not be read.
    pub unreadable_blocks: u64,
}

impl Timeline {
    /// Reads all samples once.
    #[must_use]
    pub fn of(analysis: &Analysis<'_>, options: Options) -> Self {
        let end = analysis.trace.end();
        let critical = critical_actions(analysis);
        let mut bars = match options.bars {
            Bars::Actions => action_bars(analysis, &critical),
            Bars::Processes => Vec::new(),
        };
        if bars.is_empty() {
            bars = process_bars(analysis, &critical, end);
        }
        let bins = Bins::of(end, options.bins);
        let spans = bars.iter().map(|bar| (bar.start, bar.end, 1.0));
        let concurrency = bins.spread(spans);
        let cpu = CpuOverTime::of(analysis, &bins, end);
        Self {
            end,
            cores: analysis.trace.host.cores,
            lanes: lanes(bars),
            bin: bins.length,
            concurrency,
            cpu: cpu.cores,
            cpu_source: cpu.source,
            unreadable_blocks: cpu.unreadable_blocks,
        }
    }
}

/// The actions that ran on the critical path of the whole command.
fn critical_actions(analysis: &Analysis<'_>) -> FxHashSet<ActionRef> {
    let segments = analysis.builds.critical_path.segments.iter();
    let running = segments.filter_map(|segment| match segment.kind {
        SegmentKind::Running(action) => Some(ActionRef {
            build: segment.build,
            action,
        }),
        _ => None,
    });
    running.collect()
}

fn action_bars(analysis: &Analysis<'_>, critical: &FxHashSet<ActionRef>) -> Vec<Bar> {
    let builds = (0..).zip(&analysis.builds.builds);
    let actions = builds.flat_map(|(build, graph)| {
        let working = graph.indexed().filter(|(_, action)| action.works());
        working.map(move |(action, row)| (ActionRef { build, action }, row))
    });
    actions
        .filter(|(_, action)| action.start < action.end)
        .map(|(at, action)| Bar {
            of: BarOf::Action(at),
            label: match &*action.package {
                "" => action.mode.clone(),
                _ => action.package.clone(),
            },
            tool: main_tool(analysis, action),
            start: action.start,
            end: action.end,
            critical: critical.contains(&at),
            open: action.processes.iter().any(|&id| {
                let process = analysis.trace.process(id);
                process.is_some_and(|process| process.exit.is_none())
            }),
        })
        .collect()
}

/// The tool that ran longest for an action; without any, the one that its kind is known for.
#[must_use]
pub fn main_tool(analysis: &Analysis<'_>, action: &BuildAction) -> Tool {
    let lives = action.processes.iter().filter_map(|&id| {
        let process = analysis.trace.process(id)?;
        let life = process.end_or(action.end).since(process.start);
        Some((life, Reverse(id)))
    });
    let longest = lives
        .max()
        .and_then(|(_, Reverse(id))| analysis.roles.get(id));
    longest.map_or_else(|| tool_of_kind(action.kind), |role| role.tool.clone())
}

const fn tool_of_kind(kind: ActionKind) -> Tool {
    match kind {
        ActionKind::Compile => Tool::Compile,
        ActionKind::Cgo => Tool::Cgo,
        ActionKind::Link => Tool::Link,
        ActionKind::Vet => Tool::Vet,
        ActionKind::TestRun => Tool::TestBinary,
        ActionKind::Run => Tool::Program,
        ActionKind::Generate => Tool::Generate,
        ActionKind::CheckCache
        | ActionKind::Install
        | ActionKind::Bookkeeping
        | ActionKind::Other => Tool::Go,
    }
}

fn process_bars(analysis: &Analysis<'_>, critical: &FxHashSet<ActionRef>, end: Nanos) -> Vec<Bar> {
    let on_path: FxHashSet<ProcessId> = critical
        .iter()
        .filter_map(|at| {
            let build = analysis.builds.builds.get(at.build as usize)?;
            build.action(at.action)
        })
        .flat_map(|action| action.processes.iter().copied())
        .collect();
    let bars = analysis.roles.iter().filter_map(|(id, role)| {
        let process = analysis.trace.process(id)?;
        Some(Bar {
            of: BarOf::Process(id),
            label: role
                .package
                .clone()
                .unwrap_or_else(|| Name::from(role.tool.name())),
            tool: role.tool.clone(),
            start: process.start,
            end: process.end_or(end),
            critical: on_path.contains(&id),
            open: process.exit.is_none(),
        })
    });
    bars.filter(|bar| bar.start < bar.end).collect()
}

/// Puts bars into the first lane that is free when they begin.
fn lanes(bars: Vec<Bar>) -> Vec<Lane> {
    let spans: Vec<_> = bars.iter().map(|bar| (bar.start, bar.end)).collect();
    let mut bars: Vec<Option<Bar>> = bars.into_iter().map(Some).collect();
    let lanes = lanes::pack(&spans).into_iter().map(|positions| Lane {
        bars: positions
            .into_iter()
            .filter_map(|position| bars.get_mut(position)?.take())
            .collect(),
    });
    lanes.collect()
}

/// Mean number of cores in use, bin by bin, and how that was found.
struct CpuOverTime {
    cores: Vec<f64>,
    source: CpuSource,
    unreadable_blocks: u64,
}

impl CpuOverTime {
    fn of(analysis: &Analysis<'_>, bins: &Bins, end: Nanos) -> Self {
        let mut sums = vec![Nanos::ZERO; bins.count];
        let mut sampled = false;
        let unreadable_blocks = filter::walk(analysis.trace, |sample| {
            let known = analysis.roles.get(sample.process).is_some();
            if sample.kind == SampleKind::OnCpu && known {
                sampled = true;
                sums[bins.at(sample.time)] += sample.weight;
            }
        });
        let (cores, source) = if sampled {
            let cores = |sum: Nanos| sum.seconds() / bins.length.seconds();
            (sums.into_iter().map(cores).collect(), CpuSource::Samples)
        } else {
            let spread = analysis.roles.iter().filter_map(|(id, _)| {
                let process = analysis.trace.process(id)?;
                let (start, end) = (process.start, process.end_or(end));
                let life = end.since(start).seconds();
                (life > 0.0).then(|| (start, end, process.cpu().seconds() / life))
            });
            (bins.spread(spread), CpuSource::Spread)
        };
        Self {
            cores,
            source,
            unreadable_blocks,
        }
    }
}

/// Equal parts of the time of a trace.
struct Bins {
    count: usize,
    length: Nanos,
}

impl Bins {
    fn of(end: Nanos, count: u32) -> Self {
        let count = u64::from(count.max(1));
        let length = Nanos(end.0.div_ceil(count).max(1));
        Self {
            count: usize::try_from(count).unwrap_or(1),
            length,
        }
    }

    fn at(&self, time: Nanos) -> usize {
        let bin = time.0 / self.length.0;
        usize::try_from(bin).map_or(self.count - 1, |bin| bin.min(self.count - 1))
    }

    /// Mean sum of the heights of intervals, bin by bin: `(start, end, height)`.
    fn spread(&self, spans: impl Iterator<Item = (Nanos, Nanos, f64)>) -> Vec<f64> {
        // What a bin holds in part, and by how much the heights of whole bins change.
        let mut parts = vec![0.0; self.count];
        let mut steps = vec![0.0; self.count + 1];
        let share = |time: Nanos| time.seconds() / self.length.seconds();
        for (start, end, height) in spans.filter(|(start, end, _)| start < end) {
            let (first, last) = (self.at(start), self.at(end));
            if first == last {
                parts[first] += height * share(end.since(start));
                continue;
            }
            let begin_of = |bin: usize| Nanos(self.length.0.saturating_mul(bin as u64));
            parts[first] += height * share(begin_of(first + 1).since(start));
            parts[last] += height * share(end.since(begin_of(last)));
            steps[first + 1] += height;
            steps[last] -= height;
        }
        let mut height = 0.0;
        let bins = parts.into_iter().zip(steps);
        bins.map(|(part, step)| {
            height += step;
            part + height
        })
        .collect()
    }
}
