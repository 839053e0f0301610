//! Events as a script prints them, and by hand what they mean.

use super::loader::Loader;
use super::*;
use crate::trace::ProbeId;
use std::path::PathBuf;
use std::sync::Arc;

const COMPILE: Watched = Watched {
    probe: ProbeId(7),
    exits: true,
    argument: true,
};
const MARK: Watched = Watched {
    probe: ProbeId(8),
    exits: false,
    argument: false,
};

fn target() -> Target {
    Target {
        functions: [(b"ssa.Compile".to_vec(), COMPILE), (b"mark".to_vec(), MARK)]
            .into_iter()
            .collect(),
        rate_hz: 200,
        path: PathBuf::from("/go/compile"),
        ..Target::default()
    }
}

fn call(function: &str, value: u64, stack: Stack) -> Call {
    Call {
        tid: Tid(3),
        module: b"compile".to_vec(),
        function: function.into(),
        value,
        stack,
    }
}

fn on(goroutine: u64, depth: u64) -> Stack {
    Stack::Go { goroutine, depth }
}

fn told(events: Vec<(u64, What)>) -> Told {
    all_told(events, &target()).0
}

fn all_told(events: Vec<(u64, What)>, target: &Target) -> (Told, Images) {
    let (mut story, mut told) = (Story::default(), Told::default());
    // The wall clock shows 5000 when `timestamp` shows 100 and the monotonic clock would show 1400.
    story.armed(
        100,
        5_000,
        ClockAnchor {
            monotonic_ns: 2_400,
            unix_ns: 6_000,
        },
    );
    for (time, what) in events {
        let pid = Pid(41);
        story.add(Event { time, pid, what }, target, &mut told);
    }
    (told, story.images())
}

fn called(time: u64, probe: ProbeId, stack: StackOwner, edge: CallEdge, depth: u32) -> Called {
    Called {
        time: Monotonic(time),
        pid: Pid(41),
        tid: Tid(3),
        stack,
        probe,
        edge,
        depth,
        argument: None,
    }
}

#[test]
fn calls_are_of_goroutines_of_the_system_or_of_threads() {
    let told = told(vec![
        (200, What::Entered(call("ssa.Compile", 77, on(17, 0x1a8)))),
        (210, What::Entered(call("mark", 1, on(0, 0x80)))),
        (
            220,
            What::Entered(call("mark", 1, Stack::Thread(0x1_6fdf_f000))),
        ),
        (230, What::Entered(call("ssa.Compiler", 1, on(17, 0x200)))),
        (
            300,
            What::Returned(call("ssa.Compile", 0x1f4, on(17, 0x1a8))),
        ),
    ]);
    let goroutine = StackOwner::Goroutine(Goid(17));
    let mut entered = called(1_500, COMPILE.probe, goroutine, CallEdge::Entry, 424);
    entered.argument = Some(RawArgument::Integer(77));
    let system = StackOwner::System(None);
    let expected = [
        entered,
        called(1_510, MARK.probe, system, CallEdge::Entry, 128),
        // 2^32 less 0x6fdff000.
        called(
            1_520,
            MARK.probe,
            StackOwner::Foreign,
            CallEdge::Entry,
            0x9020_1000,
        ),
        called(1_600, COMPILE.probe, goroutine, CallEdge::Exit, 424),
    ];
    assert_eq!(told.calls, expected);
    assert_eq!(told.others, []);
}

#[test]
fn a_function_whose_stack_grows_is_entered_once() {
    let entry = |time, stack| (time, What::Entered(call("ssa.Compile", 0, stack)));
    let exit = |time, stack| (time, What::Returned(call("ssa.Compile", 0, stack)));
    let times = |events| -> Vec<u64> {
        let calls = told(events).calls.into_iter();
        calls.map(|called| called.time.0 - 1_300).collect()
    };
    let (outer, inner, other) = (on(17, 100), on(17, 300), on(18, 100));
    let grown = vec![entry(200, outer), entry(210, outer), exit(220, outer)];
    assert_eq!(times(grown), [200, 220]);
    let twice = vec![entry(200, outer), exit(210, outer), entry(220, outer)];
    assert_eq!(times(twice), [200, 210, 220]);
    let recursive = vec![entry(200, outer), entry(210, inner)];
    assert_eq!(times(recursive), [200, 210]);
    let others = vec![entry(200, outer), entry(210, other), entry(220, outer)];
    assert_eq!(times(others), [200, 210]);
    // Without exits two calls look the same.
    let mark = |time| (time, What::Entered(call("mark", 0, outer)));
    assert_eq!(times(vec![mark(200), mark(210)]), [200, 210]);
}

#[test]
fn samples_and_processes_are_told() {
    let stack = vec![
        Frame::Address(0x40_1000),
        Frame::Address(0x40_2000),
        Frame::Named {
            module: b"compile".to_vec(),
            function: b"main.main".to_vec(),
            offset: 4,
        },
        Frame::Address(0x40_3000),
    ];
    let (tid, cut) = (Tid(9), false);
    let executed = What::Executed {
        parent: Pid(40),
        name: b"cc1".to_vec(),
    };
    let told = told(vec![
        (200, What::Sampled { tid, stack, cut }),
        (210, executed),
        (220, What::Ended { how: 1 }),
    ]);
    let sampled = Sampled {
        time: Monotonic(1_500),
        pid: Pid(41),
        tid,
        weight: Nanos(5_000_000),
        stack: vec![0x40_1000, 0x40_2000],
        // The frame without an address, and what is below it, are missing.
        truncated: true,
        ..Sampled::default()
    };
    let executed = Executed {
        time: Monotonic(1_510),
        pid: Pid(41),
        argv: b"cc1\0".to_vec(),
        argv_truncated: true,
        exe: b"cc1".to_vec(),
        ..Executed::default()
    };
    let expected = [
        Observation::Sampled(sampled),
        Observation::Discovered {
            parent: Pid(40),
            package: Vec::new(),
            executed,
        },
        Observation::Gone {
            time: Monotonic(1_520),
            pid: Pid(41),
            usage: Usage::default(),
        },
    ];
    assert_eq!(told.others, expected);
    assert_eq!(told.calls, []);
}

/// A file for arm64, of which `llvm-objdump --macho --private-headers` says that its code has 0x1810 bytes.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/macho/classic");

#[test]
fn images_are_mapped_where_dyld_loads_them_and_unmapped_once() {
    let image = |comes, place, count, path: &str| {
        What::Image(Image {
            comes,
            place,
            count,
            header: 0x1_0432_1000,
            path: path.into(),
        })
    };
    let events = vec![
        (200, image(true, 0, 70, FILE)),
        (200, image(true, 1, 70, "/usr/lib/libSystem.B.dylib")),
        (210, image(false, 0, 1, FILE)),
        (220, image(false, 0, 1, FILE)),
    ];
    let (told, images) = all_told(events, &target());
    let [
        Observation::Mapped {
            time,
            pid,
            start,
            end,
            offset,
            path,
            build_id,
            kind,
        },
        gone,
    ] = &told.others[..]
    else {
        panic!("{:?}", told.others);
    };
    assert_eq!((*time, *pid), (Monotonic(1_500), Pid(41)));
    assert_eq!((*start, *end, *offset), (0x1_0432_1000, 0x1_0432_2810, 0));
    assert_eq!((path.as_slice(), *kind), (FILE.as_bytes(), ImageKind::File));
    assert_eq!(build_id.len(), 16);
    let expected = Observation::Unmapped {
        time: Monotonic(1_510),
        pid: Pid(41),
        start: 0x1_0432_1000,
        end: 0x1_0432_2810,
    };
    assert_eq!(*gone, expected);
    let expected = Images {
        told: 4,
        // There are clauses for 64.
        left_out: 6,
        without_file: 1,
    };
    assert_eq!(images, expected);
}

#[test]
fn functions_of_dyld_are_told_from_those_of_the_program() {
    let dlopen = Watched {
        probe: ProbeId(1),
        exits: true,
        argument: false,
    };
    let mut watched = vec![dlopen; loader::FUNCTIONS.len()];
    watched[1].probe = ProbeId(2);
    let mut target = target();
    target.loader = Arc::new(Loader::of(watched));
    target.functions.insert(b"dlopen".to_vec(), COMPILE);
    let of = |module: &str| Call {
        module: module.into(),
        ..call("dlopen", 0, Stack::Thread(0))
    };
    let events = vec![
        (200, What::Entered(of("libdyld.dylib"))),
        (210, What::Entered(of("compile"))),
        (220, What::Returned(of("libdyld.dylib"))),
    ];
    let probes: Vec<_> = all_told(events, &target)
        .0
        .calls
        .iter()
        .map(|called| called.probe)
        .collect();
    assert_eq!(probes, [ProbeId(1), COMPILE.probe, ProbeId(1)]);
}
