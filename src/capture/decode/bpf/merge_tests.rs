//! Records in, observations out: in which order, what is waited for, what is put together.
#![expect(clippy::arithmetic_side_effects, reason = "tests may panic")]

use super::super::synthetic::{Head, made, made_end, made_exec};
use super::{Files, GuestImage, Merge};
use crate::capture::decode::bpf::{Record, Side};
use crate::capture::{Executed, Monotonic, Observation, Sampled};
use crate::trace::{Arch, Goid, ImageKind, Nanos, Pid, SampleKind, SamplePlace, Tid};
use std::sync::Arc;

/// No file can be read.
struct NoFiles;

impl Files for NoFiles {
    fn head(&mut self, _path: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn whole(&mut self, cwd: &[u8], path: &[u8]) -> Result<Vec<u8>, String> {
        Ok([cwd, b":", path].concat())
    }

    fn keeps_argv0(&mut self, interpreter: &[u8]) -> Option<bool> {
        (interpreter == b"/bin/qemu").then_some(true)
    }
}

/// A merge for the tree of process 7, and all that it gave.
struct Watch {
    merge: Merge,
    given: Vec<Observation>,
}

impl Watch {
    fn new() -> Self {
        Self {
            merge: Merge::new(Pid(7), Nanos(1000), Monotonic(1)),
            given: Vec::new(),
        }
    }

    fn record(&mut self, bytes: &[u8]) {
        let record = Record::parse(bytes).unwrap();
        self.merge.record(&record, &mut NoFiles);
    }

    fn fork(&mut self, time: u64, child: u32, parent: u32) {
        self.record(&made((child, child, time), 1, 0, &[u64::from(parent)], &[]));
    }

    /// An exec of `/bin/true` with arguments of which nothing has come yet.
    fn exec(&mut self, time: u64, pid: u32, flags: u16, argv: u64) {
        let paths = [&b"true\0bin\0"[..], b"root\0", b""];
        self.record(&made_exec((pid, pid, time), flags, argv, paths));
    }

    fn argv(&mut self, time: u64, pid: u32, offset: u64, bytes: &[u8]) {
        self.record(&made((pid, pid, time), 3, 0, &[offset, 0], bytes));
    }

    fn stack(&mut self, kind: u16, flags: u16, head: Head, stack: &[u64]) {
        let mut numbers = vec![18, stack.len() as u64];
        numbers.extend(stack);
        self.record(&made(head, kind, flags, &numbers, &[]));
    }

    /// A call of process 7.
    fn call(&mut self, time: u64, probe: u64) {
        self.record(&made((7, 7, time), 9, 1 << 2, &[1, probe], &[]));
    }

    fn replaced(&mut self, time: u64, pid: u32) {
        let (time, pid) = (Monotonic(time), Pid(pid));
        self.merge.side(&Side::Replaced { time, pid });
    }

    fn mapped(&mut self, time: u64, pid: u32, start: u64, path: &[u8]) {
        self.side(time, pid, start, path, true);
    }

    fn side(&mut self, time: u64, pid: u32, start: u64, path: &[u8], executable: bool) {
        self.merge.side(&Side::Mapped {
            time: Monotonic(time),
            pid: Pid(pid),
            start,
            end: start + 0x1000,
            offset: 0,
            path,
            build_id: &[],
            executable,
        });
    }

    fn until(&mut self, horizon: u64) {
        let given = &mut self.given;
        self.merge
            .take_until(Monotonic(horizon), &mut |o| given.push(o));
    }

    fn finish(mut self) -> Vec<Observation> {
        self.merge.finish(&mut |o| self.given.push(o));
        self.given
    }
}

/// What an observation is, when, and of which process.
fn brief(observation: &Observation) -> (&'static str, u64, u32) {
    match observation {
        Observation::Forked { time, pid, .. } => ("forked", time.0, pid.0),
        Observation::Executed(e) => ("executed", e.time.0, e.pid.0),
        Observation::ThreadEnded { time, tid, .. } => ("thread ended", time.0, tid.0),
        Observation::Exited { time, pid, .. } => ("exited", time.0, pid.0),
        Observation::Mapped { time, pid, .. } => ("mapped", time.0, pid.0),
        Observation::Sampled(s) => ("sampled", s.time.0, s.pid.0),
        Observation::Lost { to, .. } => ("lost", to.0, 0),
        Observation::Unseen { time, .. } => ("unseen", time.0, 0),
        other => panic!("{other:?}"),
    }
}

fn briefs(observations: &[Observation]) -> Vec<(&'static str, u64, u32)> {
    observations.iter().map(brief).collect()
}

fn only_exec(observations: &[Observation]) -> &Executed {
    let [Observation::Executed(executed)] = observations else {
        panic!("{observations:?}");
    };
    executed
}

fn samples(observations: Vec<Observation>) -> Vec<Sampled> {
    let sampled = |o| match o {
        Observation::Sampled(sampled) => Some(sampled),
        _ => None,
    };
    observations.into_iter().filter_map(sampled).collect()
}

/// The folder of `exec` is `/root`.
#[test]
fn an_importcfg_is_read_as_soon_as_its_name_is_whole() {
    let mut watch = Watch::new();
    let argv = b"/go/compile\0-importcfg\0b001/importcfg\0";
    watch.exec(10, 8, 0, argv.len() as u64);
    watch.argv(11, 8, 0, &argv[..20]);
    watch.argv(12, 8, 20, &argv[20..]);
    let given = watch.finish();
    let read = only_exec(&given).import_cfg.clone();
    assert_eq!(read, Some(Ok(b"/root:b001/importcfg".to_vec())));

    let mut cut = Watch::new();
    cut.exec(10, 8, 0, argv.len() as u64);
    cut.argv(11, 8, 0, &argv[..30]);
    assert_eq!(only_exec(&cut.finish()).import_cfg, None);
}

#[test]
fn both_ways_come_together_by_time() {
    let mut watch = Watch::new();
    watch.stack(5, 0, (7, 7, 30), &[0x1000]);
    watch.fork(10, 8, 7);
    watch.mapped(20, 7, 0x1000, b"/bin/true");
    watch.stack(5, 0, (7, 7, 50), &[0x1000]);
    watch.until(40);
    let early = [("forked", 10, 8), ("mapped", 20, 7), ("sampled", 30, 7)];
    assert_eq!(briefs(&watch.given), early);
    // What was late, but not too late, still comes before.
    watch.fork(45, 9, 7);
    let all = briefs(&watch.finish());
    assert_eq!(all[3..], [("forked", 45, 9), ("sampled", 50, 7)]);
}

#[test]
fn an_exec_is_given_when_its_arguments_are_there() {
    let mut watch = Watch::new();
    watch.exec(10, 7, 0, 7);
    watch.stack(5, 0, (7, 7, 20), &[0x1000]);
    watch.argv(11, 7, 0, b"tru");
    watch.until(100);
    assert_eq!(watch.given, [], "nothing overtakes it");
    watch.argv(12, 7, 3, b"e\0-x");
    watch.until(100);
    assert_eq!(
        briefs(&watch.given),
        [("executed", 10, 7), ("sampled", 20, 7)]
    );
    let executed = only_exec(&watch.given[..1]);
    assert_eq!(executed.argv, b"true\0-x");
    assert_eq!(
        (&executed.exe[..], &executed.cwd[..]),
        (&b"/bin/true"[..], &b"/root"[..])
    );
    assert!(!executed.argv_truncated);
    // 100 ns before it, a quarter of them in the kernel.
    let before = executed.usage_before;
    assert_eq!((before.user, before.system), (Nanos(75), Nanos(25)));
}

#[test]
fn arguments_that_do_not_come_are_missing() {
    // The end of the trace, a time of a second, the next exec, a gap, unreadable memory.
    let mut watch = Watch::new();
    watch.exec(10, 7, 0, 7);
    watch.argv(11, 7, 0, b"tru");
    let given = watch.finish();
    let executed = only_exec(&given);
    assert_eq!(
        (&executed.argv[..], executed.argv_truncated),
        (&b"tru"[..], true)
    );

    let mut watch = Watch::new();
    watch.exec(10, 7, 0, 7);
    watch.until(1_000_000_009);
    assert_eq!(watch.given, []);
    watch.until(1_000_000_010);
    assert!(only_exec(&watch.given).argv_truncated);

    let mut watch = Watch::new();
    watch.exec(10, 7, 0, 7);
    watch.exec(20, 7, 0, 0);
    let given = watch.finish();
    assert!(only_exec(&given[..1]).argv_truncated);
    assert!(!only_exec(&given[1..]).argv_truncated, "it has none");

    let mut watch = Watch::new();
    watch.exec(10, 7, 0, 7);
    watch.argv(11, 7, 3, b"e\0-x");
    watch.argv(12, 7, 0, b"not awaited any more");
    let given = watch.finish();
    let executed = only_exec(&given);
    assert_eq!(
        (&executed.argv[..], executed.argv_truncated),
        (&b""[..], true)
    );

    let mut watch = Watch::new();
    watch.exec(10, 7, 0, 7);
    watch.record(&made((7, 7, 11), 3, 1, &[0, 7], &[]));
    assert!(only_exec(&watch.finish()).argv_truncated);
}

#[test]
fn of_another_users_process_no_arguments_are_known() {
    let mut watch = Watch::new();
    watch.exec(10, 7, 4, 0);
    let given = watch.finish();
    let executed = only_exec(&given);
    assert!(executed.argv_truncated);
    assert_eq!(
        (&executed.argv[..], &executed.cwd[..]),
        (&b""[..], &b""[..])
    );
    assert_eq!(executed.exe, b"/bin/true");
}

#[test]
fn a_path_that_is_cut_is_told() {
    let mut watch = Watch::new();
    watch.exec(10, 7, 2, 0);
    let given = watch.finish();
    assert_eq!(briefs(&given), [("executed", 10, 7), ("unseen", 10, 0)]);
    let Observation::Unseen { what, .. } = &given[1] else {
        panic!("{given:?}");
    };
    assert_eq!(what, "the beginning of a path of process 7");
}

#[test]
fn what_a_program_maps_comes_after_its_exec() {
    // The kernel maps it while exec is under way, and names the process first.
    let mut watch = Watch::new();
    watch.mapped(5, 7, 0x9000, b"/bin/sh");
    watch.replaced(10, 7);
    watch.mapped(11, 7, 0x1000, b"/bin/true");
    watch.mapped(12, 7, 0x3000, b"[vdso]");
    watch.exec(20, 7, 0, 0);
    watch.mapped(30, 7, 0x5000, b"//anon");
    watch.stack(5, 0, (7, 7, 40), &[0x1000, 0x9000]);
    let given = watch.finish();
    let order = [
        ("mapped", 5, 7),
        ("executed", 20, 7),
        ("mapped", 20, 7),
        ("mapped", 20, 7),
        ("mapped", 30, 7),
        ("sampled", 40, 7),
    ];
    assert_eq!(briefs(&given), order);
    let kinds = given.iter().filter_map(|o| match o {
        Observation::Mapped { kind, path, .. } => Some((*kind, path.len())),
        _ => None,
    });
    let kinds: Vec<_> = kinds.collect();
    assert_eq!(
        kinds[1..],
        [
            (ImageKind::File, 9),
            (ImageKind::Kernel, 6),
            (ImageKind::Anonymous, 0)
        ]
    );
    // The old program's code is gone.
    let [sampled] = &samples(given)[..] else {
        panic!("one sample");
    };
    assert_eq!(
        (&sampled.stack[..], sampled.truncated),
        (&[0x1000][..], true)
    );
}

#[test]
fn a_stack_ends_before_what_is_no_code() {
    let mut watch = Watch::new();
    watch.stack(5, 0, (7, 7, 5), &[0x1234, 0x7777]);
    watch.mapped(10, 7, 0x1000, b"/bin/true");
    watch.mapped(11, 7, 0x4000, b"/lib/libc.so");
    watch.fork(20, 8, 7);
    watch.mapped(25, 8, 0x6000, b"/lib/more.so");
    for pid in [7, 8] {
        watch.stack(
            5,
            0,
            (pid, pid, 30),
            &[0x9999, 0x1001, 0x4fff, 0x6000, 0x1002],
        );
    }
    watch.stack(5, 0, (7, 7, 40), &[0x1000, 0x4000]);
    let all = samples(watch.finish());
    let stacks: Vec<_> = all.iter().map(|s| (&s.stack[..], s.truncated)).collect();
    let expected: [(&[u64], bool); 4] = [
        // Nothing is known yet, so that nothing is taken away.
        (&[0x1234, 0x7777], false),
        // The first address is where the thread was, code or not.
        (&[0x9999, 0x1001, 0x4fff], true),
        (&[0x9999, 0x1001, 0x4fff, 0x6000, 0x1002], false),
        (&[0x1000, 0x4000], false),
    ];
    assert_eq!(stacks, expected);
}

#[test]
fn a_sample_keeps_what_the_record_says() {
    let mut watch = Watch::new();
    watch.stack(5, 1 | 4, (7, 9, 5), &[0x1000]);
    watch.stack(5, 2, (7, 7, 6), &[0x2000]);
    let all = samples(watch.finish());
    let expected = Sampled {
        time: Monotonic(5),
        pid: Pid(7),
        tid: Tid(9),
        goroutine: Some(Goid(18)),
        weight: Nanos(1000),
        kind: SampleKind::OnCpu,
        place: SamplePlace::Kernel,
        stack: vec![0x1000],
        truncated: false,
    };
    assert_eq!(all[0], expected);
    assert_eq!((all[1].place, all[1].truncated), (SamplePlace::User, true));
}

#[test]
fn an_ending_thread_is_shown_where_it_began_to_end() {
    let mut watch = Watch::new();
    watch.stack(8, 4, (7, 9, 10), &[0x1000, 0x2000]);
    watch.stack(5, 1 | 2 | 8, (7, 9, 20), &[0x1000]);
    watch.stack(5, 1 | 2 | 8, (7, 7, 30), &[0x3000]);
    let all = samples(watch.finish());
    assert_eq!(
        (&all[0].stack[..], all[0].truncated),
        (&[0x1000, 0x2000][..], false)
    );
    assert_eq!(
        (all[0].goroutine, all[0].time),
        (Some(Goid(18)), Monotonic(20))
    );
    assert_eq!(all[0].place, SamplePlace::Kernel);
    // Nothing is known of the other thread's.
    assert_eq!((&all[1].stack[..], all[1].truncated), (&[0x3000][..], true));
    assert_eq!(all.len(), 2);
}

#[test]
fn time_away_is_a_sample_with_the_stack_of_the_one_who_left() {
    let mut watch = Watch::new();
    watch.stack(6, 4, (7, 9, 10), &[0x1000, 0x2000]);
    watch.record(&made((7, 9, 50), 7, 0, &[40], &[]));
    // Twice back is once too often.
    watch.record(&made((7, 9, 60), 7, 0, &[10], &[]));
    // A thread of the same number in another process.
    watch.stack(6, 4, (7, 9, 70), &[0x1000]);
    watch.record(&made((8, 9, 80), 7, 0, &[10], &[]));
    let all = samples(watch.finish());
    let [sampled] = &all[..] else {
        panic!("{all:?}");
    };
    assert_eq!((sampled.time, sampled.weight), (Monotonic(50), Nanos(40)));
    assert_eq!(sampled.kind, SampleKind::OffCpu);
    assert_eq!(sampled.stack, [0x1000, 0x2000]);
}

#[test]
fn a_process_used_what_its_threads_did() {
    let mut watch = Watch::new();
    watch.record(&made_end((7, 9, 10), 0, 0));
    assert!(!watch.merge.root_ended());
    watch.record(&made_end((7, 7, 20), 1, 0x0700));
    assert!(watch.merge.root_ended());
    let given = watch.finish();
    let order = [
        ("thread ended", 10, 9),
        ("thread ended", 20, 7),
        ("exited", 20, 7),
    ];
    assert_eq!(briefs(&given), order);
    let Observation::ThreadEnded {
        start, name, usage, ..
    } = &given[0]
    else {
        panic!("{given:?}");
    };
    assert_eq!((*start, &name[..]), (Monotonic(1), &b"compile"[..]));
    assert_eq!((usage.user, usage.system), (Nanos(75), Nanos(25)));
    let Observation::Exited {
        wait_status,
        usage,
        whole,
        ..
    } = &given[2]
    else {
        panic!("{given:?}");
    };
    assert_eq!((*wait_status, *whole), (0x0700, true));
    assert_eq!((usage.user, usage.system), (Nanos(150), Nanos(50)));
    assert_eq!(usage.max_rss_bytes, 4096);
}

#[test]
fn a_number_that_is_used_again_begins_anew() {
    let mut watch = Watch::new();
    watch.fork(5, 8, 7);
    watch.record(&made_end((8, 8, 10), 1, 0));
    watch.fork(20, 8, 7);
    watch.record(&made_end((8, 8, 30), 1, 9));
    let given = watch.finish();
    let ends: Vec<_> = given
        .iter()
        .filter_map(|o| match o {
            Observation::Exited {
                wait_status, usage, ..
            } => Some((*wait_status, usage.user)),
            _ => None,
        })
        .collect();
    assert_eq!(ends, [(0, Nanos(75)), (9, Nanos(75))]);
    // The end of another process is not the root's.
    let mut watch = Watch::new();
    watch.record(&made_end((8, 8, 10), 1, 0));
    assert!(!watch.merge.root_ended());
}

#[test]
fn lost_mappings_are_told_since_the_last_loss() {
    let mut watch = Watch::new();
    for (time, count) in [(10, 3), (25, 4)] {
        let time = Monotonic(time);
        watch.merge.side(&Side::Lost { time, count });
    }
    let told: Vec<_> = watch
        .finish()
        .into_iter()
        .filter_map(|o| match o {
            Observation::Lost {
                from,
                to,
                what,
                count,
                ..
            } => Some((from.0, to.0, what, count)),
            _ => None,
        })
        .collect();
    assert_eq!(told, [(1, 10, "mappings", 3), (10, 25, "mappings", 4)]);
}

/// A process that runs `/root/a.out`, of a page, by `/bin/qemu` at 4096, with made code at 0x8000.
fn translated(functions: &[u64]) -> Watch {
    let mut watch = Watch::new();
    let image = GuestImage {
        path: b"/root/a.out".to_vec(),
        build_id: vec![7],
        code: vec![(0x1_0000, 0x1_1000, 0x200)],
        moves: None,
        functions: functions.to_vec(),
    };
    watch.merge.guest(Pid(8), Arc::new(image));
    let paths = [&b"qemu-aarch64\0bin\0"[..], b"root\0", b"./a.out\0"];
    let argv = b"/bin/qemu\0./a.out\0first\0second\0";
    watch.record(&made_exec((8, 8, 10), 1, argv.len() as u64, paths));
    watch.argv(11, 8, 0, argv);
    watch.mapped(12, 8, 0x1000, b"/bin/qemu-aarch64");
    watch.mapped(13, 8, 0x8000, b"//anon");
    watch
}

const GUEST: u16 = 32;
const BLOCK: u16 = 64;
const LINK: u16 = 128;
const LINKED: u16 = 256;

#[test]
fn a_translated_program_is_the_one_that_was_asked_for() {
    let given = translated(&[]).finish();
    let Observation::Executed(executed) = &given[0] else {
        panic!("{given:?}");
    };
    assert_eq!(executed.exe, b"/root/a.out");
    assert_eq!(executed.argv, b"first\0second\0");
    assert_eq!(executed.translator, b"qemu-aarch64");
    assert_eq!(executed.arch, Arch::Arm64);
    let mapped = given.iter().filter_map(|observation| match observation {
        Observation::Mapped {
            time,
            start,
            offset,
            path,
            kind,
            ..
        } => Some((time.0, *start, *offset, &path[..], *kind)),
        _ => None,
    });
    let expected = [
        (10, 0x1_0000, 0x200, &b"/root/a.out"[..], ImageKind::File),
        (12, 0x1000, 0, b"/bin/qemu-aarch64", ImageKind::File),
        (13, 0x8000, 0, b"/root/a.out", ImageKind::Anonymous),
    ];
    assert_eq!(mapped.collect::<Vec<_>>(), expected);
}

#[test]
fn what_a_translator_reads_is_code_of_its_program() {
    let mut watch = translated(&[]);
    watch.replaced(9, 8);
    watch.side(9, 8, 0x6000, b"/bin/qemu-aarch64", false); // its own data
    watch.side(14, 8, 0x2_0000, b"/lib/arm64/libc.so.6", false);
    watch.side(15, 9, 0x2_0000, b"/lib/libc.so.6", false); // of a native program
    watch.stack(
        5,
        GUEST,
        (8, 8, 20),
        &[0x8010, 0x2_0011, 0x1_0101, 0x9_0000],
    );
    let given = watch.finish();
    let mapped = given.iter().filter_map(|observation| match observation {
        Observation::Mapped { start, path, .. } if *start >= 0x2_0000 => Some(&path[..]),
        Observation::Mapped { start: 0x6000, .. } => Some(b"data".as_slice()),
        _ => None,
    });
    assert_eq!(mapped.collect::<Vec<_>>(), [b"/lib/arm64/libc.so.6"]);
    let stacks: Vec<_> = samples(given).into_iter().map(|s| s.stack).collect();
    assert_eq!(stacks, [[0x2_0010, 0x1_0101]]);
}

#[test]
fn the_program_is_told_from_its_translator() {
    let mut watch = translated(&[]);
    let guest = [0x1_0101, 0x1_0200];
    let with = |host: u64| [&[host][..], &guest].concat();
    watch.stack(5, GUEST | BLOCK, (8, 8, 20), &with(0x8010));
    watch.stack(5, GUEST, (8, 8, 21), &with(0x8020)); // no block, but where blocks are
    watch.stack(5, GUEST, (8, 8, 22), &with(0x1010));
    watch.stack(5, GUEST | 1, (8, 8, 23), &with(0x1010));
    watch.stack(5, 0, (8, 8, 24), &[0x8010]); // not known where the guest was
    watch.stack(5, 0, (8, 8, 25), &[0x1010]);
    watch.stack(5, 0, (8, 8, 26), &[0]); // begins
    let seen: Vec<_> = samples(watch.finish())
        .into_iter()
        .map(|sampled| (sampled.place, sampled.stack))
        .collect();
    let own = vec![0x1_0100, 0x1_0200];
    let expected = [
        (SamplePlace::TranslatedCode, own.clone()),
        (SamplePlace::TranslatedCode, own),
        (SamplePlace::Translator, with(0x1010)),
        (SamplePlace::Kernel, with(0x1010)),
        (SamplePlace::TranslatedCode, vec![0x8010]),
        (SamplePlace::Translator, vec![0x1010]),
        (SamplePlace::Kernel, vec![0]),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_link_register_counts_where_it_leads_to_another_function() {
    for (functions, flags, caller, kept) in [
        (&[0x1_0000, 0x1_0100, 0x1_0200][..], LINK, 0x1_0250, true),
        (
            &[0x1_0000, 0x1_0100, 0x1_0200],
            LINK | LINKED,
            0x1_0180,
            false,
        ),
        (&[], LINK, 0x1_0250, false),
        (&[], LINK | LINKED, 0x1_0250, true),
    ] {
        let mut watch = translated(functions);
        let stack = [0x8010, 0x1_0111, caller, 0x1_0300];
        watch.stack(5, GUEST | BLOCK | flags, (8, 8, 20), &stack);
        let seen = samples(watch.finish()).remove(0).stack;
        assert_eq!(seen.contains(&caller), kept, "{functions:x?} {flags}");
        assert_eq!((seen[0], seen.last()), (0x1_0110, Some(&0x1_0300)));
    }
}

#[test]
fn the_next_program_is_native_again() {
    let mut watch = translated(&[]);
    watch.exec(20, 8, 0, 0);
    watch.mapped(21, 8, 0x1000, b"/bin/true");
    watch.stack(5, 0, (8, 8, 22), &[0x1010]);
    assert_eq!(samples(watch.finish())[0].place, SamplePlace::User);
}

/// What was given: calls by their times, in batches.
fn with_calls(given: &[Observation]) -> Vec<String> {
    let one = |observation: &Observation| match observation {
        Observation::Called(batch) => {
            let times: Vec<u64> = batch.calls().iter().map(|call| call.time.0).collect();
            format!("called {times:?}")
        }
        other => brief(other).0.to_owned(),
    };
    given.iter().map(one).collect()
}

type Change = fn(&mut Watch);

#[test]
fn calls_are_those_of_the_program_that_was_there() {
    let changes: [(&str, Change); 3] = [
        ("forked", |watch| watch.fork(10, 8, 7)),
        ("executed", |watch| watch.exec(10, 7, 0, 0)),
        ("thread ended", |watch| {
            watch.record(&made_end((7, 7, 10), 1, 0));
        }),
    ];
    for (what, change) in changes {
        let mut watch = Watch::new();
        watch.call(15, 1);
        change(&mut watch);
        watch.call(5, 1);
        let mut given = with_calls(&watch.finish());
        given.retain(|one| one != "exited");
        assert_eq!(given, ["called [5]", what, "called [15]"]);
    }
}

#[test]
fn calls_wait_for_the_horizon() {
    let mut watch = Watch::new();
    watch.call(15, 1);
    watch.call(10, 1);
    watch.until(10);
    assert_eq!(with_calls(&watch.given), ["called [10]"]);
    assert_eq!(with_calls(&watch.finish()), ["called [10]", "called [15]"]);
}

/// The probe that is hit to see whether probes work has the largest number.
#[test]
fn a_trial_is_no_call() {
    let mut watch = Watch::new();
    watch.call(5, 0xff_ffff);
    watch.call(6, 0xff_fffe);
    assert_eq!(with_calls(&watch.finish()), ["called [6]"]);
}

#[test]
fn where_no_mapping_is_known_a_stack_is_left_as_it_is() {
    let mut watch = Watch::new();
    let stack = [0x1000, 0x2000, 0x3000];
    for (time, flags) in [(20, GUEST | BLOCK), (21, GUEST), (22, 0)] {
        watch.stack(5, flags, (7, 7, time), &stack);
    }
    let seen = samples(watch.finish());
    let places: Vec<_> = seen.iter().map(|sampled| sampled.place).collect();
    let expected = [
        SamplePlace::TranslatedCode,
        SamplePlace::Translator,
        SamplePlace::User,
    ];
    assert_eq!(places, expected);
    assert!(seen.iter().all(|s| s.stack == stack && !s.truncated));
}

#[test]
fn while_it_is_not_known_what_is_mapped_a_stack_is_left_as_it_is() {
    let mut watch = Watch::new();
    let stack = [0x9000, 0x9100];
    // A fork of one that nothing is known of.
    watch.fork(1, 8, 7);
    watch.stack(5, 0, (8, 8, 2), &stack);
    // The next program is being loaded: that of the last one is gone, and which this is comes with its exec.
    watch.mapped(3, 7, 0x1000, b"/bin/sh");
    watch.replaced(4, 7);
    watch.stack(5, 0, (7, 7, 5), &stack);
    let seen = samples(watch.finish());
    let pids: Vec<_> = seen.iter().map(|sampled| sampled.pid.0).collect();
    assert_eq!(pids, [8, 7]);
    assert!(seen.iter().all(|s| s.stack == stack && !s.truncated));
}

#[test]
fn a_translator_that_is_called_by_its_name_runs_what_it_is_given() {
    let mut watch = Watch::new();
    let argv = b"qemu-aarch64\0./a.out\0first\0";
    let paths = [&b"qemu-aarch64\0bin\0"[..], b"root\0", b""];
    watch.record(&made_exec((7, 7, 10), 0, argv.len() as u64, paths));
    watch.argv(11, 7, 0, argv);
    let given = watch.finish();
    let executed = only_exec(&given);
    assert_eq!(executed.translator, b"qemu-aarch64");
    assert_eq!(executed.exe, b"/root/a.out");
    assert_eq!(executed.argv, b"./a.out\0first\0");
}

#[test]
fn what_a_linker_is_to_write_is_known_while_it_runs() {
    for (name, output) in [("link", Some("/root/b001/a.out")), ("compile", None)] {
        let mut watch = Watch::new();
        let argv = b"/go/tool\0-o\0b001/a.out\0main.a\0";
        let exe = format!("{name}\0tool\0");
        let paths = [exe.as_bytes(), b"root\0", b""];
        watch.record(&made_exec((7, 7, 10), 0, argv.len() as u64, paths));
        watch.argv(11, 7, 0, argv);
        watch.until(100);
        let known = watch.merge.output_of_link(Pid(7));
        assert_eq!(known.and_then(|path| path.to_str()), output, "{name}");
    }
}
