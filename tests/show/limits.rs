//! What limited the small build, and a test run, against numbers worked out by hand.

use crate::build::{gotrace, record};
use gotrace::analyze::{Analysis, By, Filter};
use gotrace::export::json;
use gotrace::trace::{Action, Nanos, ProcessId, Trace};
use serde_json::{Value, json};

/// From the drawing in `build.rs`: 200 + 400 + 250 = 850 ms of actions, one after the other, in
/// 1000 ms; m/a waited from 60 to 100; before 60 nothing was ready. The actions depend on each
/// other, so a package that cost nothing would save all that it ran.
const BLOCK: &str = "\
go build ./...
  at once: 1 action at most, 0.85 on average, 1.00 cores in use, of 4 slots
  over all actions: waiting for a slot 40.0 ms, no action under way 150 ms
  longest chain of dependent actions: 850 ms of 1.00 s
  go: load: 60.0 ms, other programs 0 s, CPU or waiting 60.0 ms
  without m/b: 600 ms, 400 ms less
  without m/cmd: 750 ms, 250 ms less
  without m/a: 800 ms, 200 ms less
";

#[test]
fn the_critical_path_says_what_limited_the_build() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), true);
    let printed = gotrace(&["show", "--by", "critical-path"], &trace, 100);
    assert_eq!(printed.split_once("\n\n").unwrap().1, BLOCK);
    let top = gotrace(
        &["show", "--by", "critical-path", "--top", "1"],
        &trace,
        100,
    );
    assert!(
        top.contains("without m/b") && !top.contains("without m/cmd"),
        "{top}"
    );
}

#[test]
fn json_holds_what_limited_the_build() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), true);
    let what_if = |package: &str, running: u64| {
        json!({
            "package": package,
            "running_ns": running * 1_000_000,
            "wall_ns": (1_000 - running) * 1_000_000,
            "saved_ns": running * 1_000_000,
        })
    };
    let build = json!({
        "build": 0,
        "command": "go build ./...",
        "wall_ns": 1_000_000_000,
        "slots": 4,
        "cpu_ns": 1_000_000_000,
        "cpu_per_wall": 1.0,
        "actions_per_wall": 0.85,
        "peak": 1,
        "slot_wait_ns": 40_000_000,
        "idle_ns": 150_000_000,
        "longest_chain_ns": 850_000_000,
        "load": {
            "wall_ns": 60_000_000,
            "children_ns": 0,
            "cpu_ns": null,
            "waiting_ns": 60_000_000,
            "fetch_count": 0,
        },
        "what_if": [what_if("m/b", 400), what_if("m/cmd", 250), what_if("m/a", 200)],
        "tests": [],
    });
    for by in [&[][..], &["--by", "action"], &["--by", "critical-path"]] {
        let words = [&["show", "--json"], by].concat();
        let shown: Value = serde_json::from_str(&gotrace(&words, &trace, 80)).unwrap();
        assert_eq!(shown["build"], build, "{by:?}");
    }
}

/// The link made a test binary, which ran from 950 to 990.
fn tested(trace: &mut Trace) {
    let mode = trace.strings.push(b"test run");
    let package = trace.strings.push(b"m/cmd");
    let number = 3;
    trace.actions.push(Action {
        go: Some(ProcessId(0)),
        number,
        mode,
        package,
        deps: vec![0],
        ready: Some(Nanos(950_000_000)),
        start: Some(Nanos(950_000_000)),
        done: Some(Nanos(990_000_000)),
        need_build: true,
        ..Action::default()
    });
}

#[test]
fn the_run_of_a_test_stands_beside_its_link() {
    let folder = tempfile::tempdir().unwrap();
    let mut trace = Trace::open(&record(folder.path(), true)).unwrap();
    tested(&mut trace);
    let analysis = Analysis::of(&trace);
    let mut out = Vec::new();
    json::show(&analysis, By::Package, &Filter::default(), None, &mut out).unwrap();
    let shown: Value = serde_json::from_slice(&out).unwrap();
    let wanted = json!([{
        "package": "m/cmd",
        "compile_ns": 0,
        "link_ns": 250_000_000,
        "run_ns": 40_000_000,
        "cpu_ns": 0,
    }]);
    assert_eq!(shown["build"]["tests"], wanted);

    let page = gotrace::render::text::Page::default();
    let mut out = Vec::new();
    let by = By::CriticalPath;
    gotrace::render::text::ranking::write(
        &analysis,
        by,
        &Filter::default(),
        Some(9),
        &page,
        &mut out,
    )
    .unwrap();
    let printed = String::from_utf8(out).unwrap();
    assert_eq!(
        printed.lines().last().unwrap(),
        "  test m/cmd: compile 0 s, link 250 ms, run 40.0 ms, CPU of the run 0 s"
    );
}
