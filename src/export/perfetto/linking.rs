//! Loads and relocations in; a track of each process with points and slices out.

use super::packets::{self, Packets};
use super::proto::TrackEvent;
use super::tracks::Track;
use crate::analyze::Analysis;
use crate::analyze::bindings::Happened;
use crate::trace::{Pid, ProcessId};
use rustc_hash::FxHashSet;
use std::io::{self, Write};

/// Writes what loaders did; returns how many blocks of binds could not be read.
pub(super) fn write(analysis: &Analysis<'_>, packets: &mut Packets<impl Write>) -> io::Result<u64> {
    let happened = Happened::of(analysis);
    let mut declared: FxHashSet<Pid> = FxHashSet::default();
    let mut track = |process: ProcessId, packets: &mut Packets<_>| {
        let Some(process) = analysis.trace.process(process) else {
            return Ok(None);
        };
        let track = Track::Linking(process.pid);
        if declared.insert(process.pid) {
            packets.track(track.below(Track::Process(process.pid), "dynamic linking", 3))?;
        }
        io::Result::Ok(Some(track.uuid()))
    };
    for span in &happened.spans {
        let linking = &span.linking;
        let Some(track) = track(linking.process, packets)? else {
            continue;
        };
        let cpu = linking.cpu.map(|cpu| packets::number("cpu_ns", cpu.0));
        let binds = packets::number("binds", span.binds);
        let notes = [binds].into_iter().chain(cpu).collect();
        let event = event(span.name(), "linking", notes);
        packets.slice(track, (linking.from, linking.to), event)?;
    }
    for mark in &happened.marks {
        let load = &mark.load;
        let Some(track) = track(load.process, packets)? else {
            continue;
        };
        let slide = load.slide.map(|slide| format!("{slide:#x}"));
        let slide = slide.map(|slide| packets::text("slide", slide));
        let image = packets::text("image", &*mark.image);
        let notes = [image].into_iter().chain(slide).collect();
        packets.instant(track, load.time, event(mark.file(), "load", notes))?;
    }
    Ok(happened.unreadable_blocks)
}

fn event(name: &str, category: &str, notes: Vec<super::proto::DebugAnnotation>) -> TrackEvent {
    TrackEvent {
        name: Some(name.to_owned()),
        categories: vec![category.to_owned()],
        debug_annotations: notes,
        ..TrackEvent::default()
    }
}
