//! Every command that prints, from outside: pipes that close, full disks, terminals, bad traces.

use super::fixture::{HOSTILE, ms};
use gotrace::trace::file::Writer;
use gotrace::trace::{
    ClockAnchor, Ending, Exec, Exit, ExitStatus, Frame, FramePlace, FrameRole, ImageOffset, Nanos,
    Pid, Process, ProcessId, Record, Sample, SampleKind, SamplePlace, StackId, Tid, Usage,
};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Every command that reads a trace and prints what it found.
const PRINTING: [&[&str]; 22] = [
    &["export", "--format", "perfetto"],
    &["export", "--format", "chrome"],
    &["export", "--format", "firefox"],
    &["export", "--format", "pprof"],
    &["export", "--format", "speedscope"],
    &["export", "--format", "folded"],
    &["export", "--format", "jsonl"],
    &["export", "--format", "csv", "--table", "samples"],
    &["export", "--format", "csv", "--table", "arguments"],
    &["dump"],
    &["flamegraph"],
    &["timeline"],
    &["show"],
    &["show", "--by", "package"],
    &["show", "--by", "action"],
    &["show", "--by", "process"],
    &["show", "--by", "tool"],
    &["show", "--by", "function"],
    &["show", "--by", "image"],
    &["show", "--by", "critical-path"],
    &["show", "--json"],
    &["show", "--json", "--by", "process"],
];

/// Those of them that have `-o`.
fn writing() -> impl Iterator<Item = &'static [&'static str]> {
    PRINTING.into_iter().filter(|words| words[0] != "show")
}

/// A trace file with `count` samples of one program.
fn record(folder: &Path, count: u64) -> PathBuf {
    let path = folder.join(format!("{count}.gotrace"));
    let mut writer = Writer::create(&path, ClockAnchor::default()).unwrap();
    let exe = writer.string(b"/go/bin/go");
    let argv = vec![exe, writer.string(b"build"), writer.string(HOSTILE)];
    let process = Process {
        pid: Pid(7),
        exec: Exec {
            exe,
            argv,
            ..Exec::default()
        },
        ..Process::default()
    };
    writer.record(Record::ProcessStarted(process)).unwrap();
    let stacks = stacks(&mut writer);
    for number in 0..count {
        let sample = Sample {
            time: Nanos(number * 1_000),
            process: ProcessId(0),
            tid: Tid(7),
            goroutine: None,
            stack: stacks[usize::try_from(number % 3).unwrap()],
            weight: Nanos(1_000),
            kind: SampleKind::OnCpu,
            place: SamplePlace::User,
        };
        writer.sample(sample).unwrap();
    }
    let end = Nanos(count * 1_000).max(ms(10));
    let exit = Exit {
        at: end,
        status: ExitStatus::Code(0),
        usage: Usage {
            user: end,
            ..Usage::default()
        },
    };
    writer
        .record(Record::ProcessEnded(ProcessId(0), exit))
        .unwrap();
    let ending = Ending {
        command_end: end,
        status: Some(ExitStatus::Code(0)),
        ..Ending::default()
    };
    writer.record(Record::Ending(ending)).unwrap();
    writer.finish().unwrap();
    path
}

fn stacks(writer: &mut Writer) -> Vec<StackId> {
    let path = writer.string(b"/go/bin/go");
    let image = writer.image(&gotrace::trace::Image {
        path,
        ..gotrace::trace::Image::default()
    });
    let frames = [0x1000, 0x2000, 0x3000].map(|offset| {
        writer.frame(Frame {
            place: FramePlace::Image(image, ImageOffset(offset)),
            role: FrameRole::Executing,
        })
    });
    (0..3).map(|first| writer.stack(&frames[first..])).collect()
}

fn gotrace(words: &[&str], trace: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gotrace"));
    command.args(words).arg(trace).stdin(Stdio::null());
    command
}

fn complaint(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let small = record(folder.path(), 3);
    let large = record(folder.path(), 20_000);
    for trace in [&small, &large] {
        for words in PRINTING {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            let output = gotrace(words, trace).stdout(writer).output().unwrap();
            assert_eq!(complaint(&output), "", "{words:?}");
            assert_eq!(output.status.code(), Some(0), "{words:?}");
        }
    }
    for words in [&["--help"][..], &["--version"], &["show", "--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_gotrace"));
        let output = command.args(words).stdout(writer).output().unwrap();
        assert_eq!(complaint(&output), "", "{words:?}");
    }
}

#[test]
fn a_closed_standard_error_keeps_nothing_from_being_printed() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("gotrace");
    std::fs::create_dir(&state).unwrap();
    record(&state, 3);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    // Without a TRACE the newest one is named on standard error.
    let output = Command::new(env!("CARGO_BIN_EXE_gotrace"))
        .args(["show", "--by", "tool"])
        .env("XDG_STATE_HOME", folder.path())
        .stderr(writer)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(!output.stdout.is_empty());
}

#[test]
fn a_full_disk_is_an_error_that_names_what_was_written() {
    if !Path::new("/dev/full").exists() {
        println!("skipped: no /dev/full here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for count in [3, 20_000] {
        let trace = record(folder.path(), count);
        for words in PRINTING {
            let full = File::options().write(true).open("/dev/full").unwrap();
            let output = gotrace(words, &trace).stdout(full).output().unwrap();
            let complaint = complaint(&output);
            let named = complaint.contains("standard output: cannot write: No space left");
            assert!(named, "{words:?}: {complaint}");
            assert!(complaint.starts_with("gotrace: "), "{complaint}");
            assert_eq!(complaint.lines().count(), 1, "{complaint}");
            assert_eq!(output.status.code(), Some(4), "{words:?}");
        }
        for words in writing() {
            let mut command = gotrace(words, &trace);
            let output = command.args(["-o", "/dev/full"]).output().unwrap();
            let complaint = complaint(&output);
            let named = complaint.contains("/dev/full: cannot write: No space left");
            assert!(named, "{words:?}: {complaint}");
            assert_eq!(output.status.code(), Some(4), "{words:?}");
        }
    }
}

#[test]
fn a_file_a_dash_and_nothing_at_all_are_given_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), 1_000);
    for words in writing() {
        let path = folder.path().join("out");
        let to = |operand: &Path| {
            let mut command = gotrace(words, &trace);
            let output = command.arg("-o").arg(operand).output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{words:?}");
            output.stdout
        };
        let printed = match words {
            // On a terminal it is another picture.
            ["timeline"] => to(Path::new("-")),
            _ => gotrace(words, &trace).output().unwrap().stdout,
        };
        assert!(!printed.is_empty(), "{words:?}");
        assert_eq!(to(Path::new("-")), printed, "{words:?}");
        assert_eq!(to(&path), b"", "{words:?}");
        assert_eq!(std::fs::read(&path).unwrap(), printed, "{words:?}");
    }
    let of = |words: &[&str]| gotrace(words, &trace).output().unwrap().stdout;
    assert_eq!(of(&["dump"]), of(&["export", "--format", "jsonl"]));
}

#[test]
fn bad_traces_are_named_and_end_with_3() {
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read(record(folder.path(), 3)).unwrap();
    let mut newer = whole.clone();
    newer[8] = 0xee;
    let bad: [(&str, Option<&[u8]>); 5] = [
        ("missing", None),
        ("empty", Some(b"")),
        ("other", Some(b"no trace at all, but a text\n")),
        ("cut", Some(&whole[..12])),
        ("newer", Some(&newer)),
    ];
    for (name, bytes) in bad {
        let path = folder.path().join(name);
        if let Some(bytes) = bytes {
            std::fs::write(&path, bytes).unwrap();
        }
        for words in PRINTING {
            let output = gotrace(words, &path).output().unwrap();
            let complaint = complaint(&output);
            let wanted = format!("gotrace: {}: ", path.display());
            assert!(complaint.starts_with(&wanted), "{words:?}: {complaint}");
            assert_eq!(output.status.code(), Some(3), "{words:?}: {complaint}");
            assert_eq!(output.stdout, b"", "{words:?}");
        }
    }
}

/// What a command prints on a terminal, as script(1) hears it; `None` where there is none.
fn on_terminal(words: &[&str], trace: &Path, no_color: &str) -> Option<Vec<u8>> {
    let quoted = |word: &str| format!("'{}'", word.replace('\'', "'\\''"));
    let mut line = quoted(env!("CARGO_BIN_EXE_gotrace"));
    for word in words.iter().copied().chain([trace.to_str().unwrap()]) {
        line.push(' ');
        line.push_str(&quoted(word));
    }
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .env("TERM", "xterm-256color")
        .env("NO_COLOR", no_color)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    assert!(output.status.success(), "{words:?}");
    Some(output.stdout)
}

#[test]
fn colours_are_for_terminals_and_not_with_no_color() {
    const ESCAPE: u8 = 0x1b;
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), 3);
    for words in PRINTING.into_iter().filter(|words| words[0] == "show") {
        let piped = gotrace(words, &trace)
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR")
            .output()
            .unwrap();
        assert!(!piped.stdout.contains(&ESCAPE), "{words:?}");
        let Some(coloured) = on_terminal(words, &trace, "") else {
            println!("skipped: no script(1); apt-get install bsdutils");
            return;
        };
        if !words.contains(&"--json") {
            assert!(coloured.contains(&ESCAPE), "{words:?}");
        }
        let plain = on_terminal(words, &trace, "1").unwrap();
        assert!(!plain.is_empty() && !plain.contains(&ESCAPE), "{words:?}");
    }
}

/// The largest resident set of a command in KiB, as time(1) has it.
fn peak_kib(words: &[&str], trace: &Path, report: &Path) -> Option<u64> {
    let status = Command::new("/usr/bin/time")
        .args(["--format", "%M", "--output"])
        .arg(report)
        .arg(env!("CARGO_BIN_EXE_gotrace"))
        .args(words)
        .arg(trace)
        .stdout(Stdio::null())
        .status()
        .ok()?;
    assert!(status.success(), "{words:?}");
    let report = std::fs::read_to_string(report).unwrap();
    Some(report.trim().parse().unwrap())
}

#[test]
fn memory_does_not_grow_with_the_number_of_samples() {
    let folder = tempfile::tempdir().unwrap();
    let (few, many) = (
        record(folder.path(), 10_000),
        record(folder.path(), 200_000),
    );
    let report = folder.path().join("report");
    for words in writing() {
        let Some(small) = peak_kib(words, &few, &report) else {
            println!("skipped: no time(1); apt-get install time");
            return;
        };
        let large = peak_kib(words, &many, &report).unwrap();
        // 190,000 samples more would be 12 MiB as they are in memory.
        assert!(
            large < small + 4 * 1024,
            "{words:?}: {small} and {large} KiB"
        );
    }
}
