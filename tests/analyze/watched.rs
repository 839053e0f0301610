//! What a side did not watch is not known; what it watched and did not see is zero.

use crate::builder::ms;
use crate::compare::{USUAL, compare, package, run, run_of, trace};
use gotrace::analyze::Name;
use gotrace::analyze::compare::{Measure, Row, Run, Subject, Verdict};
use gotrace::render::change::Figures;
use gotrace::trace::{
    Argument, ArgumentKind, CallEdge, CallEvent, PhaseLasts, PhaseMark, Probe, ProbeId, ProcessId,
    StackOwner, Tid,
};

/// A run with a phase, another one that did not occur, signals, and a sample.
fn watched() -> Run {
    let mut watched = trace(&USUAL);
    let mark = PhaseMark {
        track: watched.text("runtime"),
        phase: watched.text("GC mark"),
        lasts: PhaseLasts::UntilNext,
        beside: true,
    };
    let mut idle = mark;
    idle.phase = watched.text("GC sweep");
    let handler = watched.text("runtime.sighandler");
    for (function, phase) in [
        (handler, None),
        (handler, Some(mark)),
        (handler, Some(idle)),
    ] {
        let probe = Probe {
            function,
            phase,
            ..Probe::default()
        };
        watched.trace.probes.push(probe);
    }
    let call = |time, edge| CallEvent {
        time: ms(time),
        process: ProcessId(1),
        tid: Tid(1),
        stack: StackOwner::Signal,
        probe: ProbeId(1),
        edge,
        depth: 8,
        argument: None,
    };
    watched
        .trace
        .push_calls(&[call(20, CallEdge::Entry), call(30, CallEdge::Exit)]);
    let image = watched.image("/go/pkg/tool/compile");
    let frame = watched.named(image, &["main.main"]);
    let stack = watched.stack(&[frame]);
    watched.sample(ProcessId(1), stack, 25, 10);
    run_of(&watched.trace)
}

fn phase(name: &str) -> Subject {
    Subject::Phase {
        track: Name::from("runtime"),
        phase: Name::from(name),
    }
}

fn function(name: &str) -> Subject {
    Subject::Function {
        tool: Name::from("compile"),
        name: Name::from(name),
    }
}

#[test]
fn what_was_not_watched_is_not_known() {
    let watched = watched();
    let known = [
        (phase("GC mark"), Measure::Count),
        (Subject::Signal(Name::from("SIGURG")), Measure::Count),
        (function("main.main"), Measure::Own),
        (package("m/a"), Measure::SteadyState),
    ];
    let comparison = compare(std::slice::from_ref(&watched), &[run(&USUAL)]);
    for (subject, measure) in &known {
        let row = comparison.row(subject, *measure).unwrap();
        assert_eq!((row.base.len(), row.new.len()), (1, 0), "{subject:?}");
        assert!(!row.has_both());
    }
    // Nor is there a verdict.
    let row = comparison.row(&phase("GC mark"), Measure::Cpu).unwrap();
    let withheld = row.verdict.as_ref().unwrap();
    assert_eq!(withheld.words(), "withheld: not watched in new");
    let back = compare(&[run(&USUAL)], std::slice::from_ref(&watched));
    let row = back.row(&phase("GC mark"), Measure::Cpu).unwrap();
    assert_eq!(figures(row), ["-", "10.0 ms", "-", "-"]);
    // Where it was watched and did not occur, it is zero, or only in the other.
    let mut without = watched.clone();
    without.figures.retain(|key, _| {
        !known.iter().any(|(subject, _)| *subject == key.subject) || key.measure == Measure::Cpu
    });
    without
        .figures
        .retain(|key, _| key.subject != phase("GC mark"));
    let comparison = compare(&[watched], &[without]);
    let row = comparison.row(&phase("GC mark"), Measure::Cpu).unwrap();
    assert_eq!(row.verdict, Some(Verdict::OnlyInBase));
    assert_eq!(figures(row), ["10.0 ms", "-", "-10.0 ms", "-100 %"]);
    for (subject, measure) in [&known[0], &known[2]] {
        let row = comparison.row(subject, *measure).unwrap();
        assert_eq!(
            (row.has_both(), row.new_median()),
            (true, 0.0),
            "{subject:?}"
        );
    }
}

fn figures(row: &Row) -> [String; 4] {
    let figures = Figures::of(row, None);
    [figures.base, figures.new, figures.difference, figures.ratio]
}

#[test]
fn signals_are_counted_by_calls_of_their_handler() {
    let mut builder = trace(&USUAL);
    let function = builder.text("runtime.sighandler");
    let probe = Probe {
        function,
        argument: ArgumentKind::Integer,
        ..Probe::default()
    };
    builder.trace.probes.push(probe);
    let call = |time, edge, signal| CallEvent {
        time: ms(time),
        process: ProcessId(1),
        tid: Tid(1),
        stack: StackOwner::Signal,
        probe: ProbeId(0),
        edge,
        depth: 8,
        argument: Some(Argument::Integer(signal)),
    };
    let (entry, exit) = (CallEdge::Entry, CallEdge::Exit);
    let calls = [
        (1, entry, 23),
        (2, exit, 23),
        (3, entry, 27),
        (4, entry, 23),
        (5, entry, 17),
    ];
    let calls = calls.map(|(time, edge, signal)| call(time, edge, signal));
    builder.trace.push_calls(&calls);
    let run = run_of(&builder.trace);
    let count = |name| run.figure(Subject::Signal(Name::from(name)), Measure::Count);
    assert_eq!((count("SIGURG"), count("SIGPROF")), (2.0, 1.0));
}
