//! Copies of programs that tell of their calls, from outside.

use super::call_modes::paths;
use super::probes::{build, json, tools};
use super::traced::{Place, go, path_with, small_diamond, stderr};
use gotrace::capture::Name;
use gotrace::trace::{Probe, Trace};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Ways of running a command with copies that work here; says why not.
pub(crate) fn ways() -> Vec<&'static str> {
    if let Err(refusal) = Name::Patch.availability() {
        println!("skipped: {refusal}; {}", refusal.remedy);
        return Vec::new();
    }
    match Name::Bpf.availability() {
        Ok(()) => vec!["patch", "bpf,patch"],
        Err(_) => vec!["patch"],
    }
}

/// Names of files below a folder, and for the cache's outputs what is in them.
pub(super) fn objects(cache: &Path) -> Vec<String> {
    let folders = std::fs::read_dir(cache).unwrap().flatten();
    let files = folders.filter_map(|folder| std::fs::read_dir(folder.path()).ok());
    let names = files.flatten().flatten();
    let names = names.map(|file| file.file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with("-d")).collect();
    names.sort();
    names
}

/// What the cache names after its contents, and the program, are the same as without gotrace; and each tool's phases
/// are counted once.
#[test]
fn a_build_has_phases_and_the_outputs_that_it_has_without() {
    // All functions would take minutes where gotrace is not optimised.
    const SOME: [&str; 8] = [
        "--probe",
        "compile:main.main",
        "--probe",
        "compile:cmd/compile/internal/gc.*",
        "--probe",
        "compile:cmd/compile/internal/noder.*",
        "--call-mode",
        "aggregate",
    ];
    let Some(go) = go() else { return };
    let ways = ways();
    let added_up = ways.first().map(|way| (*way, &SOME[..]));
    let ways = ways.iter().map(|way| (*way, &SOME[..0])).chain(added_up);
    let mut outputs = Vec::new();
    // The home of a go command is a part of what it keeps.
    let place = Place::new();
    for way in [None].into_iter().chain(ways.map(Some)) {
        drop(std::fs::remove_dir_all(place.path("cache")));
        // Paths of sources are a part of what is built.
        let work = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("patch-build");
        drop(std::fs::remove_dir_all(&work));
        small_diamond(&work);
        std::fs::create_dir(work.join("out")).unwrap();
        // Of a package whose files are new the go command keeps no index (modTimeCutoff in modindex/read.go).
        let mut older = Command::new("find");
        older.arg(&work);
        older.args(["-exec", "touch", "-d", "2020-01-01", "{}", "+"]);
        assert!(older.status().unwrap().success());
        let build = [go.to_str().unwrap(), "build", "-o", "out/", "./..."];
        let mut command = match way {
            None => {
                let mut command = place.command(&go);
                command.args(&build[1..]);
                command
            }
            Some((way, flags)) => place.run(&[&["--backend", way][..], flags].concat(), &build),
        };
        let output = command
            .current_dir(&work)
            .env("PATH", path_with(&go))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let program = std::fs::read_dir(work.join("out")).unwrap().flatten();
        let program = program.map(|file| std::fs::read(file.path()).unwrap());
        let program: Vec<Vec<u8>> = program.collect();
        assert!(!program.is_empty());
        outputs.push((program, objects(&place.path("cache"))));
        let Some((way, flags)) = way else { continue };
        let trace = place.trace();
        assert!(trace.losses.is_empty(), "{way}: {:?}", trace.losses);
        let phases = json(&place, &["show", "--by", "phase"]);
        let phase = |track: &str, name: &str| {
            let mut rows = phases["rows"].as_array().unwrap().iter();
            let row = rows.find(|row| row["track"] == track && row["phase"] == name);
            let row = row.unwrap_or_else(|| panic!("{way}: no {track} {name}"));
            row["count"].as_u64().unwrap()
        };
        let compiles = tools(&trace, "compile") as u64;
        assert!(compiles > 30, "{compiles}");
        assert_eq!(phase("compile", "typecheck"), compiles, "{way}");
        assert_eq!(phase("compile", "write object"), compiles, "{way}");
        assert_eq!(phase("link", "deadcode"), 1, "{way}");
        assert_eq!(phase("go", "load packages"), 1, "{way}");
        if !flags.is_empty() {
            every_compile_has_its_tree(&trace);
        }
    }
    for pair in outputs.windows(2) {
        let differ = |one: &Vec<String>, other: &Vec<String>| {
            let mut only = one.clone();
            only.retain(|name| !other.contains(name));
            only
        };
        let none: [Vec<String>; 2] = Default::default();
        let [one, other] = [&pair[0].1, &pair[1].1];
        assert_eq!([differ(one, other), differ(other, one)], none);
        assert!(pair[0].0 == pair[1].0, "the programs differ");
    }
}

/// Each compile has a tree, of functions that it always calls, and of others.
fn every_compile_has_its_tree(trace: &Trace) {
    let compiles = tools(trace, "compile") as u64;
    assert!(trace.call_tree_count() > 1_000);
    let probe = |name: &str| {
        let function = |probe: &Probe| trace.text(probe.function) == name;
        let probe = trace.probes.iter().find(|probe| function(probe));
        probe.unwrap_or_else(|| panic!("{name} is not watched")).id
    };
    let main = probe("cmd/compile/internal/gc.Main");
    let check = probe("cmd/compile/internal/noder.checkFiles");
    let (mut mains, mut checks) = (0, 0);
    for block in trace.call_trees().map(Result::unwrap) {
        for row in block.iter() {
            if row.probe == main {
                assert_eq!(row.level, 1, "{row:?}");
                mains += row.calls;
            } else if row.probe == check {
                checks += row.calls;
            }
        }
    }
    // It is asked for its version, too, and checks nothing then.
    assert!(mains >= compiles, "{mains} of {compiles}");
    assert_eq!(checks, compiles);
}

/// Name, entries and returns of the functions of `live_bpf/calls.go`, as it counts them itself.
pub(crate) fn counted(output: &[u8]) -> BTreeMap<String, [u64; 2]> {
    let lines = std::str::from_utf8(output).unwrap().lines();
    let row = |line: &str| {
        let words: Vec<&str> = line.rsplitn(3, ' ').collect();
        let [returns, entries, name] = words[..] else {
            panic!("{line}")
        };
        (
            name.to_owned(),
            [entries, returns].map(|word| word.parse().unwrap()),
        )
    };
    lines.map(row).collect()
}

/// Holds the calls of a trace against what the program of `live_bpf/calls.go` has printed.
pub(super) fn hold_counts(place: &Place, output: &[u8], way: &str) {
    let calls = json(place, &["calls"]);
    assert_eq!(calls["recording"]["lost_calls"], 0, "{way}");
    let rows = calls["rows"].as_array().unwrap();
    let mut compared = Vec::new();
    for (name, [entries, returns]) in counted(output) {
        let Some(row) = rows.iter().find(|row| row["function"] == *name) else {
            // It has no frame of its own: which is said, and as root the kernel's probes see it.
            assert!(!way.contains("bpf"), "{name}");
            let blind = calls["recording"]["blind_spots"].to_string();
            assert!(
                blind.contains(&format!("calls of {name} in")),
                "{name}: {blind}"
            );
            continue;
        };
        assert_eq!(row["count"], entries, "{way}: {name}");
        let unwound = row["unwound_count"].as_u64().unwrap_or(0);
        let open = row["open_count"].as_u64().unwrap_or(0);
        assert_eq!(entries - unwound - open, returns, "{way}: {name} {row}");
        compared.push(name);
    }
    for name in ["main.goDeep", "main.move", "main.mayPanic", "main.quit"] {
        let is_there = compared.iter().any(|compared| compared == name);
        assert!(is_there, "{way}: {name} of {compared:?}");
    }
}

#[test]
fn calls_are_those_that_the_program_counts() {
    let Some(go) = go() else { return };
    for way in ways() {
        let place = Place::new();
        let program = build(&go, &place, "live_bpf/calls.go");
        let flags = ["--backend", way, "--probe", "program:main.*"];
        let output = place.run(&flags, &[&program]).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        hold_counts(&place, &output.stdout, way);
        let trace = place.trace();
        let functions = trace.probes.iter();
        let mut functions: Vec<_> = functions
            .map(|probe| (probe.image, probe.function))
            .collect();
        let count = functions.len();
        functions.sort_unstable();
        functions.dedup();
        assert_eq!(
            functions.len(),
            count,
            "{way}: no function is watched twice"
        );
        let jumps = trace
            .probes
            .iter()
            .filter(|probe| trace.text(probe.instruction) == "jmp");
        let jumps = jumps.count();
        assert!(
            jumps > 0 && (jumps == count) == (way == "patch"),
            "{way}: {jumps}"
        );
    }
}

/// A program that was copied is what it was: its name, arguments, environment, and what it hands on to its own
/// children.
#[test]
fn a_copy_hands_nothing_on() {
    let Some(go) = go() else { return };
    for way in ways() {
        let place = Place::new();
        let program = build(&go, &place, "run/hands.go");
        let alone = place.command(&program).arg("x y").output().unwrap();
        let flags = ["--backend", way, "--probe", "program:main.*"];
        let program = program.to_str().unwrap();
        let traced = place.run(&flags, &[program, "x y"]).output().unwrap();
        let said = String::from_utf8(traced.stdout).unwrap();
        // GOFLAGS is what a run adds for the go command.
        let expected = String::from_utf8(alone.stdout).unwrap();
        let (first, rest) = said.split_once('\n').unwrap();
        let (own, descriptors) = expected.split_once('\n').unwrap();
        assert_eq!(rest, descriptors, "{way}");
        assert_eq!(
            first.rsplit_once(' ').unwrap().0,
            own.rsplit_once(' ').unwrap().0
        );
        assert_eq!(json(&place, &["calls"])["rows"][0]["function"], "main.main");
    }
}

#[test]
fn a_program_goes_on_when_gotrace_is_killed() {
    for mode in ["full", "aggregate"] {
        goes_on_without(mode, Signal::SIGKILL);
    }
}

/// Where nothing is to be lost, a program waits for gotrace; not for one that has stopped.
#[test]
fn a_program_goes_on_when_gotrace_stops() {
    goes_on_without("aggregate", Signal::SIGSTOP);
}

/// Runs a program whose gotrace gets a signal that keeps it from reading.
fn goes_on_without(mode: &str, signal: Signal) {
    let (Some(go), false) = (go(), ways().is_empty()) else {
        return;
    };
    let place = Place::new();
    // Calls that tell fill more than the ring has room for, with nobody there to read them.
    let program = build(&go, &place, "run/busy.go");
    let step = ["--backend", "patch", "--probe", "program:main.step"];
    let mut run = place.run(&[&step[..], &["--call-mode", mode]].concat(), &[&program]);
    run.stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut gotrace = run.spawn().unwrap();
    let mut lines =
        std::io::BufRead::lines(std::io::BufReader::new(gotrace.stdout.take().unwrap()));
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    let pid = nix::unistd::Pid::from_raw(gotrace.id().cast_signed());
    nix::sys::signal::kill(pid, signal).unwrap();
    let input = gotrace.stdin.take();
    let is_killed = signal == Signal::SIGKILL;
    if is_killed {
        // It is dead when the program goes on.
        gotrace.wait().unwrap();
    }
    drop(input);
    assert_eq!(lines.next().unwrap().unwrap(), "5000001");
    if !is_killed {
        nix::sys::signal::kill(pid, Signal::SIGCONT).unwrap();
    }
    let ended = gotrace.wait().unwrap();
    if is_killed {
        assert_eq!(ended.signal(), Some(libc::SIGKILL));
        return;
    }
    assert!(ended.success());
    let trace = place.trace();
    let lost = trace.losses.iter().map(|loss| loss.count).sum::<u64>();
    let calls = paths(&trace)["main.step"][0];
    // A call that is not there has lost its one record, or two.
    assert!(
        calls < 5_000_001 && lost + calls >= 5_000_001,
        "{calls} {lost}"
    );
}

/// More functions than there is room for in the channel to the recorder, which takes none before the command is there.
#[test]
fn all_functions_of_the_compiler_can_be_asked_for() {
    const IN_THE_CHANNEL: usize = 4_096;
    let (Some(go), false) = (go(), ways().is_empty()) else {
        return;
    };
    let place = Place::new();
    let tool = place
        .command(&go)
        .args(["tool", "-n", "compile"])
        .output()
        .unwrap();
    let compile = String::from_utf8(tool.stdout).unwrap();
    let compile = [compile.trim(), "-V=full"];
    let alone = place.command(compile[0]).arg(compile[1]).output().unwrap();
    let flags = ["--backend", "patch", "--probe", "compile:*"];
    let output = place.run(&flags, &compile).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(output.stdout, alone.stdout);
    let trace = place.trace();
    assert!(
        trace.probes.len() > 3 * IN_THE_CHANNEL,
        "{}",
        trace.probes.len()
    );
    let main = json(&place, &["calls"]);
    let mut rows = main["rows"].as_array().unwrap().iter();
    let main = rows.find(|row| row["function"] == "main.main").unwrap();
    assert_eq!(main["count"], 1);
}

/// Where no copy can be kept, nothing runs that was asked for with one, and all else runs as it would.
#[test]
fn a_folder_that_cannot_be_written_is_said() {
    let (Some(go), false) = (go(), ways().is_empty()) else {
        return;
    };
    let place = Place::new();
    let program = build(&go, &place, "live_bpf/calls.go");
    std::fs::write(place.path("file"), "").unwrap();
    let mut run = place.run(
        &["--backend", "patch", "--probe", "program:main.*"],
        &[&program],
    );
    let output = run
        .env("XDG_CACHE_HOME", place.path("file"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(125));
    let words = stderr(&output);
    assert!(
        words.contains("copies of programs cannot be kept"),
        "{words}"
    );
    assert!(words.contains("XDG_CACHE_HOME"), "{words}");
    assert!(output.stdout.is_empty());
}

/// As a user without rights, in a folder of his own: phases without asking, by copies that are his alone.
#[test]
fn an_ordinary_user_sees_phases_and_calls() {
    const NOBODY: u32 = 65534;
    let Some(go) = go() else { return };
    if ways().is_empty() || !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can become another user");
        return;
    }
    let place = Place::new();
    let opened = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(place.path("."), opened.clone()).unwrap();
    for name in ["home", "state", "work"] {
        std::fs::set_permissions(place.path(name), opened.clone()).unwrap();
    }
    // Whoever can run the go command of the tests can run gotrace.
    let gotrace = place.path("gotrace");
    std::fs::copy(env!("CARGO_BIN_EXE_gotrace"), &gotrace).unwrap();
    let reachable = Command::new(&go)
        .arg("version")
        .uid(NOBODY)
        .gid(NOBODY)
        .output();
    if !reachable.is_ok_and(|output| output.status.success()) {
        println!("skipped: {} is not for everybody", go.display());
        return;
    }
    std::fs::write(place.path("work/go.mod"), "module x\n\ngo 1.21\n").unwrap();
    std::fs::write(
        place.path("work/x.go"),
        "package x\n\nfunc F() int { return 1 }\n",
    )
    .unwrap();
    let mut run = place.command(&gotrace);
    let output = run
        .args([
            "run",
            "--probe",
            "compile:cmd/compile/internal/gc.Main",
            "-o",
        ])
        .arg(place.path("home/trace"))
        .args(["--", go.to_str().unwrap(), "build", "./..."])
        .env("PATH", path_with(&go))
        .env_remove("XDG_CACHE_HOME")
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    let words = stderr(&output);
    assert!(output.status.success(), "{words}");
    assert!(words.contains("phases"), "{words}");
    let trace = Trace::open(&place.path("home/trace")).unwrap();
    assert!(trace.losses.is_empty(), "{:?}", trace.losses);
    let copies = place.path("home/.cache/gotrace/copies");
    let found = std::fs::metadata(&copies).unwrap();
    assert_eq!((found.uid(), found.mode() & 0o777), (NOBODY, 0o700));
    let mut calls = Command::new(env!("CARGO_BIN_EXE_gotrace"));
    let calls = calls
        .args(["calls", "--json"])
        .arg(place.path("home/trace"))
        .output()
        .unwrap();
    let calls: Value = serde_json::from_slice(&calls.stdout).unwrap();
    assert_eq!(calls["rows"][0]["count"], tools(&trace, "compile") as u64);
}

/// What of a trace tells of functions: what is watched of them, and what is not seen.
fn told(trace: &Trace) -> (Vec<String>, Vec<String>) {
    let probes = trace.probes.iter().map(|probe| {
        let [function, file, set] =
            [probe.function, probe.file, probe.set].map(|text| trace.text(text).into_owned());
        let phase = probe
            .phase
            .map(|phase| trace.text(phase.phase).into_owned());
        let entry = (probe.entry, probe.exits, probe.argument);
        format!("{function} {file} {set} {phase:?} {entry:?}")
    });
    let spots = trace.blind_spots.iter();
    let spots = spots.map(|spot| format!("{}: {}", trace.text(spot.what), trace.text(spot.why)));
    // Programs are planned side by side.
    let (mut probes, mut spots): (Vec<_>, Vec<_>) = (probes.collect(), spots.collect());
    probes.sort();
    spots.sort();
    (probes, spots)
}

/// What was planned for a program is kept with its copy: the second run tells the same of it, and makes nothing.
#[test]
fn a_program_is_planned_once() {
    let (Some(go), false) = (go(), ways().is_empty()) else {
        return;
    };
    let place = Place::new();
    let program = build(&go, &place, "run/hands.go");
    let copies = place.path("caches").join("gotrace/copies");
    let mut before = None;
    for flags in [&["--args"][..], &["--args"], &[]] {
        let probe = ["--probe", "program:os/exec.*", "--probe", "program:main.*"];
        let flags = [&["--backend", "patch"], &probe[..], flags].concat();
        let mut run = place.run(&flags, &[&program]);
        let output = run.env("XDG_CACHE_HOME", place.path("caches")).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let trace = place.trace();
        let told = told(&trace);
        let strings = "first arguments of os/exec.Command in";
        let strings = told
            .1
            .iter()
            .filter(|spot| spot.starts_with(strings))
            .count();
        // The toolchain's have copies, too.
        let made = std::fs::read_dir(&copies).unwrap().flatten();
        let mut made: Vec<_> = made
            .map(|copy| copy.path().join("program"))
            .filter_map(|copy| Some((copy.clone(), std::fs::metadata(copy).ok()?.ino())))
            .collect();
        made.sort();
        if flags.contains(&"--args") {
            assert_eq!(strings, 1, "{:?}", told.1);
            assert_eq!(made.len(), 1);
            let now = (told, made);
            assert_eq!(*before.get_or_insert_with(|| now.clone()), now);
        } else {
            // Something else is asked for: that is another copy.
            assert_eq!(strings, 0, "{:?}", told.1);
            assert_eq!(made.len(), 2);
        }
    }
}

/// Programs that gotrace starts neither itself nor as tools run as they are, which is said of those that were named.
#[test]
fn what_a_script_starts_is_told_not_to_be_watched() {
    let (Some(go), false) = (go(), ways().is_empty()) else {
        return;
    };
    let place = Place::new();
    let program = build(&go, &place, "run/hands.go");
    let script = format!("{}; true", program.display());
    let flags = ["--backend", "patch", "--probe", "program:main.*"];
    let output = place.run(&flags, &["/bin/sh", "-c", &script]).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let (_, spots) = told(&place.trace());
    let spot = spots
        .iter()
        .find(|spot| spot.starts_with("calls of program:main.*"));
    let spot = spot.unwrap_or_else(|| panic!("{spots:?}"));
    assert!(
        spot.contains("gotrace has started no program of that name"),
        "{spot}"
    );
    assert!(spot.contains("scripts, go run and go test"), "{spot}");
}

/// What the user has tools run by finds the tools themselves.
#[test]
fn the_users_own_toolexec_finds_no_copies_and_that_is_said() {
    let (Some(go), false) = (go(), ways().is_empty()) else {
        return;
    };
    let place = Place::new();
    std::fs::write(place.path("work/go.mod"), "module x\n\ngo 1.21\n").unwrap();
    std::fs::write(place.path("work/x.go"), "package x\n").unwrap();
    let flags = ["--backend", "patch", "--probe", "compile:main.main"];
    let build = [go.to_str().unwrap(), "build", "./..."];
    let mut run = place.run(&flags, &build);
    let run = run
        .env("PATH", path_with(&go))
        .env("GOFLAGS", "-toolexec=env");
    let output = run.current_dir(place.path("work")).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let trace = place.trace();
    assert!(tools(&trace, "compile") > 0);
    let (_, spots) = told(&trace);
    let spot = spots
        .iter()
        .find(|spot| spot.starts_with("calls in tools of go commands"));
    assert!(
        spot.unwrap().contains("the user's own -toolexec"),
        "{spots:?}"
    );
    assert_eq!(
        json(&place, &["calls"])["rows"].as_array().unwrap().len(),
        0
    );
}
