//! Chrome's trace JSON and folded stacks, read by the rules of their formats.

use super::fixture::{self, GENERIC, HOSTILE, SAMPLES, ms};
use super::lines::{Lines, by_kind, row};
use super::python;
use gotrace::analyze::Analysis;
use gotrace::analyze::call_tree::{Grouping, Options};
use gotrace::export::{chrome, folded};
use gotrace::trace::{Action, Nanos, Trace};
use serde_json::Value;
use std::collections::BTreeMap;

fn written(trace: &Trace) -> Vec<u8> {
    let mut out = Vec::new();
    chrome::write(&Analysis::of(trace), &mut out).unwrap();
    out
}

/// The lines of `chrome.py` about a trace, by their first field.
pub(crate) fn chrome_of(trace: &Trace) -> Option<Lines> {
    let out = written(trace);
    python::read("export/chrome.py", &out).map(|said| by_kind(&said))
}

fn chrome_lines() -> Option<Lines> {
    chrome_of(&fixture::trace())
}

fn sorted(mut rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    rows.sort_unstable();
    rows
}

/// A span as it is printed: name, and both ends in nanoseconds.
fn span(name: &str, from: u64, to: u64) -> Vec<String> {
    row(&[name, &ms(from).0.to_string(), &ms(to).0.to_string()])
}

#[test]
fn chrome_has_processes_actions_waits_and_arrows() {
    let Some(lines) = chrome_lines() else { return };
    let slices = |category: &str| {
        let of = lines["slice"]
            .iter()
            .filter(|slice| slice[0].split(',').any(|one| one == category));
        sorted(of.map(|slice| slice[3..].to_vec()).collect())
    };
    let processes = [
        span("go", 0, 1_000),
        span("compile m/a", 100, 300),
        span("compile m/b", 300, 700),
        span("link m/cmd", 700, 950),
        span("shell m/cmd", 720, 730),
        span("cc m/cmd", 730, 900),
    ];
    assert_eq!(slices("process"), sorted(processes.to_vec()));
    let actions = [
        span("compile fmt", 50, 60),
        span("compile m/a", 100, 300),
        span("compile m/b", 300, 700),
        span("link m/cmd", 700, 950),
    ];
    assert_eq!(slices("action"), sorted(actions.to_vec()));
    assert_eq!(slices("wait"), [span("compile m/a", 60, 100)]);
    let arrows = [
        row(&["compile fmt", "compile m/a"]),
        row(&["compile fmt", "compile m/b"]),
        row(&["compile m/a", "compile m/b"]),
        row(&["compile m/b", "link m/cmd"]),
    ];
    assert_eq!(sorted(lines["arrow"].clone()), arrows);
    let instants = [
        row(&["lost: samples", &ms(400).0.to_string()]),
        row(&["not seen: an action graph", &ms(500).0.to_string()]),
    ];
    assert!(lines["instant"].starts_with(&instants));
    let counted: Vec<_> = lines["counter"]
        .iter()
        .filter(|counter| counter[0] == "gotrace_rss_bytes")
        .map(|counter| counter[2].as_str())
        .collect();
    assert_eq!(counted, ["10485760", "12582912"]);
    let argv = lines["argv"].iter().find(|argv| argv[0] == "102").unwrap();
    let bytes: String = HOSTILE.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(argv[6], bytes);
}

#[test]
fn chrome_has_lanes_of_goroutines_and_phases() {
    let Some(lines) = chrome_lines() else { return };
    let slices = |category: &str| {
        let of = lines["slice"].iter().filter(|slice| slice[0] == category);
        sorted(of.map(|slice| slice[2..].to_vec()).collect())
    };
    let on = |thread: &str, name: &str, from, to| [row(&[thread]), span(name, from, to)].concat();
    let compile = "cmd/compile/internal/ssa.Compile";
    let calls = [
        on("goroutine 5", compile, 110, 130),
        on("goroutine 5", compile, 135, 150),
        on("goroutine 6", compile, 165, 170),
        on("goroutine 6", "main.outer", 160, 170),
        on("goroutine 6", "main.outer", 180, 300),
    ];
    assert_eq!(slices("call"), sorted(calls.to_vec()));
    let states = [
        on("goroutine 5: state", "running", 105, 140),
        on("goroutine 5: state", "waiting", 140, 300),
    ];
    assert_eq!(slices("goroutine"), sorted(states.to_vec()));
    assert_eq!(slices("phase"), [on("phases", "ssa", 110, 200)]);
}

#[test]
fn chrome_has_what_loaders_did() {
    let Some(lines) = chrome_lines() else { return };
    let all = lines["slice"].iter();
    let linking = all.filter(|slice| slice[0] == "linking");
    let linking: Vec<_> = linking.map(|slice| slice[1..].to_vec()).collect();
    let on = |name, from, to| [row(&["105", "dynamic linking"]), span(name, from, to)].concat();
    let expected = [
        on("relocation", 732, 734),
        on("relocation for dlopen", 801, 802),
    ];
    assert_eq!(linking, expected);
    let loads = [("gcc", 731), ("libc.so.6", 731), ("libz.so.1", 800)];
    for (file, at) in loads {
        let load = row(&[file, &ms(at).0.to_string()]);
        assert!(lines["instant"].contains(&load), "{file}");
    }
}

#[test]
fn chrome_has_every_sample_with_its_stack() {
    let Some(lines) = chrome_lines() else { return };
    let wanted = SAMPLES.map(|(pid, stack, weight, on_cpu)| {
        let kind = if on_cpu { "on-cpu" } else { "off-cpu" };
        let (pid, weight) = (pid.to_string(), ms(weight).0.to_string());
        row(&[&[kind, &pid, &weight], stack].concat())
    });
    assert_eq!(lines["sample"], wanted);
}

/// A trace as folded stacks, below their tools.
pub(crate) fn folded_of(trace: &Trace) -> String {
    let tree = Analysis::of(trace).call_tree(&Options {
        grouping: Grouping::Tool,
        ..Options::default()
    });
    let mut out = Vec::new();
    folded::write(&tree, Nanos(1), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The rule that flamegraph.pl and inferno share: what follows the last space is the count, and
/// semicolons part the names before it.
#[test]
fn folded_lines_hold_every_stack_below_its_tool() {
    let text = folded_of(&fixture::trace());
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let (stack, count) = line.rsplit_once(' ').unwrap();
        let names: Vec<_> = stack.split(';').map(str::to_owned).collect();
        let new = found.insert(names, count.parse::<u64>().unwrap());
        assert_eq!(new, None, "a stack stands once: {line}");
    }
    let mut wanted = BTreeMap::new();
    for (pid, stack, weight, _) in SAMPLES.iter().filter(|sample| sample.3) {
        let tool = if *pid == 100 { "go" } else { "compile" };
        let names = [&[tool], *stack].concat();
        let names = names.into_iter().map(|name| name.replace(';', ","));
        *wanted.entry(names.collect::<Vec<_>>()).or_default() += ms(*weight).0;
    }
    assert_eq!(found, wanted);
}

#[test]
fn inferno_draws_the_folded_lines() {
    let text = folded_of(&fixture::trace());
    let mut options = inferno::flamegraph::Options::default();
    options.count_name = "ns".to_owned();
    let mut svg = Vec::new();
    inferno::flamegraph::from_lines(&mut options, text.lines(), &mut svg).unwrap();
    let svg = String::from_utf8(svg).unwrap();
    let total: u64 = SAMPLES
        .iter()
        .filter(|sample| sample.3)
        .map(|sample| sample.2)
        .sum();
    assert_eq!(total, 70);
    assert!(svg.contains("<title>all (70,000,000 ns, 100%)</title>"));
    let generic = GENERIC.replace(';', ",");
    // 20 below main, 20 below what could not be followed.
    assert_eq!(
        svg.matches(&format!("<title>{generic} (20,000,000 ns, 28.57%)</title>"))
            .count(),
        2
    );
}

/// Actions that are all ready at once would have a lane each.
#[test]
fn thousands_of_waiting_actions_have_few_lanes_and_a_counter() {
    const ACTIONS: u64 = 5_000;
    let mut trace = fixture::trace();
    let node = trace.actions[2].clone();
    trace.actions.clear();
    for number in 0..ACTIONS {
        trace.actions.push(Action {
            number: u32::try_from(number).unwrap(),
            deps: Vec::new(),
            ready: Some(Nanos::ZERO),
            start: Some(Nanos(1_000 * (number + 1))),
            done: Some(Nanos(1_000 * (number + 2))),
            ..node.clone()
        });
    }
    let written: Value = serde_json::from_slice(&written(&trace)).unwrap();
    let events = written["traceEvents"].as_array().unwrap();
    let named = events.iter().filter(|event| event["name"] == "thread_name");
    let names = named.filter_map(|event| event["args"]["name"].as_str());
    let lanes: Vec<_> = names.filter(|name| name.starts_with("ready, ")).collect();
    assert_eq!(lanes.len(), 32);
    let last = "ready, waiting for a slot (4968 more are not shown)";
    assert_eq!(lanes.iter().filter(|name| **name == last).count(), 1);
    // The longest are shown: those that began last.
    let slices = events.iter().filter(|event| event["cat"] == "wait");
    let shortest = slices.map(|wait| wait["dur"].as_f64().unwrap() as u64);
    assert_eq!(shortest.min(), Some(ACTIONS - 31));
    let waiting = events
        .iter()
        .filter(|e| e["name"] == "actions waiting for a slot");
    let levels = waiting.map(|event| event["args"]["actions"].as_u64().unwrap());
    assert_eq!(levels.max(), Some(ACTIONS));
}
