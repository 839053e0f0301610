//! Copies beside the kernel's probes, as it is for root where nothing is asked of backends.

use super::patch::{hold_counts, ways};
use super::probes::{build, json, tools};
use super::traced::{Place, go, path_with, stderr};
use gotrace::trace::Trace;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The go command, where both work; says why they do not.
fn ready() -> Option<PathBuf> {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: probes need root: sudo scripts/test");
        return None;
    }
    match ways().contains(&"bpf,patch") {
        true => go(),
        false => None,
    }
}

fn setting(trace: &Trace, key: &str) -> String {
    let mut settings = trace.settings.iter();
    let found = settings.find(|setting| trace.text(setting.key) == key);
    found.map_or_else(String::new, |found| trace.text(found.value).into_owned())
}

fn spots(trace: &Trace) -> Vec<String> {
    let spots = trace.blind_spots.iter();
    let spots = spots.map(|spot| format!("{}: {}", trace.text(spot.what), trace.text(spot.why)));
    spots.collect()
}

/// How often phases of a track were there, by name.
fn phase(place: &Place, track: &str, name: &str) -> u64 {
    let phases = json(place, &["show", "--by", "phase"]);
    let mut rows = phases["rows"].as_array().unwrap().iter();
    let row = rows.find(|row| row["track"] == track && row["phase"] == name);
    row.map_or(0, |row| row["count"].as_u64().unwrap())
}

/// A module with one package.
fn module(place: &Place) {
    std::fs::write(place.path("work/go.mod"), "module x\n\ngo 1.21\n").unwrap();
    let source = "package x\n\nfunc F() int { return 1 }\n";
    std::fs::write(place.path("work/x.go"), source).unwrap();
}

/// Runs a command on the module, with variables; its trace.
fn traced(
    place: &Place,
    go: &Path,
    flags: &[&str],
    command: &[&str],
    variables: &[(&str, &str)],
) -> Trace {
    let mut run = place.run(flags, command);
    let run = run
        .env("PATH", path_with(go))
        .envs(variables.iter().copied());
    let output = run.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    place.trace()
}

#[test]
fn copies_tell_of_what_they_can_and_the_kernel_of_the_rest() {
    let Some(go) = ready() else { return };
    let place = Place::new();
    let program = build(&go, &place, "live_bpf/calls.go");
    let flags = ["--args", "--probe", "program:main.*"];
    let output = place.run(&flags, &[&program]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    hold_counts(&place, &output.stdout, "bpf,patch");
    let trace = place.trace();
    assert_eq!(setting(&trace, "backend"), "bpf,toolexec,patch,actiongraph");
    let by_copies = |function: &str| {
        let mut probes = trace.probes.iter();
        let probe = probes.find(|probe| trace.text(probe.function) == function);
        let probe = probe.unwrap_or_else(|| panic!("{function} is not watched"));
        trace.text(probe.instruction) == "jmp"
    };
    assert!(by_copies("main.goDeep"));
    // Copies record no strings.
    assert!(!by_copies("main.withText"));
}

/// A trace is read where there are no copies: programs, and images of samples, are named as what they stand in for.
#[test]
fn copies_are_named_as_what_they_stand_in_for() {
    let Some(go) = ready() else { return };
    let place = Place::new();
    let program = build(&go, &place, "run/busy.go");
    let flags = ["--rate", "999", "--probe", "program:main.main"];
    let output = place.run(&flags, &[&program]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let trace = place.trace();
    let row = super::traced::program(&trace, "program");
    let path = program.canonicalize().unwrap();
    assert_eq!(trace.text(row.exec.exe), path.to_str().unwrap());
    let mut show = place.command(env!("CARGO_BIN_EXE_gotrace"));
    let show = show
        .args(["show", "--by", "function"])
        .arg(place.path("trace"));
    let shown = String::from_utf8(show.output().unwrap().stdout).unwrap();
    assert!(shown.contains("main.step"), "{shown}");
    let images = trace.images.iter().map(|image| trace.text(image.path));
    let images: Vec<_> = images.filter(|image| image.ends_with("/program")).collect();
    assert!(
        images
            .iter()
            .any(|image| **image == *path.to_str().unwrap()),
        "{images:?}"
    );
}

/// Where there can be no copies, all is as it is without them; and it is said, but where nothing can be done about it.
#[test]
fn without_copies_the_kernel_does_it_all() {
    let Some(go) = ready() else { return };
    let place = Place::new();
    module(&place);
    std::fs::write(place.path("file"), "").unwrap();
    let nowhere = place.path("file");
    let nowhere = ("XDG_CACHE_HOME", nowhere.to_str().unwrap());
    let build = ["go", "build", "./..."];
    let line = ["go", "build", "-toolexec=env", "./..."];
    let flags: [&str; 2] = ["--probe", "compile:cmd/compile/internal/noder.checkFiles"];
    for (flags, command, variables, why) in [
        (&[][..], &build[..], &[nowhere][..], "cannot be kept"),
        (&flags, &build, &[nowhere], "cannot be kept"),
        (&[], &build, &[("GOFLAGS", "-toolexec=env")], ""),
        (&[], &line, &[], ""),
    ] {
        drop(std::fs::remove_dir_all(place.path("cache")));
        let trace = traced(&place, &go, flags, command, variables);
        let what = format!("{command:?} {variables:?}");
        assert_eq!(setting(&trace, "backend"), "bpf,actiongraph", "{what}");
        assert!(setting(&trace, "without").contains(why), "{what}");
        assert_eq!(setting(&trace, "without").is_empty(), why.is_empty());
        assert_eq!(spots(&trace), [""; 0], "{what}");
        let compiles = tools(&trace, "compile") as u64;
        assert!(compiles > 0);
        assert_eq!(phase(&place, "compile", "typecheck"), compiles, "{what}");
        assert!(
            !setting(&trace, "added.GOFLAGS").contains("__shim"),
            "{what}"
        );
        if !flags.is_empty() {
            let calls = json(&place, &["calls"]);
            assert_eq!(calls["rows"][0]["count"], compiles, "{what}");
        }
    }
    let trace = traced(&place, &go, &["--no-probes"], &build, &[]);
    assert_eq!(setting(&trace, "backend"), "bpf,actiongraph");
    assert_eq!(setting(&trace, "without"), "");
}

/// The go command that a script starts, and a tool that `go tool` does, run as they are: the first is watched by the
/// kernel before it runs, the other from moments after its first start on.
#[test]
fn what_runs_as_it_is_is_watched_all_the_same() {
    let Some(go) = ready() else { return };
    let place = Place::new();
    module(&place);
    let alone = "go tool compile -p x -o x.o x.go";
    let script = format!("go build ./... && {alone} && sleep 0.5 && {alone} && {alone}");
    let trace = traced(&place, &go, &[], &["sh", "-c", &script], &[]);
    assert_eq!(phase(&place, "go", "load packages"), 1);
    let compiles = tools(&trace, "compile") as u64;
    let typechecks = phase(&place, "compile", "typecheck");
    // All but the first that ran as it is, which is said.
    assert!(
        [compiles, compiles - 1].contains(&typechecks),
        "{typechecks} of {compiles}"
    );
    let spots = spots(&trace);
    let [spot] = &spots[..] else {
        panic!("{spots:?}")
    };
    assert!(
        spot.contains("compile where it runs as it is, and not its copy"),
        "{spot}"
    );
}

/// Marks are recorded one by one whatever else is added up: those of the runtime, too, which copies do not tell of.
#[test]
fn modes_leave_the_runtimes_phases() {
    let Some(go) = ready() else { return };
    let place = Place::new();
    module(&place);
    let probe = ["--probe", "compile:cmd/compile/internal/gc.*"];
    for mode in ["aggregate", "longer=1us"] {
        drop(std::fs::remove_dir_all(place.path("cache")));
        let flags = [&probe[..], &["--call-mode", mode]].concat();
        let trace = traced(
            &place,
            &go,
            &flags,
            &["go", "build", "./..."],
            &[("GOGC", "1")],
        );
        assert!(trace.losses.is_empty(), "{:?}", trace.losses);
        let compiles = tools(&trace, "compile") as u64;
        assert_eq!(phase(&place, "compile", "typecheck"), compiles, "{mode}");
        assert!(phase(&place, "runtime", "GC mark") > 0, "{mode}");
        assert_eq!(trace.call_tree_count() > 0, mode == "aggregate");
        // Each call of a process comes after those before it.
        let mut last = std::collections::BTreeMap::new();
        for block in trace.calls() {
            for event in block.unwrap().iter() {
                let before = last.insert(event.process, event.time);
                assert!(before.is_none_or(|before| before <= event.time), "{mode}");
            }
        }
        assert!(!last.is_empty());
    }
}

/// What the user's file says of modes holds where functions are named, until the command line says something of them.
#[test]
fn modes_can_be_set_in_a_file() {
    if ready().is_none() {
        return;
    }
    let Some(go) = go() else { return };
    let place = Place::new();
    let program = build(&go, &place, "run/paths.go");
    let folder = place.path("home/.config/gotrace");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("gotrace.toml");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    let run = |flags: &[&str]| place.run(flags, &[&program]).output().unwrap();
    let probe = ["--probe", "program:main.*"];
    write("call-mode = \"aggregate\"\ncall-inside = \"main.beta\"\n");
    assert!(run(&probe).status.success());
    let trace = place.trace();
    let source = |trace: &Trace, key: &str| {
        let mut settings = trace.settings.iter();
        let found = settings.find(|setting| trace.text(setting.key) == key);
        found.map(|found| trace.text(found.source).into_owned())
    };
    assert_eq!(setting(&trace, "call_mode"), "aggregate");
    assert_eq!(
        source(&trace, "call_inside"),
        Some(format!("{}:2", file.display()))
    );
    let paths: BTreeSet<String> = super::call_modes::paths(&trace).into_keys().collect();
    let expected = ["main.beta", "main.beta main.leaf"].map(str::to_owned);
    assert_eq!(paths, expected.into());
    assert!(
        run(&[&probe[..], &["--call-depth", "1"]].concat())
            .status
            .success()
    );
    let trace = place.trace();
    assert_eq!(
        source(&trace, "call_depth").as_deref(),
        Some("command line")
    );
    assert_eq!(
        (setting(&trace, "call_mode"), trace.call_tree_count()),
        (String::new(), 0)
    );
    // Nothing is named, and nothing said of it.
    assert!(run(&[]).status.success());
    assert_eq!(setting(&place.trace(), "call_mode"), "");

    let refused = run(&[&probe[..], &["--backend", "bpf"]].concat());
    assert_eq!(refused.status.code(), Some(125));
    let words = stderr(&refused);
    let expected = "gotrace.toml:1: call-mode aggregate: the backend patch does that alone";
    assert!(words.contains(expected), "{words}");
    write("call-to = \"main.beta\"\n");
    let refused = run(&probe);
    assert_eq!(refused.status.code(), Some(125));
    let words = stderr(&refused);
    let expected = "gotrace.toml:1: call-to: expected call-from beside it, found none";
    assert!(words.contains(expected), "{words}");
}
