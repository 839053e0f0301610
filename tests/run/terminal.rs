//! The command on a terminal: it keeps it, and the status line stays out of its way.

use super::command::ways;
use crate::pty::{self, rest, until};
use crate::traced::{Place, program};
use nix::sys::signal::Signal;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command};

/// Runs a command as the leader of a session whose terminal is a new one.
fn on_terminal(place: &Place, run: &Command) -> (Child, File) {
    pty::start(place.command("setsid"), run)
}

#[test]
fn ctrl_c_reaches_the_command_once_and_gotrace_ends_with_it() {
    let script = "trap 'echo got; exit 5' INT; echo ready; while :; do sleep 0.05; done";
    for way in ways() {
        let place = Place::new();
        let run = place.run(&way, &["sh", "-c", script]);
        let (mut child, mut terminal) = on_terminal(&place, &run);
        until(&mut terminal, "ready");
        terminal.write_all(b"\x03").unwrap();
        let seen = rest(&mut terminal);
        assert_eq!(seen.matches("got\r\n").count(), 1, "{way:?}: {seen}");
        assert_eq!(child.wait().unwrap().code(), Some(5), "{way:?}");
        place.trace();
    }
}

#[test]
fn ctrl_c_that_kills_the_command_kills_gotrace_after_the_trace_is_whole() {
    for way in ways() {
        let place = Place::new();
        let run = place.run(&way, &["sh", "-c", "echo ready; exec sleep 1000"]);
        let (mut child, mut terminal) = on_terminal(&place, &run);
        until(&mut terminal, "ready");
        terminal.write_all(b"\x03").unwrap();
        rest(&mut terminal);
        let end = child.wait().unwrap();
        assert_eq!(end.signal(), Some(Signal::SIGINT as i32), "{way:?}: {end}");
        let trace = place.trace();
        let status = trace.ending.unwrap().status.unwrap();
        assert_eq!(
            status,
            gotrace::trace::ExitStatus::Signal(Signal::SIGINT as i32)
        );
        program(&trace, "sh");
    }
}

#[test]
fn ctrl_z_and_fg_work_as_without_gotrace() {
    for way in ways() {
        let place = Place::new();
        let run = place.run(
            &way,
            &["sh", "-c", "echo ready; read line; echo back $line"],
        );
        let words: Vec<String> = std::iter::once(run.get_program())
            .chain(run.get_args())
            .map(|word| format!("'{}'", word.to_string_lossy().replace('\'', "'\\''")))
            .collect();
        // A shell with job control is what stops and continues jobs.
        let mut shell = place.command("sh");
        shell.args(["-m", "-i", "-c"]);
        shell.arg(format!(
            "{}; echo stopped $?; fg; echo ended $?",
            words.join(" ")
        ));
        let (mut child, mut terminal) = on_terminal(&place, &shell);
        until(&mut terminal, "ready");
        terminal.write_all(b"\x1a").unwrap();
        until(&mut terminal, "stopped");
        terminal.write_all(b"again\n").unwrap();
        let seen = until(&mut terminal, "ended 0");
        assert!(seen.contains("back again"), "{way:?}: {seen}");
        rest(&mut terminal);
        assert!(child.wait().unwrap().success());
        place.trace();
    }
}

#[test]
fn a_series_has_one_status_line_which_says_which_run_it_is() {
    let place = Place::new();
    let flags = [
        "-n",
        "2",
        "--warm-up",
        "0",
        "--vary",
        "A=1",
        "--vary",
        "A=2",
    ];
    let run = place.repeat(&flags, &["sleep", "0.6"]);
    let (mut child, mut terminal) = on_terminal(&place, &run);
    let seen = rest(&mut terminal);
    assert!(child.wait().unwrap().success(), "{seen}");
    for words in ["run 1 of 4, A=1, ", "run 3 of 4, A=2 (about "] {
        assert!(seen.contains(words), "{seen:?}");
    }
    // The runs are summed up in a table, and not told of one by one.
    assert!(!seen.contains("gotrace: run"), "{seen:?}");
    assert!(seen.contains("configuration"), "{seen:?}");
}

#[test]
fn the_status_line_is_for_terminals_and_not_for_the_quiet() {
    let command = ["sh", "-c", "tty; sleep 2"];
    let shown = |flags: &[&str]| {
        let place = Place::new();
        let run = place.run(flags, &command);
        let (mut child, mut terminal) = on_terminal(&place, &run);
        let seen = rest(&mut terminal);
        assert!(child.wait().unwrap().success());
        assert!(seen.contains("/dev/pts/"), "not on a terminal: {seen}");
        seen
    };
    let seen = shown(&[]);
    assert!(
        seen.contains("process") && seen.contains("\x1b8"),
        "{seen:?}"
    );
    let seen = shown(&["--quiet"]);
    assert!(!seen.contains('\x1b'), "{seen:?}");
    let place = Place::new();
    let output = place.run(&[], &command).output().unwrap();
    assert!(!output.stderr.contains(&0x1b));
}
