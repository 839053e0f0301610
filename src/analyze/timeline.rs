//! What happened when: lanes of actions or programs, concurrency and CPU over time.

use super::{
    Analysis, Name, PhaseIndex, PhaseSpan, Tool,
    build::{ActionKind, BuildAction, SegmentKind},
    cost::ActionRef,
    filter, lanes,
};
use crate::trace::{Nanos, ProcessId, Sample, SampleKind};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;

/// What lanes hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bars {
    /// Actions of the builds; programs where there are no actions.
    #[default]
    Actions,
    /// All programs, children in lanes of their own.
    Processes,
    /// All programs, each divided into its phases where they were recorded.
    Phases,
}

/// How a timeline is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What lanes hold.
    pub bars: Bars,
    /// Number of bins of [`Timeline::concurrency`], [`Timeline::waiting`] and [`Timeline::cpu`].
    pub bins: u32,
    /// When the first bin begins; the last one ends with the trace.
    pub from: Nanos,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bars: Bars::Actions,
            bins: 200,
            from: Nanos::ZERO,
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
    /// The phase of its program that it is, by its position in [`Timeline::phases`].
    pub phase: Option<usize>,
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
    /// The phases that bars are, those that took longest in all first.
    pub phases: Vec<Name>,
    /// Length of a bin.
    pub bin: Nanos,
    /// Mean number of bars under way, bin by bin.
    pub concurrency: Vec<f64>,
    /// Mean number of actions that were ready and waited for a slot, bin by bin.
    pub waiting: Vec<f64>,
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
        let (mut timeline, mut cpu) = Self::before_samples(analysis, options);
        timeline.unreadable_blocks = filter::walk(analysis.trace, |sample| cpu.add(sample));
        timeline.take_cpu(cpu);
        timeline
    }

    /// As [`Self::of`], but for the CPU: all samples are to be added to what stands beside, which is then to be taken.
    #[must_use]
    pub fn before_samples<'a>(
        analysis: &'a Analysis<'a>,
        options: Options,
    ) -> (Self, CpuOverTime<'a>) {
        let end = analysis.end;
        let critical = critical_actions(analysis);
        let mut bars = match options.bars {
            Bars::Actions => action_bars(analysis, &critical),
            Bars::Processes | Bars::Phases => Vec::new(),
        };
        if bars.is_empty() {
            bars = bars_of_processes(analysis, &critical);
        }
        let bins = Bins::of(options.from, end, options.bins);
        let mut concurrency = Spread::over(bins);
        for bar in &bars {
            concurrency.add(bar.start, bar.end, 1.0);
        }
        let mut waiting = Spread::over(bins);
        let actions = analysis
            .builds
            .builds
            .iter()
            .flat_map(|build| &build.actions);
        for action in actions.filter(|action| action.works()) {
            waiting.add(action.ready, action.start, 1.0);
        }
        let mut lanes = lanes(bars);
        let mut phases = Vec::new();
        if options.bars == Bars::Phases {
            let index = PhaseIndex::of(analysis);
            phases = divide(&mut lanes, &index);
        }
        let timeline = Self {
            end,
            cores: analysis.trace.host.cores,
            lanes,
            phases,
            bin: bins.length,
            concurrency: concurrency.means(),
            waiting: waiting.means(),
            ..Self::default()
        };
        (timeline, CpuOverTime::over(analysis, bins))
    }

    /// Takes over what samples say of the CPU.
    pub fn take_cpu(&mut self, cpu: CpuOverTime<'_>) {
        (self.cpu, self.cpu_source) = cpu.finish();
    }
}

impl Timeline {
    /// The name of a phase.
    #[must_use]
    pub fn phase(&self, position: usize) -> &str {
        self.phases.get(position).map_or("", |phase| phase)
    }
}

/// Divides the bars of programs into their phases; returns these, by their time in all.
fn divide(lanes: &mut [Lane], index: &PhaseIndex) -> Vec<Name> {
    let spans = index.spans();
    let mut of: FxHashMap<ProcessId, Vec<&PhaseSpan<'_>>> = FxHashMap::default();
    let mut time: BTreeMap<(&Name, &Name), Nanos> = BTreeMap::new();
    for span in spans.iter().filter(|span| !span.phase.beside) {
        of.entry(span.process).or_default().push(span);
        *time
            .entry((&span.phase.track, &span.phase.phase))
            .or_default() += span.end.since(span.begin);
    }
    let mut order: Vec<_> = time.into_iter().collect();
    order.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
    let order: Vec<_> = order.into_iter().map(|(phase, _)| phase).collect();
    for lane in lanes {
        let bars = std::mem::take(&mut lane.bars);
        lane.bars = bars
            .into_iter()
            .flat_map(|bar| match bar.of {
                BarOf::Process(process) => pieces(
                    &bar,
                    of.get(&process).map_or(&[][..], Vec::as_slice),
                    &order,
                ),
                BarOf::Action(_) => vec![bar],
            })
            .collect();
    }
    order
        .iter()
        .map(|(track, phase)| Name::from(format!("{track} {phase}")))
        .collect()
}

/// A bar's phases, and what lies between them.
fn pieces(bar: &Bar, spans: &[&PhaseSpan<'_>], order: &[(&Name, &Name)]) -> Vec<Bar> {
    let mut pieces = Vec::new();
    let mut at = bar.start;
    let piece = |from: Nanos, to: Nanos, phase| Bar {
        start: from,
        end: to,
        phase,
        ..bar.clone()
    };
    for span in spans {
        let (begin, end) = (span.begin.max(at), span.end.min(bar.end));
        if begin >= end {
            continue;
        }
        if at < begin {
            pieces.push(piece(at, begin, None));
        }
        let key = (&span.phase.track, &span.phase.phase);
        let phase = order.iter().position(|phase| *phase == key);
        pieces.push(piece(begin, end, phase));
        at = end;
    }
    if at < bar.end {
        pieces.push(piece(at, bar.end, None));
    }
    pieces
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
            phase: None,
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
    let main = analysis.main_process(action);
    let role = main.and_then(|process| analysis.roles.get(process.id));
    role.map_or_else(|| tool_of_kind(action.kind), |role| role.tool.clone())
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

/// A bar for each program, in the order of the trace.
#[must_use]
pub fn process_bars(analysis: &Analysis<'_>) -> Vec<Bar> {
    bars_of_processes(analysis, &critical_actions(analysis))
}

fn bars_of_processes(analysis: &Analysis<'_>, critical: &FxHashSet<ActionRef>) -> Vec<Bar> {
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
            phase: None,
            start: process.start,
            end: process.end_or(analysis.end),
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

/// The cores that a command had in use, bin by bin, as samples come.
#[derive(Debug)]
pub struct CpuOverTime<'a> {
    analysis: &'a Analysis<'a>,
    spread: Spread,
    source: CpuSource,
}

impl<'a> CpuOverTime<'a> {
    fn over(analysis: &'a Analysis<'a>, bins: Bins) -> Self {
        Self {
            analysis,
            spread: Spread::over(bins),
            source: CpuSource::Spread,
        }
    }

    /// A sample of a running thread stands for the time before it, in which its core was in use:
    /// counted where it was taken, two of them in a short bin would be more cores than there are.
    pub fn add(&mut self, sample: &Sample) {
        let known = self.analysis.roles.get(sample.process).is_some();
        if sample.kind == SampleKind::OnCpu && known {
            self.source = CpuSource::Samples;
            let from = sample.time.since(sample.weight);
            self.spread.add(from, sample.time, 1.0);
        }
    }

    fn finish(mut self) -> (Vec<f64>, CpuSource) {
        if self.source == CpuSource::Spread {
            for (id, _) in self.analysis.roles.iter() {
                let Some(process) = self.analysis.trace.process(id) else {
                    continue;
                };
                let (start, end) = (process.start, process.end_or(self.analysis.end));
                let life = end.since(start).seconds();
                self.spread.add(start, end, process.cpu().seconds() / life);
            }
        }
        (self.spread.means(), self.source)
    }
}

/// Equal parts of the time of a trace.
#[derive(Clone, Copy, Debug)]
struct Bins {
    from: Nanos,
    count: usize,
    length: Nanos,
}

impl Bins {
    fn of(from: Nanos, end: Nanos, count: u32) -> Self {
        let count = u64::from(count.max(1));
        let length = Nanos(end.since(from).0.div_ceil(count).max(1));
        Self {
            from,
            count: usize::try_from(count).unwrap_or(1),
            length,
        }
    }

    /// The bin of a time since the first one's begin.
    fn at(&self, time: Nanos) -> usize {
        let bin = time.0 / self.length.0;
        usize::try_from(bin).map_or(self.count - 1, |bin| bin.min(self.count - 1))
    }

    /// How many bins a time is long.
    fn share(&self, time: Nanos) -> f64 {
        time.seconds() / self.length.seconds()
    }
}

/// The mean sum of the heights of intervals, bin by bin.
#[derive(Debug)]
struct Spread {
    bins: Bins,
    /// What a bin holds in part.
    parts: Vec<f64>,
    /// By how much the height of whole bins changes.
    steps: Vec<f64>,
}

impl Spread {
    fn over(bins: Bins) -> Self {
        Self {
            bins,
            parts: vec![0.0; bins.count],
            steps: vec![0.0; bins.count + 1],
        }
    }

    /// Adds an interval; what lies before the bins adds nothing.
    fn add(&mut self, start: Nanos, end: Nanos, height: f64) {
        let (start, end) = (start.since(self.bins.from), end.since(self.bins.from));
        if start >= end {
            return;
        }
        let bins = self.bins;
        let (first, last) = (bins.at(start), bins.at(end));
        if first == last {
            self.parts[first] += height * bins.share(end.since(start));
            return;
        }
        let begin_of = |bin: usize| Nanos(bins.length.0.saturating_mul(bin as u64));
        self.parts[first] += height * bins.share(begin_of(first + 1).since(start));
        self.parts[last] += height * bins.share(end.since(begin_of(last)));
        self.steps[first + 1] += height;
        self.steps[last] -= height;
    }

    fn means(self) -> Vec<f64> {
        let mut height = 0.0;
        let bins = self.parts.into_iter().zip(self.steps);
        bins.map(|(part, step)| {
            height += step;
            part + height
        })
        .collect()
    }
}
