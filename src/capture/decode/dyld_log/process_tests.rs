//! Of how many processes how much is kept, and which lines of an image belong together.

use super::*;

fn small() -> Processes {
    Processes {
        most_bytes: 64 << 10,
        ..Processes::default()
    }
}

#[test]
fn targets_are_told_early_where_there_are_too_many() {
    let (mut processes, mut told) = (small(), 0);
    let mut out = |_: Pid, event: Event| told += u64::from(matches!(event, Event::Bound(_)));
    for number in 0..4096 {
        let target = Line::Target {
            importer: b"app",
            number,
            address: Some(0x30000),
            provider: b"libz.dylib",
            symbol: b"_symbol",
            table: Table::Binds,
        };
        processes.line(1, &target, &mut out);
        assert!(processes.bytes() < 256 << 10);
    }
    let missing = processes.finish(&mut out);
    assert!(missing.forgotten > 1024, "{missing:?}");
    assert_eq!(told, 4096);
}

#[test]
fn images_are_forgotten_where_there_are_too_many() {
    let (mut processes, mut loads) = (small(), 0);
    let mut out = |_: Pid, event: Event| loads += u64::from(matches!(event, Event::Loaded(_)));
    for number in 0..4096 {
        let path = format!("/opt/me/lib/lib{number}.dylib");
        let path = path.as_bytes();
        processes.line(1, &Line::Cached { path }, &mut out);
        assert!(processes.bytes() < 512 << 10);
    }
    processes.finish(&mut out);
    assert_eq!(loads, 4096);
}

fn target(number: u64, symbol: &[u8], table: Table) -> Line<'_> {
    Line::Target {
        importer: b"app",
        number,
        address: Some(0x30000),
        provider: b"libz.dylib",
        symbol,
        table,
    }
}

#[test]
fn of_512_processes_the_oldest_is_forgotten() {
    let mut processes = Processes::default();
    let begins = Line::KernelMapped { path: b"/app" };
    // The first says something again, so that the second is the oldest.
    let pids = (1..=512).chain([1, 2000]);
    let mut ended = Vec::new();
    for pid in pids {
        let mut out = |pid: Pid, event: Event| {
            if matches!(event, Event::Loaded(_)) {
                ended.push(pid.0);
            }
        };
        let line = if pid == 1 { &Line::Ignored } else { &begins };
        processes.line(pid, line, &mut out);
    }
    assert_eq!(ended, [2]);
    assert_eq!(processes.all.len(), 512);
}

/// A target takes 96 bytes, and those of two names: 7 and 10.
#[test]
fn whether_too_much_is_kept_is_asked_every_1024_lines() {
    let forgotten = |lines, most_bytes| {
        let mut processes = Processes {
            most_bytes,
            ..Processes::default()
        };
        for number in 0..lines {
            processes.line(1, &target(number, b"_symbol", Table::Binds), &mut |_, _| {});
        }
        processes.missing.forgotten
    };
    assert_eq!(forgotten(1024, 1024 * 113), 0);
    assert_eq!(forgotten(1024, 1024 * 113 - 1), 1024);
    assert_eq!(forgotten(1023, 0), 0);
    assert_eq!(forgotten(2047, 0), 1024);
}

/// An image takes 192 bytes, and its path twice.
#[test]
fn images_are_forgotten_where_they_are_more_than_half() {
    let left = |most_bytes| {
        let mut processes = Processes {
            most_bytes,
            ..Processes::default()
        };
        let mut out = |_: Pid, _: Event| {};
        for _ in 0..500 {
            processes.line(1, &Line::Cached { path: b"/lib" }, &mut out);
        }
        for number in 0..524 {
            processes.line(1, &target(number, &[b's'; 200], Table::Binds), &mut out);
        }
        assert_eq!(processes.missing.forgotten, 524);
        processes.bytes()
    };
    assert_eq!(left(200_000), 500 * 200);
    assert_eq!(left(199_998), 0);
}

/// The events of a process whose program is being loaded.
fn told(lines: &[Line<'_>]) -> Vec<Event> {
    let (mut processes, mut told) = (Processes::default(), Vec::new());
    let mut out = |_: Pid, event: Event| told.push(event);
    for line in lines {
        processes.line(1, line, &mut out);
    }
    processes.finish(&mut out);
    told
}

/// Paths of what was loaded, and whether its UUID is known.
fn loaded(lines: &[Line<'_>]) -> Vec<(String, bool)> {
    let loaded = told(lines).into_iter().filter_map(|event| match event {
        Event::Loaded(loaded) => {
            let path = String::from_utf8_lossy(&loaded.path).into_owned();
            Some((path, loaded.uuid.is_some()))
        }
        _ => None,
    });
    loaded.collect()
}

fn library(path: &[u8]) -> Line<'_> {
    let uuid = b"7A2C1B9E-4F50-3D1A-8E2B-90C4D5E6F701";
    Line::Library { uuid, path }
}

#[test]
fn images_of_which_nothing_else_is_said_are_loaded() {
    let found = loaded(&[library(b"/a"), library(b"/b")]);
    assert_eq!(found, [("/a".to_owned(), true), ("/b".to_owned(), true)]);
}

#[test]
fn a_program_has_the_uuid_that_was_said_of_its_path_before() {
    let mapped = Line::KernelMapped { path: b"/app" };
    let one = |path: &str, uuid| (path.to_owned(), uuid);
    assert_eq!(loaded(&[library(b"/app"), mapped]), [one("/app", true)]);
    assert_eq!(
        loaded(&[library(b"/other"), mapped]),
        [one("/other", true), one("/app", false)]
    );
    // What dyld itself mapped is no program.
    assert_eq!(
        loaded(&[Line::Cached { path: b"/app" }, mapped]),
        [one("/app", false), one("/app", false)]
    );
}

#[test]
fn an_image_has_at_most_64_segments() {
    let segments = |count| {
        let segment = Line::Segment {
            name: b"__DATA",
            rights: b"rw.",
            start: 0x1000,
            end: 0x2000,
            paged_in: false,
        };
        let mut lines = vec![Line::Cached { path: b"/lib" }];
        lines.extend(vec![segment; count]);
        let events = told(&lines);
        let [Event::Loaded(loaded)] = events.as_slice() else {
            panic!("{events:?}");
        };
        loaded.segments.len()
    };
    assert_eq!([63, 64, 65, 80].map(segments), [63, 64, 64, 64]);
}

/// Binds are numbered from 0, and then the weak ones, which old lines do not tell from them.
#[test]
fn a_first_target_after_such_a_one_is_of_the_next_image() {
    use Table::{Binds, Either, Weak};
    let is_next = |before: &[Table], number, table| {
        let mut processes = Processes::default();
        let mut closed = 0;
        for table in before {
            processes.line(1, &target(0, b"_a", *table), &mut |_, _| {});
        }
        let mut out =
            |_: Pid, event: Event| closed += usize::from(matches!(event, Event::Bound(_)));
        processes.line(1, &target(number, b"_b", table), &mut out);
        assert!(closed == 0 || closed == before.len());
        closed > 0
    };
    let after = |before: &[Table]| [Binds, Weak, Either].map(|table| is_next(before, 0, table));
    assert_eq!(after(&[]), [false, false, false]);
    assert_eq!(after(&[Binds]), [true, false, false]);
    assert_eq!(after(&[Weak]), [true, true, false]);
    assert_eq!(after(&[Binds, Weak]), [true, true, true]);
    assert!(!is_next(&[Binds, Weak], 1, Binds));
}
