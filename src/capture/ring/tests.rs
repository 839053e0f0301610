//! A ring that this test fills by hand, as `binary/trampoline/ring.rs` draws it, in a file as macOS has it; the calls are
//! worked out by hand, too. Numbers are written out: none is that of the code that reads.

use super::drain::Taken;
use super::runs::Runs;
use super::{Begun, CHUNKS, Drain, Image, Programs};
use crate::capture::decode::call_sieve::{Functions, Unpaired};
use crate::capture::decode::trampoline::{Moment, Writer};
use crate::capture::instrumented::{Told, ToldProgram, Toolchain, programs};
use crate::capture::probes::{CallMode, Keep, Watch};
use crate::capture::sys::ring::{Patience, SharedRing, ticks};
use crate::capture::{Monotonic, Observation, sys};
use crate::trace::{CallEdge, CallTreeRow, Goid, Nanos, Pid, StackOwner, Tid};
use crossbeam_channel::Sender;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

const COPY: u64 = 0xabcd_ef01_2345_6789;
const FUNCTIONS: &str = r#"{"schema": "gotrace.toolchain-functions/1", "rows": [
    {"path": "pkg/tool/darwin_arm64/compile", "image": "abcdef0123456789", "functions": [
        {"number": 0, "name": "main.f", "file": "f.go", "edges": "call", "entry_offset": 4096, "exit_count": 1},
        {"number": 1, "name": "main.g", "file": "f.go", "edges": "call", "entry_offset": 8192, "exit_count": 2},
        {"number": 2, "name": "cmd/compile/internal/noder.LoadPackage", "file": "n.go", "edges": "entry",
            "set": "go-build", "entry_offset": 9000, "exit_count": 0}
    ]}
]}"#;
const EXIT: u64 = 1 << 30;
const TAIL_JUMP: u64 = 2 << 30;
const CHUNK_BYTES: u64 = 0x1_0000;
const HEAD: u64 = 64;
const TAIL: u64 = 128;
const DROPPED: u64 = 192;

fn told(mode: &CallMode) -> Told {
    let toolchain = Toolchain {
        root: "/go".into(),
        version: None,
        programs: programs(FUNCTIONS.as_bytes()).unwrap(),
    };
    let watch = Watch {
        mode: mode.clone(),
        ..Watch::default()
    };
    Told::of(&toolchain, &watch)
}

/// What is known of the programs that this test makes up.
struct Known {
    images: Vec<(u64, Functions)>,
    met: Vec<Pid>,
}

impl Programs for Known {
    fn tell_to(&mut self, _out: &Sender<Observation>) {}

    fn are_asked_for(&self) -> bool {
        true
    }

    fn image(&mut self, copy: u64) -> Option<Arc<Image>> {
        let (_, functions) = self.images.iter().find(|(of, _)| *of == copy)?;
        Some(Arc::new(Image {
            functions: functions.clone(),
            may_be_guest: false,
        }))
    }

    fn met(&self, pid: Pid) -> Option<Observation> {
        self.met.contains(&pid).then(|| Observation::Configured {
            key: "met".to_owned(),
            value: pid.to_string(),
        })
    }

    fn look(
        &mut self,
        _now: Monotonic,
        _processes: &mut dyn Iterator<Item = Pid>,
    ) -> Vec<Observation> {
        Vec::new()
    }

    fn without_ring(&self, _time: Monotonic, _given: u64, _mapped: u64) -> Option<Observation> {
        None
    }
}

fn write(file: &File, at: u64, words: &[u64]) {
    for (number, word) in (0..).zip(words) {
        file.write_all_at(&word.to_le_bytes(), at + 8 * number)
            .unwrap();
    }
}

fn read(file: &File, at: u64) -> u64 {
    let mut word = [0; 8];
    file.read_exact_at(&mut word, at).unwrap();
    u64::from_le_bytes(word)
}

/// A thread takes the next chunk, `count`, and writes these records: time, goroutine, depth, number and edge.
fn take(file: &File, count: u64, (pid, thread, copy): (u32, u32, u64), records: &[[u64; 4]]) {
    let at = CHUNK_BYTES * (1 + count);
    for (number, [time, goroutine, depth, function]) in (1..).zip(records) {
        let words = [*time, *goroutine, depth | function << 32, 0];
        write(file, at + 32 * number, &words);
    }
    write(
        file,
        at,
        &[u64::from(pid) | u64::from(thread) << 32, copy, count + 1],
    );
    write(file, HEAD, &[count + 1]);
}

/// What is told of a ring that was filled before it was read, by a program that has ended.
fn drained(mode: &CallMode, met: Vec<Pid>, fill: impl Fn(&File, u32)) -> (File, Vec<Observation>) {
    watched(mode, met, fill, |_, _| {})
}

/// The same of a program that lives on for a while, and does something then; it is told when the ring was read since.
fn watched(
    mode: &CallMode,
    met: Vec<Pid>,
    fill: impl Fn(&File, u32),
    live: impl Fn(&File, &mut dyn FnMut()),
) -> (File, Vec<Observation>) {
    let file = tempfile::tempfile().unwrap();
    let ring = SharedRing::new(
        file.as_fd(),
        CHUNKS,
        Patience {
            chunks: CHUNKS,
            sleeps: 0,
            insists: false,
        },
    )
    .unwrap();
    assert_eq!(
        file.metadata().unwrap().len(),
        CHUNK_BYTES * (1 + CHUNKS as u64)
    );
    // What the library of probes/ring maps: magic, bytes, the mask of the queue and how many chunks there are.
    let (header, chunks) = ([0, 8, 16].map(|at| read(&file, at)), CHUNKS as u64);
    let bytes = file.metadata().unwrap().len();
    assert_eq!(
        header,
        [0x3172_6563_6172_7467, bytes, (chunks - 1) | chunks << 32]
    );
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let (out, observations) = crossbeam_channel::unbounded();
    let (stopped, stop) = std::io::pipe().unwrap();
    let known = Known {
        images: told(mode).images.into_iter().collect(),
        met,
    };
    let begun = Begun {
        root: Pid(pid),
        given: 0,
        mode,
    };
    let drain = Drain::new((ring, known), crossbeam_channel::never(), out, begun);
    fill(&file, pid);
    let mut told = Vec::new();
    std::thread::scope(|scope| {
        // One round may have been on its way.
        let mut read = || {
            for _ in 0..2 {
                let round = observations.iter().take_while(|observation| {
                    told.push(observation.clone());
                    !matches!(observation, Observation::CalledUntil { .. })
                });
                round.count();
            }
        };
        scope.spawn(|| drain.run(&stopped));
        live(&file, &mut read);
        drop(child.stdin.take());
        child.wait().unwrap();
        drop(stop);
    });
    told.extend(observations.try_iter());
    (file, told)
}

#[test]
fn calls_are_told_in_the_order_of_their_time_and_chunks_of_the_ended_come_free() {
    let before = sys::now();
    let now = ticks();
    let (file, told) = drained(&CallMode::default(), Vec::new(), |file, pid| {
        // Goroutine 7 was on thread 11, then on 12, on which goroutine 9 was meanwhile.
        let first = [[now, 7, 64, 0], [now + 10, 7, 128, 1]];
        let second = [
            [now + 15, 9, 80, 2],
            [now + 20, 7, 128, 1 | EXIT],
            [now + 30, 7, 64, TAIL_JUMP],
            // Its time is not there yet: it was ended while it wrote.
            [0, 7, 64, 0],
        ];
        take(file, 0, (pid, 11, COPY), &first);
        take(file, 1, (pid, 12, COPY), &second);
        // A function that the copy does not have, and a copy that nobody knows.
        take(file, 2, (pid, 13, COPY), &[[now + 40, 7, 64, 3]]);
        let unknown = [[now + 50, 7, 64, 0], [now + 60, 7, 64, EXIT]];
        take(file, 3, (pid, 14, 1), &unknown);
        write(file, DROPPED, &[96]);
    });
    let after = sys::now();
    let calls = told.iter().filter_map(|observation| match observation {
        Observation::Called(batch) => Some(batch.calls().to_vec()),
        _ => None,
    });
    let calls: Vec<_> = calls.flatten().collect();
    let found = calls.iter().map(|called| {
        let StackOwner::Goroutine(Goid(goroutine)) = called.stack else {
            panic!("{called:?}");
        };
        (
            called.tid,
            goroutine,
            called.probe.0 - (1 << 24),
            called.edge,
            called.depth,
        )
    });
    let expected = [
        (Tid(11), 7, 0, CallEdge::Entry, 64),
        (Tid(11), 7, 1, CallEdge::Entry, 128),
        (Tid(12), 9, 2, CallEdge::Entry, 80),
        (Tid(12), 7, 1, CallEdge::Exit, 128),
        (Tid(12), 7, 0, CallEdge::TailJump, 64),
    ];
    assert_eq!(found.collect::<Vec<_>>(), expected);
    assert!(calls.is_sorted_by_key(|called| called.time));
    let slack = 100_000_000;
    for called in &calls {
        assert!(
            called.time.0 + slack >= before.0 && called.time.0 <= after.0 + slack,
            "{called:?}"
        );
        assert_eq!(called.argument, None);
    }
    let lost = told.iter().filter_map(|observation| match observation {
        Observation::Lost { count, why, .. } => Some((*count, &**why)),
        _ => None,
    });
    let expected = [
        (96, "the memory for them was full (that many at most)"),
        (3, "they could not be read"),
    ];
    assert_eq!(lost.collect::<Vec<_>>(), expected);
    // All are at the end of the queue, and empty; nobody takes any more.
    assert_eq!(read(&file, TAIL), CHUNKS as u64 + 4);
    let queue: Vec<u64> = (0..2).map(|pair| read(&file, 4096 + 8 * pair)).collect();
    assert_eq!(queue, [1 << 32, 2 | 3 << 32]);
    for chunk in 1..5 {
        assert_eq!(read(&file, CHUNK_BYTES * chunk + 16), 0);
        assert!((1..5).all(|record| read(&file, CHUNK_BYTES * chunk + 32 * record) == 0));
    }
    assert_eq!(read(&file, 24) >> 32, 1);
}

#[test]
fn calls_are_added_up_but_for_those_that_mark_phases() {
    let sums = CallMode {
        keep: Keep::Sums,
        ..CallMode::default()
    };
    let now = ticks();
    let (_, told) = drained(&sums, Vec::new(), |file, pid| {
        let first = [[now, 7, 64, 0], [now + 1_000, 7, 128, 1]];
        let second = [
            [now + 1_500, 7, 192, 2],
            [now + 2_000, 7, 128, 1 | EXIT],
            [now + 3_000, 7, 128, 1],
            [now + 3_500, 7, 128, 1 | EXIT],
            [now + 9_000, 7, 64, EXIT],
        ];
        take(file, 0, (pid, 11, COPY), &first);
        take(file, 1, (pid, 12, COPY), &second);
    });
    let marks = told.iter().filter_map(|observation| match observation {
        Observation::Called(batch) => Some(batch.calls().len()),
        _ => None,
    });
    assert_eq!(marks.sum::<usize>(), 1);
    let trees = told.iter().filter_map(|observation| match observation {
        Observation::CallsAdded(tree) => Some(&tree.rows),
        _ => None,
    });
    let rows: Vec<&CallTreeRow> = trees.flatten().collect();
    let found: Vec<_> = rows
        .iter()
        .map(|row| (row.level, row.probe.0 - (1 << 24), row.calls, row.open))
        .collect();
    assert_eq!(found, [(0, 0, 1, 0), (1, 1, 2, 0), (2, 2, 1, 0)]);
    // 9,000 ticks, 1,000 and 500 of them, and none.
    let [f, g, phase] = [0, 1, 2].map(|row: usize| rows[row].total);
    assert!(f > g && g > phase, "{rows:?}");
    assert!(f.0.abs_diff(6 * g.0) <= 6 + f.0 / 1_000, "{rows:?}");
    assert_eq!(phase, Nanos::ZERO);
}

/// Calls of three functions by hand, of which the returns are in their entries: one that is there before it is read, one
/// that comes after that and before the next entry, and one that comes after all else.
#[test]
fn a_return_is_told_in_its_place_whenever_it_is_written_into_its_entry() {
    const SPANS: u64 = 1 << 29;
    let record = |number: u64| CHUNK_BYTES + 32 * number;
    let now = ticks();
    let of = |mode: &CallMode| {
        let fill = |file: &File, pid: u32| {
            let records = [[now, 7, 256, SPANS], [now + 20, 7, 256, 1 | SPANS]];
            take(file, 0, (pid, 11, COPY), &records);
            write(file, record(1) + 24, &[now + 10]);
        };
        let (_, told) = watched(mode, Vec::new(), fill, |file, read| {
            read();
            write(file, record(2) + 24, &[now + 50]);
            let third = [now + 60, 7, 256 | (1 | SPANS) << 32, 0];
            write(file, record(3), &third);
            read();
            write(file, record(3) + 24, &[now + 100]);
            read();
        });
        told
    };
    let told = of(&CallMode::default());
    let calls = told.iter().filter_map(|observation| match observation {
        Observation::Called(batch) => Some(batch.calls().to_vec()),
        _ => None,
    });
    let found = calls
        .flatten()
        .map(|called| (called.probe.0 - (1 << 24), called.edge));
    let (entry, exit) = (CallEdge::Entry, CallEdge::Exit);
    let expected = [
        (0, entry),
        (0, exit),
        (1, entry),
        (1, exit),
        (1, entry),
        (1, exit),
    ];
    assert_eq!(found.collect::<Vec<_>>(), expected);
    let told = of(&CallMode {
        keep: Keep::Sums,
        ..CallMode::default()
    });
    let trees = told.iter().filter_map(|observation| match observation {
        Observation::CallsAdded(tree) => Some(&tree.rows),
        _ => None,
    });
    let rows = trees.flatten();
    let found: Vec<_> = rows
        .map(|row| (row.level, row.probe.0 - (1 << 24), row.calls, row.open))
        .collect();
    assert_eq!(found, [(0, 0, 1, 0), (0, 1, 2, 0)]);
    let lost = told
        .iter()
        .filter(|told| matches!(told, Observation::Lost { .. }));
    assert_eq!(lost.count(), 0);
}

#[test]
fn who_is_not_known_is_asked_for_and_what_cannot_be_in_a_ring_harms_nobody() {
    let now = ticks();
    let stranger = u32::MAX - 7;
    let (_, told) = drained(&CallMode::default(), vec![Pid(stranger)], |file, pid| {
        take(file, 0, (stranger, 1, COPY), &[[now, 7, 64, 0]]);
        take(file, 1, (pid, 1, COPY), &[[now, 7, 64, 0]]);
        // A chunk that the ring does not have, and more taken than it has chunks.
        write(file, 4096 + 8, &[u64::from(u32::MAX) | 0x1_0000 << 32]);
        write(file, HEAD, &[2 * CHUNKS as u64]);
    });
    let met = told.iter().filter(
        |observation| matches!(observation, Observation::Configured { key, .. } if key == "met"),
    );
    assert_eq!(met.count(), 1);
    let calls = told.iter().filter_map(|observation| match observation {
        Observation::Called(batch) => Some(batch.calls().len()),
        _ => None,
    });
    assert!(calls.sum::<usize>() >= 2);
}

#[test]
fn what_tells_is_what_the_toolchain_says() {
    let known = told(&CallMode::default());
    let names: Vec<_> = known
        .probed
        .iter()
        .map(|probed| (probed.probe.0 - (1 << 24), &*probed.function, probed.exits))
        .collect();
    let expected: [(u32, &[u8], u32); 3] = [
        (0, b"main.f", 1),
        (1, b"main.g", 2),
        (2, b"cmd/compile/internal/noder.LoadPackage", 0),
    ];
    assert_eq!(names, expected);
    let phases: Vec<_> = known
        .probed
        .iter()
        .map(|probed| probed.phase.is_some())
        .collect();
    assert_eq!(phases, [false, false, true]);
    let [ToldProgram { image, .. }] = &programs(FUNCTIONS.as_bytes()).unwrap()[..] else {
        panic!("one program");
    };
    assert_eq!((*image, known.images[image].traits.len()), (COPY, 3));
}

/// A goroutine that is on 24 threads, one after the other, of which the first fills its chunk: in each it calls f, and in
/// the first one what has called all of these. A round of that many chunks is read up to 60,050, 120,100 and 180,150 first,
/// and 60,050 lies within a call.
#[test]
fn a_round_that_is_read_by_pieces_loses_nothing_between_them() {
    const SPANS: u64 = 1 << 29;
    let (threads, full) = (24, 2047);
    let file = tempfile::tempfile().unwrap();
    let patience = Patience {
        chunks: CHUNKS,
        sleeps: 1,
        insists: false,
    };
    let mut ring = SharedRing::new(file.as_fd(), CHUNKS, patience).unwrap();
    let leaf = |time, length| [time, 7, 256 | (1 | SPANS) << 32, time + length];
    let mut chunks: Vec<Vec<_>> = (0..threads)
        .map(|thread| {
            let times = (0..10).map(|number| 10_000 * thread + 900 * number);
            times.map(|time| leaf(time, 600)).collect()
        })
        .collect();
    let others = (1..full).map(|number| leaf(1 + 4 * number, 2));
    chunks[0] = std::iter::once([1, 7, 64, 0]).chain(others).collect();
    chunks[23].push([239_999, 7, 64 | EXIT << 32, 0]);
    let image = Arc::new(Image {
        functions: told(&CallMode::default()).images[&COPY].clone(),
        may_be_guest: false,
    });
    let mut taken = Vec::new();
    for (thread, records) in chunks.iter().enumerate() {
        take(&file, thread as u64, (1, thread as u32, COPY), &[]);
        let at = CHUNK_BYTES * (1 + thread as u64) + 32;
        write(&file, at, records.as_flattened());
        let mut chunk = Taken::since(Monotonic(0), ring.chunk_of(thread as u64));
        chunk.of = Some((
            Writer::of(ring.header(chunk.chunk).unwrap()),
            Arc::clone(&image),
        ));
        taken.push(chunk);
    }
    let at = |ticks| Moment {
        ticks,
        time: Monotonic(ticks),
    };
    let sums = CallMode {
        keep: Keep::Sums,
        ..CallMode::default()
    };
    let mut runs = Runs::new(&sums, at(0));
    let count = runs.round(&mut ring, &mut taken, (at(240_200), 240_200), &[Pid(1)]);
    assert_eq!(count, 2047 + 23 * 10 + 1);
    assert!(taken[0].is_free && !taken[1].is_free);
    assert_eq!(runs.unpaired(), Unpaired::default());
    let trees = runs.trees();
    let found: Vec<_> = trees[0]
        .rows
        .iter()
        .map(|row| (row.level, row.calls, row.open, row.total.0))
        .collect();
    let (calls, total) = (2046 + 230, 2046 * 2 + 230 * 600);
    assert_eq!(found, [(0, 1, 0, 239_998), (1, calls, 0, total)]);
    assert_eq!(trees.len(), 1);
}
