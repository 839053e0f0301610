//! Real action graphs, against what an independent program computes from them.

use gotrace::{
    analyze::{
        Analysis,
        build::{Outcome, Segment, SegmentKind, Simulation},
    },
    trace::{Action, Nanos, Trace},
};
use serde_json::Value;
use std::{collections::HashMap, fs, path::PathBuf};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/graphs")
}

fn read(name: &str) -> Trace {
    let mut trace = Trace::default();
    trace.host.cores = 2;
    let text = fs::read_to_string(folder().join(name)).unwrap();
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let mut text = |key: &str| {
            let text = row[key].as_str().unwrap_or_default();
            trace.strings.push(text.as_bytes())
        };
        let (mode, package, objdir) = (text("Mode"), text("Package"), text("Objdir"));
        let command = text("none");
        let number = |value: &Value| u32::try_from(value.as_u64().unwrap()).unwrap();
        let time = |key: &str| Some(Nanos(row[key].as_u64().unwrap()));
        let action = Action {
            number: number(&row["ID"]),
            mode,
            package,
            objdir,
            deps: row["Deps"]
                .as_array()
                .into_iter()
                .flatten()
                .map(number)
                .collect(),
            ready: time("Ready"),
            start: time("Start"),
            done: time("Done"),
            need_build: row["NeedBuild"].as_bool().unwrap_or(false),
            commands: vec![command; row["Cmds"].as_u64().unwrap() as usize],
            ..Action::default()
        };
        trace.actions.push(action);
    }
    trace
}

#[test]
fn real_graphs_give_what_an_independent_program_computes() {
    let expected = fs::read_to_string(folder().join("expected.json")).unwrap();
    let expected: HashMap<String, Value> = serde_json::from_str(&expected).unwrap();
    assert_eq!(expected.len(), 3);
    for (name, expected) in expected {
        let trace = read(&name);
        let analysis = Analysis::of(&trace);
        let [build] = &analysis.builds.builds[..] else {
            panic!("{name}: one build");
        };
        let number = |key: &str| Nanos(expected[key].as_u64().unwrap());
        assert_eq!(build.actions.len() as u64, number("actions").0, "{name}");
        assert_eq!(build.wall(), number("wall"), "{name}");
        assert_eq!(build.critical_path.running, number("running"), "{name}");
        assert_eq!(build.critical_path.waiting, number("waiting"), "{name}");
        assert_eq!(build.critical_path.go, number("go"), "{name}");
        assert_eq!(
            build.longest_chain.length,
            number("longest_chain"),
            "{name}"
        );
        assert_eq!(build.parallelism.slot_wait, number("slot_wait"), "{name}");
        let step = |segment: &Segment| match segment.kind {
            SegmentKind::Running(index) => Some(trace.actions[index.index()].number),
            _ => None,
        };
        let steps: Vec<u32> = build
            .critical_path
            .segments
            .iter()
            .filter_map(step)
            .collect();
        let expected_steps: Vec<u32> = serde_json::from_value(expected["steps"].clone()).unwrap();
        assert_eq!(steps, expected_steps, "{name}");

        let simulation = Simulation::of(build);
        assert_eq!(simulation.span(), number("span"), "{name}");
        for (package, saved) in expected["saved"].as_object().unwrap() {
            let what_if = simulation.without(package).unwrap();
            assert_eq!(
                what_if.saved.0,
                saved.as_u64().unwrap(),
                "{name}: {package}"
            );
            assert_eq!(
                what_if.wall + what_if.saved,
                build.wall(),
                "{name}: {package}"
            );
        }
    }
}

#[test]
fn a_cached_build_is_told_from_a_built_one() {
    // jq 'select(.Mode=="build")|.Cmds>0' FILE | sort | uniq -c
    // says 4 true (the three packages of the module and runtime/cgo) and 58 false.
    let trace = read("run-cgo-go1.27.3-linux-amd64.jsonl");
    let analysis = Analysis::of(&trace);
    let mut counts = HashMap::new();
    for action in &analysis.builds.builds[0].actions {
        if &*action.mode == "build" {
            *counts.entry(action.outcome).or_insert(0) += 1;
        }
    }
    assert_eq!(
        counts,
        HashMap::from([(Outcome::Built, 4), (Outcome::Cached, 58)])
    );
}

#[test]
fn a_test_run_is_told_from_a_cached_one_by_its_link() {
    // What go test printed: a "(cached)", b "[no test files]", d "FAIL ... 0.003s"; there are no
    // programs beside the graph, as the backend toolexec never sees a test binary. That c failed
    // to compile is not in the graph.
    let trace = read("test-cached-go1.27.3-linux-amd64.jsonl");
    let analysis = Analysis::of(&trace);
    let build = &analysis.builds.builds[0];
    let mut runs: Vec<_> = build
        .actions
        .iter()
        .filter(|action| &*action.mode == "test run")
        .map(|action| (&*action.package, action.outcome))
        .collect();
    runs.sort_unstable();
    assert_eq!(
        runs,
        [
            ("example.com/m/a", Outcome::Cached),
            ("example.com/m/b", Outcome::Cached),
            ("example.com/m/c", Outcome::Cached),
            ("example.com/m/d", Outcome::Built),
        ]
    );
    let tests: Vec<_> = build.tests.iter().map(|test| &*test.package).collect();
    assert_eq!(tests, ["example.com/m/d"]);
}
