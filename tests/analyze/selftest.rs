//! What a selftest makes of traces that hold less, more, or something else than what happened.

use crate::builder::{Builder, ms};
use gotrace::analyze::Analysis;
use gotrace::analyze::selftest::{self, Comparison, Said};
use gotrace::trace::{
    Argument, ArgumentKind, CallEdge, CallEvent, ExitStatus, Goid, Loss, Nanos, Probe, ProbeId,
    Sample, SampleKind, SamplePlace, StackOwner, StringId, Tid,
};

fn wrong(comparisons: &[Comparison]) -> Vec<&'static str> {
    let wrong = comparisons.iter().filter(|one| !one.fits);
    wrong.map(|one| one.what).collect()
}

#[test]
fn a_child_that_is_missing_or_ended_otherwise_is_told() {
    let said = Said::parse("pid 1000\nchild 1001 1\nchild 1002 2\n");
    let mut builder = Builder::default();
    let parent = builder.process(None, "./program tree 2", (0, 10), 1);
    let first = builder.process(Some(parent), "./program end 1", (1, 2), 1);
    if let Some(exit) = &mut builder.edit(first).exit {
        exit.status = ExitStatus::Code(1);
    }
    let tree = |builder: &Builder| wrong(&selftest::tree(&builder.trace, &said)).len();
    assert_eq!(tree(&builder), 1, "the second is missing");
    let second = builder.process(Some(parent), "./program end 2", (3, 4), 1);
    assert_eq!(tree(&builder), 1, "it ended with 0");
    if let Some(exit) = &mut builder.edit(second).exit {
        exit.status = ExitStatus::Code(2);
    }
    assert_eq!(tree(&builder), 0);
    builder.edit(second).parent = Some(first);
    assert_eq!(tree(&builder), 1, "it is another one's child");
}

/// Calls of `main.work` in the program 1000, by goroutine 7.
fn calls(arguments: &[u64], ends: usize) -> Builder {
    let mut builder = Builder::default();
    let process = builder.process(None, "./program calls", (0, 10), 1);
    let function = builder.text("main.work");
    builder.trace.probes.push(Probe {
        function,
        exits: 1,
        argument: ArgumentKind::Integer,
        ..Probe::default()
    });
    let event = |time: usize, edge, argument| CallEvent {
        time: ms(time as u64),
        process,
        tid: Tid(1),
        stack: StackOwner::Goroutine(Goid(7)),
        probe: ProbeId(0),
        edge,
        depth: 8,
        argument,
    };
    let mut events = Vec::new();
    for (at, &argument) in arguments.iter().enumerate() {
        events.push(event(
            at,
            CallEdge::Entry,
            Some(Argument::Integer(argument)),
        ));
        if at < ends {
            events.push(event(at, CallEdge::Exit, None));
        }
    }
    builder.trace.push_calls(&events);
    builder
}

#[test]
fn calls_that_are_missing_doubled_or_without_end_are_told() {
    let said = Said::parse("pid 1000\ncalled 7 3\n");
    let judged =
        |arguments: &[u64], ends| wrong(&selftest::calls(&calls(arguments, ends).trace, &said));
    let none: [&str; 0] = [];
    assert_eq!(judged(&[1, 2, 3], 3), none);
    let (number, order, ends) = (
        "calls of main.work",
        "arguments are 1, 2, 3, ...",
        "ends of calls",
    );
    assert_eq!(judged(&[1, 2], 2), [number, ends]);
    assert_eq!(judged(&[1, 2, 2], 3), [order]);
    assert_eq!(judged(&[1, 2, 3], 2), [ends]);
    assert_eq!(judged(&[1, 2, 3, 4], 3), [number]);
    let nobody = Said::parse("pid 1000\n");
    assert_eq!(
        wrong(&selftest::calls(&calls(&[1], 0).trace, &nobody)),
        [number]
    );
}

#[test]
fn a_hole_in_the_calls_of_a_running_program_is_told() {
    let said = Said::parse("pid 1000\ncalled 7 90\n");
    let judged =
        |arguments: &[u64]| wrong(&selftest::attached(&calls(arguments, 0).trace, &said)).len();
    assert_eq!(judged(&[40, 41, 42]), 0);
    assert_eq!(judged(&[40, 42]), 1);
    assert_eq!(judged(&[89, 90, 91]), 1, "it was not called so often");
    assert_eq!(judged(&[]), 2);
}

#[test]
fn samples_must_be_as_many_where_they_were_and_whose() {
    let said = Said::parse("pid 1000\nspun 1 100000000\n");
    let traced = |there: u64, elsewhere: u64, goroutine: u64| {
        let mut builder = Builder::default();
        let process = builder.process(None, "./program spin", (0, 200), 100);
        let image = builder.image("/program");
        let spin = [["main.main"], ["main.spin"]].map(|names| builder.named(image, &names));
        let other = builder.named(image, &["runtime.gcBgMarkWorker"]);
        let [spin, other] = [builder.stack(&spin), builder.stack(&[other])];
        for (count, stack, goroutine) in [(there, spin, goroutine), (elsewhere, other, 9)] {
            let samples = (0..count).map(|at| Sample {
                time: ms(at),
                process,
                tid: Tid(1),
                goroutine: Some(Goid(goroutine)),
                stack,
                weight: ms(1),
                kind: SampleKind::OnCpu,
                place: SamplePlace::User,
            });
            builder.trace.push_samples(&samples.collect::<Vec<_>>());
        }
        wrong(&selftest::samples(&builder.trace, &said, false))
    };
    let none: [&str; 0] = [];
    assert_eq!(traced(95, 5, 1), none);
    assert_eq!(traced(70, 0, 1), ["CPU time of samples in main.spin"]);
    assert_eq!(traced(130, 0, 1), ["CPU time of samples in main.spin"]);
    assert_eq!(
        traced(100, 30, 1),
        ["CPU time of samples that is in main.spin"]
    );
    assert_eq!(traced(100, 0, 2), ["of these, on the program's goroutine"]);
    let builder = Builder::default();
    let silent = selftest::samples(&builder.trace, &Said::default(), false);
    assert_eq!(wrong(&silent), ["the program says what it did"]);
}

#[test]
fn what_is_lost_is_told() {
    let mut builder = Builder::default();
    assert!(wrong(&selftest::whole(&builder.trace)).is_empty());
    // What the backend mach tells of each run.
    let time = builder.text("milliseconds of CPU time in no sample");
    let lost = |what| Loss {
        from: Nanos::ZERO,
        to: Nanos::ZERO,
        what,
        count: 3,
        why: StringId::EMPTY,
    };
    builder.trace.losses.push(lost(time));
    assert!(wrong(&selftest::whole(&builder.trace)).is_empty());
    let samples = builder.text("samples");
    builder.trace.losses.push(lost(samples));
    assert_eq!(wrong(&selftest::whole(&builder.trace)), ["events lost"]);
}

#[test]
fn a_tool_that_ran_twice_or_not_at_all_is_told() {
    let built = |lines: &[&str]| {
        let mut builder = Builder::default();
        let go = builder.process(None, "go build -o ./program .", (0, 100), 1);
        for line in lines {
            let process = builder.process(Some(go), line, (1, 2), 1);
            let package = builder.text(if line.ends_with(" n") {
                "selftest/numbers"
            } else {
                "selftest"
            });
            builder.edit(process).exec.package = package;
        }
        let tools = selftest::tools(&Analysis::of(&builder.trace));
        tools.first().is_some_and(|tools| tools.fits)
    };
    let all = [
        "/go/pkg/tool/linux_amd64/compile -p n",
        "/go/pkg/tool/linux_amd64/compile -p main",
        "/go/pkg/tool/linux_amd64/link -o x",
    ];
    assert!(built(&all));
    assert!(!built(&all[1..]));
    assert!(!built(&[&all[..], &all[..1]].concat()));
}
