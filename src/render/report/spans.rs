//! What ran when, onto the tracks of a report's timeline.

use super::actors;
use super::columns::{Columns, NONE};
use super::names::Names;
use super::rows::{self, Rows};
use super::tracks::{CRITICAL, OPEN, Span, SpanKind, Track, Tracks, View};
use crate::analyze::timeline::{self, Bar, BarOf, Bars, CpuSource, Options, Timeline};
use crate::analyze::{Analysis, PhaseIndex, PhaseSpan, summary};
use crate::render::palette::Family;
use crate::trace::{Nanos, ProcessId, Sample};
use rustc_hash::FxHashMap;
use std::io;

/// Bins of the chart: more than a screen has columns, so that zooming shows more.
const BINS: u32 = 2_048;

/// Fills all tracks, writes them and the chart over them; returns how many blocks of samples or calls could
/// not be read.
pub(super) fn write(
    analysis: &Analysis<'_>,
    rows: &Rows,
    index: &PhaseIndex,
    wanted: super::Options<'_>,
    columns: &mut Columns<'_>,
) -> io::Result<u64> {
    let (mut timeline, mut cpu) = Timeline::before_samples(analysis, options_of(analysis));
    let mut tracks = Tracks::of_at_most(wanted.spans);
    let names = &mut columns.names;
    add_slots(&timeline, View::Slots, &mut tracks, |bar| {
        span_of(bar, rows, names)
    });
    let base = wanted.base.map(|base| {
        let timeline = base.analysis.timeline(options_of(base.analysis));
        (base.analysis, timeline)
    });
    if let Some((base, lanes)) = &base {
        add_side_by_side(
            (analysis, &timeline),
            (base, lanes),
            rows,
            &mut tracks,
            names,
        );
    }
    let bars = ProcessBars::of(analysis);
    add_processes(index, &bars, rows, &mut tracks, &mut columns.names);
    let walked = |sample: &Sample| cpu.add(sample);
    let unreadable_blocks = actors::add(
        analysis,
        &bars,
        rows,
        &mut tracks,
        &mut columns.names,
        walked,
    );
    timeline.take_cpu(cpu);
    write_chart(&timeline, columns)?;
    if let Some((_, base)) = &base {
        columns
            .table("base_chart", &[base.bin])
            .times("bin", |bin| *bin)?;
        columns.numbers("base_cpu.cores", &base.cpu)?;
    }
    let places: FxHashMap<u32, usize> = bars
        .in_order()
        .map(|id| rows.process(id))
        .zip(1..)
        .collect();
    tracks.sort(|process| places.get(&process).copied().unwrap_or_default());
    let (folded, into) = tracks.finish();
    columns
        .table("folding", &[(folded, into)])
        .numbers("spans", |row| row.0 as f64)?
        .numbers("into", |row| row.1 as f64)?
        .times("shorter_than", |_| tracks.short)?;
    write_tracks(&tracks, columns)?;
    Ok(unreadable_blocks)
}

fn options_of(analysis: &Analysis<'_>) -> Options {
    Options {
        bars: Bars::Actions,
        bins: BINS,
        from: analysis.builds.critical_path.start(),
    }
}

fn write_chart(timeline: &Timeline, columns: &mut Columns<'_>) -> io::Result<()> {
    let sampled = u8::from(timeline.cpu_source == CpuSource::Samples);
    columns
        .table("chart", &[timeline.bin])
        .times("bin", |bin| *bin)?
        .bytes("sampled", |_| sampled)?;
    columns.numbers("cpu.cores", &timeline.cpu)?;
    columns.numbers("under_way.count", &timeline.concurrency)?;
    columns.numbers("waiting.count", &timeline.waiting)
}

fn write_tracks(tracks: &Tracks, columns: &mut Columns<'_>) -> io::Result<()> {
    columns
        .table("tracks", &tracks.tracks)
        .bytes("view", |track| track.view as u8)?
        .bytes("depth", |track| track.depth)?
        .words("process", |track| track.process)?
        .named("label", |track| track.label)?
        .words("count", |track| {
            u32::try_from(track.spans.len()).unwrap_or(u32::MAX)
        })?;
    let spans: Vec<Span> = tracks
        .tracks
        .iter()
        .flat_map(|track| track.spans.iter().copied())
        .collect();
    columns
        .table("spans", &spans)
        .moments("start", |span| span.start)?
        .moments("end", |span| span.end)?
        .named("label", |span| span.label)?
        .bytes("colour", |span| span.colour)?
        .bytes("kind", |span| span.kind as u8)?
        .bytes("flags", |span| span.flags)?
        .words("of", |span| span.of)?
        .words("count", |span| span.count)?
        .times("busy", |span| span.busy)?;
    Ok(())
}

/// The actions of the builds, in as few lanes as hold them.
fn add_slots(
    timeline: &Timeline,
    view: View,
    tracks: &mut Tracks,
    mut span_of: impl FnMut(&Bar) -> Span,
) {
    for lane in &timeline.lanes {
        let track = tracks.open(Track {
            depth: 0,
            ..Track::below(view, NONE, 0, (0, 0))
        });
        for bar in &lane.bars {
            tracks.push(track, span_of(bar));
        }
    }
}

/// The lanes of the trace, and below them those of another one, moved so that both commands begin together.
fn add_side_by_side(
    (analysis, timeline): (&Analysis<'_>, &Timeline),
    (base, lanes): (&Analysis<'_>, &Timeline),
    rows: &Rows,
    tracks: &mut Tracks,
    names: &mut Names,
) {
    let start = |of: &Analysis<'_>| of.builds.critical_path.start();
    let (begin, base_begin) = (start(analysis), start(base));
    let moved = |time: Nanos| begin + time.since(base_begin);
    let head = |words: &str, of: &Analysis<'_>, tracks: &mut Tracks, names: &mut Names| {
        let command = summary::command(of);
        let label = names.id(&format!("{words}: {command}"));
        tracks.open(Track {
            depth: 0,
            ..Track::below(View::SideBySide, NONE, label, (0, 0))
        });
    };
    head("new", analysis, tracks, names);
    add_slots(timeline, View::SideBySide, tracks, |bar| {
        span_of(bar, rows, names)
    });
    head("base", base, tracks, names);
    add_slots(lanes, View::SideBySide, tracks, |bar| Span {
        start: moved(bar.start),
        end: moved(bar.end),
        kind: SpanKind::Base,
        of: NONE,
        ..span_of(bar, rows, names)
    });
}

fn span_of(bar: &Bar, rows: &Rows, names: &mut Names) -> Span {
    let (kind, of) = match bar.of {
        BarOf::Action(action) => (SpanKind::Action, rows.action(action)),
        BarOf::Process(process) => (SpanKind::Process, rows.process(process)),
    };
    let flag = |is: bool, flag: u8| if is { flag } else { 0 };
    Span {
        start: bar.start,
        end: bar.end,
        label: names.id(&bar.label),
        colour: rows::colour(Family::of(bar.tool.name())),
        kind,
        flags: flag(bar.critical, CRITICAL) | flag(bar.open, OPEN),
        of,
        count: 1,
        busy: bar.end.since(bar.start),
    }
}

/// Each program by itself, its phases below, and below those what went on beside them.
fn add_processes(
    index: &PhaseIndex,
    bars: &ProcessBars,
    rows: &Rows,
    tracks: &mut Tracks,
    names: &mut Names,
) {
    let spans = index.spans();
    let mut phases: FxHashMap<(ProcessId, bool), Vec<&PhaseSpan<'_>>> = FxHashMap::default();
    for span in &spans {
        let key = (span.process, span.phase.beside);
        phases.entry(key).or_default().push(span);
    }
    for process in bars.in_order() {
        bars.open(View::Processes, process, rows, tracks, names);
        let of = [false, true].into_iter();
        let of = of.filter_map(|beside| phases.get(&(process, beside)));
        for (below, of) in (1..).zip(of) {
            let row = rows.process(process);
            let label = names.id("phases");
            let track = tracks.open(Track::below(View::Processes, row, label, (below, 0)));
            for phase in of {
                let label = names.id(&phase.phase.phase);
                let colour = rows.phase_colour(phase.phase);
                tracks.push(track, phase_span(phase, label, colour, row));
            }
        }
    }
}

/// The bars of programs: what their phases, threads and goroutines lie below.
pub(super) struct ProcessBars {
    of: FxHashMap<ProcessId, Bar>,
    order: Vec<ProcessId>,
}

impl ProcessBars {
    fn of(analysis: &Analysis<'_>) -> Self {
        let mut bars = timeline::process_bars(analysis);
        bars.sort_by_key(|bar| (bar.start, std::cmp::Reverse(bar.end)));
        let process = |bar: &Bar| match bar.of {
            BarOf::Process(process) => Some(process),
            BarOf::Action(_) => None,
        };
        let bars = bars
            .into_iter()
            .filter_map(|bar| Some((process(&bar)?, bar)));
        let bars: Vec<(ProcessId, Bar)> = bars.collect();
        Self {
            order: bars.iter().map(|(process, _)| *process).collect(),
            of: bars.into_iter().collect(),
        }
    }

    /// The programs by their start.
    fn in_order(&self) -> impl Iterator<Item = ProcessId> + '_ {
        self.order.iter().copied()
    }

    /// Opens the track of a program, with its bar.
    pub(super) fn open(
        &self,
        view: View,
        process: ProcessId,
        rows: &Rows,
        tracks: &mut Tracks,
        names: &mut Names,
    ) {
        let Some(bar) = self.of.get(&process) else {
            return;
        };
        let track = tracks.open(Track {
            depth: 0,
            ..Track::below(view, rows.process(process), names.id(&bar.label), (0, 0))
        });
        tracks.push(track, span_of(bar, rows, names));
    }
}

fn phase_span(phase: &PhaseSpan<'_>, label: u32, colour: u8, process: u32) -> Span {
    Span {
        start: phase.begin,
        end: phase.end,
        label,
        colour,
        kind: SpanKind::Phase,
        flags: 0,
        of: process,
        count: 1,
        busy: phase.end.since(phase.begin),
    }
}
