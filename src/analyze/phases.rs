//! Phases: what the calls of marking functions say of when a tool did what.
//!
//! A mark that lasts until the next one divides the time of its whole process, all threads; one
//! that lasts with its call divides the time of the goroutine that made it. Where both are known,
//! the goroutine's own counts. Phases beside the tool's own ones (garbage collection) count
//! besides.

use super::build::SegmentKind;
use super::calls::{self, CallEnd};
use super::profile::Weight;
use super::{Analysis, Filter, Name};
use crate::trace::{
    Goid, Nanos, PhaseLasts, PhaseMark, ProbeId, ProcessId, Sample, SampleKind, StackOwner,
};
use rustc_hash::FxHashMap;
use std::cmp::Reverse;

/// What a phase came to, over all processes of its tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PhaseRow {
    /// What it is a part of: `compile`.
    pub track: Name,
    /// Its name: `typecheck`.
    pub phase: Name,
    /// It went on beside the tool's own phases, whose times hold its own.
    pub beside: bool,
    /// How often it occurred: consecutive marks of the same phase are one.
    pub count: u64,
    /// Its lengths, added up.
    pub wall: Nanos,
    /// Samples that were taken in it.
    pub cpu: Weight,
    /// How much of the critical path it was.
    pub critical: Nanos,
}

/// The phases of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// By CPU time, largest first; those beside the others last.
    pub rows: Vec<PhaseRow>,
    /// All samples, those in no phase included.
    pub cpu: Weight,
    /// Length of the critical path.
    pub critical: Nanos,
    /// Blocks that could not be read.
    pub unreadable_blocks: u64,
}

/// A phase by its position in the rows.
type PhaseId = u32;

/// Begin and end of a phase.
type Span = (Nanos, Nanos, PhaseId);

/// When a phase of a track began; without a phase, when none did.
type Mark = (Nanos, Option<PhaseId>);

/// The phases of which a mark is one, and whether they go on beside the tool's own.
type Track = (Name, bool);

/// When which phase was under way; phases do not overlap.
#[derive(Clone, Debug, Default)]
struct Spans(Vec<Span>);

impl Spans {
    fn at(&self, time: Nanos) -> Option<PhaseId> {
        let after = self.0.partition_point(|(begin, _, _)| *begin <= time);
        let (_, end, phase) = self.0.get(after.checked_sub(1)?)?;
        (time < *end).then_some(*phase)
    }

    fn within(&self, from: Nanos, to: Nanos) -> impl Iterator<Item = (PhaseId, Nanos)> + '_ {
        let first = self.0.partition_point(|(_, end, _)| *end <= from);
        let rest = self.0.get(first..).unwrap_or_default().iter();
        rest.take_while(move |(begin, _, _)| *begin < to)
            .map(move |(begin, end, phase)| (*phase, to.min(*end).since(from.max(*begin))))
    }
}

/// A phase of a process, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseSpan<'p> {
    /// Which process.
    pub process: ProcessId,
    /// Which phase.
    pub phase: &'p PhaseRow,
    /// When it began.
    pub begin: Nanos,
    /// When it was over.
    pub end: Nanos,
}

/// Finds the phase of any moment of a process or a goroutine.
#[derive(Debug, Default)]
pub struct PhaseIndex {
    rows: Vec<PhaseRow>,
    of_processes: FxHashMap<ProcessId, Spans>,
    beside: FxHashMap<ProcessId, Spans>,
    of_goroutines: FxHashMap<(ProcessId, Goid), Spans>,
    unreadable_blocks: u64,
}

/// Calls that mark, as they were found.
#[derive(Default)]
struct Marks {
    next: FxHashMap<(ProcessId, Track), Vec<Mark>>,
    calls: FxHashMap<(ProcessId, Goid), Vec<Span>>,
}

impl PhaseIndex {
    /// Reads all calls once. Memory is bounded by the number of marks.
    #[must_use]
    pub fn of(analysis: &Analysis<'_>) -> Self {
        Self::of_programs(analysis, &Filter::default())
    }

    /// The same of the programs that pass `filter`.
    fn of_programs(analysis: &Analysis<'_>, filter: &Filter) -> Self {
        let trace = analysis.trace;
        let mut index = Self::default();
        let phases = index.name_phases(analysis);
        let mut marks = Marks::default();
        let walked = calls::walk(analysis, filter, |call, _| {
            let Some(Some((lasts, track, phase))) = phases.get(call.probe.index()) else {
                return;
            };
            match (lasts, call.stack) {
                (PhaseLasts::UntilNext, _) => {
                    let key = (call.process, track.clone());
                    marks
                        .next
                        .entry(key)
                        .or_default()
                        .push((call.begin, *phase));
                }
                (PhaseLasts::Call, StackOwner::Goroutine(goid)) => {
                    if let (Some(phase), true) = (phase, call.how != CallEnd::Instant) {
                        let spans = marks.calls.entry((call.process, goid)).or_default();
                        spans.push((call.begin, call.end, *phase));
                    }
                }
                (PhaseLasts::Call, _) => {}
            }
        });
        index.unreadable_blocks = walked.unreadable_blocks;
        // Of a track that lost a mark which others follow, the rest is not known.
        let mut lost: FxHashMap<&Track, Nanos> = FxHashMap::default();
        for dropped in &trace.dropped_probes {
            let mark = phases.get(dropped.probe.index());
            if let Some(Some((PhaseLasts::UntilNext, track, _))) = mark {
                let at = lost.entry(track).or_insert(dropped.at);
                *at = dropped.at.min(*at);
            }
        }
        for ((process, track), mut marks) in marks.next {
            let beside = track.1;
            let process_end = trace.process(process);
            let process_end = process_end.map(|process| process.end_or(analysis.end));
            let known = lost.get(&track).copied().unwrap_or(Nanos(u64::MAX));
            marks.retain(|(time, _)| *time < known);
            let spans = index.follow(marks, process_end.unwrap_or(analysis.end).min(known));
            let of = if beside {
                &mut index.beside
            } else {
                &mut index.of_processes
            };
            of.entry(process).or_default().0.extend(spans);
        }
        for spans in index
            .of_processes
            .values_mut()
            .chain(index.beside.values_mut())
        {
            spans.0.sort_unstable_by_key(|(begin, _, _)| *begin);
        }
        for (key, spans) in marks.calls {
            let spans = index.flatten(spans);
            index.of_goroutines.insert(key, spans);
        }
        index
    }

    /// The rows, and for each probe what it marks.
    fn name_phases(
        &mut self,
        analysis: &Analysis<'_>,
    ) -> Vec<Option<(PhaseLasts, Track, Option<PhaseId>)>> {
        let trace = analysis.trace;
        let name = |id| Name::from(trace.strings.get(id));
        let mut known: FxHashMap<(Name, Name, bool), PhaseId> = FxHashMap::default();
        let probes = (0..trace.probes.len()).filter_map(|id| u32::try_from(id).ok());
        probes
            .map(|id| {
                let mark = trace.probe(ProbeId(id))?.phase?;
                if trace.strings.get(mark.track) == PhaseMark::GOROUTINES.as_bytes() {
                    return None;
                }
                let (track, phase) = (name(mark.track), name(mark.phase));
                let row = (!phase.is_empty()).then(|| {
                    let next = PhaseId::try_from(self.rows.len()).unwrap_or(PhaseId::MAX);
                    let key = (track.clone(), phase.clone(), mark.beside);
                    *known.entry(key).or_insert_with(|| {
                        self.rows.push(PhaseRow {
                            track: track.clone(),
                            phase,
                            beside: mark.beside,
                            ..PhaseRow::default()
                        });
                        next
                    })
                });
                Some((mark.lasts, (track, mark.beside), row))
            })
            .collect()
    }

    /// Marks of one track of a process, each of which ends the one before.
    fn follow(&mut self, mut marks: Vec<Mark>, end: Nanos) -> Vec<Span> {
        marks.sort_by_key(|(time, _)| *time);
        marks.dedup_by_key(|(_, phase)| *phase);
        let ends = marks.iter().skip(1).map(|(time, _)| *time).chain([end]);
        let spans = marks.iter().zip(ends);
        let spans: Vec<_> = spans
            .filter_map(|((begin, phase), end)| Some((*begin, end.max(*begin), (*phase)?)))
            .collect();
        for (begin, end, phase) in &spans {
            self.count(*phase, end.since(*begin));
        }
        spans
    }

    /// Nested spans to spans that do not overlap: the innermost counts.
    fn flatten(&mut self, mut spans: Vec<Span>) -> Spans {
        spans.sort_unstable_by_key(|(begin, end, _)| (*begin, Reverse(*end)));
        let mut flat = Vec::new();
        let mut open: Vec<(Nanos, PhaseId)> = Vec::new();
        let mut at = Nanos::ZERO;
        let mut until = |to: Nanos, open: &mut Vec<(Nanos, PhaseId)>| {
            while let Some((end, phase)) = open.last().copied() {
                let stop = end.min(to);
                if stop > at {
                    flat.push((at, stop, phase));
                    at = stop;
                }
                if end > to {
                    break;
                }
                open.pop();
            }
            at = at.max(to);
        };
        for (begin, end, phase) in spans {
            until(begin, &mut open);
            open.push((end, phase));
            self.count(phase, Nanos::ZERO);
        }
        until(Nanos(u64::MAX), &mut open);
        for (begin, end, phase) in &flat {
            if let Some(row) = self.rows.get_mut(*phase as usize) {
                row.wall += end.since(*begin);
            }
        }
        Spans(flat)
    }

    fn count(&mut self, phase: PhaseId, wall: Nanos) {
        if let Some(row) = self.rows.get_mut(phase as usize) {
            row.count += 1;
            row.wall += wall;
        }
    }

    fn find(&self, sample: &Sample) -> Option<PhaseId> {
        let goroutine = sample.goroutine.and_then(|goid| {
            let spans = self.of_goroutines.get(&(sample.process, goid))?;
            spans.at(sample.time)
        });
        goroutine.or_else(|| self.of_processes.get(&sample.process)?.at(sample.time))
    }

    /// The phases that divide the time of their whole process, then those beside them, by process
    /// and time. Phases that last as long as a call are the calls of goroutines: see
    /// [`super::calls`].
    #[must_use]
    pub fn spans(&self) -> Vec<PhaseSpan<'_>> {
        let of = [&self.of_processes, &self.beside];
        let spans = of.into_iter().flat_map(|of| {
            let mut processes: Vec<_> = of.iter().collect();
            processes.sort_unstable_by_key(|(process, _)| **process);
            processes
        });
        let spans = spans.flat_map(|(process, spans)| {
            spans.0.iter().filter_map(|&(begin, end, phase)| {
                Some(PhaseSpan {
                    process: *process,
                    phase: self.rows.get(phase as usize)?,
                    begin,
                    end,
                })
            })
        });
        spans.collect()
    }

    /// Blocks of calls that could not be read.
    #[must_use]
    pub const fn unreadable_blocks(&self) -> u64 {
        self.unreadable_blocks
    }

    /// All phases, in no order.
    #[must_use]
    pub fn rows(&self) -> &[PhaseRow] {
        &self.rows
    }

    /// The position in [`Self::rows`] of the phase that a sample was taken in, not those beside.
    #[must_use]
    pub fn position(&self, sample: &Sample) -> Option<usize> {
        Some(self.find(sample)? as usize)
    }

    /// The position in [`Self::rows`] of the phase that went on beside that of a sample.
    #[must_use]
    pub fn position_beside(&self, sample: &Sample) -> Option<usize> {
        Some(self.beside.get(&sample.process)?.at(sample.time)? as usize)
    }

    /// The phase that a sample was taken in, not those beside.
    #[must_use]
    pub fn of_sample(&self, sample: &Sample) -> Option<&PhaseRow> {
        self.rows.get(self.position(sample)?)
    }
}

impl Phases {
    /// Those of the programs that pass `filter`. Reads all calls and all samples once.
    #[must_use]
    pub fn of(analysis: &Analysis<'_>, filter: &Filter) -> Self {
        let index = PhaseIndex::of_programs(analysis, filter);
        Self::of_samples(analysis, &index, filter)
    }

    /// As [`Self::of`] all programs, where their phases have been found already. Reads all samples once.
    #[must_use]
    pub fn of_index(analysis: &Analysis<'_>, index: &PhaseIndex) -> Self {
        Self::of_samples(analysis, index, &Filter::default())
    }

    fn of_samples(analysis: &Analysis<'_>, index: &PhaseIndex, filter: &Filter) -> Self {
        let processes = analysis.trace.processes.iter();
        let takes: Vec<bool> = processes
            .map(|process| filter.takes_process(&analysis.roles, process))
            .collect();
        let mut sums = vec![Weight::default(); index.rows.len()];
        let mut cpu = Weight::default();
        let mut add = |phase: Option<usize>, weight: Weight| {
            if let Some(sum) = phase.and_then(|phase| sums.get_mut(phase)) {
                *sum += weight;
            }
        };
        let unread = super::filter::walk(analysis.trace, |sample| {
            let shown = takes.get(sample.process.index()) == Some(&true);
            if sample.kind != SampleKind::OnCpu || !shown {
                return;
            }
            let weight = Weight {
                time: sample.weight,
                samples: 1,
            };
            cpu += weight;
            add(index.position(sample), weight);
            add(index.position_beside(sample), weight);
        });
        let mut phases = Self::of_sums(analysis, index, cpu, &sums);
        phases.unreadable_blocks += unread;
        phases
    }

    /// As [`Self::of_index`], where the samples have been added up already: in all, and by the position of each phase
    /// in [`PhaseIndex::rows`].
    #[must_use]
    pub fn of_sums(
        analysis: &Analysis<'_>,
        index: &PhaseIndex,
        cpu: Weight,
        sums: &[Weight],
    ) -> Self {
        let mut rows = index.rows.clone();
        for (row, sum) in rows.iter_mut().zip(sums) {
            row.cpu = *sum;
        }
        index.follow_critical_path(analysis, &mut rows);
        rows.retain(|row| row.count > 0);
        rows.sort_unstable_by(|a, b| {
            let rank = |row: &PhaseRow| (row.beside, Reverse(row.cpu.time), Reverse(row.wall));
            let name = |row: &PhaseRow| (row.track.clone(), row.phase.clone());
            rank(a).cmp(&rank(b)).then_with(|| name(a).cmp(&name(b)))
        });
        Self {
            rows,
            cpu,
            critical: analysis.builds.critical_path.wall(),
            unreadable_blocks: index.unreadable_blocks,
        }
    }
}

impl PhaseIndex {
    fn follow_critical_path(&self, analysis: &Analysis<'_>, rows: &mut [PhaseRow]) {
        for segment in &analysis.builds.critical_path.segments {
            let build = analysis.builds.builds.get(segment.build as usize);
            let process = match segment.kind {
                SegmentKind::Running(action) => build
                    .and_then(|build| build.action(action))
                    .and_then(|action| analysis.main_process(action))
                    .map(|process| process.id),
                SegmentKind::Load | SegmentKind::GoItself => build.and_then(|build| build.go),
                SegmentKind::Waiting(_) | SegmentKind::Outside => None,
            };
            for of in [&self.of_processes, &self.beside] {
                let spans = process.and_then(|process| of.get(&process));
                for (phase, time) in spans
                    .into_iter()
                    .flat_map(|spans| spans.within(segment.start, segment.end))
                {
                    if let Some(row) = rows.get_mut(phase as usize) {
                        row.critical += time;
                    }
                }
            }
        }
    }
}
