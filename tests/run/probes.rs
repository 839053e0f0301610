//! Watched functions and phases, from outside.

use super::traced::{Place, argv, go, path_with, small_diamond, stderr, warm_cache};
use gotrace::capture::Name;
use gotrace::trace::{Argument, Trace};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Whether functions can be watched here; says why not.
fn available() -> bool {
    if let Err(refusal) = Name::Bpf.availability() {
        println!("skipped: {refusal}; {}", refusal.remedy);
        return false;
    }
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: probes need root: sudo scripts/test");
        return false;
    }
    true
}

/// What `gotrace COMMAND --json TRACE` prints.
pub(crate) fn json(place: &Place, command: &[&str]) -> Value {
    let mut gotrace = place.command(env!("CARGO_BIN_EXE_gotrace"));
    let output = gotrace
        .args(command)
        .arg("--json")
        .arg(place.path("trace"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What `go build` makes of a source of the tests, with the standard library out of the cache that tests share.
pub(crate) fn build(go: &Path, place: &Place, source: &str) -> PathBuf {
    let program = place.path("work").join("program");
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(source);
    let output = place
        .command(go)
        .env("GOCACHE", warm_cache())
        .args(["build", "-o"])
        .args([&program, &source])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    program
}

/// The programs of a trace that are this tool, other than to tell their version.
pub(crate) fn tools(trace: &Trace, name: &str) -> usize {
    let is_tool = |words: &[Vec<u8>]| {
        let file = words
            .first()
            .and_then(|word| word.rsplit(|byte| *byte == b'/').next());
        file == Some(name.as_bytes()) && words.get(1).is_none_or(|word| word != b"-V=full")
    };
    let programs = trace.processes.iter();
    programs
        .filter(|process| is_tool(&argv(trace, process)))
        .count()
}

#[test]
fn a_build_has_phases() {
    let (true, Some(go)) = (available(), go()) else {
        return;
    };
    let place = Place::new();
    small_diamond(&place.path("work"));
    let output = place
        .run(&[], &["go", "build", "./..."])
        .env("PATH", path_with(&go))
        .output()
        .unwrap();
    let summary = stderr(&output);
    assert!(output.status.success(), "{summary}");
    assert!(
        summary.contains("\nphases by CPU time: compile SSA "),
        "{summary}"
    );
    assert!(
        summary.contains("\nphases on the critical path: "),
        "{summary}"
    );

    let trace = place.trace();
    assert!(trace.losses.is_empty(), "{:?}", trace.losses);
    let (compiles, links) = (tools(&trace, "compile"), tools(&trace, "link"));
    assert!(compiles > 30 && links > 0);
    let phases = json(&place, &["show", "--by", "phase"]);
    let phase = |track: &str, name: &str, key: &str| {
        let rows = phases["rows"].as_array().unwrap().iter();
        let mut rows = rows.filter(|row| row["track"] == track && row["phase"] == name);
        rows.next().unwrap_or_else(|| panic!("no {track} {name}"))[key]
            .as_u64()
            .unwrap()
    };
    // Once in each compile, whatever it compiles; and in no more.
    assert_eq!(phase("compile", "typecheck", "count"), compiles as u64);
    assert_eq!(phase("compile", "write object", "count"), compiles as u64);
    assert_eq!(phase("link", "deadcode", "count"), links as u64);
    assert_eq!(phase("go", "load packages", "count"), 1);
    // All time of compiles since main is in one phase or another.
    let rows = phases["rows"].as_array().unwrap().iter();
    let rows = rows.filter(|row| row["track"] == "compile" && row["beside"] == false);
    let in_phases: u64 = rows.map(|row| row["cpu_ns"].as_u64().unwrap()).sum();
    let tools = json(&place, &["show", "--by", "tool"]);
    let compile = tools["rows"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["tool"] == "compile");
    let cpu = compile.unwrap()["cpu_ns"].as_u64().unwrap();
    assert!(
        in_phases > cpu / 10 * 8 && in_phases < cpu / 10 * 12,
        "{in_phases} of {cpu}"
    );
}

#[test]
fn a_function_that_is_not_there_is_told_before_the_command_runs() {
    let (true, Some(go)) = (available(), go()) else {
        return;
    };
    let place = Place::new();
    let program = build(&go, &place, "run/spin.go");
    let output = place
        .run(&["--probe", "./program:main.stepp"], &[&program])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(125));
    let words = stderr(&output);
    assert!(
        words.contains("no function is called main.stepp; near it: main.step"),
        "{words}"
    );
    assert!(output.stdout.is_empty());
    assert!(!place.path("trace").exists());
}

#[test]
fn functions_that_cannot_be_watched_are_refused_before_the_command_runs() {
    let place = Place::new();
    let flags = ["--backend", "toolexec", "--probe", "*:main.main"];
    let output = place.run(&flags, &["echo", "ran"]).output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    let words = stderr(&output);
    assert!(
        words.contains("functions are watched by the backends patch and bpf"),
        "{words}"
    );
    assert!(output.stdout.is_empty());
}

#[test]
fn calls_are_those_that_the_program_counts() {
    let (true, Some(go)) = (available(), go()) else {
        return;
    };
    let place = Place::new();
    let program = build(&go, &place, "run/spin.go");
    for (mode, exits) in [("", true), (":entry", false)] {
        let probe = format!("program:main.step{mode}");
        let output = place
            .run(&["--probe", &probe, "--args"], &[&program])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let printed: u64 = String::from_utf8(output.stdout)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        let calls = json(&place, &["calls"]);
        let mut rows = calls["rows"].as_array().unwrap().iter();
        let step = rows.find(|row| row["function"] == "main.step").unwrap();
        assert_eq!(step["count"], printed, "{probe}");
        assert_eq!(step.get("total_ns").is_some(), exits);
        assert_eq!(calls["orphan_exits"], 0);
        if exits {
            // The first argument counts the calls before.
            let slowest = json(&place, &["calls", "--slowest", "1"]);
            let argument = slowest["rows"][0]["argument_integer"].as_u64().unwrap();
            assert!(argument < printed);
        }
    }
}

#[test]
fn calls_that_an_exec_or_a_kill_cuts_off_are_open_and_none_is_missing() {
    let (true, Some(go)) = (available(), go()) else {
        return;
    };
    let place = Place::new();
    let program = build(&go, &place, "run/ends.go");
    let output = place
        .run(
            &["--backend", "bpf", "--probe", "program:main.deep"],
            &[&program],
        )
        .output()
        .unwrap();
    assert_eq!(output.status.signal(), Some(libc::SIGKILL));
    let (mut entered, mut open) = (0, 0);
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let (all, inside) = line.split_once(' ').unwrap();
        entered += all.parse::<u64>().unwrap();
        open += inside.parse::<u64>().unwrap();
    }
    let calls = json(&place, &["calls"]);
    let deep = &calls["rows"][0];
    assert_eq!(deep["function"], "main.deep");
    assert_eq!(
        (&deep["count"], &deep["open_count"]),
        (&entered.into(), &open.into())
    );
    assert_eq!(calls["orphan_exits"], 0);
    assert_eq!(calls["recording"]["lost_calls"], 0);
    assert_eq!(calls["recording"]["blind_spots"], Value::Array(Vec::new()));
}

/// Writes a module whose program, and whose test, calls `step` 1,234 times and prints that.
fn steps(place: &Place) {
    let module = place.path("work");
    let write = |name: &str, text: &str| std::fs::write(module.join(name), text).unwrap();
    write("go.mod", "module example.com/steps\n\ngo 1.21\n");
    write(
        "main.go",
        "package main\n\nvar n int\n\n//go:noinline\nfunc step() { n++ }\n\nfunc main() {\n\tfor i := 0; i < 1234; i++ {\n\t\tstep()\n\t}\n\tprintln(n)\n}\n",
    );
    write(
        "main_test.go",
        "package main\n\nimport \"testing\"\n\nfunc TestStep(t *testing.T) {\n\tmain()\n}\n",
    );
}

#[test]
fn what_go_run_and_go_test_have_just_linked_is_watched_from_its_first_call() {
    let (true, Some(go)) = (available(), go()) else {
        return;
    };
    let place = Place::new();
    steps(&place);
    let go = go.to_str().unwrap();
    for command in [["run", "."], ["test", "-vet=off"]] {
        let command = [&[go][..], &command].concat();
        // The package of a test program is not called main.
        let probes = ["--probe", "steps*:*.step:entry", "--entries-only"];
        let mut run = place.run(&probes, &command);
        let output = run.env("GOCACHE", warm_cache()).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let calls = json(&place, &["calls"]);
        let mut rows = calls["rows"].as_array().unwrap().iter();
        let step = rows.find(|row| row["function"].as_str().unwrap().ends_with(".step"));
        assert_eq!(step.unwrap()["count"], 1234, "{command:?}");
        let blind = &calls["recording"]["blind_spots"];
        assert_eq!(blind, &Value::Array(Vec::new()), "{command:?}");
    }
}

#[test]
fn what_is_held_at_its_start_goes_on_when_gotrace_is_killed() {
    let (true, Some(go)) = (available(), go()) else {
        return;
    };
    let place = Place::new();
    steps(&place);
    // Kills gotrace between the end of the linker and the start of what it has linked.
    let wrap = place.path("wrap");
    let script = format!(
        "#!/bin/sh\n\"$@\" || exit\ncase $1:$2 in\n*/link:-V=full) ;;\n*/link:*) kill -KILL $(cat {}) ;;\nesac\n",
        place.path("gotrace").display()
    );
    std::fs::write(&wrap, script).unwrap();
    std::fs::set_permissions(&wrap, Permissions::from_mode(0o755)).unwrap();
    let toolexec = format!("-toolexec={}", wrap.display());
    // Waits until the number of gotrace is written down.
    let command = ["sh", "-c", "read line; exec \"$@\"", "sh"];
    let command = [&command[..], &[go.to_str().unwrap(), "run", &toolexec, "."]].concat();
    let mut run = place.run(&["--probe", "steps:main.step"], &command);
    run.stdin(Stdio::piped()).stderr(Stdio::piped());
    run.env("GOCACHE", warm_cache());
    let mut child = run.spawn().unwrap();
    std::fs::write(place.path("gotrace"), child.id().to_string()).unwrap();
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    // What it is held at ends when nobody has the other end of the pipe any more.
    let mut said = String::new();
    (child.stderr.take().unwrap().read_to_string(&mut said)).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
    assert!(said.lines().any(|line| line == "1234"), "{said}");
}

/// The byte at an address of a process.
fn byte(pid: u32, address: u64) -> u8 {
    let mut memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    memory.seek(SeekFrom::Start(address)).unwrap();
    let mut byte = [0];
    memory.read_exact(&mut byte).unwrap();
    byte[0]
}

#[test]
fn a_program_that_runs_is_watched_for_a_while_and_left_as_it_was() {
    const INT3: u8 = 0xcc;
    let (true, Some(go)) = (available(), go()) else {
        return;
    };
    if cfg!(not(target_arch = "x86_64")) {
        println!("skipped: the breakpoint is that of amd64");
        return;
    }
    let place = Place::new();
    let program = build(&go, &place, "run/spin.go");
    let mut running = Command::new(&program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = running.id().to_string();
    let list = place
        .command(env!("CARGO_BIN_EXE_gotrace"))
        .args(["probes", "list", "--json"])
        .arg(&program)
        .arg("main.step")
        .output()
        .unwrap();
    let list: Value = serde_json::from_slice(&list.stdout).unwrap();
    let text = list["rows"][0]["address"].as_str().unwrap();
    // An executable that is not moved: its function is a leaf, probed at its first instruction.
    let address = u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    let before = byte(running.id(), address);
    assert_ne!(before, INT3);

    let mut attached = place
        .command(env!("CARGO_BIN_EXE_gotrace"))
        .args(["attach", &pid, "--probe", "program:main.step", "-o"])
        .arg(place.path("trace"))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It says when its probes are set.
    let mut said = BufReader::new(attached.stderr.take().unwrap()).lines();
    let watching = said.next().unwrap().unwrap();
    assert!(watching.contains("watching "), "{watching}");
    assert_eq!(byte(running.id(), address), INT3);
    // Until the program has been seen to call it: the trace is written once a second.
    let path = place.path("trace");
    while Trace::open(&path).map_or(0, |trace| trace.call_count()) == 0 {
        std::thread::yield_now();
    }
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(attached.id().cast_signed()),
        nix::sys::signal::Signal::SIGINT,
    )
    .unwrap();
    assert!(attached.wait().unwrap().success());
    assert_eq!(byte(running.id(), address), before);

    running.stdin.take().unwrap().write_all(b"x").unwrap();
    let mut printed = String::new();
    running
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut printed)
        .unwrap();
    assert!(running.wait().unwrap().success());
    let printed: u64 = printed.trim().parse().unwrap();
    let count = json(&place, &["calls"])["rows"][0]["count"]
        .as_u64()
        .unwrap();
    assert!(count > 0 && count <= printed, "{count} of {printed}");
}

#[test]
fn functions_of_sets_that_cost_too_much_are_given_up_and_named() {
    let (true, Some(go)) = (available(), go()) else {
        return;
    };
    let place = Place::new();
    small_diamond(&place.path("work"));
    let costly = ["--probe-set", "compile-passes", "--max-tax", "0.2%"];
    let flags = [&["--backend", "bpf"], &costly[..]].concat();
    let output = place
        .run(&flags, &["go", "build", "./..."])
        .env("PATH", path_with(&go))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let trace = place.trace();
    let dropped = trace.dropped_probes.iter();
    let names: Vec<_> = dropped
        .map(|dropped| trace.text(trace.probes[dropped.probe.index()].function))
        .collect();
    assert!(
        names
            .iter()
            .any(|name| name == "cmd/compile/internal/ssa.Compile"),
        "{names:?}"
    );
    let spots = trace.blind_spots.iter().map(|spot| trace.text(spot.what));
    let spots: Vec<_> = spots.collect();
    for name in names {
        assert!(
            spots.contains(&format!("further calls of {name}").into()),
            "{name}: {spots:?}"
        );
    }
}

#[test]
fn first_arguments_are_strings_where_the_program_says_so() {
    let (true, Some(go)) = (available(), go()) else {
        return;
    };
    let place = Place::new();
    let program = build(&go, &place, "live_bpf/calls.go");
    let flags = [
        "--args",
        "--probe",
        "program:main.withText",
        "--probe",
        "program:main.goDeep:entry",
    ];
    let output = place.run(&flags, &[&program]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let trace = place.trace();
    let mut texts = Vec::new();
    let mut numbers = Vec::new();
    for block in trace.calls() {
        for event in block.unwrap().iter() {
            match event.argument {
                Some(Argument::Text(text)) => texts.push(trace.text(text).into_owned()),
                Some(Argument::Integer(number)) => numbers.push(number),
                None => {}
            }
        }
    }
    let text = |number: u64| {
        let whole = format!(
            "argument {number}, and some more that makes it longer than sixty-four bytes in all"
        );
        whole[..64].to_owned()
    };
    assert_eq!(texts, (0..100).map(text).collect::<Vec<_>>());
    // Four goroutines count down from 5000.
    numbers.sort_unstable();
    let expected = (0..=5_000_u64).flat_map(|number| [number; 4]);
    assert_eq!(numbers, expected.collect::<Vec<_>>());
}

#[test]
fn first_arguments_are_shown_by_their_types() {
    let (true, Some(go)) = (available(), go()) else {
        return;
    };
    let place = Place::new();
    let program = build(&go, &place, "run/arguments.go");
    let flags = ["--args", "--probe", "program:main.*:entry"];
    let output = place.run(&flags, &[&program]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let trace = place.trace();
    let mut arguments = BTreeMap::new();
    for block in trace.calls() {
        for event in block.unwrap().iter() {
            let probe = &trace.probes[event.probe.index()];
            let shown = event.argument.map(|argument| match argument {
                Argument::Text(text) => trace.text(text).into_owned(),
                Argument::Integer(word) => probe.argument.number(word).to_string(),
            });
            arguments.insert(trace.text(probe.function).into_owned(), shown);
        }
    }
    let shown = |name: &str| arguments[&format!("main.{name}")].as_deref();
    for name in ["main", "nothing", "float"] {
        assert_eq!(shown(name), None, "{name}");
    }
    for (name, expected) in [
        ("negative", "-1"),
        ("narrow", "-3"),
        ("unsigned", "253"),
        ("named", "of a type with a name"),
    ] {
        assert_eq!(shown(name), Some(expected), "{name}");
    }
    assert!(shown("word").is_some());
}
