//! The backend `dtrace`, with a `dtrace` that prints transcripts: written by hand from what Apple's prints
//! (libdtrace-409, `cmd/dtrace/dtrace.c`).

use super::traced::{Place, argv, go, path_with, program, sample, stderr, warm_cache};
use gotrace::trace::{Argument, CallEdge, FramePlace, ProcessId, StackOwner, Trace};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const APPLES: &str = "dtrace: Sun D 1.19\n";

/// A place with a `dtrace` in front of its `PATH`.
struct Replay {
    place: Place,
    path: OsString,
}

impl Replay {
    /// `None` where it cannot be tried; says why.
    fn new(path: &OsStr) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            println!("skipped: dtrace wants root: sudo scripts/test");
            return None;
        }
        let place = Place::new();
        let bin = place.path("bin");
        fs::create_dir(&bin).unwrap();
        let folders = std::env::split_paths(path);
        let folders = [bin.clone()].into_iter().chain(folders);
        let path = std::env::join_paths(folders).unwrap();
        let replay = Self { place, path };
        fs::copy(data("dtrace.py"), bin.join("dtrace")).unwrap();
        replay.file("version", APPLES);
        Some(replay)
    }

    fn here() -> Option<Self> {
        Self::new(&std::env::var_os("PATH").unwrap_or_default())
    }

    fn file(&self, name: &str, text: &str) {
        fs::write(self.place.path("bin").join(name), text).unwrap();
    }

    /// A transcript for all scripts.
    fn transcript(&self, lines: &str) {
        self.file("all.transcript", &format!("when BEGIN\n{lines}"));
    }

    fn run(&self, flags: &[&str], command: &[&str]) -> Command {
        let flags = [&["--backend", "dtrace"], flags].concat();
        let mut run = self.place.run(&flags, command);
        run.env("PATH", &self.path);
        run
    }

    /// What `dtrace` was asked for, in each of its runs.
    fn asked(&self) -> Vec<String> {
        let files = fs::read_dir(self.place.path("bin")).unwrap();
        let files = files.map(|entry| entry.unwrap().path());
        let asked = files.filter(|path| path.extension().is_some_and(|end| end == "asked"));
        asked
            .map(|path| fs::read_to_string(path).unwrap())
            .collect()
    }
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/run/dtrace")
        .join(name)
}

fn losses(trace: &Trace) -> Vec<(String, u64, String)> {
    let text = |id| String::from_utf8_lossy(trace.strings.get(id)).into_owned();
    let losses = trace.losses.iter();
    losses
        .map(|loss| (text(loss.what), loss.count, text(loss.why)))
        .collect()
}

fn blind_spots(trace: &Trace) -> Vec<String> {
    let spots = trace.blind_spots.iter();
    spots
        .map(|spot| String::from_utf8_lossy(trace.strings.get(spot.why)).into_owned())
        .collect()
}

#[test]
fn a_build_has_the_calls_and_samples_of_the_transcript() {
    let Some(go) = go() else { return };
    let Some(replay) = Replay::new(&path_with(&go)) else {
        return;
    };
    for name in ["compile.transcript", "other.transcript"] {
        fs::copy(data(name), replay.place.path("bin").join(name)).unwrap();
    }
    sample("hello", &replay.place.path("work"));
    let output = replay
        .run(
            &[
                "--rate=500",
                "--args",
                "--probe=compile:cmd/compile/internal/gc.Main",
                "--probe=compile:cmd/compile/internal/ssa.Compile",
            ],
            &["go", "build", "-o", "out", "."],
        )
        .env("GOCACHE", warm_cache())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(replay.place.path("work/out").is_file());

    let trace = replay.place.trace();
    let compile = program(&trace, "compile");
    assert!(argv(&trace, compile).contains(&b"-p".to_vec()));
    let compiles = trace.processes.iter();
    let compiles = compiles.filter(|process| process.exec.exe == compile.exec.exe);
    let compiles: Vec<ProcessId> = compiles.map(|process| process.id).collect();
    for process in &compiles {
        let expected = CALLS.map(|(time, name, edge, goroutine, depth, argument)| {
            (time, name.to_owned(), edge, goroutine, depth, argument)
        });
        assert_eq!(calls_of(&trace, *process), expected);
    }
    assert_samples(&trace, &compiles);
    assert_losses(&trace, compiles.len() as u64);
    for asked in replay.asked() {
        let options = asked.lines().next().unwrap();
        assert!(
            options.starts_with("-Z -x stacksymbols=disabled -s /"),
            "{options}"
        );
        assert!(asked.contains("profile-500\n"), "{asked}");
        let returns = asked.contains(":cmd?compile?internal?ssa.Compile:return");
        assert_eq!(returns, asked.contains("gc.Main"), "{asked}");
    }
}

/// Time in microseconds since the transcript's clock began, the function behind its folder, what of it, on which
/// goroutine, how deep, and with which argument.
type Call<'n> = (u64, &'n str, CallEdge, u64, u32, Option<u64>);

/// The calls of `compile.transcript`, in the order of their time.
const CALLS: [Call<'_>; 6] = [
    (
        2_000,
        "gc.Main",
        CallEdge::Entry,
        1,
        0x90,
        Some(0xc0_0001_2345),
    ),
    (
        3_000,
        "ssa.Compile",
        CallEdge::Entry,
        20,
        0x1a8,
        Some(0xc0_0099_9000),
    ),
    (4_000, "ssa.Compile", CallEdge::Exit, 20, 0x1a8, None),
    (
        6_000,
        "ssa.Compile",
        CallEdge::Entry,
        21,
        0x1a8,
        Some(0xc0_0012_3000),
    ),
    (7_000, "ssa.Compile", CallEdge::Exit, 21, 0x1a8, None),
    (9_000, "gc.Main", CallEdge::Exit, 1, 0x90, None),
];

fn calls_of(
    trace: &Trace,
    process: ProcessId,
) -> Vec<(u64, String, CallEdge, u64, u32, Option<u64>)> {
    let mut calls = Vec::new();
    for block in trace.calls() {
        let block = block.unwrap();
        calls.extend(block.iter().filter(|call| call.process == process));
    }
    let first = calls.first().expect("calls").time.0;
    let found = calls.iter().map(|call| {
        let name = trace.text(trace.probes[call.probe.index()].function);
        let name = name.strip_prefix("cmd/compile/internal/").unwrap();
        let StackOwner::Goroutine(goroutine) = call.stack else {
            panic!("{:?}", call.stack);
        };
        let argument = call.argument.map(|argument| match argument {
            Argument::Integer(value) => value,
            Argument::Text(_) => panic!("no text"),
        });
        let time = (call.time.0 - first) / 1_000 + 2_000;
        (
            time,
            name.to_owned(),
            call.edge,
            goroutine.0,
            call.depth,
            argument,
        )
    });
    found.collect()
}

/// One sample of each compile.
fn assert_samples(trace: &Trace, compiles: &[ProcessId]) {
    let mut sampled = Vec::new();
    for block in trace.samples() {
        for sample in block.unwrap().iter() {
            assert_eq!(sample.weight.0, 2_000_000);
            let frames = trace.stacks.frames(sample.stack);
            let places: Vec<_> = frames
                .map(|frame| match trace.frames[frame.index()].place {
                    FramePlace::Unmapped(address) => address.0,
                    place => panic!("{place:?}"),
                })
                .collect();
            assert_eq!(places, [0x1_0002_f0c4, 0x1_0003_1000]);
            sampled.push(sample.process);
        }
    }
    sampled.sort_unstable();
    assert_eq!(sampled, compiles);
}

/// What was lost in each compile.
fn assert_losses(trace: &Trace, compiles: u64) {
    let losses = losses(trace);
    for (what, why, each) in [
        ("calls and samples", "12 drops on CPU 3", 12),
        ("calls and samples", "dynamic variable drops", 5),
        ("calls", "memory", 1),
        // The line that is none, and the one that dtrace did not finish: it lacks fields.
        ("lines of dtrace", "none of gotrace's", 2),
    ] {
        let of = losses
            .iter()
            .filter(|loss| loss.0 == what && loss.2.contains(why));
        let count: u64 = of.map(|loss| loss.1).sum();
        assert_eq!(count, each * compiles, "{why}");
    }
    let unknown = blind_spots(trace).into_iter();
    let unknown = unknown.filter(|why| why == "dtrace: we have never met");
    assert_eq!(unknown.count() as u64, compiles);
}

/// Runs `echo` under a transcript: how that ended, what gotrace said, and what the trace says of what was not seen.
fn echo(replay: &Replay, transcript: &str) -> (Option<i32>, String, Vec<String>) {
    replay.transcript(transcript);
    drop(fs::remove_file(replay.place.path("trace")));
    let output = replay.run(&[], &["echo", "ran"]).output().unwrap();
    let (code, words) = (output.status.code(), stderr(&output));
    let spots = match code {
        Some(0) => {
            assert_eq!(output.stdout, b"ran\n");
            blind_spots(&replay.place.trace())
        }
        _ => {
            assert_eq!(output.stdout, b"");
            Vec::new()
        }
    };
    (code, words, spots)
}

#[test]
fn what_is_wrong_with_the_machine_is_told_before_the_command_runs() {
    let Some(replay) = Replay::here() else { return };
    for (says, reason, remedy) in [
        (
            "failed to initialize dtrace: DTrace requires additional privileges",
            "dtrace wants root",
            "sudo gotrace run",
        ),
        (
            "failed to compile script x.d: line 8: failed to resolve R_X28: Unknown variable name",
            "dtrace does not understand gotrace's script",
            "a report with this line",
        ),
        (
            "failed to compile script x.d: pid provider is not available: Permission denied",
            "the kernel lets dtrace watch no functions",
            "csrutil enable --without dtrace",
        ),
        (
            "could not enable tracing: Destructive actions not allowed",
            "System Integrity Protection lets dtrace stop no process",
            "csrutil enable --without dtrace",
        ),
        (
            "failed to compile script x.d: \"/usr/lib/dtrace/darwin.d\", line 175: failed to copy type of 'pr_gid': Conflicting type is already defined",
            "dtrace's own scripts contradict each other",
            "a newer version of macOS",
        ),
    ] {
        let (code, words, _) = echo(&replay, &format!("! dtrace: {says}\nexit 1\n"));
        assert_eq!(code, Some(125), "{says}: {words}");
        assert!(
            words.contains(&format!("backend dtrace: {reason}")),
            "{words}"
        );
        assert!(words.contains(&format!("(dtrace: {says})")), "{words}");
        assert!(words.contains(remedy), "{words}");
    }
}

#[test]
fn what_is_wrong_with_a_program_is_told_and_the_program_runs() {
    let Some(replay) = Replay::here() else { return };
    for (says, reason) in [
        (
            "failed to grab pid {pid}: DTrace cannot control executables signed with restricted entitlements",
            "macOS protects the program from dtrace",
        ),
        (
            "failed to grab pid {pid}: the current security restriction (system integrity protection enabled) prevents dtrace from attaching to an executable not signed with the [com.apple.security.get-task-allow] entitlement",
            "macOS protects the program from dtrace",
        ),
        (
            "failed to grab pid {pid}: DTrace cannot instrument translated processes",
            "dtrace does not watch programs that Rosetta translates",
        ),
        (
            "failed to grab pid {pid}: Could not create symbolicator for task",
            "dtrace cannot read the program's symbols",
        ),
        (
            "failed to grab pid {pid}: (os/kern) failure",
            "dtrace cannot take hold of the process",
        ),
        (
            "failed to control pid {pid}: process exited with status 0",
            "the process ended as soon as it had begun",
        ),
        (
            "invalid probe specifier pid{pid}::f:entry: probe description pid{pid}::f:entry does not match any probes. System Integrity Protection is on",
            "no function of the program is called that",
        ),
    ] {
        let (code, words, spots) = echo(&replay, &format!("! dtrace: {says}\nexit 1\n"));
        assert_eq!(code, Some(0), "{says}: {words}");
        let told = spots.iter().filter(|spot| spot.starts_with(reason));
        assert_eq!(told.count(), 1, "{says}: {spots:?}");
    }
}

#[test]
fn a_process_that_is_too_young_goes_on_and_is_watched_a_little_later() {
    let Some(replay) = Replay::here() else { return };
    let (code, _, spots) = echo(
        &replay,
        "! dtrace: failed to compile script x.d: process {pid} has no dyld, and cannot be instrumented\nexit 1\n",
    );
    assert_eq!(code, Some(0));
    // Twice it was tried; that it does not work a second time is told.
    assert_eq!(replay.asked().concat().matches("-Z -x").count(), 2);
    let losses = losses(&replay.place.trace());
    let beginning: Vec<_> = losses
        .iter()
        .filter(|loss| loss.0 == "the beginning of a process")
        .collect();
    assert_eq!((beginning.len(), beginning[0].1), (1, 1), "{losses:?}");
    assert!(beginning[0].2.contains("has no dyld"));
    let told = spots
        .iter()
        .filter(|spot| spot.contains("dyld is not in it yet"));
    assert_eq!(told.count(), 1, "{spots:?}");
}

#[test]
fn a_process_does_not_wait_forever_for_a_dtrace_that_says_nothing() {
    let Some(replay) = Replay::here() else { return };
    let (code, _, _) = echo(&replay, "wait\n");
    assert_eq!(code, Some(0));
    let losses = losses(&replay.place.trace());
    let told = losses.iter().filter(|loss| {
        loss.0 == "the beginning of a process" && loss.2.contains("did not arm its probes")
    });
    assert_eq!(told.count(), 1, "{losses:?}");
}

#[test]
fn what_lives_on_is_watched_to_the_commands_end_and_dtrace_does_not_outlive_it() {
    let Some(replay) = Replay::here() else { return };
    replay.transcript("> b\t1\t{pid}\t{wall}\nwait\n> z\t2\t{pid}\t3\t1\n");
    let script = "sleep 1000 >/dev/null 2>&1 & echo $!";
    let output = replay.run(&[], &["sh", "-c", script]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let child = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let kill = Command::new("kill").arg(&child).status().unwrap();
    assert!(kill.success());
}

#[test]
fn another_dtrace_or_none_is_no_backend() {
    let Some(replay) = Replay::here() else { return };
    for (version, says) in [
        ("dtrace: Oracle D 2.0\n", "-V: dtrace: Oracle D 2.0"),
        ("Usage dtrace [--help]\n", "-V: Usage dtrace [--help]"),
    ] {
        replay.file("version", version);
        let (code, words, _) = echo(&replay, "");
        assert_eq!(code, Some(125), "{words}");
        let reason = "backend dtrace: it is not the dtrace of macOS";
        assert!(words.contains(reason) && words.contains(says), "{words}");
    }
    let output = replay
        .run(&[], &["/bin/echo", "ran"])
        .env("PATH", "/nowhere")
        .output()
        .unwrap();
    let words = stderr(&output);
    assert_eq!(output.status.code(), Some(125), "{words}");
    let reason = "backend dtrace: dtrace is a part of macOS (no dtrace on PATH; this is linux)";
    assert!(words.contains(reason), "{words}");
    assert!(
        words.contains("--backend toolexec, or bpf on Linux"),
        "{words}"
    );
}

#[test]
fn what_dyld_does_is_told_where_its_functions_can_be_watched() {
    let Some(replay) = Replay::here() else { return };
    let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/macho/classic");
    let image = image.display();
    let fixups = "dyld4::JustInTimeLoader::applyFixups(Diagnostics&, dyld4::RuntimeState&) const";
    replay.transcript(&format!(
        "> b\t1000\t{{pid}}\t{{wall}}\n\
         > i\t2000\t{{pid}}\t0\t0\t2\t104321000\t{image}\n\
         > i\t2000\t{{pid}}\t0\t1\t2\t180000000\t/usr/lib/libSystem.B.dylib\n\
         > e\t3000\t{{pid}}\t9\tlibdyld.dylib\tdlopen\t0\t-\t16fdff000\n\
         > e\t4000\t{{pid}}\t9\tdyld\t{fixups}\t0\t-\t16fdfe000\n\
         > r\t6000\t{{pid}}\t9\tdyld\t{fixups}\t1c\t-\t16fdfe000\n\
         > r\t9000\t{{pid}}\t9\tlibdyld.dylib\tdlopen\t1c\t-\t16fdff000\n\
         > s\t10000\t{{pid}}\t9\n>               0x104321500\n> .\n\
         > i\t11000\t{{pid}}\t1\t0\t1\t104321000\t{image}\n\
         > s\t12000\t{{pid}}\t9\n>               0x104321500\n> .\n\
         wait\n"
    ));
    let output = replay
        .run(&["--bindings"], &["echo", "ran"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let trace = replay.place.trace();
    let of_image = |id: gotrace::trace::ImageId| {
        let path = trace.images[id.index()].path;
        trace.text(path) == image.to_string()
    };
    let mapped: Vec<_> = trace
        .mappings
        .iter()
        .filter(|one| of_image(one.image))
        .collect();
    assert_eq!(
        (mapped.len(), mapped[0].start.0, mapped[0].end.0),
        (1, 0x1_0432_1000, 0x1_0432_2810)
    );
    assert_eq!(trace.unmappings.len(), 1);
    assert!(of_image(trace.unmappings[0].image));
    assert_eq!(place_of_samples(&trace), [Some(0x500), None]);

    let mut calls = Vec::new();
    for block in trace.calls() {
        for call in block.unwrap().iter() {
            let name = trace.text(trace.probes[call.probe.index()].function);
            calls.push((name.into_owned(), call.edge, call.time.0));
        }
    }
    let first = calls[0].2;
    let calls: Vec<_> = calls
        .iter()
        .map(|(name, edge, time)| (name.as_str(), *edge, time - first))
        .collect();
    let expected = [
        ("dlopen", CallEdge::Entry, 0),
        (
            "dyld4::JustInTimeLoader::applyFixups",
            CallEdge::Entry,
            1_000,
        ),
        (
            "dyld4::JustInTimeLoader::applyFixups",
            CallEdge::Exit,
            3_000,
        ),
        ("dlopen", CallEdge::Exit, 6_000),
    ];
    assert_eq!(calls, expected);
    let why = blind_spots(&trace);
    let told = why.iter().filter(|why| why.contains("shared cache"));
    assert_eq!(told.count(), 1, "{why:?}");
    assert!(
        replay
            .asked()
            .concat()
            .contains("pid$target:libdyld.dylib:?lopen:return")
    );
}

/// Offsets in an image, in the order of time.
fn place_of_samples(trace: &Trace) -> Vec<Option<u64>> {
    let blocks = trace.samples().map(|block| block.unwrap());
    let stacks =
        blocks.flat_map(|block| block.iter().map(|sample| sample.stack).collect::<Vec<_>>());
    let frames = stacks.map(|stack| trace.stacks.frames(stack).next().unwrap());
    frames
        .map(|frame| match trace.frames[frame.index()].place {
            FramePlace::Image(_, offset) => Some(offset.0),
            FramePlace::Unmapped(_) => None,
            place => panic!("{place:?}"),
        })
        .collect()
}

#[test]
fn a_script_that_is_refused_for_dylds_functions_is_taken_without_them() {
    let Some(replay) = Replay::here() else { return };
    let says = "dtrace: failed to compile script x.d: line 40: failed to resolve arg2: Unknown variable name";
    let with_loader = format!("when ?ldb_image_notifier\n! {says}\nexit 1\n");
    replay.file("1.transcript", &with_loader);
    replay.file("2.transcript", "when BEGIN\n> b\t1\t{pid}\t{wall}\nwait\n");
    let output = replay.run(&[], &["echo", "ran"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let spots = blind_spots(&replay.place.trace());
    assert_eq!(
        spots.iter().filter(|why| *why == says).count(),
        1,
        "{spots:?}"
    );
    let asked = replay.asked().concat();
    assert_eq!(asked.matches("-Z -x").count(), 2);
    assert_eq!(
        asked.matches("profile-199").count(),
        2,
        "the rest is the same"
    );
    assert!(losses(&replay.place.trace()).is_empty());
}

#[test]
fn a_dyld_that_says_nothing_is_told_of() {
    let Some(replay) = Replay::here() else { return };
    let (code, _, spots) = echo(&replay, "> b\t1\t{pid}\t{wall}\nwait\n");
    assert_eq!(code, Some(0));
    let told = spots
        .iter()
        .filter(|why| why.contains("lldb_image_notifier"));
    assert_eq!(told.count(), 1, "{spots:?}");
}
