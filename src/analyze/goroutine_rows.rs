//! Calls, samples and states of one process in; a row for each goroutine out, for pictures.

use super::calls::CallEnd;
use super::calls::lanes::{self, Lane, Step};
use super::{Analysis, GoroutineState, GoroutineStates, filter};
use crate::trace::{Goid, Nanos, Pid, ProbeId, SampleKind};
use rustc_hash::FxHashMap;
use std::cmp::Reverse;

/// Calls within calls that are kept.
const DEEPEST: usize = 12;

/// A call, and what lies so near to it that no picture shows it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallBar {
    /// Which function.
    pub probe: ProbeId,
    /// When it began.
    pub begin: Nanos,
    /// When it ended.
    pub end: Nanos,
    /// How.
    pub how: CallEnd,
    /// Shorter calls behind it that are not told apart.
    pub more: u64,
}

/// What a goroutine, or a stack of a thread that is none's, did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GoroutineRow {
    /// `goroutine 7`.
    pub name: String,
    /// Its number, where it has one.
    pub goid: Option<Goid>,
    /// Calls by how many of them are around each, the outermost first.
    pub calls: Vec<Vec<CallBar>>,
    /// When it ran and waited, where that was recorded.
    pub states: Vec<GoroutineState>,
    /// When samples were taken of it.
    pub samples: Vec<Nanos>,
    /// Time in its outermost calls.
    pub busy: Nanos,
}

/// The goroutines of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GoroutineRows {
    /// When the process began.
    pub begin: Nanos,
    /// When it ended.
    pub end: Nanos,
    /// The busiest first.
    pub rows: Vec<GoroutineRow>,
    /// How many goroutines are left out.
    pub left_out: u64,
    /// Blocks that could not be read.
    pub unreadable_blocks: u64,
}

/// A row that is being filled.
#[derive(Default)]
struct Filling {
    row: GoroutineRow,
    open: Vec<(ProbeId, Nanos)>,
}

impl GoroutineRows {
    /// The rows of a process: `most` of them, the busiest, with calls that are told apart when the
    /// process' life is `columns` wide. Memory is bounded by these numbers, the goroutines, and the
    /// samples of the process.
    #[must_use]
    pub fn of(analysis: &Analysis<'_>, pid: Pid, most: usize, columns: u64) -> Self {
        let trace = analysis.trace;
        let programs = trace.processes.iter().filter(|process| process.pid == pid);
        let begin = programs.clone().map(|process| process.start).min();
        let end = programs.map(|process| process.end_or(analysis.end)).max();
        let (begin, end) = (begin.unwrap_or_default(), end.unwrap_or_default());
        let column = Nanos(end.since(begin).0.div_ceil(columns.max(1)).max(1));
        let mut filling: FxHashMap<Lane, Filling> = FxHashMap::default();
        let walked = lanes::walk(analysis, Some(pid), |happened| {
            let row = filling.entry(happened.lane).or_default();
            row.take(happened.probe, happened.time, happened.step, column);
            Ok::<_, std::convert::Infallible>(())
        });
        let mut rows = Self {
            begin,
            end,
            unreadable_blocks: walked.unwrap_or_default(),
            ..Self::default()
        };
        for (lane, Filling { mut row, .. }) in filling {
            row.name = lane.name();
            row.goid = lane.goid();
            rows.rows.push(row);
        }
        rows.add_states(analysis, pid);
        rows.rows.sort_by_key(|row| {
            let first = row.calls.first().and_then(|calls| calls.first());
            (
                Reverse(row.busy),
                first.map(|call| call.begin),
                row.goid,
                row.name.clone(),
            )
        });
        // Where calls are known, goroutines without any tell nothing.
        if rows.rows.iter().any(|row| !row.calls.is_empty()) {
            rows.rows.retain(|row| !row.calls.is_empty());
        }
        rows.left_out = rows.rows.len().saturating_sub(most) as u64;
        rows.rows.truncate(most);
        rows.add_samples(analysis, pid);
        rows
    }

    fn add_states(&mut self, analysis: &Analysis<'_>, pid: Pid) {
        let all = GoroutineStates::of(analysis);
        self.unreadable_blocks = self.unreadable_blocks.max(all.unreadable_blocks);
        let of = |state: &GoroutineState| {
            let process = analysis.trace.process(state.process);
            process.is_some_and(|process| process.pid == pid)
        };
        let states: Vec<_> = all.states.into_iter().filter(of).collect();
        for states in states.chunk_by(|one, other| one.goid == other.goid) {
            let Some(goid) = states.first().map(|state| state.goid) else {
                continue;
            };
            match self.rows.iter_mut().find(|row| row.goid == Some(goid)) {
                Some(row) => row.states.extend(states),
                None => self.rows.push(GoroutineRow {
                    name: format!("goroutine {goid}"),
                    goid: Some(goid),
                    states: states.to_vec(),
                    ..GoroutineRow::default()
                }),
            }
        }
    }

    fn add_samples(&mut self, analysis: &Analysis<'_>, pid: Pid) {
        let trace = analysis.trace;
        let rows = self.rows.iter().zip(0..);
        let rows: FxHashMap<Goid, usize> =
            rows.filter_map(|(row, at)| Some((row.goid?, at))).collect();
        let unread = filter::walk(trace, |sample| {
            let process = trace.process(sample.process);
            let of_it = process.is_some_and(|process| process.pid == pid);
            let row = sample.goroutine.and_then(|goid| rows.get(&goid));
            if let (SampleKind::OnCpu, true, Some(&at)) = (sample.kind, of_it, row)
                && let Some(row) = self.rows.get_mut(at)
            {
                row.samples.push(sample.time);
            }
        });
        self.unreadable_blocks += unread;
    }
}

impl Filling {
    fn take(&mut self, probe: ProbeId, time: Nanos, step: Step, column: Nanos) {
        match step {
            Step::Begin(_) => self.open.push((probe, time)),
            Step::End(how) => {
                if let Some((probe, begin)) = self.open.pop() {
                    if self.open.is_empty() {
                        self.row.busy += time.since(begin);
                    }
                    self.draw(probe, (begin, time), how, column);
                }
            }
            Step::Instant(_) => self.draw(probe, (time, time), CallEnd::Instant, column),
        }
    }

    /// Adds a call below those that are open, or to the one before it, where no picture shows two.
    fn draw(&mut self, probe: ProbeId, (begin, end): (Nanos, Nanos), how: CallEnd, column: Nanos) {
        let depth = self.open.len();
        if depth >= DEEPEST {
            return;
        }
        if self.row.calls.len() <= depth {
            self.row.calls.resize(depth + 1, Vec::new());
        }
        let Some(calls) = self.row.calls.get_mut(depth) else {
            return;
        };
        let column_of = |time: Nanos| time.0 / column.0;
        if let Some(before) = calls.last_mut()
            && column_of(begin) == column_of(end)
            && column_of(before.end) == column_of(begin)
        {
            before.more += 1;
            return;
        }
        calls.push(CallBar {
            probe,
            begin,
            end,
            how,
            more: 0,
        });
    }
}
