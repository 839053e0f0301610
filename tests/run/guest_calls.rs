//! Copies of arm64 programs on an amd64 machine: run by each qemu, against what the programs say themselves and what a
//! native build has.

use super::machine::Machine;
use super::patch::{hold_counts, objects, ways};
use super::probes::{json, tools};
use super::traced::{Place, go, stderr, warm_cache};
use gotrace::trace::{CallEdge, Trace};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

/// Each qemu for arm64 that there is here, with its options; none where copies do not work.
fn translators() -> Vec<Vec<OsString>> {
    if ways().is_empty() {
        return Vec::new();
    }
    let machines = Machine::all().into_iter().map(|machine| machine.runner);
    let runners = machines.filter(|runner| !runner.is_empty());
    let words = |runner: Vec<PathBuf>| runner.into_iter().map(PathBuf::into_os_string).collect();
    runners.map(words).collect()
}

fn build(go: &Path, place: &Place, source: &str) -> OsString {
    let program = place.path("work/program");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
    let mut build = for_arm64(place.command(go));
    // As other tests have it built: with other flags the standard library is another one.
    build.env("GOCACHE", warm_cache()).env_remove("GOFLAGS");
    build.args(["build", "-o"]).args([&program, &source]);
    let output = build.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    program.into_os_string()
}

fn for_arm64(mut command: Command) -> Command {
    // Go's own signals that stop goroutines have hung guests of qemu.
    command
        .env("GODEBUG", "asyncpreemptoff=1")
        .env("GOFLAGS", "-trimpath")
        .env("GOARCH", "arm64")
        .env("CGO_ENABLED", "0");
    command
}

fn setting(trace: &Trace, key: &str) -> u64 {
    let mut settings = trace.settings.iter();
    let found = settings.find(|setting| trace.text(setting.key) == key);
    let found = found.unwrap_or_else(|| panic!("no {key}"));
    trace.text(found.value).parse().unwrap()
}

/// Runs an arm64 program by a translator, with calls of these functions.
fn run(place: &Place, translator: &[OsString], program: OsString, functions: &str) -> Vec<u8> {
    let command = [translator, &[program]].concat();
    let flags = ["--backend", "patch", "--probe", functions];
    let output = place.run(&flags, &command).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    output.stdout
}

#[test]
fn calls_of_a_guest_are_those_that_it_counts() {
    let Some(go) = go() else { return };
    for translator in translators() {
        let place = Place::new();
        let program = build(&go, &place, "tests/live_bpf/calls.go");
        let output = run(&place, &translator, program, "program:main.*");
        hold_counts(&place, &output, &format!("{translator:?}"));
    }
}

/// The program reads the clock of traces right before and after each call, through the kernel.
#[test]
fn calls_of_a_guest_have_the_time_of_this_machine() {
    let Some(go) = go() else { return };
    for translator in translators() {
        let place = Place::new();
        let program = build(&go, &place, "tests/run/clock.go");
        let output = run(&place, &translator, program, "program:main.mark");
        let trace = place.trace();
        assert!(trace.losses.is_empty(), "{:?}", trace.losses);
        let error = setting(&trace, "patch_guest_clock_error_ns");
        let mut events = Vec::new();
        for block in trace.calls().map(Result::unwrap) {
            events.extend(block.iter());
        }
        let said = String::from_utf8(output).unwrap();
        let said: Vec<[u64; 2]> = said
            .lines()
            .map(|line| {
                let (before, after) = line.split_once(' ').unwrap();
                [before, after].map(|time| trace.anchor.at(time.parse().unwrap()).0)
            })
            .collect();
        assert_eq!(said.len(), 200);
        assert_eq!(events.len(), 2 * said.len(), "{translator:?}");
        for (pair, [before, after]) in events.chunks(2).zip(said) {
            assert_eq!(
                [pair[0].edge, pair[1].edge],
                [CallEdge::Entry, CallEdge::Exit]
            );
            for event in pair {
                let time = event.time.0;
                assert!(
                    before <= time + error && time <= after + error,
                    "{translator:?}: {before} {time} {after}, known to {error}"
                );
            }
        }
    }
}

/// How often each phase of each tool was there.
fn phases(place: &Place) -> BTreeMap<(String, String), u64> {
    let phases = json(place, &["show", "--by", "phase", "--top", "0"]);
    let rows = phases["rows"].as_array().unwrap().iter();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let row = |row: &Value| {
        let key = (text(row, "track"), text(row, "phase"));
        (key, row["count"].as_u64().unwrap())
    };
    rows.map(row).collect()
}

/// The go command of the toolchain for arm64 of this version, if it is here and the kernel has qemu run it.
fn guest_go(go: &Path) -> Option<PathBuf> {
    let root = go.canonicalize().unwrap();
    let root = root.parent().unwrap().parent().unwrap();
    let named = format!("{}-arm64", root.file_name().unwrap().to_str().unwrap());
    let guest = root.with_file_name(named).join("bin/go");
    let runs = Command::new(&guest).arg("version").output();
    let runs = runs.is_ok_and(|output| output.status.success());
    if !runs {
        println!("skipped: no {} that runs; scripts/emulate", guest.display());
    }
    runs.then_some(guest)
}

/// Sources whose date is of long ago: of new ones the go command keeps no index.
fn sources(place: &Place, says: &str) {
    let program = format!("package main\n\nfunc main() {{ println(\"{says}\") }}\n");
    for (name, text) in [
        ("go.mod", "module hello\n\ngo 1.21\n"),
        ("hello.go", &program),
    ] {
        let path = place.path("work").join(name);
        std::fs::write(&path, text).unwrap();
        let file = std::fs::File::options().append(true).open(path).unwrap();
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
        file.set_modified(long_ago).unwrap();
    }
}

const BUILD: [&str; 5] = ["build", "-buildvcs=false", "-o", "out", "."];

/// What a traced build made, ran and told.
struct Traced {
    program: Vec<u8>,
    tools: [usize; 3],
    phases: BTreeMap<(String, String), u64>,
    trace: Trace,
}

/// Traces a build by a go command, which may stand behind who translates it.
fn traced(place: &Place, go: &[OsString]) -> Traced {
    let command = [go, &BUILD.map(OsString::from)].concat();
    let mut run = for_arm64(place.run(&["--backend", "patch"], &command));
    let output = run.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let trace = place.trace();
    assert!(trace.losses.is_empty(), "{:?}", trace.losses);
    Traced {
        program: std::fs::read(place.path("work/out")).unwrap(),
        tools: ["compile", "asm", "link"].map(|tool| tools(&trace, tool)),
        phases: phases(place),
        trace,
    }
}

/// An arm64 toolchain whose go command and tools are all copies builds what it builds without them, byte for byte, and
/// what the native one builds; its phases are those of the native one.
#[test]
fn an_arm64_toolchain_has_phases_and_the_outputs_that_it_has_without() {
    let Some(go) = go() else { return };
    let translators = translators();
    let Some(guest) = guest_go(&go).filter(|_| !translators.is_empty()) else {
        return;
    };
    let [native_go, guest_go] = [&go, &guest].map(|go| go.clone().into_os_string());
    let [native, translated] = [Place::new(), Place::new()];
    for place in [&native, &translated] {
        sources(place, "hello");
    }
    let mut alone = for_arm64(translated.command(&guest));
    let output = alone.args(BUILD).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let kept = objects(&translated.path("cache"));
    std::fs::remove_dir_all(translated.path("cache")).unwrap();
    std::fs::remove_file(translated.path("work/out")).unwrap();

    let expected = traced(&native, std::slice::from_ref(&native_go));
    let found = traced(&translated, std::slice::from_ref(&guest_go));
    assert!(found.program == expected.program, "the programs differ");
    assert!(kept.len() > 50, "{}", kept.len());
    assert_eq!(objects(&translated.path("cache")), kept);
    assert!(expected.tools[0] > 10, "{:?}", expected.tools);
    assert_eq!(found.tools, expected.tools);
    assert_eq!(found.phases, expected.phases);
    for block in found.trace.calls().map(Result::unwrap) {
        for event in block.iter() {
            let process = &found.trace.processes[event.process.index()];
            let begun = process.start <= event.time;
            let mut ends = process.exit.iter();
            let ended = ends.all(|exit| event.time <= exit.at);
            assert!(begun && ended, "{event:?} {process:?}");
        }
    }
    // By its name each qemu runs the go command, whose tools the kernel gives to the one that is installed.
    for (number, translator) in translators.into_iter().enumerate() {
        for place in [&native, &translated] {
            sources(place, &format!("hello {number}"));
        }
        let expected = traced(&native, std::slice::from_ref(&native_go));
        let command = [translator, vec![guest_go.clone()]].concat();
        let found = traced(&translated, &command);
        assert!(found.program == expected.program, "the programs differ");
        assert_eq!(found.tools, expected.tools, "{command:?}");
        assert_eq!(found.phases, expected.phases, "{command:?}");
    }
}
