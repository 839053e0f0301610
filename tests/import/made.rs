//! Made-up perf.data, written by the layouts of `perf.data-file-format.txt` and `perf_event.h`: what
//! the real recordings do not hold.

use crate::{imported, losses, samples};
use gotrace::trace::{ExitStatus, FramePlace, SamplePlace, Trace, Unnamed};

const IP: u64 = 1;
const TID: u64 = 2;
const TIME: u64 = 4;
const CALLCHAIN: u64 = 0x20;
const PERIOD: u64 = 0x100;
const IDENTIFIER: u64 = 0x1_0000;

/// What a sample of these files has: identifier, ip, tid, time, period, callers.
pub(crate) const SAMPLE: u64 = IDENTIFIER | IP | TID | TIME | PERIOD | CALLCHAIN;
const KERNEL: u64 = (-128_i64).cast_unsigned();
const USER: u64 = (-512_i64).cast_unsigned();

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn pair(one: u32, other: u32) -> Vec<u8> {
    [one.to_le_bytes(), other.to_le_bytes()].concat()
}

pub(crate) fn record(kind: u32, misc: u16, body: &[u8]) -> Vec<u8> {
    let size = u16::try_from(body.len() + 8).unwrap();
    let head = [
        &kind.to_le_bytes()[..],
        &misc.to_le_bytes(),
        &size.to_le_bytes(),
    ]
    .concat();
    [&head[..], body].concat()
}

/// What ends each record but a sample: pid and tid, time, identifier.
fn with_id(kind: u32, misc: u16, body: &[u8], time: u64) -> Vec<u8> {
    let end = [pair(0, 0), words(&[time, 1])].concat();
    record(kind, misc, &[body, &end].concat())
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize((text.len() / 8 + 1) * 8, 0);
    bytes
}

pub(crate) fn comm(pid: u32, name: &str, exec: bool, time: u64) -> Vec<u8> {
    let misc = u16::from(exec) << 13;
    with_id(3, misc, &[pair(pid, pid), text(name)].concat(), time)
}

fn fork(pid: u32, parent: u32, tid: u32, time: u64) -> Vec<u8> {
    let body = [pair(pid, parent), pair(tid, parent), words(&[time])].concat();
    with_id(7, 0, &body, time)
}

fn exit(pid: u32, tid: u32, time: u64) -> Vec<u8> {
    let body = [pair(pid, pid), pair(tid, tid), words(&[time])].concat();
    with_id(4, 0, &body, time)
}

pub(crate) fn mmap2(pid: u32, range: [u64; 3], protection: u32, path: &str, time: u64) -> Vec<u8> {
    let file = [0; 24];
    let body = [
        pair(pid, pid),
        words(&range),
        file.to_vec(),
        pair(protection, 2),
        text(path),
    ];
    with_id(10, 2, &body.concat(), time)
}

pub(crate) fn sample(id: u64, pid: u32, time: u64, callers: &[u64]) -> Vec<u8> {
    let misc = if callers.first() == Some(&KERNEL) {
        1
    } else {
        2
    };
    let head = [
        words(&[id, 0x1010]),
        pair(pid, pid),
        words(&[time, 1_000_000]),
    ]
    .concat();
    let callers = [words(&[callers.len() as u64]), words(callers)].concat();
    record(9, misc, &[head, callers].concat())
}

/// An event: kind, config, frequency or period, whether it is a frequency, its id.
pub(crate) type Event = (u32, u64, u64, bool, u64);
pub(crate) const CLOCK: Event = (1, 0, 1_000, true, 1);

/// A file: the header, ids, events, records.
pub(crate) fn file(events: &[Event], sample_type: u64, records: &[Vec<u8>]) -> Vec<u8> {
    const ATTR: u64 = 64;
    let ids: Vec<u8> = words(&events.iter().map(|event| event.4).collect::<Vec<_>>());
    let events_at = 104 + ids.len() as u64;
    let data_at = events_at + events.len() as u64 * (ATTR + 16);
    let data = records.concat();
    let mut bytes = b"PERFILE2".to_vec();
    bytes.extend(words(&[104, ATTR + 16, events_at, data_at - events_at]));
    bytes.extend(words(&[data_at, data.len() as u64, 0, 0, 0, 0, 0, 0]));
    bytes.extend(ids);
    for (number, (kind, config, rate, is_frequency, _)) in (0..).zip(events) {
        let flags = u64::from(*is_frequency) << 10 | 1 << 18;
        bytes.extend(pair(*kind, u32::try_from(ATTR).unwrap()));
        bytes.extend(words(&[*config, *rate, sample_type, 0, flags, 0, 0]));
        bytes.extend(words(&[104 + 8 * number, 8]));
    }
    bytes.extend(data);
    bytes
}

fn of(records: &[Vec<u8>]) -> Trace {
    imported(&file(&[CLOCK], SAMPLE, records)).unwrap()
}

#[test]
fn an_exec_in_the_same_process_is_another_program() {
    let trace = of(&[
        comm(10, "sh", true, 100),
        mmap2(10, [0x1000, 0x1000, 0], 5, "/bin/sh", 101),
        mmap2(10, [0x4000, 0x1000, 0], 3, "/data", 102),
        sample(1, 10, 110, &[USER, 0x1010, 0x1080]),
        comm(10, "go", true, 200),
        mmap2(10, [0x1000, 0x1000, 0x7000], 5, "/bin/go", 201),
        sample(1, 10, 210, &[USER, 0x1010, 0x2000]),
        exit(10, 10, 300),
    ]);
    let [sh, go] = &trace.processes[..] else {
        panic!("{:?}", trace.processes)
    };
    assert_eq!(trace.text(sh.exec.exe), "/bin/sh");
    assert_eq!(sh.exit.unwrap().status, ExitStatus::Replaced);
    assert_eq!(sh.exit.unwrap().at.0, 100);
    assert_eq!(trace.text(go.exec.exe), "/bin/go");
    assert_eq!(go.predecessor, Some(sh.id));
    assert_eq!(go.exit.unwrap().at.0, 200);
    assert_eq!(sh.exit.unwrap().usage.user.0, 1_000_000);
    // The data is no code, and 0x2000 is the end of what is mapped: the call is before it.
    assert_eq!(trace.mappings.len(), 2);
    let all = samples(&trace);
    let frames = |at: usize| {
        let frames = trace.stacks.frames(all[at].stack);
        frames
            .map(|id| trace.frames[id.index()].place)
            .collect::<Vec<_>>()
    };
    let image = |place| match place {
        FramePlace::Image(image, offset) => (
            trace.text(trace.images[image.index()].path).into_owned(),
            offset.0,
        ),
        other => panic!("{other:?}"),
    };
    let places: Vec<_> = frames(1).into_iter().map(image).collect();
    assert_eq!(
        places,
        [
            ("/bin/go".to_owned(), 0x7010),
            ("/bin/go".to_owned(), 0x8000)
        ]
    );
}

#[test]
fn threads_hold_their_process_until_the_last_one_ends() {
    let trace = of(&[
        comm(10, "go", true, 100),
        fork(10, 10, 11, 110),
        exit(10, 10, 200),
        sample(1, 10, 250, &[USER, 0x5000]),
        exit(10, 11, 300),
    ]);
    assert_eq!(trace.processes.len(), 1);
    assert_eq!(trace.processes[0].exit.unwrap().at.0, 200);
    let tids: Vec<(u32, u64)> = trace
        .threads
        .iter()
        .map(|one| (one.tid.0, one.end.unwrap().0))
        .collect();
    assert_eq!(tids, [(10, 100), (11, 200)]);
}

#[test]
fn what_was_there_before_has_a_row_once_it_is_sampled() {
    let trace = of(&[
        fork(10, 1, 10, 0),
        comm(10, "idle", false, 0),
        fork(20, 1, 20, 0),
        comm(20, "daemon", false, 0),
        mmap2(20, [0x1000, 0x1000, 0], 5, "/bin/daemon", 0),
        sample(1, 20, 500, &[USER, 0x1010]),
        sample(1, 30, 600, &[KERNEL, 0xffff_ffff_8100_0000]),
    ]);
    let rows: Vec<(u32, String)> = trace
        .processes
        .iter()
        .map(|one| (one.pid.0, trace.text(one.exec.exe).into_owned()))
        .collect();
    assert_eq!(rows, [(20, "/bin/daemon".to_owned()), (30, String::new())]);
    assert!(trace.processes.iter().all(|one| one.exit.is_none()));
    assert_eq!(trace.mappings.len(), 1);
    let all = samples(&trace);
    let (_, frame) = trace.stacks.node(all[1].stack).unwrap();
    let place = trace.frames[frame.index()].place;
    assert!(matches!(place, FramePlace::Kernel(_)), "{place:?}");
    assert_eq!(all[1].place, SamplePlace::Kernel);
}

#[test]
fn records_of_several_processors_are_put_in_order() {
    let round = record(68, 0, &[]);
    let trace = of(&[
        // The second processor's buffer is read after the first one's.
        comm(10, "a", true, 100),
        sample(1, 10, 300, &[USER, 0x1]),
        sample(1, 10, 200, &[USER, 0x2]),
        round.clone(),
        // Of the round before, and not yet read then.
        sample(1, 10, 250, &[USER, 0x3]),
        sample(1, 10, 400, &[USER, 0x4]),
        round,
        sample(1, 10, 350, &[USER, 0x5]),
    ]);
    let times: Vec<u64> = samples(&trace).iter().map(|one| one.time.0).collect();
    assert_eq!(times, [100, 150, 200, 250, 300]);
}

#[test]
fn only_the_event_that_tells_time_is_taken() {
    // Cache misses at a fixed count, cycles at 1,000 a second, cycles once more.
    let events = [
        (0, 3, 100_000, false, 1),
        (0, 0, 1_000, true, 2),
        (0, 0, 1_000, true, 3),
    ];
    let records = [
        sample(1, 10, 100, &[USER, 0x1]),
        sample(2, 10, 200, &[USER, 0x2]),
        sample(3, 10, 300, &[USER, 0x3]),
    ];
    let trace = imported(&file(&events, SAMPLE, &records)).unwrap();
    let all = samples(&trace);
    assert_eq!(all.len(), 1);
    // The period of cycles is a number of cycles: the frequency tells the time.
    assert_eq!((all[0].time.0, all[0].weight.0), (100, 1_000_000));
    let lost = losses(&trace);
    assert_eq!((&*lost[0].0, lost[0].1), ("samples of other events", 2));
}

#[test]
fn what_perf_lost_is_lost() {
    let trace = of(&[
        comm(10, "a", true, 100),
        with_id(2, 0, &words(&[1, 17]), 150),
        with_id(13, 0, &words(&[4]), 160),
        with_id(5, 0, &words(&[170, 1, 1]), 170),
        with_id(5, 0, &words(&[180, 1, 1]), 180),
    ]);
    let lost: Vec<(String, u64)> = losses(&trace)
        .into_iter()
        .map(|(what, count, _)| (what, count))
        .collect();
    assert_eq!(lost, [("events".to_owned(), 17), ("samples".to_owned(), 4)]);
    assert_eq!(trace.losses[0].from.0, 50);
    let spots = trace.blind_spots.iter();
    let pauses = spots.filter(|spot| trace.text(spot.what) == "some samples");
    assert_eq!(pauses.count(), 1);
}

#[test]
fn a_stack_that_was_not_followed_says_so() {
    let without_callers = IDENTIFIER | IP | TID | TIME | PERIOD;
    let head = [words(&[1, 0x1010]), pair(10, 10), words(&[500, 7])].concat();
    let cut = imported(&file(&[CLOCK], without_callers, &[record(9, 2, &head)])).unwrap();
    let deepest: Vec<u64> = [USER].into_iter().chain(1..=127).collect();
    let full = of(&[sample(1, 10, 100, &deepest)]);
    let whole = of(&[sample(1, 10, 100, &deepest[..127])]);
    for (trace, frames, is_cut) in [(cut, 2, true), (full, 128, true), (whole, 126, false)] {
        let stack = samples(&trace)[0].stack;
        let found: Vec<_> = trace.stacks.frames(stack).collect();
        assert_eq!(found.len(), frames);
        let root = trace.frames[found[frames - 1].index()].place;
        assert_eq!(root == FramePlace::Truncated, is_cut);
    }
}

#[test]
fn names_are_not_looked_up_by_the_import_itself() {
    let trace = of(&[sample(1, 10, 100, &[USER, 0x1010])]);
    let (_, frame) = trace.stacks.node(samples(&trace)[0].stack).unwrap();
    assert_eq!(trace.symbol(frame), Err(Unnamed::NotLookedUp));
}
