//! Signals, stops, descendants that live on, and a gotrace that dies.

use super::command::ways;
use crate::traced::{Place, argv, end, flags_of, go, path_with, program, stderr};
use gotrace::capture::Name;
use gotrace::trace::{ExitStatus, Trace};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap())
}

/// Starts a command, and returns when it has printed a line.
fn started(run: &mut Command) -> (Child, BufReader<ChildStdout>, String) {
    run.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = run.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    (child, out, line.trim_end().to_owned())
}

#[test]
fn a_signal_for_gotrace_is_for_the_command_and_comes_once() {
    let script = "trap 'echo got; n=$((n+1))' TERM HUP USR1 INT; echo ready; \
                  while [ ${n:-0} -lt 1 ]; do sleep 0.05; done; sleep 0.3; exit 7";
    for way in ways() {
        for signal in [
            Signal::SIGTERM,
            Signal::SIGHUP,
            Signal::SIGUSR1,
            Signal::SIGINT,
        ] {
            let place = Place::new();
            let (mut child, mut out, line) = started(&mut place.run(&way, &["sh", "-c", script]));
            assert_eq!(line, "ready");
            kill(pid(&child), signal).unwrap();
            let mut rest = String::new();
            out.read_to_string(&mut rest).unwrap();
            assert_eq!(rest, "got\n", "{way:?} {signal}");
            assert_eq!(child.wait().unwrap().code(), Some(7));
            place.trace();
        }
    }
}

/// As a compiler does when the go command above it ends at once.
#[test]
fn what_ends_moments_after_an_interrupted_command_is_recorded_to_its_end() {
    let inner = "trap 'i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done; exit 4' TERM; \
                 echo ready; while :; do sleep 0.01; done";
    let outer = "trap 'exit 3' TERM; sh -c \"$0\" & wait";
    for way in ways().into_iter().filter(|way| way.contains(&"bpf")) {
        let place = Place::new();
        let mut run = place.run(&way, &["sh", "-c", outer, inner]);
        let (mut child, _out, line) = started(run.process_group(0));
        assert_eq!(line, "ready");
        let group = Pid::from_raw(-pid(&child).as_raw());
        kill(group, Signal::SIGTERM).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(3));
        let trace = place.trace();
        let shells = trace.processes.iter();
        let shells = shells.filter(|row| argv(&trace, row)[0] == b"sh");
        let ends: Vec<_> = shells.map(|row| row.exit.map(|exit| exit.status)).collect();
        let expected = [3, 4].map(|code| Some(ExitStatus::Code(code)));
        assert_eq!(ends, expected);
    }
}

#[test]
fn a_stop_stops_both_and_both_go_on() {
    for way in ways() {
        let place = Place::new();
        let mut run = place.run(&way, &["sh", "-c", "echo $$; read line; exit 4"]);
        // In a group of its own, gotrace has its parent outside of it, as under a shell with job
        // control: a group without that is not stopped by the terminal's signal.
        run.process_group(0).stdin(Stdio::piped());
        let (mut child, _out, line) = started(&mut run);
        let command: i32 = line.parse().unwrap();
        let gotrace = pid(&child);
        kill(gotrace, Signal::SIGTSTP).unwrap();
        let stopped = waitpid(gotrace, Some(WaitPidFlag::WUNTRACED)).unwrap();
        assert!(matches!(stopped, WaitStatus::Stopped(..)), "{stopped:?}");
        let state = || {
            let stat = std::fs::read_to_string(format!("/proc/{command}/stat")).unwrap();
            stat.rsplit(')').next().unwrap().trim_start().chars().next()
        };
        assert_eq!(state(), Some('T'));
        kill(gotrace, Signal::SIGCONT).unwrap();
        // The command reads the end of its input only when it goes on.
        drop(child.stdin.take());
        assert_eq!(child.wait().unwrap().code(), Some(4));
        place.trace();
    }
}

#[test]
fn descendants_that_live_on_are_named_and_left_alone() {
    for way in ways() {
        let place = Place::new();
        let script = "sleep 1000 >/dev/null 2>&1 & until grep -q sleep /proc/$!/comm; do :; done; echo $!; exit 3";
        let output = place.run(&way, &["sh", "-c", script]).output().unwrap();
        assert_eq!(output.status.code(), Some(3));
        let sleeping: i32 = String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse()
            .unwrap();
        kill(Pid::from_raw(sleeping), Signal::SIGKILL).unwrap();
        let said = stderr(&output);
        assert!(said.contains(&format!("sleep (pid {sleeping})")), "{said}");
        let trace = place.trace();
        let spots = trace.blind_spots.iter();
        let told = spots.filter(|spot| trace.text(spot.what).contains("sleep (pid"));
        assert_eq!(told.count(), 1);
        if way[1] == "bpf" {
            assert_eq!(program(&trace, "sleep").exit, None);
        }
    }
}

#[test]
fn descendants_are_waited_for_when_asked() {
    for way in ways() {
        let place = Place::new();
        let flags = [way[0], way[1], "--wait"];
        let script = "(sleep 0.5; touch late) >/dev/null 2>&1 & exit 3";
        let output = place.run(&flags, &["sh", "-c", script]).output().unwrap();
        assert_eq!(output.status.code(), Some(3));
        assert!(place.path("work/late").exists());
        let trace = place.trace();
        assert_eq!(
            program(&trace, "sh").exit.unwrap().status,
            ExitStatus::Code(3)
        );
        if way[1] == "bpf" {
            assert!(program(&trace, "touch").exit.is_some());
        }
    }
}

#[test]
fn what_was_recorded_a_while_before_gotrace_was_killed_is_there() {
    for way in ways() {
        let place = Place::new();
        let script = "/bin/true early; sleep 3; echo ready; read line; echo went on; exit 0";
        let mut run = place.run(&way, &["sh", "-c", script]);
        run.stdin(Stdio::piped());
        let (mut child, mut out, line) = started(&mut run);
        assert_eq!(line, "ready");
        let input = child.stdin.take();
        child.kill().unwrap();
        child.wait().unwrap();
        drop(input);
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "went on\n", "the command did not go on");
        let trace = Trace::open(&place.path("trace")).unwrap();
        assert!(trace.integrity.unsealed && trace.ending.is_none());
        assert_eq!(trace.integrity.damaged_blocks, 0);
        program(&trace, "sh");
        if way[1] == "bpf" {
            assert!(program(&trace, "true").exit.is_some());
        }
    }
}

#[test]
fn a_build_finishes_though_gotrace_is_killed() {
    let Some(go) = go() else { return };
    for way in ways() {
        let place = Place::new();
        let write = |name: &str, text: &str| {
            std::fs::write(place.path("work").join(name), text).unwrap();
        };
        // What this needs of the standard library is the runtime, which takes long enough to compile.
        write("go.mod", "module example.com/hello\n\ngo 1.21\n");
        write("main.go", "package main\n\nfunc main() { println(1) }\n");
        let script = "echo ready; exec go build -v -o ../built .";
        let mut run = place.run(&way, &["sh", "-c", script]);
        run.env("PATH", path_with(&go));
        run.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = run.spawn().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        // `go build -v` names each package as it comes to it: this is in mid-build.
        let mut line = String::new();
        while !line.contains("internal/") {
            line.clear();
            assert!(errors.read_line(&mut line).unwrap() > 0);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let mut rest = String::new();
        errors.read_to_string(&mut rest).unwrap();
        assert!(
            rest.ends_with("example.com/hello\n") || rest.lines().count() > 5,
            "{rest}"
        );
        let hello = Command::new(place.path("built")).output().unwrap();
        assert_eq!(end(&hello), (Some(0), None), "{way:?}: {rest}");
        let trace = Trace::open(&place.path("trace")).unwrap();
        assert!(trace.integrity.unsealed);
        assert!(
            trace
                .processes
                .iter()
                .all(|row| !argv(&trace, row).is_empty())
        );
    }
}

/// Folders of a run: below the temporary folder, and in memory, by gotrace's process id.
fn run_folders(temporary: &Path, gotrace: u32) -> Vec<PathBuf> {
    let mine = |entry: &std::fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with(&format!("gotrace-{gotrace}-"))
    };
    let places = [temporary, Path::new("/dev/shm")].into_iter();
    let entries = places.flat_map(|place| std::fs::read_dir(place).into_iter().flatten());
    let entries = entries.flatten().filter(mine);
    entries.map(|entry| entry.path()).collect()
}

#[test]
fn what_a_killed_gotrace_left_goes_with_the_next_run_when_its_command_is_gone_too() {
    if flags_of(&[Name::Audit]).is_empty() {
        return;
    }
    let place = Place::new();
    let temporary = place.path("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let command = ["sh", "-c", "echo ready; read line; exec /bin/true"];
    let flags = ["--quiet", "--bindings", "--backend", "toolexec"];
    let mut run = place.run(&flags, &command);
    run.env("TMPDIR", &temporary).stdin(Stdio::piped());
    let (mut child, mut out, line) = started(&mut run);
    assert_eq!(line, "ready");
    let (gotrace, input) = (child.id(), child.stdin.take());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(run_folders(&temporary, gotrace).len(), 2);
    let next = || {
        let mut next = place.run(&["--quiet", "--backend", "toolexec"], &["true"]);
        let output = next.env("TMPDIR", &temporary).output().unwrap();
        assert_eq!((end(&output), &*stderr(&output)), ((Some(0), None), ""));
    };
    // What its programs are told to load and to run stays while there are any.
    next();
    let [left] = &run_folders(&temporary, gotrace)[..] else {
        panic!("{:?}", run_folders(&temporary, gotrace));
    };
    assert!(left.join("audit").is_dir() && left.join("gotrace").exists());
    drop(input);
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    // Its output ends a moment before its last process does.
    let gone = (0..100).any(|_| {
        next();
        run_folders(&temporary, gotrace).is_empty()
    });
    assert!(gone, "{:?}", run_folders(&temporary, gotrace));
}
