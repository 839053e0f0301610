//! The shim between a go command and its tools.

use crate::traced::{Place, argv, go, path_with, sample, stderr, warm_cache, ways_to_see_builds};
use gotrace::analyze::Tool;
use std::path::Path;
use std::process::Command;

/// A tool of the toolchain.
fn tool(go: &Path, name: &str) -> String {
    let found = Command::new(go)
        .args(["tool", "-n", name])
        .output()
        .unwrap();
    String::from_utf8(found.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_tools_version_is_its_own_to_the_last_byte() {
    let Some(go) = go() else { return };
    let place = Place::new();
    for name in ["compile", "link", "asm"] {
        let tool = tool(&go, name);
        let own = Command::new(&tool).arg("-V=full").output().unwrap();
        let mut shim = Command::new(env!("CARGO_BIN_EXE_gotrace-shim"));
        shim.arg("__shim")
            .arg(place.path("gone"))
            .args(["0", &tool, "-V=full"]);
        let shim = shim.output().unwrap();
        assert!(own.status.success() && !own.stdout.is_empty());
        assert_eq!(shim, own, "{name}");
    }
}

#[test]
fn a_tool_that_fails_or_is_missing_ends_the_shim_as_it_would_end_itself() {
    let place = Place::new();
    let run = |words: &[&str]| {
        let mut shim = Command::new(env!("CARGO_BIN_EXE_gotrace-shim"));
        shim.arg("__shim").arg(place.path("gone")).arg("0");
        shim.args(words).output().unwrap()
    };
    for script in [
        "echo out; echo err >&2; exit 2",
        "kill -KILL $$",
        "kill -TERM $$",
    ] {
        let alone = Command::new("sh").args(["-c", script]).output().unwrap();
        assert_eq!(run(&["sh", "-c", script]), alone, "{script}");
    }
    let missing = run(&["/no/such/tool"]);
    assert_eq!(missing.status.code(), Some(127));
    assert!(stderr(&missing).contains("/no/such/tool"));
}

#[test]
fn profiles_are_of_compilers_and_linkers_and_agree_with_their_cpu_time() {
    let Some(go) = go() else { return };
    for way in ways_to_see_builds() {
        check_profiles(&go, way[1]);
    }
}

fn check_profiles(go: &Path, backend: &str) {
    let place = Place::new();
    sample("diamond", &place.path("work"));
    // Beside bpf, the shim is there for the profiles alone, and stands in no row.
    let backends = match backend {
        "toolexec" => "toolexec".to_owned(),
        other => format!("{other},toolexec"),
    };
    let flags = ["--quiet", "--profile", "--backend", &backends];
    let mut run = place.run(&flags, &["go", "build", "./..."]);
    run.env("PATH", path_with(go)).env("GOCACHE", warm_cache());
    let output = run.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let trace = place.trace();
    let own = trace.processes.iter().filter(|row| row.own).count();
    assert_eq!(own > 0, backend == "bpf");
    let parents = trace.processes.iter().filter_map(|row| row.parent);
    assert!(parents.clone().all(|id| !trace.process(id).unwrap().own));
    assert!(!trace.profiles.is_empty());
    let slow = trace
        .processes
        .iter()
        .filter(|row| row.cpu().seconds() > 0.5);
    let mut compared = 0;
    for row in slow {
        let tool = Tool::of(&trace, &row.exec);
        if !matches!(tool, Tool::Compile | Tool::Link) {
            continue;
        }
        // The shim records what the go command asked for; bpf, what ran.
        let words = argv(&trace, row);
        let added = words[1].starts_with(b"-cpuprofile=");
        assert_eq!(added, backend == "bpf", "{words:?}");
        let profiles = trace.profiles.iter().filter(|p| p.process == row.id);
        let profiled: f64 = profiles.map(|p| p.weight.seconds()).sum();
        // SIGPROF comes a hundred times a second of CPU time, and not before main begins.
        let cpu = row.cpu().seconds();
        assert!(
            profiled > cpu * 0.5 && profiled < cpu * 1.3,
            "{profiled} of {cpu}"
        );
        compared += 1;
    }
    assert!(compared > 0, "no tool ran long enough");
    let tools = trace.profiles.iter().map(|profile| {
        let row = trace.process(profile.process).unwrap();
        Tool::of(&trace, &row.exec)
    });
    for tool in tools {
        assert!(matches!(tool, Tool::Compile | Tool::Link), "{tool:?}");
    }
}
