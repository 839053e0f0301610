//! Calls that are added up, or left out, while they are recorded: from outside.

use super::patch::{counted, ways};
use super::probes::build;
use super::traced::{Place, go, stderr};
use gotrace::trace::{CallEdge, CallTreeRow, Nanos, Trace};
use std::collections::BTreeMap;

/// Calls and open ones by path, function names joined by a blank, of all processes together.
pub(crate) fn paths(trace: &Trace) -> BTreeMap<String, [u64; 2]> {
    let mut paths: BTreeMap<String, [u64; 2]> = BTreeMap::new();
    let mut path: Vec<String> = Vec::new();
    let blocks = trace.call_trees().map(Result::unwrap);
    for row in blocks.flat_map(|block| block.iter().collect::<Vec<_>>()) {
        path.truncate(row.level as usize);
        let function = trace.probe(row.probe).unwrap().function;
        path.push(trace.text(function).into_owned());
        let sum = paths.entry(path.join(" ")).or_default();
        *sum = [sum[0] + row.calls, sum[1] + row.open];
    }
    paths.retain(|_, [calls, _]| *calls > 0);
    paths
}

/// Paths as they follow from the source, worked out by hand.
#[test]
fn calls_are_added_up_by_path() {
    let Some(go) = go() else { return };
    for way in ways() {
        let place = Place::new();
        let program = build(&go, &place, "run/paths.go");
        let watched = [
            "main", "alpha", "beta", "leaf", "fall", "guard", "thrower", "worker", "hop", "pause",
        ];
        let probes = watched.map(|name| format!("--probe=program:main.{name}"));
        let mut flags = vec!["--backend", way, "--call-mode", "aggregate"];
        flags.extend(probes.iter().map(String::as_str));
        let output = place.run(&flags, &[&program]).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let trace = place.trace();
        assert!(trace.losses.is_empty(), "{way}: {:?}", trace.losses);
        assert_eq!(trace.call_count(), 0);
        let setting = trace
            .settings
            .iter()
            .find(|setting| trace.text(setting.key) == "call_mode");
        assert_eq!(trace.text(setting.unwrap().value), "aggregate");
        let expected: BTreeMap<String, [u64; 2]> = [
            ("main.main", [1, 0]),
            ("main.main main.alpha", [3, 0]),
            ("main.main main.alpha main.beta", [6, 0]),
            ("main.main main.alpha main.beta main.leaf", [12, 0]),
            ("main.main main.leaf", [5, 0]),
            ("main.main main.guard", [2, 0]),
            ("main.main main.guard main.thrower", [2, 2]),
            ("main.main main.fall", [1, 0]),
            ("main.main main.fall main.fall", [1, 0]),
            ("main.main main.fall main.fall main.fall", [1, 0]),
            ("main.main main.fall main.fall main.fall main.leaf", [1, 0]),
            ("main.main main.pause", [1, 0]),
            ("main.worker", [4, 0]),
            ("main.worker main.hop", [4_000, 0]),
        ]
        .map(|(path, counts)| (path.to_owned(), counts))
        .into();
        assert_eq!(paths(&trace), expected, "{way}");
        let blocks: Vec<_> = trace.call_trees().map(Result::unwrap).collect();
        let [tree] = &blocks[..] else {
            panic!("{way}: {} blocks", blocks.len())
        };
        let rows: Vec<_> = tree.iter().collect();
        for (at, row) in rows.iter().enumerate() {
            // Several may have been under way at once.
            let most = Nanos(trace.end().0 * row.calls);
            assert!(row.total > Nanos::ZERO && row.total < most, "{row:?}");
            let below = rows[at + 1..]
                .iter()
                .take_while(|other| other.level > row.level);
            let called = below.filter(|other| other.level == row.level + 1);
            let within: Nanos = called.map(|other| other.total).sum();
            assert!(within <= row.total, "{within:?} in {row:?}");
        }
        let pause = Nanos(40_000_000);
        let name = |row: &CallTreeRow| trace.text(trace.probe(row.probe).unwrap().function);
        let slept = rows.iter().find(|row| name(row) == "main.pause").unwrap();
        assert!(slept.total >= pause && rows[0].total >= pause, "{slept:?}");
    }
}

#[test]
fn sums_are_those_that_the_program_counts() {
    let Some(go) = go() else { return };
    for way in ways() {
        let place = Place::new();
        let program = build(&go, &place, "live_bpf/calls.go");
        let flags = [
            "--backend",
            way,
            "--probe",
            "program:main.*",
            "--call-mode",
            "aggregate",
        ];
        let output = place.run(&flags, &[&program]).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let trace = place.trace();
        assert!(trace.losses.is_empty(), "{way}: {:?}", trace.losses);
        let mut sums: BTreeMap<String, [u64; 2]> = BTreeMap::new();
        for (path, [calls, open]) in paths(&trace) {
            let function = path.rsplit(' ').next().unwrap().to_owned();
            let sum = sums.entry(function).or_default();
            *sum = [sum[0] + calls, sum[1] + open];
        }
        let mut compared = 0;
        for (name, [entries, returns]) in counted(&output.stdout) {
            // Some have no frame of their own, which is another test's.
            if let Some([calls, open]) = sums.get(&name) {
                assert_eq!([*calls, calls - open], [entries, returns], "{way}: {name}");
                compared += 1;
            }
        }
        assert!(compared >= 4, "{compared}");
    }
}

/// The same compile has the same calls, one by one and added up, and the same output.
#[test]
fn a_compile_has_as_many_calls_in_either_mode() {
    let (Some(go), false) = (go(), ways().is_empty()) else {
        return;
    };
    let place = Place::new();
    let source = "package x\n\nfunc F(n int) int { for i := range n { n ^= i }; return n }\n";
    std::fs::write(place.path("work/x.go"), source).unwrap();
    let tool = place
        .command(&go)
        .args(["tool", "-n", "compile"])
        .output()
        .unwrap();
    let compile = String::from_utf8(tool.stdout).unwrap();
    let compile = [compile.trim(), "-p=x", "-c=1", "-o", "x.o", "x.go"];
    let mut found = Vec::new();
    for flags in [None, Some("full"), Some("aggregate")] {
        let probe = "compile:cmd/compile/internal/syntax.*";
        let mut command = match flags {
            None => {
                let mut command = place.command(compile[0]);
                command.args(&compile[1..]);
                command
            }
            Some(mode) => {
                let flags = ["--backend", "patch", "--probe", probe, "--call-mode", mode];
                place.run(&flags, &compile)
            }
        };
        let output = command.current_dir(place.path("work")).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let object = std::fs::read(place.path("work/x.o")).unwrap();
        let mut calls: BTreeMap<String, u64> = BTreeMap::new();
        if flags.is_some() {
            let trace = place.trace();
            assert!(trace.losses.is_empty(), "{:?}", trace.losses);
            let is_parser = |name: &str| name.contains("internal/syntax.");
            for (path, [count, _]) in paths(&trace) {
                let name = path.rsplit(' ').next().unwrap();
                if is_parser(name) {
                    *calls.entry(name.to_owned()).or_default() += count;
                }
            }
            for block in trace.calls() {
                for event in block.unwrap().iter() {
                    let function = trace.probe(event.probe).unwrap().function;
                    let name = trace.text(function).into_owned();
                    if event.edge == CallEdge::Entry && is_parser(&name) {
                        *calls.entry(name).or_default() += 1;
                    }
                }
            }
        }
        found.push((object, calls));
    }
    let [plain, full, sums] = &found[..] else {
        panic!()
    };
    assert!(plain.0 == full.0 && plain.0 == sums.0, "the objects differ");
    assert!(full.1.len() > 30, "{:?}", full.1);
    assert_eq!(full.1, sums.1);
}

/// What is left out is left out, and each mode has what it says.
#[test]
fn calls_are_chosen_by_depth_and_by_where_they_are_made() {
    let (Some(go), false) = (go(), ways().is_empty()) else {
        return;
    };
    let place = Place::new();
    let program = build(&go, &place, "run/paths.go");
    let events = |flags: &[&str]| {
        let always = ["--backend", "patch", "--probe", "program:main.*"];
        let flags = [&always[..], flags].concat();
        let output = place.run(&flags, &[&program]).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let trace = place.trace();
        assert!(trace.losses.is_empty(), "{:?}", trace.losses);
        assert_eq!(trace.call_tree_count(), 0);
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for block in trace.calls() {
            for event in block.unwrap().iter() {
                let function = trace.probe(event.probe).unwrap().function;
                let name = trace.text(function);
                let name = name.trim_start_matches("main.");
                let edge = event.edge;
                *counts.entry(format!("{name} {edge:?}")).or_default() += 1;
            }
        }
        let words = counts.iter().map(|(what, count)| format!("{what} {count}"));
        words.collect::<Vec<_>>().join(", ")
    };
    let found = events(&["--call-inside", "main.beta"]);
    assert_eq!(
        found,
        "beta Entry 6, beta Exit 6, leaf Entry 12, leaf Exit 12"
    );
    let found = events(&["--call-inside", "main.alpha", "--call-depth", "2"]);
    assert_eq!(
        found,
        "alpha Entry 3, alpha Exit 3, beta Entry 6, beta Exit 6"
    );
    let found = events(&["--call-from", "main.fall", "--call-to", "main.fall"]);
    assert_eq!(
        found,
        "fall Entry 3, fall Exit 3, leaf Entry 1, leaf Exit 1"
    );
    // The workers give up their threads again and again, and main waits for them.
    let found = events(&["--call-mode", "longer=20ms", "--call-inside", "main.pause"]);
    assert_eq!(found, "pause Entry 1, pause Exit 1");
}

#[test]
fn modes_without_functions_or_without_copies_are_refused() {
    let place = Place::new();
    let refused = |flags: &[&str]| {
        let output = place.run(flags, &["true"]).output().unwrap();
        assert_eq!(output.status.code(), Some(125), "{}", stderr(&output));
        stderr(&output)
    };
    let words = refused(&["--call-mode", "aggregate"]);
    assert!(words.contains("--probe IMAGE:FUNCTION"), "{words}");
    let words = refused(&[
        "--backend",
        "bpf",
        "--probe",
        "program:*",
        "--call-mode",
        "longer=10us",
    ]);
    assert!(words.contains("--call-mode longer=10us"), "{words}");
    assert!(
        words.contains("the backend patch does that alone"),
        "{words}"
    );
    // What could be recorded of nothing is no way to record.
    let entries = ["--probe", "a:main.f:entry", "--call-mode", "longer=1ms"];
    let words = refused(&entries);
    assert!(words.contains("a:main.f:entry has no exits"), "{words}");
    let words = refused(&[&entries[..2], &["--entries-only"], &entries[2..]].concat());
    assert!(words.contains("leave out --entries-only"), "{words}");
    let words = refused(&["--probe", "a:b", "--args", "--call-mode", "aggregate"]);
    assert!(words.contains("keep no arguments"), "{words}");
    refused(&["--probe", "a:b", "--call-mode", "often"]);
    refused(&["--probe", "a:b", "--call-from", "main.f"]);
    refused(&["--probe", "a:b", "--call-depth", "0"]);
}

/// Five million calls, faster than anything could write them down, and none is lost.
#[test]
fn a_program_waits_for_those_who_add_up() {
    let (Some(go), false) = (go(), ways().is_empty()) else {
        return;
    };
    let place = Place::new();
    let program = build(&go, &place, "run/busy.go");
    let flags = ["--probe", "program:main.step", "--call-mode", "aggregate"];
    let flags = [&["--backend", "patch"][..], &flags].concat();
    let output = place.run(&flags, &[&program]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let trace = place.trace();
    assert!(trace.losses.is_empty(), "{:?}", trace.losses);
    let expected = BTreeMap::from([("main.step".to_owned(), [5_000_001, 0])]);
    assert_eq!(paths(&trace), expected);
}
