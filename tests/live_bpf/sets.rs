//! The sets of probes: the order of phases against that of the calls in the sources of Go's tools,
//! the states of goroutines against what a program did.

use super::calls::{build, calls, probed};
use super::command::{Run, Traced, arguments, available, go};
use gotrace::binary::go::Version;
use gotrace::capture::linux::bpf::Options;
use gotrace::capture::probes::{DEFAULT, ProbeSet, Watch};
use gotrace::trace::{Goid, Pid, StackOwner};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

fn set(name: &str) -> ProbeSet {
    let sets = ProbeSet::embedded().unwrap();
    sets.into_iter().find(|set| set.name == name).unwrap()
}

fn value(go: &Path, variable: &str) -> String {
    let output = Command::new(go).args(["env", variable]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The phases of each process, in the order in which they began.
fn phases(run: &Run) -> BTreeMap<(String, Pid), Vec<String>> {
    let probed = probed(run);
    let mut marks: BTreeMap<(String, Pid), Vec<(u64, String)>> = BTreeMap::new();
    for called in calls(run) {
        let probe = probed[&called.probe];
        let phase = probe.phase.as_ref().unwrap();
        if probe.exits == 0 && !phase.beside {
            let of = marks.entry((phase.track.clone(), called.pid)).or_default();
            of.push((called.time.0, phase.name.clone()));
        }
    }
    let names = |(process, mut marks): (_, Vec<(u64, String)>)| {
        marks.sort();
        let mut names: Vec<String> = marks.into_iter().map(|(_, name)| name).collect();
        names.dedup();
        (process, names)
    };
    marks.into_iter().map(names).collect()
}

/// Whether some of `all` are left out, and the rest is in order.
fn is_part(some: &[String], all: &[&str]) -> bool {
    let mut all = all.iter();
    some.iter().all(|name| all.any(|other| name == other))
}

/// Builds a module that has assembly in it.
fn build_module(go: &Path, folder: &Path) -> Run {
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("go.mod", "module example\n\ngo 1.21\n");
    write(
        "main.go",
        "package main\n\nfunc one() int\n\nfunc main() { println(one()) }\n",
    );
    let one = "TEXT \u{b7}one(SB), 4, $0-8\n\tMOVQ $1, ret+0(FP)\n\tRET\n";
    write("one_amd64.s", one);
    let tools = PathBuf::from(value(go, "GOTOOLDIR"));
    let tools = ["compile", "asm", "link"].map(|tool| tools.join(tool));
    let root = PathBuf::from(value(go, "GOROOT"));
    let options = Options {
        expected: tools.into_iter().chain([root.join("bin/go")]).collect(),
        watch: Watch {
            sets: vec![set(DEFAULT)],
            ..Watch::default()
        },
        ..Options::default()
    };
    let argv = [
        go.as_os_str(),
        OsStr::new("build"),
        OsStr::new("-buildvcs=false"),
    ];
    Traced {
        options,
        directory: folder,
        environment: vec![
            ("GOFLAGS", OsStr::new("")),
            ("GOTOOLCHAIN", OsStr::new("local")),
        ],
        ..Traced::new(&argv)
    }
    .run()
}

#[test]
fn phases_follow_each_other_as_in_the_sources() {
    let (true, Some(go)) = (available(), go()) else {
        return;
    };
    if cfg!(not(target_arch = "x86_64")) {
        println!("skipped: the module's assembly is for amd64");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = build_module(&go, folder.path());
    assert_eq!(run.wait_status, 0);
    assert!(run.losses().is_empty(), "{:?}", run.losses());
    let old = Version::parse(&value(&go, "GOVERSION")) == Version::parse("go1.21");
    let compile = if old {
        "start, parse, typecheck, IR, prepare, inline, wrappers, escape, walk, SSA, write object, \
         SSA, write object"
    } else {
        "start, parse, typecheck, IR, inline, wrappers, escape, walk, SSA, write object"
    };
    let link = "start, load, deadcode, prepare, DWARF, prepare, layout, pclntab, DWARF, symbols, \
                layout, DWARF, layout, relocation, output, external link, archive and end";
    // The module's own, by what stands in their arguments; those of the library are there, too,
    // where the build cache does not have it, and need not have a function to compile.
    let phases = phases(&run);
    for (tool, argument, expected) in [
        (
            "go",
            "-buildvcs=false",
            "start, load packages, schedule and wait",
        ),
        ("asm", "-gensymabis", "start, symbol ABIs"),
        ("asm", "one_amd64.s", "start, parse, assemble, write object"),
        ("compile", "main.go", compile),
        ("link", "-importcfg", link),
        ("compile", "-V=full", "start"),
        ("asm", "-V=full", "start"),
        ("link", "-V=full", "start"),
    ] {
        let mut executions = run.executions().into_iter();
        let of = executions.find(|executed| {
            let arguments = arguments(executed);
            let named = Path::new(&arguments[0]).file_name() == Some(OsStr::new(tool));
            let for_symbols = arguments.iter().any(|text| text == "-gensymabis");
            named
                && arguments
                    .iter()
                    .any(|text| Path::new(text).ends_with(argument))
                && for_symbols == (argument == "-gensymabis")
        });
        let of = of.unwrap_or_else(|| panic!("no {tool} {argument}"));
        let seen = &phases[&(tool.to_owned(), of.pid)];
        assert_eq!(seen.join(", "), expected, "{tool} {argument}");
    }
    let whole: Vec<&str> = compile.split(", ").collect();
    for ((tool, pid), seen) in &phases {
        assert!(
            tool != "compile" || is_part(seen, &whole),
            "{pid:?}: {seen:?}"
        );
    }
}

/// What a goroutine did, by the names of the runtime's functions, in the order of their time.
fn transitions(run: &Run) -> BTreeMap<Goid, Vec<String>> {
    let probed = probed(run);
    let mut seen: BTreeMap<Goid, Vec<(u64, String)>> = BTreeMap::new();
    for called in calls(run) {
        let function = String::from_utf8_lossy(&probed[&called.probe].function).into_owned();
        match called.stack {
            StackOwner::Goroutine(goid) | StackOwner::System(Some(goid)) => {
                let of = seen.entry(goid).or_default();
                of.push((called.time.0, function));
            }
            owner => panic!("{function} on {owner:?}"),
        }
    }
    let names = |(goid, mut calls): (Goid, Vec<(u64, String)>)| {
        calls.sort();
        (goid, calls.into_iter().map(|(_, name)| name).collect())
    };
    seen.into_iter().map(names).collect()
}

/// Whether a goroutine that last did `before` can do `after`.
fn may_follow(before: &str, after: &str) -> bool {
    let begins = |function: &str| matches!(function, "runtime.gogo" | "runtime.exitsyscall");
    match before {
        "runtime.gogo" => after != "runtime.exitsyscall",
        "runtime.exitsyscall" => !begins(after) || after == "runtime.gogo",
        "runtime.entersyscall" | "runtime.entersyscallblock" => after == "runtime.exitsyscall",
        // What waited, and what took a number that has become free.
        _ => after == "runtime.gogo",
    }
}

#[test]
fn goroutines_run_and_wait_as_often_as_they_did() {
    let (true, Some(go)) = (available(), go()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let program = build(&go, "sched.go", folder.path());
    let printed = folder.path().join("printed");
    let script = format!("exec {} > {}", program.display(), printed.display());
    let mut watch = Watch {
        sets: vec![set("sched")],
        ..Watch::default()
    };
    watch.max_tax.share = None;
    let options = Options {
        expected: vec![program.clone()],
        watch,
        ..Options::default()
    };
    let run = Traced {
        options,
        ..Traced::new(&["sh", "-c", &script])
    }
    .run();
    assert_eq!(run.wait_status, 0);
    let seen = transitions(&run);
    for (goid, names) in &seen {
        for pair in names.windows(2) {
            assert!(may_follow(&pair[0], &pair[1]), "{goid:?}: {pair:?}");
        }
    }
    let printed = std::fs::read_to_string(printed).unwrap();
    assert_eq!(printed.lines().count(), 4);
    for line in printed.lines() {
        let numbers: Vec<u64> = line.split(' ').map(|word| word.parse().unwrap()).collect();
        let names = &seen[&Goid(numbers[0])];
        let count = |function: &str| names.iter().filter(|name| *name == function).count() as u64;
        assert_eq!(names[0], "runtime.gogo", "{line}");
        assert_eq!(count("runtime.park_m"), numbers[1], "{line}");
        assert_eq!(count("runtime.entersyscall"), numbers[2], "{line}");
        assert_eq!(count("runtime.exitsyscall"), numbers[2], "{line}");
        assert_eq!(count("runtime.goexit0"), 1, "{line}");
        assert_eq!(
            names.last().map(String::as_str),
            Some("runtime.goexit0"),
            "{line}"
        );
    }
}
