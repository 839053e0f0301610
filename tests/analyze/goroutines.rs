//! What pictures show of goroutines and phases, against values worked out by hand.

use super::builder::{Builder, COMPILE, ms};
use gotrace::analyze::timeline::{Bars, Options};
use gotrace::analyze::{Analysis, GoroutineRows, GoroutineStates};
use gotrace::trace::{
    CallEdge, CallEvent, Goid, Nanos, PhaseLasts, PhaseMark, Pid, Probe, ProbeDropped, ProbeId,
    ProcessId, Sample, SampleKind, SamplePlace, StackOwner, StringId, Tid,
};

const F: ProbeId = ProbeId(0);
const G: ProbeId = ProbeId(1);

/// A process that ran from 0 to 100 ms, and two watched functions.
fn program() -> Builder {
    let mut b = Builder::default();
    b.process(None, &format!("{COMPILE} -p example.com/p"), (0, 100), 50);
    for (id, name) in [(F, "main.f"), (G, "main.g")] {
        let function = b.text(name);
        b.trace.probes.push(Probe {
            id,
            function,
            exits: 1,
            ..Probe::default()
        });
    }
    b.end(100);
    b
}

/// Adds a function that marks a phase; none where that is empty.
fn mark(b: &mut Builder, id: u32, track: &str, phase: &str) -> ProbeId {
    let mark = PhaseMark {
        track: b.text(track),
        phase: match phase {
            "" => StringId::EMPTY,
            phase => b.text(phase),
        },
        lasts: PhaseLasts::UntilNext,
        beside: track == "goroutine",
    };
    b.trace.probes.push(Probe {
        id: ProbeId(id),
        phase: Some(mark),
        ..Probe::default()
    });
    ProbeId(id)
}

fn enter(time: u64, goroutine: u64, probe: ProbeId, depth: u32) -> CallEvent {
    CallEvent {
        time: ms(time),
        process: ProcessId(0),
        tid: Tid(100),
        stack: StackOwner::Goroutine(Goid(goroutine)),
        probe,
        edge: CallEdge::Entry,
        depth,
        argument: None,
    }
}

fn leave(time: u64, goroutine: u64, probe: ProbeId, depth: u32) -> CallEvent {
    CallEvent {
        edge: CallEdge::Exit,
        ..enter(time, goroutine, probe, depth)
    }
}

fn pid(b: &Builder) -> Pid {
    b.trace.process(ProcessId(0)).unwrap().pid
}

fn millis(time: Nanos) -> u64 {
    time.0 / 1_000_000
}

#[test]
fn calls_lie_within_their_callers_and_those_of_one_column_are_one_bar() {
    let mut b = program();
    b.trace.push_calls(&[
        enter(1, 7, F, 100),
        enter(11, 7, G, 200),
        leave(12, 7, G, 200),
        enter(13, 7, G, 200),
        leave(14, 7, G, 200),
        enter(15, 7, G, 200),
        leave(16, 7, G, 200),
        // Into the next column.
        enter(18, 7, G, 200),
        leave(22, 7, G, 200),
        enter(30, 8, F, 100),
        leave(35, 8, F, 100),
        leave(50, 7, F, 100),
        enter(60, 8, F, 100),
    ]);
    let stack = b.cut();
    let stack = b.stack(&[stack]);
    let sample = |time, goroutine| Sample {
        time: ms(time),
        process: ProcessId(0),
        tid: Tid(100),
        goroutine: Some(Goid(goroutine)),
        stack,
        weight: ms(1),
        kind: SampleKind::OnCpu,
        place: SamplePlace::User,
    };
    b.trace
        .push_samples(&[sample(5, 7), sample(6, 9), sample(70, 8)]);
    let analysis = Analysis::of(&b.trace);
    // Ten columns of 10 ms.
    let rows = GoroutineRows::of(&analysis, pid(&b), 10, 10);
    assert_eq!((rows.begin, rows.end, rows.left_out), (ms(0), ms(100), 0));
    let told: Vec<_> = rows
        .rows
        .iter()
        .map(|row| {
            let bars = row.calls.iter().map(|bars| {
                let bar = bars
                    .iter()
                    .map(|bar| (bar.probe, millis(bar.begin), millis(bar.end), bar.more));
                bar.collect::<Vec<_>>()
            });
            let samples: Vec<u64> = row.samples.iter().copied().map(millis).collect();
            (
                row.name.as_str(),
                millis(row.busy),
                bars.collect::<Vec<_>>(),
                samples,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (
                "goroutine 7",
                49,
                vec![vec![(F, 1, 50, 0)], vec![(G, 11, 12, 2), (G, 18, 22, 0)]],
                vec![5]
            ),
            // Its second call was open when the program ended.
            (
                "goroutine 8",
                45,
                vec![vec![(F, 30, 35, 0), (F, 60, 100, 0)]],
                vec![70]
            ),
        ]
    );
    let rows = GoroutineRows::of(&analysis, pid(&b), 1, 10);
    assert_eq!((rows.rows.len(), rows.left_out), (1, 1));
    assert_eq!(rows.rows[0].name, "goroutine 7");
}

#[test]
fn goroutines_run_and_wait_until_their_next_mark() {
    let mut b = program();
    let runs = mark(&mut b, 2, "goroutine", "running");
    let waits = mark(&mut b, 3, "goroutine", "waiting");
    let ends = mark(&mut b, 4, "goroutine", "");
    // The scheduler works on the system stack, for the goroutine.
    let on_g0 = |event: CallEvent, goid| CallEvent {
        stack: StackOwner::System(Some(Goid(goid))),
        ..event
    };
    b.trace.push_calls(&[
        on_g0(enter(10, 0, runs, 10), 7),
        on_g0(enter(12, 0, runs, 10), 8),
        on_g0(enter(20, 0, waits, 10), 7),
        // A mark of the same state is no new one.
        on_g0(enter(25, 0, waits, 10), 7),
        enter(30, 7, runs, 10),
        on_g0(enter(40, 0, ends, 10), 7),
    ]);
    let states = |b: &Builder| -> Vec<(u64, u64, u64, String)> {
        let states = GoroutineStates::of(&Analysis::of(&b.trace)).states;
        let told = states.iter().map(|state| {
            let name = b.trace.text(state.state).into_owned();
            (state.goid.0, millis(state.begin), millis(state.end), name)
        });
        told.collect()
    };
    let row = |goid, begin, end, name: &str| (goid, begin, end, name.to_owned());
    assert_eq!(
        states(&b),
        [
            row(7, 10, 20, "running"),
            row(7, 20, 30, "waiting"),
            row(7, 30, 40, "running"),
            row(8, 12, 100, "running"),
        ]
    );
    // After a mark was given up nobody knows.
    let why = b.text("too much");
    b.trace.dropped_probes.push(ProbeDropped {
        probe: waits,
        at: ms(25),
        hits: 2,
        unrecorded: 0,
        why,
    });
    assert_eq!(
        states(&b),
        [
            row(7, 10, 20, "running"),
            row(7, 20, 25, "waiting"),
            row(8, 12, 25, "running"),
        ]
    );
}

#[test]
fn a_program_is_divided_into_its_phases() {
    let mut b = program();
    let parse = mark(&mut b, 2, "compile", "parse");
    let ssa = mark(&mut b, 3, "compile", "SSA");
    let end = mark(&mut b, 4, "compile", "");
    b.trace.push_calls(&[
        enter(2, 1, parse, 10),
        enter(10, 1, ssa, 10),
        enter(40, 1, end, 10),
        enter(90, 1, parse, 10),
    ]);
    let timeline = Analysis::of(&b.trace).timeline(Options {
        bars: Bars::Phases,
        ..Options::default()
    });
    let phases: Vec<&str> = timeline.phases.iter().map(|phase| &**phase).collect();
    assert_eq!(phases, ["compile SSA", "compile parse"]);
    assert_eq!(timeline.lanes.len(), 1);
    let bars: Vec<_> = timeline.lanes[0]
        .bars
        .iter()
        .map(|bar| (millis(bar.start), millis(bar.end), bar.phase))
        .collect();
    assert_eq!(
        bars,
        [
            (0, 2, None),
            (2, 10, Some(1)),
            (10, 40, Some(0)),
            (40, 90, None),
            (90, 100, Some(1)),
        ]
    );
}
