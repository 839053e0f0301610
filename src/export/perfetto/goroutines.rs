//! Calls, phases and states of goroutines in; slices of their tracks out.

use super::packets::{self, Packets};
use super::proto::TrackEvent;
use super::tracks::Track;
use crate::analyze::calls::lanes::{self, Happened, Lane, Step};
use crate::analyze::{Analysis, GoroutineStates, PhaseIndex};
use crate::trace::{Pid, StackOwner, Tid};
use rustc_hash::{FxHashMap, FxHashSet};
use std::io::{self, Write};

/// The lanes that have been declared.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    tracks: FxHashMap<Lane, u32>,
}

impl Lanes {
    /// The track of a lane, if it was declared.
    pub(super) fn find(&self, lane: Lane) -> Option<Track> {
        self.tracks.get(&lane).copied().map(Track::Lane)
    }

    /// The number of a lane's track, declared when it is first asked for.
    fn number(&mut self, lane: Lane, packets: &mut Packets<impl Write>) -> io::Result<u32> {
        if let Some(&number) = self.tracks.get(&lane) {
            return Ok(number);
        }
        let number = u32::try_from(self.tracks.len()).unwrap_or(u32::MAX);
        let rank = i32::try_from(number).unwrap_or(i32::MAX);
        let process = Track::Process(lane.pid);
        packets.track(Track::Lane(number).below(process, lane.name(), rank.saturating_add(4)))?;
        self.tracks.insert(lane, number);
        Ok(number)
    }
}

/// Writes calls and states of goroutines; returns their lanes, and how many blocks of calls could
/// not be read.
pub(super) fn write(
    analysis: &Analysis<'_>,
    packets: &mut Packets<impl Write>,
) -> io::Result<(Lanes, u64)> {
    phases(analysis, packets)?;
    let mut lanes = Lanes::default();
    let unreadable_blocks = lanes::walk(analysis, None, |happened| {
        let track = Track::Lane(lanes.number(happened.lane, packets)?).uuid();
        let event = event(analysis, happened);
        match happened.step {
            Step::Begin(_) => packets.begin_slice(track, happened.time, event),
            Step::End(_) => packets.end_slice(track, happened.time, event),
            Step::Instant(_) => packets.instant(track, happened.time, event),
        }
    })?;
    states(analysis, &mut lanes, packets)?;
    Ok((lanes, unreadable_blocks))
}

fn event(analysis: &Analysis<'_>, happened: &Happened<'_>) -> TrackEvent {
    if let Step::End(_) = happened.step {
        let how = happened.end().map(|how| packets::text("end", how));
        return TrackEvent {
            debug_annotations: how.into_iter().collect(),
            ..TrackEvent::default()
        };
    }
    let mut notes = Vec::new();
    if happened.phase.is_some() {
        notes.push(packets::text("function", &*happened.function));
    }
    let argument = happened.argument(analysis.trace);
    notes.extend(argument.map(|argument| packets::text("argument", argument)));
    let category = match happened.phase {
        Some(_) => "phase",
        None => "call",
    };
    TrackEvent {
        name: Some(happened.name().to_owned()),
        categories: vec![category.to_owned()],
        debug_annotations: notes,
        ..TrackEvent::default()
    }
}

fn states(
    analysis: &Analysis<'_>,
    lanes: &mut Lanes,
    packets: &mut Packets<impl Write>,
) -> io::Result<()> {
    let trace = analysis.trace;
    let mut declared = FxHashSet::default();
    for state in GoroutineStates::of(analysis).states {
        let Some(process) = trace.process(state.process).filter(|process| !process.own) else {
            continue;
        };
        let lane = Lane::of(process.pid, StackOwner::Goroutine(state.goid), Tid(0));
        let number = lanes.number(lane, packets)?;
        let track = Track::State(number);
        if declared.insert(number) {
            packets.track(track.below(Track::Lane(number), "state", 0))?;
        }
        let event = slice(trace.text(state.state).into_owned(), "goroutine");
        packets.slice(track.uuid(), (state.begin, state.end), event)?;
    }
    Ok(())
}

fn phases(analysis: &Analysis<'_>, packets: &mut Packets<impl Write>) -> io::Result<()> {
    let index = PhaseIndex::of(analysis);
    let mut declared: FxHashSet<(Pid, bool)> = FxHashSet::default();
    for span in index.spans() {
        let process = analysis.trace.process(span.process);
        let Some(process) = process.filter(|process| !process.own) else {
            continue;
        };
        let (pid, beside) = (process.pid, span.phase.beside);
        let (track, name, rank) = match beside {
            false => (Track::Phases(pid), "phases", 1),
            true => (Track::Beside(pid), "phases beside", 2),
        };
        if declared.insert((pid, beside)) {
            packets.track(track.below(Track::Process(pid), name, rank))?;
        }
        let event = slice(span.phase.phase.to_string(), "phase");
        packets.slice(track.uuid(), (span.begin, span.end), event)?;
    }
    Ok(())
}

fn slice(name: String, category: &str) -> TrackEvent {
    TrackEvent {
        name: Some(name),
        categories: vec![category.to_owned()],
        ..TrackEvent::default()
    }
}
