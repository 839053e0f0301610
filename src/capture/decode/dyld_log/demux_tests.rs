//! What a line costs where it does not belong, and what is remembered at most.

use super::super::line::Line;
use super::{Demux, Expected, Known, Open, Untold, Way, hash};
use rustc_hash::FxHashMap;

/// What speaks against a line behind these.
fn cost(before: &[&str], line: &str) -> u32 {
    cost_of(&Known::default(), before, line)
}

fn cost_of(known: &Known, before: &[&str], line: &str) -> u32 {
    let lines = before.iter().map(|line| Line::read(line.as_bytes()));
    let expected = lines.fold(Expected::default(), |expected, line| {
        assert_ne!(line, Line::Unknown);
        expected.after(&line)
    });
    expected.cost(&Line::read(line.as_bytes()), Some(known))
}

const FIRST: &str = "<app/bind#0> -> 0x1000 <libc.dylib/_a>)";
const SECOND: &str = "<app/bind#1> -> 0x1008 <libc.dylib/_b>)";
const THIRD: &str = "<app/bind#2> -> 0x1010 <libc.dylib/_c>)";
const OTHERS_FIRST: &str = "<z.dylib/bind#0> -> 0x1000 <libc.dylib/_a>)";
const OTHERS_SECOND: &str = "<z.dylib/bind#1> -> 0x1008 <libc.dylib/_b>)";
const FIRST_WEAK: &str = "<app/bind#0> -> missing-weak-bind (_w)";
const SLOT: &str = "fixup: *0x0000010008 = 0x0000000000001000 <app/bind#0>";
const OTHERS_SLOT: &str = "fixup: *0x0000010008 = 0x0000000000001000 <z.dylib/bind#0>";
const TEXT: &str = "__TEXT (r.x) 0x000000010000->0x000000014000 ";
const DATA: &str = "__DATA (rw.) 0x000000014000->0x000000018000 ";
const FAR: &str = "__DATA (rw.) 0x000000020000->0x000000024000 ";
const FIND: &str = "find path \"libp.dylib\"";
const POSSIBLE: &str = "  possible path(original path): \"/a/libp.dylib\"";
const FOUND: &str = "  found: dylib-from-disk: \"/a/libp.dylib\"";
const FOUND_ELSEWHERE: &str = "  found: dylib-from-disk: \"/b/libp.dylib\"";
const INITIALIZER: &str = "running initializer 0x1000 in /a/libp.dylib";

#[test]
fn targets_are_numbered_image_by_image() {
    assert_eq!(cost(&[], FIRST), 0);
    assert_eq!(cost(&[], SECOND), 8);
    assert_eq!(cost(&[FIRST], SECOND), 0);
    assert_eq!(cost(&[FIRST], THIRD), 8);
    assert_eq!(cost(&[FIRST], OTHERS_SECOND), 8);
    // Between two images there are most often the fixups of the first.
    assert_eq!(cost(&[FIRST], OTHERS_FIRST), 2);
    assert_eq!(cost(&[FIRST, SLOT], OTHERS_FIRST), 0);
    assert_eq!(cost(&[FIRST, SLOT], SECOND), 8);
    // The weak ones of an image have numbers of their own.
    assert_eq!(cost(&[FIRST], FIRST_WEAK), 0);
    let known = Known {
        names: vec![hash(b"app")],
        ..Known::default()
    };
    assert_eq!(cost_of(&known, &[], FIRST), 0);
    assert_eq!(cost_of(&known, &[], OTHERS_FIRST), 2, "it was never loaded");
}

#[test]
fn slots_lie_in_segments_and_are_of_the_image_at_hand() {
    let known = Known {
        ranges: vec![(0x0, 0x1000), (0x1_0000, 0x1_4000)],
        ..Known::default()
    };
    let rebased = |slot: u64| {
        let line = format!("fixup: *0x{slot:010X} = 0x0000000000001000 <rebase>");
        cost_of(&known, &[], &line)
    };
    let found = [0xffff, 0x1_0000, 0x1_3fff, 0x1_4000].map(rebased);
    assert_eq!(found, [8, 0, 0, 8]);
    assert_eq!(cost(&[FIRST], SLOT), 0, "no segments are known");
    assert_eq!(cost(&[FIRST], OTHERS_SLOT), 8);
    assert_eq!(cost(&[FIRST, SLOT], SLOT), 0);
    assert_eq!(cost(&[FIRST, INITIALIZER], SLOT), 8, "all was written");
    let skipped = "fixup: *0x0000010008 (skipping missing weak bind) <app/weak-bind#0>";
    assert_eq!(cost(&[FIRST_WEAK], skipped), 0);
    assert_eq!(cost(&[OTHERS_FIRST], skipped), 8);
}

#[test]
fn segments_follow_what_was_mapped_and_each_other() {
    assert_eq!(cost(&[], TEXT), 8);
    for mapped in [
        "Kernel mapped /a/app",
        "Mapping /a/app",
        "Using mapping in dyld cache for /a/app",
        "Setting up kernel page-in linking for /a/app",
    ] {
        assert_eq!(cost(&[mapped], TEXT), 0, "{mapped}");
        assert_eq!(cost(&[mapped, TEXT], DATA), 0);
        assert_eq!(cost(&[mapped, TEXT], FAR), 2);
        let library = "<no uuid> /a/app";
        assert_eq!(cost(&[mapped, TEXT, library], DATA), 8, "{mapped}");
    }
    // The next image begins anywhere.
    assert_eq!(cost(&["Mapping /a/app", TEXT, "Mapping /b"], FAR), 0);
}

#[test]
fn an_image_is_told_by_the_path_that_it_was_mapped_by() {
    let library = "<no uuid> /a/app";
    assert_eq!(cost(&[], library), 0);
    assert_eq!(cost(&["Mapping /a/app"], library), 0);
    assert_eq!(cost(&["Mapping /b"], library), 8);
    assert_eq!(cost(&[library], "Kernel mapped /a/app"), 0);
    assert_eq!(cost(&[library], "Kernel mapped /b"), 8);
    assert_eq!(cost(&[FIND, POSSIBLE], "Mapping /a/libp.dylib"), 0);
    assert_eq!(cost(&[FIND, POSSIBLE], "Mapping /b/libp.dylib"), 2);
    assert_eq!(cost(&[FIRST], "Mapping /a/libp.dylib"), 2);
    assert_eq!(cost(&[FIRST, FIND], "Mapping /a/libp.dylib"), 0);
}

#[test]
fn places_are_looked_at_while_something_is_searched() {
    for line in [POSSIBLE, FOUND, "  not found: \"libp.dylib\""] {
        assert_eq!(cost(&[], line), 8, "{line}");
        assert_eq!(cost(&[FIND], line), 0, "{line}");
    }
    assert_eq!(cost(&[FIND, POSSIBLE], FOUND), 0);
    assert_eq!(cost(&[FIND, POSSIBLE], FOUND_ELSEWHERE), 2);
    let missed = "    stat(\"/b/libp.dylib\") returned: errno=2";
    assert_eq!(cost(&[FIND, POSSIBLE], missed), 2);
    assert_eq!(cost(&[], "nothing that dyld says"), 16);
}

#[test]
fn a_piece_costs_where_it_changes_its_line_and_where_no_line_begins_so() {
    let known = FxHashMap::default();
    let way = |text: &[u8]| Way {
        open: [1, 2]
            .map(|pid| Open {
                pid,
                text: text.to_vec(),
            })
            .to_vec(),
        last: Some(1),
        ..Way::default()
    };
    let cost = |text: &[u8], at, first| {
        let with = way(text).with(&known, at, b"apped /", (first, false));
        with.expect("a line that has begun").cost
    };
    assert_eq!(cost(b"Kernel m", 0, false), 0);
    assert_eq!(cost(b"Kernel m", 1, false), 1);
    assert_eq!(cost(b"Kernel m", 1, true), 0, "nothing came before it");
    assert_eq!(cost(b"Colonel m", 0, false), 16);
    assert_eq!(cost(&[b'-'; 1024 - 7], 0, false), 16);
    assert_eq!(cost(&[b'-'; 1024 - 6], 0, false), 0, "it is not looked at");
}

/// Lines with their processes, and what was not told.
fn read(log: &[u8]) -> (Vec<(u32, String)>, Untold) {
    let (mut demux, mut lines) = (Demux::default(), Vec::new());
    let mut out = |pid, line: &Line<'_>| lines.push((pid, format!("{line:?}")));
    demux.feed(log, &mut out);
    let untold = demux.finish(&mut out);
    (lines, untold)
}

fn remembered(log: &str) -> Demux {
    let mut demux = Demux::default();
    demux.feed(log.as_bytes(), &mut |_, _| {});
    demux
}

#[test]
fn a_line_has_at_most_256_kilobytes() {
    let log = |bytes: usize| {
        let mut line = b"dyld[7]: Kernel mapped /".to_vec();
        line.resize(bytes, b'a');
        let mut demux = Demux::default();
        let mut longest = 0;
        let mut out = |_, line: &Line<'_>| {
            if let Line::KernelMapped { path } = line {
                longest = path.len();
            }
        };
        demux.feed(&line, &mut out);
        demux.feed(b"\n", &mut out);
        (longest, demux.untold.too_long)
    };
    let longest = 256 << 10;
    assert_eq!(log(longest), (longest - "dyld[7]: Kernel mapped ".len(), 0));
    assert_eq!(log(longest + 1), (0, 1));
    assert_eq!(log(longest + 2), (0, 1));
}

#[test]
fn at_most_32_processes_are_in_the_middle_of_a_line() {
    let log = |processes: u32| {
        let prefixes: String = (1..=processes)
            .map(|pid| format!("dyld[{pid}]: "))
            .collect();
        read(format!("{prefixes}Kernel mapped /x\n").as_bytes()).1
    };
    let told = log(32);
    assert_eq!((told.unfinished, told.strays), (31, 0));
    let told = log(33);
    assert_eq!((told.unfinished, told.strays), (33, 1));
}

#[test]
fn what_goes_on_without_a_prefix_is_of_the_last_who_failed() {
    let failed = |pid: u32| format!("dyld[{pid}]: Library not loaded: /x\n");
    let log = format!("{}{}dyld[1]: Kernel mapped /a\n", failed(1), failed(2));
    let of_two = |rest: &str| {
        let (lines, untold) = read(format!("{log}{rest}").as_bytes());
        let more = lines.iter().filter(|(_, line)| line.starts_with("More"));
        (more.map(|(pid, _)| *pid).collect::<Vec<_>>(), untold.strays)
    };
    assert_eq!(of_two("  Reason: none\n"), (vec![2], 0));
    assert_eq!(of_two("  no reason\n"), (vec![], 1));
    assert_eq!(
        of_two("  Reason: nodyld[3]: Kernel mapped /b\n"),
        (vec![], 1)
    );
    let log: String = (1..=40).map(failed).collect();
    assert_eq!(remembered(&log).going_on.len(), 32);
}

#[test]
fn of_1024_processes_the_oldest_is_forgotten() {
    let line = |pid: u32| format!("dyld[{pid}]: Kernel mapped /x\n");
    let all: String = (1..=1024).map(line).collect();
    assert_eq!(remembered(&format!("{all}{}", line(1))).known.len(), 1024);
    let known = remembered(&format!("{all}{}{}", line(1), line(2000))).known;
    assert_eq!(known.len(), 1024);
    let there = [1, 2, 3, 2000].map(|pid| known.contains_key(&pid));
    assert_eq!(there, [true, false, true, true]);
}

#[test]
fn of_a_process_4096_names_and_ranges_are_remembered() {
    let images = |count: u32| -> Known {
        let mut log = "dyld[7]: Kernel mapped /app\n".to_owned();
        for number in 1..=count {
            log += &format!("dyld[7]: Mapping /lib/{number}\ndyld[7]: {TEXT}\n");
        }
        remembered(&log).known.remove(&7).unwrap_or_default()
    };
    let known = images(2);
    assert_eq!(known.names, [&b"app"[..], b"1", b"2"].map(hash));
    assert_eq!(known.ranges, [(0x1_0000, 0x1_4000); 2]);
    let known = images(5000);
    assert_eq!((known.names.len(), known.ranges.len()), (4096, 4096));
}

#[test]
fn text_of_more_than_1024_bytes_is_of_one_process() {
    let ways = |bytes| {
        let mut demux = remembered("dyld[1]: Kernel mapped /a\ndyld[2]: Kernel mapped /b\n");
        for pid in [1, 2] {
            demux.begin(pid, &mut |_, _| {});
        }
        demux.text(&vec![b'a'; bytes], false, &mut |_, _| {});
        demux.ways.len()
    };
    assert_eq!(ways(32), 2, "one piece");
    assert_eq!(ways(33), 4, "two pieces");
    assert_eq!(ways(1024), 24, "more than are followed");
    assert_eq!(ways(1025), 2);
}

#[test]
fn what_goes_on_is_one_piece() {
    let log = |why: &str| {
        let log = "dyld[3]: Library not loaded: /x\ndyld[1]: dyld[2]:   Reason: ";
        let (lines, untold) = read(format!("{log}{why}\n").as_bytes());
        let pids: Vec<u32> = lines.iter().map(|(pid, _)| *pid).collect();
        (pids, untold.unfinished)
    };
    let longest = "a".repeat(32 - "  Reason: ".len());
    assert_eq!(log(&longest), (vec![3, 3], 2));
    assert_eq!(log(&format!("{longest}a")), (vec![3, 1], 1));
}
