//! The summary of the small build.

use crate::build::{gotrace, record, record_samples};

/// Worked out by hand from the drawing in `build.rs`:
///
/// - CPU 100 + 210 + 500 + 190 = 1000 ms in 1 s: one of four cores;
/// - running 200 + 400 + 250 = 850 ms, waiting 100 − 60 = 40 ms, the rest 60 + 50 = 110 ms;
/// - the three actions depend on each other, so without m/b all is over 400 ms earlier;
/// - 30 of 40 samples ended in Compile, 10 in memmove;
/// - 8 + 4 = 12 ms of 1000 ms.
const SUMMARY: &str = "\
go1.27.3 amd64, native: /go/bin/go build ./...
wall 1.00 s, CPU 1.00 s, parallelism 1.00 of 4 cores, 3 actions, 4 processes
critical path: 85 % running, 4.0 % waiting for a slot, 11 % go itself
  400.0 ms   40 %  compile m/b
  250.0 ms   25 %  link m/cmd
  200.0 ms   20 %  compile m/a
   60.0 ms  6.0 %  go: load
   50.0 ms  5.0 %  go itself
if m/b cost nothing, the build would take 400 ms less
packages by CPU time
  500.0 ms   50 %  m/b
  210.0 ms   21 %  m/a
  190.0 ms   19 %  m/cmd
tools by CPU time: compile 71 %, link 19 %, go 10 %
functions by CPU time, of 40 samples
  300.0 ms   75 %  cmd/compile/internal/ssa.Compile
  100.0 ms   25 %  runtime.memmove
lost: 7 samples: the ring buffer was full
gotrace's tax: 12.0 ms CPU (1.2 % of the command's), 4.00 ms of it in programs, 24.0 MiB of memory
";

#[test]
fn it_says_what_was_worked_out_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), true);
    assert_eq!(gotrace(&["show"], &trace, 100), SUMMARY);
}

#[test]
fn every_line_fits_and_whole_clauses_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), true);
    for columns in 30..=100 {
        let printed = gotrace(&["show"], &trace, columns);
        for line in printed.lines() {
            assert!(line.chars().count() <= columns, "{columns}: {line}");
        }
        let facts = printed.lines().nth(1).unwrap();
        let whole = SUMMARY.lines().nth(1).unwrap();
        let rest = whole.strip_prefix(facts).unwrap();
        assert!(rest.is_empty() || rest.starts_with(", "), "{facts}");
    }
}

#[test]
fn a_recorder_that_was_killed_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), false);
    let printed = gotrace(&["show"], &trace, 120);
    let title = printed.lines().next().unwrap();
    assert!(title.ends_with("build ./..., end not seen"), "{title}");
    let gap = "not seen: the end of the recording: the recorder was killed or the file was cut";
    assert!(printed.lines().any(|line| line == gap), "{printed}");
    assert!(!printed.contains("tax"), "nobody could measure it");
}

#[test]
fn samples_without_a_name_are_told_from_none() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("nameless.gotrace");
    record_samples(&trace, &[(1, 0, 1)]);
    let words = "1 sample has no frame with a name: gotrace show --by image says where they lie";
    let summary = gotrace(&["show"], &trace, 100);
    assert!(
        summary.contains(&format!("functions: {words}\n")),
        "{summary}"
    );
    assert_eq!(
        gotrace(&["show", "--by", "function"], &trace, 100),
        format!("{words}\n")
    );
}
