//! Calls that were added up as they were recorded, in every view.

use crate::build::{Watched, gotrace, record_trees, run};
use gotrace::trace::{CallTreeRow, Nanos, ProbeId, ProcessId};
use std::path::{Path, PathBuf};

const WATCHED: [Watched; 3] = [("main.outer", 1), ("main.inner", 2), ("main.entry", 0)];

fn row(process: u32, level: u32, probe: u32, calls: u64, millis: u64) -> CallTreeRow {
    CallTreeRow {
        process: ProcessId(process),
        level,
        probe: ProbeId(probe),
        calls,
        open: 0,
        total: Nanos(millis * 1_000_000),
    }
}

/// In the compiler of `m/a` (100 to 300 ms) and in that of `m/b` (300 to 700 ms).
fn record(folder: &Path) -> PathBuf {
    let path = folder.join("trees.gotrace");
    let trees = [
        row(1, 0, 0, 2, 150),
        CallTreeRow {
            open: 3,
            ..row(1, 1, 1, 123_456, 100)
        },
        row(1, 2, 2, 7, 0),
        row(2, 0, 1, 4, 80),
    ];
    record_trees(&path, &WATCHED, &trees);
    path
}

const NOTE: &str =
    "gotrace: calls: added up as they were recorded, 3 functions watched, 12 could not be\n";

#[test]
fn functions_have_dashes_for_what_is_not_known() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path());
    let (code, printed, complaint) = run(&["calls"], &trace, 120);
    assert_eq!(code, Some(0), "{complaint}");
    assert_eq!(
        printed,
        "\
function      calls   total     self  min  median  p99  max
main.inner  123,460  180 ms   180 ms    -       -    -    -  3 without exit
main.outer        2  150 ms  50.0 ms    -       -    -    -
main.entry        7       -        -    -       -    -    -  entries only
"
    );
    assert!(complaint.contains(NOTE), "{complaint}");
}

#[test]
fn calls_stand_below_their_callers() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path());
    let lines = [
        "  calls     total      self  function",
        "      2  150.0 ms   50.0 ms  main.outer",
        "123,456  100.0 ms  100.0 ms    main.inner",
        "      7         -         -      main.entry",
        "      4   80.0 ms   80.0 ms  main.inner",
    ];
    let printed = gotrace(&["calls", "--tree"], &trace, 100);
    assert_eq!(printed.lines().collect::<Vec<_>>(), lines);
}

#[test]
fn calls_below_their_callers_are_rows_of_json() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path());
    let rows = |words: &[&str]| {
        let words = [&["calls", "--tree", "--json"], words].concat();
        let json: serde_json::Value = serde_json::from_str(&gotrace(&words, &trace, 100)).unwrap();
        assert_eq!(
            (&json["by"], &json["merged_paths"]),
            (&"path".into(), &0.into())
        );
        assert_eq!(
            (&json["entries"], &json["added_up_count"]),
            (&123_469.into(), &2.into())
        );
        let rows = json["rows"].as_array().unwrap().iter();
        let rows = rows.map(|row| {
            let number = |key: &str| row[key].as_u64().unwrap();
            let function = row["function"].as_str().unwrap().to_owned();
            let times = [number("total_ns"), number("self_ns")].map(|ns| ns / 1_000_000);
            (number("level"), function, number("count"), times)
        });
        rows.collect::<Vec<_>>()
    };
    let expected = [
        (0, "main.outer".to_owned(), 2, [150, 50]),
        (1, "main.inner".to_owned(), 123_456, [100, 100]),
        (2, "main.entry".to_owned(), 7, [0, 0]),
        (0, "main.inner".to_owned(), 4, [80, 80]),
    ];
    assert_eq!(rows(&[]), expected);
    assert_eq!(rows(&["--top", "2"]), expected[..2]);
    // What took longest, not what stands first.
    let three = [0, 1, 3].map(|at| expected[at].clone());
    assert_eq!(rows(&["--top", "3"]), three);
}

#[test]
fn the_longest_call_is_not_known_and_what_a_range_cuts_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path());
    let (code, printed, complaint) = run(&["calls", "--slowest", "3"], &trace, 100);
    assert_eq!((code, printed.lines().count()), (Some(0), 1), "{printed}");
    let words = "single ones are known only where they mark phases";
    assert!(complaint.contains(words), "{complaint}");
    for command in [
        &["calls"][..],
        &["calls", "--tree"],
        &["flamegraph", "--of", "calls"],
    ] {
        let range = [command, &["--from", "0.1", "--to", "0.5"]].concat();
        let (code, printed, complaint) = run(&range, &trace, 100);
        assert_eq!(code, Some(0), "{complaint}");
        assert!(printed.contains("main.outer"), "{printed}");
        let words = "calls of 1 program left out: they were added up";
        assert!(complaint.contains(words), "{range:?}: {complaint}");
    }
}

#[test]
fn the_head_of_a_trace_says_how_its_calls_were_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path());
    let printed = gotrace(&["show"], &trace, 100);
    let line = "calls: added up as they were recorded, 3 functions watched, 12 could not be";
    assert!(printed.lines().any(|found| found == line), "{printed}");
}

#[test]
fn formats_in_which_all_has_a_time_say_what_they_leave_out() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path());
    for (format, is_left_out) in [
        ("perfetto", true),
        ("chrome", true),
        ("firefox", true),
        ("pprof", false),
        ("folded", false),
    ] {
        let file = folder.path().join(format);
        let words = ["export", "--format", format, "-o", file.to_str().unwrap()];
        let (code, _, complaint) = run(&words, &trace, 100);
        assert_eq!(code, Some(0), "{complaint}");
        let words = "left out: calls that were added up as they were recorded";
        assert_eq!(
            complaint.contains(words),
            is_left_out,
            "{format}: {complaint}"
        );
    }
    let words = ["export", "--format", "folded", "--of", "calls"];
    assert_eq!(
        gotrace(&words, &trace, 100),
        "\
compile;main.inner 80000000
compile;main.outer 50000000
compile;main.outer;main.inner 100000000
compile;main.outer;main.inner;main.entry 0
"
    );
    let (code, _, complaint) = run(
        &["export", "--format", "pprof", "--of", "calls"],
        &trace,
        100,
    );
    assert_eq!(code, Some(2), "{complaint}");
}

#[test]
fn numbers_of_calls_are_compared_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let base = record(folder.path());
    let new = folder.path().join("new.gotrace");
    record_trees(
        &new,
        &WATCHED,
        &[row(1, 0, 0, 3, 75), row(2, 0, 1, 123_460, 80)],
    );
    let words = ["compare", "--by", "function", base.to_str().unwrap()];
    let printed = gotrace(&words, &new, 100);
    let rows: Vec<&str> = printed
        .lines()
        .skip_while(|line| !line.starts_with("functions by number of calls"))
        .map(str::trim_end)
        .collect();
    let expected = "\
functions by number of calls
function                base      new  change
compile: main.entry        7        0      -7  -100 %
compile: main.outer        2        3      +1   +50 %
";
    assert!(
        rows.join("\n").starts_with(expected.trim_end()),
        "{printed}"
    );
    assert!(printed.contains("functions by time in calls"), "{printed}");
}
