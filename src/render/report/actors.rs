//! What threads and goroutines did, onto the tracks of a report's timeline: rows below their program.

use super::names::Names;
use super::rows::{self, Rows};
use super::spans::ProcessBars;
use super::tracks::{OPEN, Span, SpanKind, Track, Tracks, View};
use crate::analyze::activity::{self, Actor, Stretch};
use crate::analyze::calls::CallEnd;
use crate::analyze::calls::lanes::{self, Lane, Step};
use crate::analyze::{Analysis, GoroutineState, GoroutineStates};
use crate::render::palette::Family;
use crate::trace::{Goid, Nanos, Pid, ProcessId, Sample, SampleKind, Tid};
use rustc_hash::{FxHashMap, FxHashSet};
use std::convert::Infallible;

/// Calls within calls that are kept.
const DEEPEST: usize = 12;
/// Colours that functions are told apart by.
const COLOURS: usize = 6;

/// A row: its program, who, and how many calls are around those on it; none for what it did by samples or states.
type Key = (ProcessId, Who, Option<usize>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Who {
    Thread(Tid),
    Goroutine(Goid),
    /// A stack that is no goroutine's, or of one without a number.
    Stack(Lane),
}

/// How a span is drawn.
#[derive(Clone, Copy)]
struct Look {
    kind: SpanKind,
    label: u32,
    colour: u8,
    flags: u8,
}

/// Opens tracks when something is first to lie on them.
struct Actors<'a, 't> {
    analysis: &'a Analysis<'t>,
    bars: &'a ProcessBars,
    rows: &'a Rows,
    tracks: &'a mut Tracks,
    names: &'a mut Names,
    opened: FxHashMap<Key, usize>,
    /// The programs that have a track of their own in a view.
    headed: FxHashSet<(View, ProcessId)>,
    /// In the order in which they were first seen.
    ranks: FxHashMap<(ProcessId, Who), u32>,
}

/// Adds them, and calls `also` with each sample; returns how many blocks of samples or calls could not be read. Reads
/// all samples once and all calls twice.
pub(super) fn add(
    analysis: &Analysis<'_>,
    bars: &ProcessBars,
    rows: &Rows,
    tracks: &mut Tracks,
    names: &mut Names,
    also: impl FnMut(&Sample),
) -> u64 {
    let mut actors = Actors {
        analysis,
        bars,
        rows,
        tracks,
        names,
        opened: FxHashMap::default(),
        headed: FxHashSet::default(),
        ranks: FxHashMap::default(),
    };
    let states = GoroutineStates::of(analysis);
    let unread_samples = activity::walk_beside(analysis, also, |stretch| {
        // What marks tell of a goroutine is more than what samples do.
        let is_known = matches!(stretch.actor, Actor::Goroutine(_)) && !states.states.is_empty();
        if !is_known {
            actors.add_stretch(stretch);
        }
    });
    actors.add_states(&states.states);
    let unread_calls = actors.add_calls();
    unread_samples + states.unreadable_blocks.max(unread_calls)
}

/// Which program a pid was, when.
struct Programs(FxHashMap<Pid, Vec<(Nanos, ProcessId)>>);

impl Programs {
    fn of(analysis: &Analysis<'_>) -> Self {
        let mut programs: FxHashMap<Pid, Vec<(Nanos, ProcessId)>> = FxHashMap::default();
        for process in &analysis.trace.processes {
            let of = programs.entry(process.pid).or_default();
            of.push((process.start, process.id));
        }
        for of in programs.values_mut() {
            of.sort_unstable();
        }
        Self(programs)
    }

    fn at(&self, pid: Pid, time: Nanos) -> Option<ProcessId> {
        let of = self.0.get(&pid)?;
        let after = of.partition_point(|(start, _)| *start <= time);
        of.get(after.saturating_sub(1)).map(|(_, process)| *process)
    }
}

impl Actors<'_, '_> {
    fn add_stretch(&mut self, stretch: &Stretch) {
        let who = match stretch.actor {
            Actor::Thread(tid) => Who::Thread(tid),
            Actor::Goroutine(goid) => Who::Goroutine(goid),
        };
        let role = self.analysis.roles.get(stretch.process);
        let tool = role.map_or("", |role| role.tool.name());
        let (kind, words, colour) = match stretch.kind {
            SampleKind::OnCpu => (SpanKind::Running, "running", Family::of(tool)),
            SampleKind::OffCpu => (SpanKind::Waiting, "waiting", Family::Other),
        };
        let look = self.look(kind, words, colour);
        let key = (stretch.process, who, None);
        self.push(key, (stretch.begin, stretch.end), look);
    }

    fn add_states(&mut self, states: &[GoroutineState]) {
        for state in states {
            let words = self.analysis.trace.text(state.state);
            let (kind, colour) = match &*words {
                "running" => (SpanKind::Running, Family::Asm),
                "system call" => (SpanKind::Running, Family::Vet),
                "runnable" => (SpanKind::Waiting, Family::Link),
                _ => (SpanKind::Waiting, Family::Other),
            };
            let look = self.look(kind, &words, colour);
            let key = (state.process, Who::Goroutine(state.goid), None);
            self.push(key, (state.begin, state.end), look);
        }
    }

    /// Calls of functions that were watched, each a row below the call that it was made in; returns how many
    /// blocks could not be read.
    fn add_calls(&mut self) -> u64 {
        let programs = Programs::of(self.analysis);
        let mut open: FxHashMap<Lane, Vec<Nanos>> = FxHashMap::default();
        let walked = lanes::walk(self.analysis, None, |happened| {
            let calls = open.entry(happened.lane).or_default();
            let begin = match happened.step {
                Step::Begin(_) => {
                    calls.push(happened.time);
                    None
                }
                Step::End(_) => calls.pop(),
                Step::Instant(_) => Some(happened.time),
            };
            let depth = calls.len();
            let lane = happened.lane;
            if let Some(begin) = begin.filter(|_| depth < DEEPEST)
                && let Some(process) = programs.at(lane.pid, begin)
            {
                let who = lane.goid().map_or(Who::Stack(lane), Who::Goroutine);
                let colour = Family::of_rank(happened.probe.index() % COLOURS);
                let mut look = self.look(SpanKind::Call, happened.name(), colour);
                if happened.step == Step::End(CallEnd::Open) {
                    look.flags = OPEN;
                }
                self.push((process, who, Some(depth)), (begin, happened.time), look);
            }
            Ok::<_, Infallible>(())
        });
        walked.unwrap_or_default()
    }

    fn look(&mut self, kind: SpanKind, words: &str, colour: Family) -> Look {
        Look {
            kind,
            label: self.names.id(words),
            colour: rows::colour(colour),
            flags: 0,
        }
    }

    fn push(&mut self, key: Key, (start, end): (Nanos, Nanos), look: Look) {
        let opened = self.opened.get(&key).copied();
        let track = opened.unwrap_or_else(|| self.open(key));
        let span = Span {
            start,
            end,
            label: look.label,
            colour: look.colour,
            kind: look.kind,
            flags: look.flags,
            of: self.rows.process(key.0),
            count: 1,
            busy: end.since(start),
        };
        self.tracks.push(track, span);
    }

    /// Opens a track below its program's others, and that of the program itself where there is none.
    fn open(&mut self, key: Key) -> usize {
        let (process, who, depth) = key;
        let view = match who {
            Who::Thread(_) => View::Threads,
            Who::Goroutine(_) | Who::Stack(_) => View::Goroutines,
        };
        if self.headed.insert((view, process)) {
            self.bars
                .open(view, process, self.rows, self.tracks, self.names);
        }
        let program = self.analysis.trace.process(process);
        let is_main = |tid: Tid| program.is_some_and(|program| program.pid.0 == tid.0);
        let words = match who {
            Who::Thread(tid) if is_main(tid) => "main thread".to_owned(),
            Who::Thread(tid) => format!("thread {}", tid.0),
            Who::Goroutine(goid) => format!("goroutine {goid}"),
            Who::Stack(lane) => lane.name(),
        };
        let next = u32::try_from(self.ranks.len())
            .unwrap_or(u32::MAX)
            .saturating_add(2);
        let rank = match who {
            Who::Thread(tid) if is_main(tid) => 1,
            _ => *self.ranks.entry((process, who)).or_insert(next),
        };
        let within = depth.map_or(0, |depth| {
            u32::try_from(depth).unwrap_or(u32::MAX).saturating_add(1)
        });
        let label = self.names.id(&words);
        let row = self.rows.process(process);
        let track = self
            .tracks
            .open(Track::below(view, row, label, (rank, within)));
        self.opened.insert(key, track);
        track
    }
}
