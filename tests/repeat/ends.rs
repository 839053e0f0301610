//! How a series ends before its time, and what is refused.

use crate::series::counting;
use crate::traced::{Place, stderr};
use gotrace::trace::ExitStatus;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};

/// Waits until the command has said which run it is.
fn until_run(child: &mut Child, number: u32) {
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while line.trim_end() != format!("run {number}") {
        line.clear();
        assert!(out.read_line(&mut line).unwrap() > 0, "it ended before");
    }
}

#[test]
fn ctrl_c_ends_the_series_and_keeps_the_finished_runs() {
    for to_group in [true, false] {
        let place = Place::new();
        let flags = ["-n", "5", "--warm-up", "0", "--cold"];
        let mut repeat = place.repeat(&flags, &counting("exec sleep 1000"));
        repeat.process_group(0).stdout(Stdio::piped());
        repeat.stderr(Stdio::piped());
        let mut child = repeat.spawn().unwrap();
        until_run(&mut child, 3);
        let pid = i32::try_from(child.id()).unwrap();
        let target = if to_group { -pid } else { pid };
        kill(Pid::from_raw(target), Signal::SIGINT).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
        assert_eq!(place.files(), ["1.gotrace", "2.gotrace"]);
        for name in place.files() {
            let ending = place.run_of(&name).ending.unwrap();
            assert_eq!(ending.status, Some(ExitStatus::Code(0)));
        }
        assert!(place.temporary().is_empty(), "{:?}", place.temporary());
    }
}

#[test]
fn a_command_that_fails_ends_the_series_and_its_trace_is_no_run() {
    let place = Place::new();
    let flags = ["-n", "5", "--warm-up", "0"];
    let output = place.repeat(&flags, &counting("exit 7")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(
        said.contains("run 3 of 5: the command ended with exit status 7"),
        "{said}"
    );
    assert!(said.contains("hint: --ignore-failure"), "{said}");
    assert_eq!(place.files(), ["1.gotrace", "2.gotrace", "3.failed"]);
    let ending = place.run_of("3.failed").ending.unwrap();
    assert_eq!(ending.status, Some(ExitStatus::Code(7)));
}

#[test]
fn runs_that_fail_are_kept_when_asked() {
    let place = Place::new();
    let flags = ["-n", "4", "--warm-up", "0", "--ignore-failure"];
    let script = counting("kill -KILL $$");
    let output = place.repeat(&flags, &script).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("run 4 of 4: the command ended with signal 9"));
    assert_eq!(place.files().len(), 4);
    let ending = place.run_of("4.gotrace").ending.unwrap();
    assert_eq!(ending.status, Some(ExitStatus::Signal(9)));
}

#[test]
fn a_warm_up_that_fails_ends_the_series_too() {
    let place = Place::new();
    let output = place.repeat(&["-n", "2"], &["false"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("warm-up 1 of 1: the command ended"));
    assert_eq!(place.files(), ["warm-up.failed"]);
}

#[test]
fn what_cannot_be_run_leaves_nothing() {
    let place = Place::new();
    for (command, code) in [("no-such-command", 127), ("/etc/passwd", 126)] {
        let vary = ["--vary", "A=1", "--vary", "A=2"];
        let output = place.repeat(&vary, &[command]).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert!(!place.path("series").exists());
    }
}

#[test]
fn wrong_words_are_usage_errors() {
    let place = Place::new();
    for flags in [
        &["-n", "0"][..],
        &["-n", "x"],
        &["-n", "-1"],
        &["--warm-up", "x"],
        &["--vary", "A"],
        &["--vary", "=1"],
        &["--vary", ""],
        &["--target", "arm64"],
        &["--cross-compile"],
    ] {
        let output = place.repeat(flags, &["true"]).output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(2),
            "{flags:?}: {}",
            stderr(&output)
        );
        assert!(!place.path("series").exists(), "{flags:?}");
    }
}

#[test]
fn a_folder_that_holds_other_things_is_left_alone() {
    let place = Place::new();
    let series = place.path("series");
    std::fs::create_dir(&series).unwrap();
    std::fs::write(series.join("notes.txt"), "mine").unwrap();
    let output = place
        .repeat(&["-n", "1"], &["touch", "ran"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    let said = stderr(&output);
    assert!(
        said.contains("series: holds notes.txt: expected an empty folder"),
        "{said}"
    );
    assert_eq!(place.files(), ["notes.txt"]);
    assert!(!place.path("work/ran").exists());

    std::fs::remove_file(series.join("notes.txt")).unwrap();
    let output = place.repeat(&["-n", "1"], &["true"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(place.files(), ["1.gotrace"]);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let place = Place::new();
    std::fs::write(place.path("series"), "a file").unwrap();
    let output = place
        .repeat(&["-n", "1"], &["touch", "ran"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    let said = stderr(&output);
    assert!(said.contains("series: cannot create: "), "{said}");
    let mut below = place.command(env!("CARGO_BIN_EXE_gotrace"));
    below.args([
        "repeat",
        "-n",
        "1",
        "-o",
        "/proc/series",
        "--",
        "touch",
        "ran",
    ]);
    assert!(matches!(below.output().unwrap().status.code(), Some(3 | 4)));
    assert!(!place.path("work/ran").exists());
}
