//! Records, as they are and damaged.

use super::super::synthetic::{USAGE, made, made_end, made_exec};
use super::{Event, ExeKey, Link, Malformed, Record};
use crate::capture::Monotonic;
use crate::trace::{Goid, Nanos, Pid, Tid};

/// Of process 7, thread 8, at 9 ns.
fn record(kind: u16, flags: u16, numbers: &[u64], rest: &[u8]) -> Vec<u8> {
    made((7, 8, 9), kind, flags, numbers, rest)
}

fn exec(flags: u16) -> Vec<u8> {
    let paths = [&b"true\0bin\0"[..], b"root\0", b"x/y\0"];
    made_exec((7, 8, 9), flags, 1000, paths)
}

fn end(flags: u16) -> Vec<u8> {
    made_end((7, 8, 9), flags, 0x0700)
}

fn stack(kind: u16, flags: u16, frames: u64) -> Vec<u8> {
    record(kind, flags, &[18, frames, 0x1000, 0x2000], &[])
}

/// One of each kind.
fn all() -> Vec<Vec<u8>> {
    vec![
        record(1, 0, &[3], &[]),
        exec(1),
        record(3, 0, &[16384, 20000], b"rest"),
        end(1),
        stack(5, 0, 2),
        stack(6, 0, 2),
        record(7, 0, &[77], &[]),
        stack(8, 0, 2),
    ]
}

#[test]
fn a_record_names_its_time_process_and_thread() {
    for bytes in all() {
        let record = Record::parse(&bytes).unwrap();
        let head = (record.time, record.pid, record.tid);
        assert_eq!(head, (Monotonic(9), Pid(7), Tid(8)));
    }
}

#[test]
fn a_record_that_ends_too_early_is_refused_at_every_length() {
    for whole in all() {
        let kind = u16::from(whole[0]);
        let needed = match kind {
            1 => 28, // padding follows
            3 => 40, // arguments follow
            _ => whole.len(),
        };
        for length in 0..needed {
            let kind = if length < 2 { 0 } else { kind };
            assert_eq!(
                Record::parse(&whole[..length]),
                Err(Malformed::Short { kind, length }),
            );
        }
        assert!(Record::parse(&whole).is_ok());
    }
}

#[test]
fn more_frames_than_there_are_bytes_are_refused() {
    for frames in [3, u64::from(u32::MAX)] {
        assert!(matches!(
            Record::parse(&stack(5, 0, frames)),
            Err(Malformed::Short { kind: 5, .. })
        ));
    }
}

#[test]
fn a_kind_that_is_not_known_is_refused() {
    for kind in [0, 10, 0xffff] {
        let bytes = record(kind, 0, &[1, 2, 3], &[]);
        assert_eq!(Record::parse(&bytes), Err(Malformed::Kind(kind)));
    }
    let text = Malformed::Kind(10).to_string();
    assert_eq!(text, "record of unknown kind 10");
}

#[test]
fn an_entry_of_a_lane_says_what_a_record_says() {
    use crate::trace::{CallEdge, Goid, Pid, ProbeId, StackOwner, Tid};
    let mut entry = [0; 32];
    entry[0..8].copy_from_slice(&0x1122_3344_5566_7788_u64.to_le_bytes());
    entry[8..16].copy_from_slice(&7_u64.to_le_bytes());
    entry[16..20].copy_from_slice(&100_u32.to_le_bytes());
    entry[20..24].copy_from_slice(&101_u32.to_le_bytes());
    // The largest number, the exit of a call on a goroutine's stack.
    entry[24..28].copy_from_slice(&[0xff, 0xff, 0xff, 1 << 2 | 1]);
    entry[28..32].copy_from_slice(&720_u32.to_le_bytes());
    let read = Record::of_lane(&entry);
    assert_eq!(
        (read.time.0, read.pid, read.tid),
        (0x1122_3344_5566_7788, Pid(100), Tid(101))
    );
    let Event::Called(called) = read.event else {
        panic!("no call");
    };
    assert_eq!(
        (called.probe, called.edge, called.stack, called.depth),
        (
            ProbeId(0xff_ffff),
            CallEdge::Exit,
            StackOwner::Goroutine(Goid(7)),
            720
        )
    );
    assert_eq!(called.argument, None);
    // The highest bit marks a child that has not called exec.
    entry[27] |= 128;
    let Event::Called(called) = Record::of_lane(&entry).event else {
        panic!("no call");
    };
    assert_eq!(called.stack, StackOwner::Forked);
}

#[test]
fn a_call_says_where_and_on_whose_stack() {
    use crate::trace::{CallEdge, Goid, ProbeId, StackOwner};
    let call = |flags: u16, owner, argument: &[u8]| {
        // Number 5, 720 bytes deep.
        let bytes = record(9, flags, &[owner, 720 << 32 | 5], argument);
        let Event::Called(called) = Record::parse(&bytes).unwrap().event else {
            panic!("no call");
        };
        assert_eq!((called.probe, called.depth), (ProbeId(5), 720));
        (
            called.edge,
            called.stack,
            called.argument.map(|with| format!("{with:?}")),
        )
    };
    let goid = Goid(7);
    use CallEdge::{Entry, Exit, TailJump};
    assert_eq!(
        call(1 << 2, 7, &[]),
        (Entry, StackOwner::Goroutine(goid), None)
    );
    assert_eq!(
        call(2 << 2 | 1, 7, &[]),
        (Exit, StackOwner::Unnumbered(7), None)
    );
    assert_eq!(
        call(3 << 2 | 2, 7, &[]),
        (TailJump, StackOwner::System(Some(goid)), None)
    );
    assert_eq!(call(3 << 2, 0, &[]).1, StackOwner::System(None));
    assert_eq!(call(4 << 2, 0, &[]).1, StackOwner::Signal);
    assert_eq!(call(0, 0, &[]).1, StackOwner::Foreign);
    assert_eq!(call(128 | 1 << 2, 7, &[]).1, StackOwner::Forked);
    let integer = call(32 | 1 << 2, 7, &42_u64.to_le_bytes());
    assert_eq!(integer.2.as_deref(), Some("Integer(42)"));
    let text = call(64 | 1 << 2, 7, b"go");
    assert_eq!(text.2.as_deref(), Some("Text([103, 111])"));
    // An integer that is cut.
    let bytes = record(9, 32, &[7, 5], &[1, 2]);
    assert!(matches!(
        Record::parse(&bytes),
        Err(Malformed::Short { kind: 9, .. })
    ));
}

#[test]
fn a_fork_names_the_parent() {
    let bytes = record(1, 0, &[3], &[]);
    let event = Record::parse(&bytes).unwrap().event;
    assert_eq!(event, Event::Forked { parent: Pid(3) });
}

#[test]
fn an_exec_has_its_file_and_paths() {
    let bytes = exec(1 | 2 | 4);
    let Event::Executed(executed) = Record::parse(&bytes).unwrap().event else {
        panic!("no exec");
    };
    let key = ExeKey {
        dev: 0x0080_0001,
        ino: 22,
        size: 33,
    };
    assert_eq!((executed.key, executed.argv_bytes), (key, 1000));
    assert_eq!(&executed.magic[..4], b"\x7fELF");
    assert_eq!(executed.exe, b"true\0bin\0");
    assert_eq!(executed.exe_path(), b"/bin/true");
    assert_eq!(executed.cwd, b"root\0");
    assert_eq!(executed.asked, Some(&b"x/y"[..]));
    assert!(executed.path_cut && executed.hidden);
    let bytes = exec(0);
    let Event::Executed(executed) = Record::parse(&bytes).unwrap().event else {
        panic!("no exec");
    };
    assert_eq!(executed.asked, None, "what was asked for was loaded");
    assert!(!executed.path_cut && !executed.hidden);
}

#[test]
fn a_program_is_translated_where_the_kernel_says_so_or_its_translator_is_known() {
    // Behind the head and what the process used come the executable and the guest: 24 bytes each.
    let exec = |guest: u8| {
        let mut bytes = exec(1);
        bytes[24 + 80 + 24] = guest;
        bytes
    };
    for (guest, exe, file) in [
        (0, &b"/bin/true"[..], None),
        (0, b"/bin/qemu-aarch64", Some(b"/root/x/y".to_vec())),
        (1, b"/bin/true", Some(b"/root/x/y".to_vec())),
    ] {
        let bytes = exec(guest);
        let Event::Executed(executed) = Record::parse(&bytes).unwrap().event else {
            panic!("no exec");
        };
        let dev = executed.guest.map(|guest| guest.dev);
        assert_eq!(dev, (guest == 1).then_some(1));
        assert_eq!(executed.translated_file(exe), file, "{guest} {exe:?}");
    }
}

#[test]
fn arguments_come_in_pieces() {
    let bytes = record(3, 0, &[16384, 20000], b"rest");
    let event = Record::parse(&bytes).unwrap().event;
    let piece = |offset, bytes, unreadable| Event::Argv {
        offset,
        bytes,
        unreadable,
    };
    assert_eq!(event, piece(16384, &b"rest"[..], false));
    let bytes = record(3, 1, &[0, 20000], &[]);
    let event = Record::parse(&bytes).unwrap().event;
    assert_eq!(event, piece(0, &b""[..], true));
}

#[test]
fn an_end_has_a_status_only_when_the_process_ends() {
    for (flags, status) in [(0, None), (1, Some(7 << 8))] {
        let bytes = end(flags);
        let Event::Ended(ended) = Record::parse(&bytes).unwrap().event else {
            panic!("no end");
        };
        assert_eq!(ended.wait_status, status);
        assert_eq!((ended.start, ended.max_rss), (Monotonic(1), 4096));
        assert_eq!(ended.name, b"compile");
    }
}

#[test]
fn run_time_is_divided_in_the_ratio_of_the_ticks() {
    let usage_of = |runtime, utime, stime| {
        let mut numbers = vec![1, runtime, utime, stime];
        numbers.extend(&USAGE[3..]);
        numbers.extend([4096, 0]);
        let bytes = record(4, 1, &numbers, &[0; 16]);
        let Event::Ended(ended) = Record::parse(&bytes).unwrap().event else {
            panic!("no end");
        };
        ended.usage.usage(12)
    };
    let usage = usage_of(100, 30, 10);
    assert_eq!((usage.user, usage.system), (Nanos(75), Nanos(25)));
    assert_eq!((usage.runqueue, usage.max_rss_bytes), (Nanos(5), 12));
    assert_eq!((usage.minor_faults, usage.major_faults), (6, 7));
    let switches = (usage.voluntary_switches, usage.involuntary_switches);
    assert_eq!(switches, (8, 9));
    assert_eq!((usage.read_bytes, usage.written_bytes), (10, 11));
    // No tick hit it: user time, as getrusage says. No tick hit user code: system time.
    let usage = usage_of(100, 0, 0);
    assert_eq!((usage.user, usage.system), (Nanos(100), Nanos(0)));
    let usage = usage_of(100, 0, 3);
    assert_eq!((usage.user, usage.system), (Nanos(0), Nanos(100)));
    let usage = usage_of(u64::MAX, u64::MAX, u64::MAX);
    assert_eq!(
        (usage.user, usage.system),
        (Nanos(1 << 63), Nanos((1 << 63) - 1))
    );
}

#[test]
fn use_of_threads_is_added_up() {
    let bytes = end(0);
    let Event::Ended(ended) = Record::parse(&bytes).unwrap().event else {
        panic!("no end");
    };
    let mut sum = ended.usage;
    sum.add(&ended.usage);
    let usage = sum.usage(0);
    assert_eq!((usage.user, usage.system), (Nanos(150), Nanos(50)));
    assert_eq!((usage.runqueue, usage.minor_faults), (Nanos(10), 12));
    assert_eq!((usage.major_faults, usage.read_bytes), (14, 20));
    assert_eq!((usage.voluntary_switches, usage.written_bytes), (16, 22));
}

#[test]
fn a_stack_has_addresses_and_what_is_known_of_it() {
    let parsed = |kind, flags| {
        let bytes = stack(kind, flags, 2);
        let (Event::Sampled(stack) | Event::Away(stack) | Event::Last(stack)) =
            Record::parse(&bytes).unwrap().event
        else {
            panic!("no stack");
        };
        assert_eq!(stack.addresses().collect::<Vec<_>>(), [0x1000, 0x2000]);
        (stack.kernel, stack.cut, stack.goroutine, stack.gone)
    };
    assert_eq!(parsed(5, 0), (false, false, None, false));
    assert_eq!(parsed(5, 1), (true, false, None, false));
    assert_eq!(parsed(6, 2), (false, true, None, false));
    assert_eq!(parsed(8, 4), (false, false, Some(Goid(18)), false));
    assert_eq!(parsed(5, 8), (false, false, None, true));
}

#[test]
fn of_a_translated_program_it_is_known_what_its_stack_holds() {
    for (flags, expected) in [
        (0, None),
        (32, Some((false, Link::None))),
        (32 | 64, Some((true, Link::None))),
        (32 | 128, Some((false, Link::Unproven))),
        (32 | 64 | 128 | 256, Some((true, Link::Called))),
        (32 | 256, Some((false, Link::None))),
    ] {
        let bytes = stack(5, flags, 2);
        let Event::Sampled(stack) = Record::parse(&bytes).unwrap().event else {
            panic!("{flags}");
        };
        let found = stack.guest.map(|guest| (guest.in_block, guest.link));
        assert_eq!(found, expected, "{flags}");
    }
}

#[test]
fn goroutine_0_is_none() {
    let bytes = record(5, 4, &[0, 0], &[]);
    let Event::Sampled(stack) = Record::parse(&bytes).unwrap().event else {
        panic!("no sample");
    };
    assert_eq!(stack.goroutine, None);
}
