//! Function entries and exits in the file.

use gotrace::trace::file::Writer;
use gotrace::trace::{
    Argument, ArgumentKind, CallEdge, CallEvent, ClockAnchor, Goid, Image, ImageOffset, Nanos,
    PhaseLasts, PhaseMark, Probe, ProbeDropped, ProbeId, Process, ProcessId, Record, StackOwner,
    StringId, Tid, Trace,
};
use proptest::prelude::*;
use std::path::Path;

const PROBES: u32 = 30;
const STRINGS: u32 = 8;

/// A trace with two processes, some probes and strings, and these events.
fn write(path: &Path, events: &[CallEvent]) {
    let mut writer = Writer::create(path, ClockAnchor::default()).unwrap();
    let path = writer.string(b"/go/compile");
    let image = writer.image(&Image {
        path,
        ..Image::default()
    });
    for number in 1..STRINGS {
        writer.string(format!("argument {number}").as_bytes());
    }
    for id in 0..2 {
        let process = Process {
            id: ProcessId(id),
            ..Process::default()
        };
        writer.record(Record::ProcessStarted(process)).unwrap();
    }
    for id in 0..PROBES {
        let function = writer.string(format!("main.f{id}").as_bytes());
        let probe = Probe {
            id: ProbeId(id),
            image,
            function,
            ..Probe::default()
        };
        writer.record(Record::Probe(probe)).unwrap();
    }
    for event in events {
        writer.call(*event).unwrap();
    }
    writer.finish().unwrap();
}

fn read(trace: &Trace) -> Vec<CallEvent> {
    let blocks = trace.calls().map(Result::unwrap);
    blocks
        .flat_map(|block| block.iter().collect::<Vec<_>>())
        .collect()
}

fn owner() -> impl Strategy<Value = StackOwner> {
    prop_oneof![
        any::<u64>().prop_map(|id| StackOwner::Goroutine(Goid(id))),
        (1..4_u64).prop_map(|id| StackOwner::Goroutine(Goid(id))),
        any::<u64>().prop_map(StackOwner::Unnumbered),
        proptest::option::of(1..3_u64).prop_map(|id| StackOwner::System(id.map(Goid))),
        Just(StackOwner::Signal),
        Just(StackOwner::Foreign),
        Just(StackOwner::Forked),
    ]
}

prop_compose! {
    fn event()(
        time in prop_oneof![any::<u64>(), 0..100_u64],
        process in 0..2_u32,
        tid in prop_oneof![any::<u32>(), 1..4_u32],
        stack in owner(),
        probe in 0..PROBES,
        edge in 0..3_u8,
        depth in prop_oneof![any::<u32>(), (0..5_u32).prop_map(|n| n * 64)],
        argument in proptest::option::of(prop_oneof![
            any::<u64>().prop_map(Argument::Integer),
            (0..STRINGS).prop_map(|id| Argument::Text(StringId(id))),
        ]),
    ) -> CallEvent {
        let edge = [CallEdge::Entry, CallEdge::Exit, CallEdge::TailJump][usize::from(edge)];
        CallEvent {
            time: Nanos(time),
            process: ProcessId(process),
            tid: Tid(tid),
            stack,
            probe: ProbeId(probe),
            edge,
            depth,
            argument: argument.filter(|_| edge == CallEdge::Entry),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_events_come_back(events in proptest::collection::vec(event(), 0..200)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calls.gotrace");
        write(&path, &events);
        let trace = Trace::open(&path).unwrap();
        prop_assert_eq!(&trace.integrity, &gotrace::trace::file::Integrity::default());
        prop_assert_eq!(trace.call_count(), events.len() as u64);
        prop_assert_eq!(read(&trace), events);
    }

    #[test]
    fn a_damaged_byte_costs_a_block_and_no_more(
        events in proptest::collection::vec(event(), 1..60),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u32,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calls.gotrace");
        write(&path, &events);
        let mut bytes = std::fs::read(&path).unwrap();
        // Behind the header, whose loss is another test's.
        let at = 32 + at.index(bytes.len() - 32);
        bytes[at] ^= 1 << bit;
        std::fs::write(&path, &bytes).unwrap();
        let trace = Trace::open(&path).unwrap();
        let found = read(&trace);
        prop_assert!(found.is_empty() || found == events);
    }
}

/// Calls as a busy program makes them: `goroutines` that call down and return, on two threads,
/// some microseconds apart. A generator of its own for the jitter: `SplitMix64`.
fn busy(count: usize, goroutines: u64, spacing: u64) -> Vec<CallEvent> {
    let mut seed = 7_u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = seed;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) % below
    };
    let mut open: Vec<Vec<(u32, u32)>> = vec![Vec::new(); goroutines as usize];
    let mut time = 0;
    let mut events = Vec::new();
    let mut running = [0, 1 % goroutines];
    for _ in 0..count {
        time += spacing / 2 + random(spacing);
        let thread = random(2);
        if random(100) == 0 {
            running[thread as usize] = random(goroutines);
        }
        let goroutine = running[thread as usize];
        let stack = &mut open[goroutine as usize];
        let enters = stack.is_empty() || (stack.len() < 12 && random(2) == 0);
        let (probe, depth, edge) = if enters {
            let below = stack.last().map_or(64, |(_, depth)| *depth);
            let probe = random(u64::from(PROBES)) as u32;
            stack.push((probe, below + 32 + 16 * probe));
            (probe, below + 32 + 16 * probe, CallEdge::Entry)
        } else {
            let (probe, depth) = stack.pop().unwrap();
            (probe, depth, CallEdge::Exit)
        };
        events.push(CallEvent {
            time: Nanos(time),
            process: ProcessId(0),
            tid: Tid(100 + thread as u32),
            stack: StackOwner::Goroutine(Goid(1 + goroutine)),
            probe: ProbeId(probe),
            edge,
            depth,
            argument: None,
        });
    }
    events
}

#[test]
fn an_entry_or_an_exit_takes_five_bytes_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calls.gotrace");
    for (goroutines, spacing) in [(1, 1_000), (8, 1_000), (8, 20_000), (1_000, 5_000)] {
        write(&path, &[]);
        let empty = std::fs::metadata(&path).unwrap().len();
        let events = busy(100_000, goroutines, spacing);
        write(&path, &events);
        assert_eq!(read(&Trace::open(&path).unwrap()), events);
        let bytes = std::fs::metadata(&path).unwrap().len() - empty;
        assert!(
            bytes <= 5 * 100_000,
            "{bytes} bytes, {goroutines}, {spacing}"
        );
    }
}

#[test]
fn probes_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("probes.gotrace");
    let mut writer = Writer::create(&path, ClockAnchor::default()).unwrap();
    let name = writer.string(b"/go/compile");
    let image = writer.image(&Image {
        path: name,
        ..Image::default()
    });
    let probe = Probe {
        id: ProbeId(1),
        image,
        function: writer.string(b"ssa.Compile"),
        file: writer.string(b"compile.go"),
        entry: ImageOffset(0x1234),
        instruction: writer.string(b"push rbp"),
        entry_cost: Nanos(900),
        exits: 3,
        exit_cost: Nanos(30_000),
        set: writer.string(b"go-build"),
        phase: Some(PhaseMark {
            track: writer.string(b"compile"),
            phase: writer.string(b"ssa"),
            lasts: PhaseLasts::UntilNext,
            beside: true,
        }),
        argument: ArgumentKind::Signed(2),
    };
    let dropped = ProbeDropped {
        probe: ProbeId(1),
        at: Nanos(77),
        hits: 5,
        unrecorded: 2,
        why: writer.string(b"too dear"),
    };
    writer.record(Record::Probe(probe.clone())).unwrap();
    writer.record(Record::ProbeDropped(dropped)).unwrap();
    writer.finish().unwrap();
    let trace = Trace::open(&path).unwrap();
    // Probe 0 was never told of: an empty row stands for it.
    assert_eq!(trace.integrity.missing_rows, 1);
    assert_eq!(trace.probes, [Probe::default(), probe]);
    assert_eq!(trace.dropped_probes, [dropped]);
}
