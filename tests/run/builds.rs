//! Real builds: rows, CPU time and build graphs, each against a count by other means.

use crate::traced::{Place, argv, go, path_with, program, sample, stderr, ways};
use gotrace::trace::{Action, ExitStatus, Process, Trace};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Successful execs as strace counts them.
fn execs(strace: &Path) -> usize {
    let log = std::fs::read_to_string(strace).unwrap();
    log.lines().filter(|line| line.ends_with(" = 0")).count()
}

/// The rows that are no part of gotrace.
fn rows(trace: &Trace) -> Vec<&Process> {
    trace.processes.iter().filter(|row| !row.own).collect()
}

/// Actions by mode and package, with how many dependencies each has.
fn by_name(actions: impl Iterator<Item = (String, String, usize)>) -> BTreeMap<String, Vec<usize>> {
    let mut named: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (mode, package, deps) in actions {
        named
            .entry(format!("{mode} {package}"))
            .or_default()
            .push(deps);
    }
    named.values_mut().for_each(|deps| deps.sort_unstable());
    named
}

fn of_trace(trace: &Trace, graph: u32) -> BTreeMap<String, Vec<usize>> {
    let actions = trace.actions.iter().filter(|action| action.graph == graph);
    let text = |id| trace.text(id).into_owned();
    by_name(
        actions.map(|action: &Action| (text(action.mode), text(action.package), action.deps.len())),
    )
}

/// The same of a file that `go build -debug-actiongraph` has written.
fn of_file(path: &Path) -> BTreeMap<String, Vec<usize>> {
    let nodes: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let text = |node: &Value, key: &str| node[key].as_str().unwrap_or_default().to_owned();
    by_name(nodes.iter().map(|node| {
        let deps = node["Deps"].as_array().map_or(0, Vec::len);
        (text(node, "Mode"), text(node, "Package"), deps)
    }))
}

fn traced(place: &Place, go: &Path, way: [&str; 2], command: &[&str]) -> Trace {
    let mut run = place.run(&way, command);
    let output = run.env("PATH", path_with(go)).output().unwrap();
    assert!(output.status.success(), "{way:?}: {}", stderr(&output));
    place.trace()
}

#[test]
fn rows_are_the_execs_that_strace_counts() {
    let Some(go) = go() else { return };
    if Command::new("strace").arg("-V").output().is_err() {
        println!("skipped: no strace");
        return;
    }
    let place = Place::new();
    sample("diamond", &place.path("work"));
    let build = ["go", "build", "./..."];
    let mut strace = place.command("strace");
    strace
        .args(["-f", "--seccomp-bpf", "-e", "execve", "-o"])
        .arg(place.path("strace"))
        .args(build)
        .env("PATH", path_with(&go));
    assert!(strace.status().unwrap().success());
    let counted = execs(&place.path("strace"));
    assert!(counted > 100, "{counted}");
    let tools = {
        let log = std::fs::read_to_string(place.path("strace")).unwrap();
        let tool = |line: &&str| line.ends_with(" = 0") && line.contains("/pkg/tool/");
        // The shim hears of these too, and makes no row: they are no step of the build.
        let asks = |line: &&str| line.contains("\"-V=full\"");
        log.lines().filter(tool).filter(|line| !asks(line)).count()
    };
    for way in ways() {
        std::fs::remove_dir_all(place.path("cache")).unwrap();
        let trace = traced(&place, &go, way, &build);
        let found = rows(&trace).len();
        if way[1] == "bpf" {
            assert_eq!(found, counted);
        } else {
            // What strace prints on one line with the result is a part of all: at least those.
            let named = rows(&trace).into_iter().filter(|row| {
                let words = argv(&trace, row);
                let first = String::from_utf8_lossy(&words[0]).into_owned();
                first.contains("/pkg/tool/")
            });
            let named = named.count();
            assert!(
                named >= tools && named < counted,
                "{tools} {named} {counted}"
            );
        }
        assert!(trace.losses.is_empty(), "{:?}", trace.losses);
    }
}

#[test]
fn cpu_time_adds_up_to_what_time_measures() {
    let Some(go) = go() else { return };
    for way in ways() {
        let place = Place::new();
        sample("hello", &place.path("work"));
        let times = place.path("times");
        let times = times.to_str().unwrap();
        let command = [
            "/usr/bin/time",
            "-o",
            times,
            "-f",
            "%U %S",
            "go",
            "build",
            "./...",
        ];
        if !Path::new(command[0]).exists() {
            println!("skipped: no /usr/bin/time");
            return;
        }
        let trace = traced(&place, &go, way, &command);
        let times = std::fs::read_to_string(times).unwrap();
        let measured: f64 = times
            .split_whitespace()
            .map(|t| t.parse::<f64>().unwrap())
            .sum();
        let recorded: f64 = rows(&trace).iter().map(|row| row.cpu().seconds()).sum();
        // time(1) rounds to 10 ms and does not count itself; shims, whose time is gotrace's own,
        // are a part of what it measures.
        let shims = if way[1] == "toolexec" { 0.15 } else { 0.0 };
        assert!(
            recorded > measured * (0.98 - shims) - 0.02 && recorded < measured * 1.02 + 0.05,
            "{way:?}: recorded {recorded}, measured {measured}"
        );
    }
}

#[test]
fn the_graph_is_what_the_go_command_writes_when_it_is_asked() {
    let Some(go) = go() else { return };
    let place = Place::new();
    sample("diamond", &place.path("work"));
    let file = place.path("graph.json");
    let mut plain = place.command(&go);
    plain.args(["build", "-debug-actiongraph"]).arg(&file);
    assert!(plain.arg("./...").status().unwrap().success());
    let expected = of_file(&file);
    assert!(expected.len() > 50, "{}", expected.len());
    for way in ways() {
        std::fs::remove_dir_all(place.path("cache")).unwrap();
        let trace = traced(&place, &go, way, &["go", "build", "./..."]);
        assert_eq!(of_trace(&trace, 0), expected, "{way:?}");
        assert!(trace.actions.iter().all(|action| action.graph == 0));
        let go = program(&trace, "go");
        assert!(trace.actions.iter().all(|action| action.go == Some(go.id)));
        let blind: Vec<_> = trace
            .blind_spots
            .iter()
            .map(|s| trace.text(s.what))
            .collect();
        assert!(blind.is_empty(), "{way:?}: {blind:?}");
    }
}

#[test]
fn what_a_compile_imports_is_what_go_list_says() {
    let Some(go) = go() else { return };
    for way in ways() {
        let place = Place::new();
        sample("diamond", &place.path("work"));
        let trace = traced(&place, &go, way, &["go", "build", "./..."]);
        let mut list = place.command(&go);
        list.args([
            "list",
            "-f",
            "{{.ImportPath}} {{join .Imports \" \"}}",
            "./...",
        ]);
        let listed = String::from_utf8(list.output().unwrap().stdout).unwrap();
        let mut compared = 0;
        for line in listed.lines() {
            let mut words = line.split(' ').filter(|word| !word.is_empty());
            let package = words.next().unwrap();
            let compiles = trace.imports.iter().filter(|imports| {
                let words = argv(&trace, trace.process(imports.process).unwrap());
                let is_compile = words[0].ends_with(b"/compile");
                let named = if package.contains("/cmd/") {
                    "main"
                } else {
                    package
                };
                let mut pairs = words.windows(2);
                is_compile && pairs.any(|pair| pair[0] == b"-p" && pair[1] == named.as_bytes())
            });
            let imports: Vec<Vec<String>> = compiles
                .map(|imports| {
                    let texts = imports.packages.iter();
                    texts.map(|text| trace.text(*text).into_owned()).collect()
                })
                .collect();
            assert!(!imports.is_empty(), "{way:?}: no importcfg of {package}");
            for word in words.filter(|word| *word != "unsafe") {
                let has = |all: &Vec<String>| all.iter().any(|import| import == word);
                assert!(imports.iter().any(has), "{way:?}: {package} imports {word}");
                compared += 1;
            }
        }
        assert!(compared > 5, "{listed}");
    }
}

#[test]
fn two_go_commands_at_once_leave_a_graph_each_or_a_blind_spot() {
    let Some(go) = go() else { return };
    if Command::new("make").arg("--version").output().is_err() {
        println!("skipped: no make");
        return;
    }
    for way in ways() {
        let place = Place::new();
        sample("make", &place.path("work"));
        let trace = traced(&place, &go, way, &["make", "-j2"]);
        let graphs: Vec<_> = (0..9)
            .map(|graph| of_trace(&trace, graph))
            .filter(|graph| !graph.is_empty())
            .collect();
        let blind = trace.blind_spots.iter();
        let blind = blind.filter(|spot| trace.text(spot.what).contains("action graph"));
        assert_eq!(graphs.len() + blind.count(), 2, "{way:?}");
        for name in ["encode", "decode"] {
            let of = |graph: &&BTreeMap<String, Vec<usize>>| {
                graph
                    .keys()
                    .any(|key| key.starts_with("build") && key.ends_with(name))
            };
            let found: Vec<_> = graphs.iter().filter(of).collect();
            assert!(found.len() <= 1, "{way:?}: the graph of {name} twice");
            let file = place.path(name);
            let mut plain = place.command(&go);
            plain
                .arg("build")
                .arg(format!("-debug-actiongraph={}", file.display()));
            plain.args(["-o", "out"]).arg(format!("./cmd/{name}"));
            assert!(plain.status().unwrap().success());
            if let Some(found) = found.first() {
                let plain = of_file(&file);
                let modes = |graph: &BTreeMap<String, Vec<usize>>| -> Vec<String> {
                    graph.keys().cloned().collect()
                };
                assert_eq!(modes(found), modes(&plain), "{way:?}: {name}");
            }
        }
        let mut owners: Vec<_> = trace.actions.iter().map(|a| (a.graph, a.go)).collect();
        owners.sort_unstable();
        owners.dedup();
        assert_eq!(owners.len(), graphs.len(), "{way:?}: {owners:?}");
        assert!(owners.iter().all(|(_, go)| go.is_some()), "{way:?}");
    }
}

#[test]
fn a_build_that_fails_says_so_in_its_own_words() {
    let Some(go) = go() else { return };
    for way in ways() {
        let place = Place::new();
        sample("broken", &place.path("work"));
        let build = ["go", "build", "./..."];
        let mut plain = place.command(build[0]);
        let plain = plain
            .args(&build[1..])
            .env("PATH", path_with(&go))
            .output()
            .unwrap();
        assert!(!plain.status.success());
        std::fs::remove_dir_all(place.path("cache")).unwrap();
        let mut run = place.run(&[way[0], way[1], "--quiet"], &build);
        let output = run.env("PATH", path_with(&go)).output().unwrap();
        assert_eq!(output.status.code(), plain.status.code());
        assert_eq!(stderr(&output), stderr(&plain), "{way:?}");
        let trace = place.trace();
        let failed = rows(&trace).into_iter().filter(|row| {
            let words = argv(&trace, row);
            let failed = row.exit.unwrap().status != ExitStatus::Code(0);
            words[0].ends_with(b"/compile") && failed
        });
        assert_eq!(failed.count(), 1, "{way:?}");
    }
}
