//! Counters, settings, losses and blind spots in; counter values and instants out.

use super::packets::{self, Packets};
use super::proto::TrackEvent;
use super::tracks::Track;
use crate::analyze::{Analysis, timeline};
use crate::export::{graph, levels};
use crate::trace::file::Integrity;
use crate::trace::{Nanos, Trace};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Bins of CPU use over the whole trace: enough to see every second of a build of minutes.
const CPU_BINS: u32 = 500;

/// Writes what changes over time: actions under way and waiting, programs alive, cores in
/// use, and what the recorder counted.
pub(super) fn counters(
    analysis: &Analysis<'_>,
    packets: &mut Packets<impl Write>,
) -> io::Result<()> {
    let trace = analysis.trace;
    let builds = &analysis.builds.builds;
    let actions: Vec<_> = builds.iter().flat_map(graph::spans).collect();
    let waiting: Vec<_> = builds.iter().flat_map(graph::wait_spans).collect();
    let end = trace.end();
    let programs = trace.processes.iter().filter(|process| !process.own);
    let programs: Vec<_> = programs
        .map(|program| (program.exec_at, program.end_or(end)))
        .collect();

    let mut number = 0;
    let mut declare = |name: &str, packets: &mut Packets<_>| {
        let track = Track::Counter(number);
        number += 1;
        packets.track(track.counter(name))?;
        Ok::<_, io::Error>(track.uuid())
    };
    for (name, spans) in [
        ("actions under way", actions),
        ("actions waiting for a slot", waiting),
        ("programs alive", programs),
    ] {
        let track = declare(name, packets)?;
        for (time, value) in levels::under_way(&spans) {
            packets.counter(track, time, integer(value))?;
        }
    }
    let timeline = analysis.timeline(timeline::Options {
        bins: CPU_BINS,
        ..timeline::Options::default()
    });
    let track = declare("cores in use", packets)?;
    for (bin, &cores) in (0..).zip(&timeline.cpu) {
        let value = TrackEvent {
            double_counter_value: Some(cores),
            ..TrackEvent::default()
        };
        packets.counter(track, Nanos(timeline.bin.0.saturating_mul(bin)), value)?;
    }
    let mut tracks = BTreeMap::new();
    for counter in &trace.counters {
        let track = match tracks.get(&counter.name) {
            Some(&track) => track,
            None => {
                let track = declare(&trace.text(counter.name), packets)?;
                tracks.insert(counter.name, track);
                track
            }
        };
        packets.counter(track, counter.time, integer(counter.value))?;
    }
    Ok(())
}

fn integer(value: i64) -> TrackEvent {
    TrackEvent {
        counter_value: Some(value),
        ..TrackEvent::default()
    }
}

/// Writes how the trace was recorded, and what was lost or could not be seen.
pub(super) fn notes(trace: &Trace, packets: &mut Packets<impl Write>) -> io::Result<()> {
    packets.track(Track::Recording.top("recording", 0))?;
    let track = Track::Recording.uuid();
    packets.instant(track, Nanos::ZERO, settings(trace))?;
    for loss in &trace.losses {
        let event = TrackEvent {
            name: Some(format!("lost: {}", trace.text(loss.what))),
            categories: vec!["loss".to_owned()],
            debug_annotations: vec![
                packets::number("count", loss.count),
                packets::text("why", trace.text(loss.why)),
                packets::number("for_ns", loss.to.since(loss.from).0),
            ],
            ..TrackEvent::default()
        };
        packets.instant(track, loss.from, event)?;
    }
    for spot in &trace.blind_spots {
        let event = TrackEvent {
            name: Some(format!("not seen: {}", trace.text(spot.what))),
            categories: vec!["blind_spot".to_owned()],
            debug_annotations: vec![packets::text("why", trace.text(spot.why))],
            ..TrackEvent::default()
        };
        packets.instant(track, spot.time, event)?;
    }
    let integrity = &trace.integrity;
    if *integrity != Integrity::default() {
        let event = TrackEvent {
            name: Some("the trace file is not whole".to_owned()),
            categories: vec!["loss".to_owned()],
            debug_annotations: vec![
                packets::truth("unsealed", integrity.unsealed),
                packets::number("cut_bytes", integrity.cut_bytes),
                packets::number("damaged_blocks", integrity.damaged_blocks),
                packets::number("missing_rows", integrity.missing_rows),
                packets::number("lost_samples", integrity.lost_samples),
                packets::number("lost_calls", integrity.lost_calls),
                packets::number("lost_bindings", integrity.lost_bindings),
            ],
            ..TrackEvent::default()
        };
        packets.instant(track, trace.end(), event)?;
    }
    Ok(())
}

fn settings(trace: &Trace) -> TrackEvent {
    let host = &trace.host;
    let mut notes = vec![
        packets::text("gotrace", trace.text(host.gotrace)),
        packets::text("os", trace.text(host.os)),
        packets::text("cpu", trace.text(host.cpu)),
        packets::text("arch", host.arch.name()),
        packets::number("cores", host.cores.into()),
        packets::number("memory_bytes", host.memory_bytes),
    ];
    for toolchain in &trace.toolchains {
        let version = trace.text(toolchain.version);
        let arch = toolchain.arch.name();
        let translator = trace.text(toolchain.translator);
        let run_by = if translator.is_empty() {
            "native".to_owned()
        } else {
            format!("translated by {translator}")
        };
        notes.push(packets::text(
            "toolchain",
            format!("{version} {arch} {run_by}"),
        ));
    }
    for setting in &trace.settings {
        let key = trace.text(setting.key);
        notes.push(packets::text(&key, trace.text(setting.value)));
    }
    TrackEvent {
        name: Some("recorded by gotrace".to_owned()),
        categories: vec!["setting".to_owned()],
        debug_annotations: notes,
        ..TrackEvent::default()
    }
}

/// Says of what blocks could not be read, and how many.
pub(super) fn unreadable(
    trace: &Trace,
    of: [(&str, u64); 3],
    packets: &mut Packets<impl Write>,
) -> io::Result<()> {
    for (what, blocks) in of.into_iter().filter(|(_, blocks)| *blocks > 0) {
        let event = TrackEvent {
            name: Some(format!("lost: {what}")),
            categories: vec!["loss".to_owned()],
            debug_annotations: vec![
                packets::number("damaged_blocks", blocks),
                packets::text("why", "the trace file is damaged"),
            ],
            ..TrackEvent::default()
        };
        packets.instant(Track::Recording.uuid(), trace.end(), event)?;
    }
    Ok(())
}
