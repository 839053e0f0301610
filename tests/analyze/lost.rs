//! What was lost or not seen of a run is not zero, and has no verdict.

use crate::builder::{Builder, ms};
use crate::compare::{Made, USUAL, compare, cpu, group, millis, package, run, run_of, trace};
use gotrace::analyze::Name;
use gotrace::analyze::compare::{Comparison, Key, Measure, Missing, Row, Run, Subject, Verdict};
use gotrace::trace::{
    BlindSpot, CallEdge, CallEvent, Nanos, PhaseLasts, PhaseMark, Probe, ProbeDropped, ProbeId,
    ProcessId, StackOwner, Tid,
};

fn unseen(builder: &mut Builder, what: &str) {
    let spot = BlindSpot {
        time: Nanos::ZERO,
        what: builder.text(what),
        why: builder.text("a reason"),
    };
    builder.trace.blind_spots.push(spot);
}

/// Why there is no verdict on a row.
fn missing(row: &Row) -> Option<Missing> {
    match row.verdict {
        Some(Verdict::Withheld { missing, .. }) => Some(missing),
        _ => None,
    }
}

fn whole(comparison: &Comparison, measure: Measure) -> &Row {
    comparison.row(&Subject::Whole, measure).unwrap()
}

#[test]
fn without_its_graph_the_longest_chain_is_not_judged() {
    let mut builder = trace(&USUAL);
    unseen(&mut builder, "the action graph of a go command");
    let lost = run_of(&builder.trace);
    let comparison = compare(&[&group(9, 200)[..], &[lost]].concat(), &group(10, 260));
    let chain = whole(&comparison, Measure::LongestChain);
    assert_eq!(missing(chain), Some(Missing::Graph));
    let lost = comparison.base.lost.graph.as_deref().unwrap();
    assert_eq!(
        lost,
        "x.gotrace: the action graph of a go command: a reason"
    );
    // The rest is not made of it.
    let wall = whole(&comparison, Measure::Wall);
    assert_eq!(wall.verdict, Some(Verdict::Slower));
    assert_eq!(cpu(&comparison, "m/b").verdict, Some(Verdict::Slower));
}

#[test]
fn what_the_whole_command_took_is_never_zero() {
    let key = |measure| Key {
        subject: Subject::Whole,
        measure,
    };
    let mut base = group(10, 200);
    for run in &mut base[..3] {
        run.figures.remove(&key(Measure::LongestChain));
    }
    let comparison = compare(&base, &group(10, 200));
    let chain = whole(&comparison, Measure::LongestChain);
    assert_eq!(missing(chain), Some(Missing::InSome));
    // Of seven runs, all of which took more than 300 ms.
    let zeros = chain.base.iter().filter(|value| **value == 0.0).count();
    let unknown = chain.base.iter().filter(|value| value.is_nan()).count();
    assert_eq!((zeros, unknown), (0, 3));
    assert!(chain.base_median() > millis(300));
    for run in &mut base {
        run.figures.remove(&key(Measure::LongestChain));
    }
    let comparison = compare(&base, &group(10, 200));
    let chain = whole(&comparison, Measure::LongestChain);
    assert_eq!(missing(chain), Some(Missing::InBase));
    assert!(!chain.has_both());
}

#[test]
fn a_package_that_may_have_been_lost_is_not_zero() {
    let mut builder = trace(&USUAL);
    unseen(&mut builder, "tools of the go command");
    let mut lost = run_of(&builder.trace);
    let subject = package("m/b");
    lost.figures.retain(|key, _| key.subject != subject);
    let mut gone = run(&USUAL);
    gone.figures.retain(|key, _| key.subject != subject);
    let with = |run: Run| compare(&[&group(9, 200)[..], &[run]].concat(), &group(10, 200));
    let comparison = with(lost);
    assert_eq!(missing(cpu(&comparison, "m/b")), Some(Missing::Programs));
    assert!(cpu(&comparison, "m/b").base[9].is_nan());
    // Where nothing was lost, it was not built.
    let comparison = with(gone);
    assert_eq!(cpu(&comparison, "m/b").verdict, Some(Verdict::WithinNoise));
    assert_eq!(cpu(&comparison, "m/b").base[9], 0.0);
}

/// A run in which compile and runtime have a phase each; `edit` is done to its trace.
fn run_with_phases(at: u64, edit: impl Fn(&mut Builder)) -> Run {
    let b = 200 + at % 3;
    let mut builder = trace(&Made { b, ..USUAL });
    for (track, phase) in [("compile", "SSA"), ("runtime", "GC mark")] {
        let mark = PhaseMark {
            track: builder.text(track),
            phase: builder.text(phase),
            lasts: PhaseLasts::UntilNext,
            beside: track == "runtime",
        };
        let probe = Probe {
            function: builder.text("ssa.Compile"),
            phase: Some(mark),
            ..Probe::default()
        };
        builder.trace.probes.push(probe);
    }
    let call = |probe| CallEvent {
        time: ms(20),
        process: ProcessId(1),
        tid: Tid(1),
        stack: StackOwner::Signal,
        probe: ProbeId(probe),
        edge: CallEdge::Entry,
        depth: 8,
        argument: None,
    };
    builder.trace.push_calls(&[call(0), call(1)]);
    edit(&mut builder);
    run_of(&builder.trace)
}

fn phases(comparison: &Comparison) -> [Option<Missing>; 2] {
    [("compile", "SSA"), ("runtime", "GC mark")].map(|(track, phase)| {
        let (track, phase) = (Name::from(track), Name::from(phase));
        let phase = Subject::Phase { track, phase };
        missing(comparison.row(&phase, Measure::Cpu).unwrap())
    })
}

#[test]
fn phases_whose_marks_were_given_up_are_not_judged() {
    let runs: Vec<Run> = (0..10).map(|at| run_with_phases(at, |_| {})).collect();
    let given_up = run_with_phases(0, |builder| {
        let dropped = ProbeDropped {
            probe: ProbeId(0),
            at: ms(30),
            hits: 7,
            unrecorded: 0,
            why: builder.text("it cost too much"),
        };
        builder.trace.dropped_probes.push(dropped);
    });
    assert_eq!(phases(&compare(&runs, &runs)), [None, None]);
    let comparison = compare(&runs, &[&runs[..9], &[given_up]].concat());
    assert_eq!(phases(&comparison), [Some(Missing::Marks), None]);
    let words = &comparison.new.lost.marks[&Name::from("compile")];
    assert_eq!(
        &**words,
        "x.gotrace: ssa.Compile was given up: it cost too much"
    );
    assert_eq!(cpu(&comparison, "m/b").verdict, Some(Verdict::WithinNoise));
}

#[test]
fn calls_that_only_some_runs_saw_leave_phases_without_verdict() {
    let whole = run_with_phases(0, |_| {});
    let without = |folder: &str| {
        run_with_phases(0, |builder| {
            let what = format!("calls in {folder}/tool/compile");
            unseen(builder, &what);
        })
    };
    let missing = Some(Missing::Calls);
    let comparison = compare(std::slice::from_ref(&whole), &[without("/go")]);
    assert_eq!(phases(&comparison), [missing, missing]);
    // What no run sees makes no difference between them.
    let comparison = compare(&[without("/go")], &[without("/other/go")]);
    assert_eq!(phases(&comparison), [None, None]);
    // Nor does what the user named and was nowhere.
    let named = run_with_phases(0, |builder| unseen(builder, "calls of compile:none"));
    assert_eq!(phases(&compare(&[whole], &[named])), [None, None]);
}
