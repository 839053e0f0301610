//! Observations that a backend makes, and by hand what becomes of them.

use std::sync::Arc;

use super::{Plan, Recorder};
use crate::capture::calls::{Called, Pool};
use crate::capture::observation::{Executed, Probed, Sampled};
use crate::capture::{Monotonic, Observation, Progress, Redaction};
use crate::trace::file::Writer;
use crate::trace::{
    ArgumentKind, Avma, CallEdge, ClockAnchor, FramePlace, ImageKind, ImageOffset, Nanos, Pid,
    ProbeId, ProcessId, ProcessorCounts, StackOwner, Tid, Trace,
};

const APP: Pid = Pid(41);

fn recorded(observations: Vec<Observation>) -> Trace {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("trace");
    let anchor = ClockAnchor::default();
    let recorder = Recorder::new(Plan {
        writer: Writer::create(&path, anchor).expect("made"),
        anchor,
        root: APP,
        follows_tree: false,
        watches_loaders: false,
        calls_of_two: false,
        temporary: Vec::new(),
        user: 0,
        redaction: Redaction::default(),
        progress: Arc::new(Progress::default()),
    });
    let (out, told) = crossbeam_channel::unbounded();
    for observation in observations {
        out.send(observation).expect("room");
    }
    drop(out);
    Writer::finish(recorder.run(&told).writer).expect("sealed");
    Trace::open(&path).expect("whole")
}

fn executed(time: u64, exe: &str) -> Observation {
    Observation::Executed(Executed {
        time: Monotonic(time),
        pid: APP,
        exe: exe.into(),
        argv: format!("{exe}\0").into(),
        ..Executed::default()
    })
}

fn sampled(time: u64, address: u64) -> Observation {
    Observation::Sampled(Sampled {
        time: Monotonic(time),
        pid: APP,
        weight: Nanos(1),
        stack: vec![address],
        ..Sampled::default()
    })
}

/// Where each sample was, in the order of time.
fn places(trace: &Trace) -> Vec<FramePlace> {
    let blocks = trace.samples().map(|block| block.expect("sound"));
    let samples = blocks.flat_map(|block| block.iter().collect::<Vec<_>>());
    let frames = samples.map(|sample| trace.stacks.frames(sample.stack).next().expect("one"));
    frames
        .map(|frame| trace.frames[frame.index()].place)
        .collect()
}

#[test]
fn what_is_unmapped_is_no_place_for_later_samples() {
    let (start, end) = (0x10_0000, 0x20_0000);
    let range = |time| Observation::Unmapped {
        time: Monotonic(time),
        pid: APP,
        start,
        end,
    };
    let trace = recorded(vec![
        executed(1, "/opt/app"),
        Observation::Mapped {
            time: Monotonic(2),
            pid: APP,
            start,
            end,
            offset: 0x400,
            path: b"/opt/lib.dylib".to_vec(),
            build_id: vec![7; 16],
            kind: ImageKind::File,
        },
        sampled(3, start + 8),
        range(4),
        sampled(5, start + 8),
        // Once more, where nothing is.
        range(6),
    ]);
    let [FramePlace::Image(image, at), after] = places(&trace)[..] else {
        panic!("{:?}", places(&trace));
    };
    assert_eq!(
        (at, after),
        (ImageOffset(0x408), FramePlace::Unmapped(Avma(start + 8)))
    );
    let [gone] = trace.unmappings[..] else {
        panic!("{:?}", trace.unmappings);
    };
    assert_eq!(
        (gone.time, gone.image, gone.start),
        (Nanos(4), image, Avma(start))
    );
}

#[test]
fn what_the_processor_counted_goes_to_the_program_of_that_time() {
    let counted = |time, instructions| Observation::ProcessorCounted {
        time: Monotonic(time),
        pid: APP,
        counts: ProcessorCounts {
            instructions,
            ..ProcessorCounts::default()
        },
    };
    let trace = recorded(vec![
        executed(10, "/opt/first"),
        counted(20, 100),
        executed(30, "/opt/second"),
        // Told late of the first, and then of the second, more and more.
        counted(25, 150),
        counted(40, 7),
        counted(50, 9),
    ]);
    let instructions = |id: ProcessId| {
        let counts = trace.processes[id.index()].counts;
        counts.map(|counts| counts.instructions)
    };
    assert_eq!(
        [0, 1].map(|id| instructions(ProcessId(id))),
        [Some(150), Some(9)]
    );
}

#[test]
fn calls_of_a_process_that_nobody_has_told_of_are_lost() {
    let probed = Probed {
        probe: ProbeId(1 << 24),
        path: b"/opt/app".to_vec(),
        build_id: vec![7; 16],
        function: b"main.f".to_vec(),
        file: Vec::new(),
        entry: 0,
        instruction: "b".to_owned(),
        entry_cost: Nanos(1),
        exits: 0,
        exit_cost: Nanos(1),
        set: String::new(),
        phase: None,
        argument: ArgumentKind::None,
    };
    let of = |pid| Called {
        time: Monotonic(20),
        pid,
        tid: Tid(1),
        stack: StackOwner::System(None),
        probe: ProbeId(1 << 24),
        edge: CallEdge::Entry,
        depth: 8,
        argument: None,
    };
    let mut observations = vec![
        executed(10, "/opt/app"),
        Observation::Probed(Box::new(probed)),
    ];
    let calls = [of(APP), of(Pid(42)), of(APP), of(Pid(42))];
    Pool::default().give(calls.into_iter(), &mut |batch| {
        observations.push(Observation::Called(batch));
    });
    let trace = recorded(observations);
    let kept = trace
        .calls()
        .map(|block| block.expect("sound").iter().count());
    assert_eq!(kept.sum::<usize>(), 2);
    let [lost] = &trace.losses[..] else {
        panic!("{:?}", trace.losses);
    };
    assert_eq!((trace.text(lost.what), lost.count), ("calls".into(), 2));
}
