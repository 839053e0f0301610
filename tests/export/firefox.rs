//! Firefox Profiler's processed profile, read by a checker that knows the format and not the writer.

use super::fixture::{self, GENERIC, HOSTILE, SAMPLES, ms};
use super::lines::{Lines, by_kind, row};
use super::python;
use gotrace::analyze::Analysis;
use gotrace::export::firefox;
use gotrace::trace::{Nanos, ProcessId, Sample, SampleKind, SamplePlace, StackId, Tid, Trace};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The lines of `firefox.py` about a trace, by their first field.
pub(crate) fn firefox_of(trace: &Trace) -> Option<Lines> {
    let mut out = Vec::new();
    firefox::write(&Analysis::of(trace), &mut out).unwrap();
    python::read("export/firefox.py", &out).map(|said| by_kind(&said))
}

fn at(millis: u64) -> String {
    ms(millis).0.to_string()
}

#[test]
fn running_threads_have_their_samples() {
    let Some(lines) = firefox_of(&fixture::trace()) else {
        return;
    };
    let times = [20, 110, 310, 320, 330, 350];
    let running = SAMPLES.iter().filter(|sample| sample.3);
    let expected: Vec<_> = running
        .zip(times)
        .map(|((pid, stack, weight, _), time)| {
            row(&[&[&*pid.to_string(), &at(time), &at(*weight)], *stack].concat())
        })
        .collect();
    assert_eq!(lines["sample"], expected);
}

#[test]
fn programs_are_processes_of_their_own() {
    let Some(lines) = firefox_of(&fixture::trace()) else {
        return;
    };
    let expected = [
        ["go build ./...", "go build ./...", "go build ./...", "0"],
        [
            "lost or not seen",
            "lost or not seen",
            "lost or not seen",
            "0",
        ],
        ["100", "go", "go", "1"],
        ["101", "compile m/a", "compile m/a", "1"],
        ["102", "compile m/b", "compile m/b", "4"],
        ["104", "link m/cmd", "link m/cmd", "0"],
        ["105", "shell m/cmd", "shell m/cmd", "0"],
        ["105.2", "cc m/cmd", "cc m/cmd", "0"],
    ];
    assert_eq!(lines["thread"], expected.map(|thread| row(&thread)));
}

#[test]
fn frames_have_their_kind_of_code() {
    let Some(lines) = firefox_of(&fixture::trace()) else {
        return;
    };
    let image = "/go/pkg/tool/linux_amd64/compile";
    let (main, sum) = ("/go/src/cmd/compile/main.go", "/src/m/b/sum.go");
    let assembly = "/go/src/runtime/asm_amd64.s";
    let expected = [
        ["runtime.goexit", "Go runtime", image, assembly, "1", "0"],
        ["main.main", "Go", image, main, "20", "0"],
        ["m/b.add", "Go", image, sum, "4", "1"],
        [GENERIC, "Go", image, sum, "9", "0"],
        ["[no symbol: compile]", "Other", image, "-", "None", "0"],
        ["[kernel]", "Kernel", "-", "-", "None", "0"],
        ["[truncated]", "Other", "-", "-", "None", "0"],
    ];
    assert_eq!(lines["frame"], expected.map(|frame| row(&frame)));
}

#[test]
fn what_happened_is_a_marker() {
    let Some(lines) = firefox_of(&fixture::trace()) else {
        return;
    };
    let markers = |pid: &str, kind: &str| {
        let of = lines["marker"].iter();
        let of = of.filter(|marker| marker[0] == pid && marker[1] == kind);
        of.map(|marker| marker[2..].to_vec()).collect::<Vec<_>>()
    };
    let span = |name: &str, from, to, text: &str| row(&[name, &at(from), &at(to), text]);
    let build = "go build ./...";
    let actions = [
        span("link", 700, 950, "m/cmd"),
        span("compile", 300, 700, "m/b"),
        span("compile", 100, 300, "m/a"),
        span("compile", 50, 60, "fmt"),
    ];
    assert_eq!(markers(build, "action"), actions);
    let wait = span("waiting for a slot", 60, 100, "compile m/a");
    assert_eq!(markers(build, "wait"), [wait]);
    assert!(markers(build, "critical-path").contains(&span(
        "critical path",
        300,
        700,
        "compile m/b"
    )));
    assert_eq!(markers("101", "phase"), [span("compile", 110, 200, "ssa")]);
    let relocations = [
        span("relocation", 732, 734, "relocation"),
        span("relocation for dlopen", 801, 802, "relocation for dlopen"),
    ];
    assert_eq!(markers("105.2", "relocation"), relocations);
    let loads: Vec<_> = markers("105.2", "load")
        .iter()
        .map(|load| load[0].clone())
        .collect();
    assert_eq!(loads, ["gcc", "libc.so.6", "libz.so.1"]);
    let lost = span("lost: samples", 400, 420, "lost: samples");
    assert_eq!(markers("lost or not seen", "loss"), [lost]);
    let unseen = row(&[
        "not seen: an action graph",
        &at(500),
        "-",
        "not seen: an action graph",
    ]);
    assert_eq!(markers("lost or not seen", "blind-spot"), [unseen]);
    let life = &markers("102", "process")[0];
    let hostile = String::from_utf8_lossy(HOSTILE).replace('\n', "\\n");
    assert!(life[3].contains(&hostile), "{}", &life[3][..200]);
}

#[test]
fn nothing_and_a_single_sample_are_profiles_too() {
    let mut trace = Trace::default();
    let Some(lines) = firefox_of(&trace) else {
        return;
    };
    assert!(!lines.contains_key("thread"), "{lines:?}");
    trace.processes = fixture::trace().processes;
    trace.processes.truncate(1);
    trace.processes[0].exit = None;
    trace.processes[0].exec.argv.clear();
    trace.push_samples(&[sample(5, 0)]);
    let lines = firefox_of(&trace).unwrap();
    assert_eq!(lines["sample"], [row(&["100", "5", "1000"])]);
}

fn sample(time: u64, process: u32) -> Sample {
    Sample {
        time: Nanos(time),
        process: ProcessId(process),
        tid: Tid(100 + process),
        goroutine: None,
        stack: StackId::EMPTY,
        weight: Nanos(1_000),
        kind: SampleKind::OnCpu,
        place: SamplePlace::User,
    }
}

/// More samples than are held at once, in one thread and in several.
#[test]
fn no_sample_is_left_out_of_many() {
    const EACH: u64 = 1 << 16;
    let mut trace = fixture::trace();
    for process in [0, 1, 2, 4] {
        let samples: Vec<_> = (0..EACH).map(|number| sample(number, process)).collect();
        trace.push_samples(&samples);
    }
    let large: Vec<_> = (0..3 * EACH)
        .map(|number| sample(EACH + number, 1))
        .collect();
    trace.push_samples(&large);
    let mut out = Vec::new();
    firefox::write(&Analysis::of(&trace), &mut out).unwrap();
    let whole: Value = serde_json::from_slice(&out).unwrap();
    let threads = whole["threads"].as_array().unwrap();
    let counts = ["time", "weight", "stack", "threadCPUDelta"].map(|column| {
        let lengths = threads.iter().map(|thread| {
            let samples = &thread["samples"];
            let length = samples[column].as_array().unwrap().len() as u64;
            assert_eq!(samples["length"], length);
            length
        });
        lengths.collect::<Vec<_>>()
    });
    let expected = [0, 0, EACH + 1, 4 * EACH + 1, EACH + 4, EACH, 0, 0];
    assert_eq!(counts, [(); 4].map(|()| expected.to_vec()));
}

/// Firefox Profiler's own code, as it is published: a program that upgrades a file, and answers about it in a session.
struct Published {
    program: PathBuf,
    folder: TempDir,
}

impl Published {
    /// It with the file of a trace; `None`, and why, where it is not to be had.
    fn with(trace: &Trace) -> Option<Self> {
        const FOLDER: &str = ".tools/consumers/firefox-profiler-0.10.0";
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let program = root.join(FOLDER).join("profiler-cli.js");
        if !program.exists() {
            println!("skipped: no {FOLDER}; scripts/fetch-consumers");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut out = Vec::new();
        firefox::write(&Analysis::of(trace), &mut out).unwrap();
        std::fs::write(folder.path().join("profile.json"), out).unwrap();
        let published = Self { program, folder };
        published.says(&["load", "profile.json"]);
        Some(published)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("node");
        command.arg(&self.program).args(words);
        command.current_dir(self.folder.path());
        command.env(
            "PROFILER_CLI_SESSION_DIR",
            self.folder.path().join("sessions"),
        );
        command.env("PROFILER_CLI_NO_SYMBOLICATE", "1");
        command
    }

    fn says(&self, words: &[&str]) -> String {
        let output = self.command(words).output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {complaint}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, words: &[&str]) -> Value {
        let words = [words, &["--json"]].concat();
        serde_json::from_str(&self.says(&words)).unwrap()
    }
}

impl Drop for Published {
    /// What it has started in the background ends.
    fn drop(&mut self) {
        let output = self.command(&["stop", "--all"]).output().unwrap();
        assert!(output.status.success() || std::thread::panicking());
    }
}

/// Milliseconds of JSON, which are sums of fractions.
fn nanos(millis: &Value) -> u64 {
    (millis.as_f64().unwrap() * 1e6).round() as u64
}

#[test]
fn the_published_profiler_counts_the_same() {
    let trace = fixture::trace();
    let Some(published) = Published::with(&trace) else {
        return;
    };
    // Own and total time of each function of a program.
    let mut known: BTreeMap<(String, String), [u64; 2]> = BTreeMap::new();
    for (pid, stack, weight, _) in SAMPLES.into_iter().filter(|sample| sample.3) {
        for (at, name) in stack.iter().enumerate() {
            let times = known.entry((pid.to_string(), (*name).to_owned()));
            let [own, total] = times.or_default();
            *total += ms(weight).0;
            if at + 1 == stack.len() {
                *own += ms(weight).0;
            }
        }
    }

    let info = published.json(&["profile", "info", "--all"]);
    let mut found = BTreeMap::new();
    for program in info["processes"].as_array().unwrap() {
        let pid = program["pid"].as_str().unwrap();
        let thread = &program["threads"][0]["threadHandle"];
        published.says(&["thread", "select", thread.as_str().unwrap()]);
        let functions = published.json(&["thread", "functions"]);
        for function in functions["functions"].as_array().unwrap() {
            let name = function["name"].as_str().unwrap().to_owned();
            let times = ["selfSamples", "totalSamples"].map(|time| nanos(&function[time]));
            found.insert((pid.to_owned(), name), times);
        }
    }
    assert_eq!(found, known);
}
