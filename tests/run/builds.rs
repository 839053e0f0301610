//! Real builds: rows, CPU time and build graphs, each against a count by other means.

use crate::traced::{
    Place, argv, go, path_with, program, sample, small_diamond, stderr, warm_cache,
    ways_to_see_builds,
};
use gotrace::analyze::slides::Slides;
use gotrace::trace::{Action, ExitStatus, Process, Trace};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

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
    trace_of(place, place.run(&way, command).env("PATH", path_with(go)))
}

fn trace_of(place: &Place, run: &mut Command) -> Trace {
    let output = run.output().unwrap();
    assert!(output.status.success(), "{run:?}: {}", stderr(&output));
    place.trace()
}

/// What other programs say of a cold build of a small module.
struct Known {
    execs: usize,
    tools: usize,
    graph: BTreeMap<String, Vec<usize>>,
    /// Import paths, each with what it imports.
    imports: Vec<(String, Vec<String>)>,
}

fn known(place: &Place, go: &Path) -> Known {
    let mut strace = place.command("strace");
    strace
        .args(["-f", "--seccomp-bpf", "-s", "300", "-e", "execve", "-o"])
        .arg(place.path("strace"))
        .args(["go", "build", "-debug-actiongraph"])
        .arg(place.path("graph.json"))
        .arg("./...")
        .env("PATH", path_with(go));
    assert!(strace.status().unwrap().success());
    let log = std::fs::read_to_string(place.path("strace")).unwrap();
    // A call that another thread's came between stands on two lines: only its end has the result.
    let begun = |line: &&str| line.contains("execve(");
    let tool = |line: &&str| line.contains("/pkg/tool/") && !line.contains("\"-V=full\"");
    let mut list = place.command(go);
    list.args([
        "list",
        "-f",
        "{{.ImportPath}} {{join .Imports \" \"}}",
        "./...",
    ]);
    let listed = String::from_utf8(list.output().unwrap().stdout).unwrap();
    let words = |line: &str| -> (String, Vec<String>) {
        let mut words = line.split_whitespace().map(str::to_owned);
        (words.next().unwrap(), words.collect())
    };
    Known {
        execs: log.lines().filter(|line| line.ends_with(" = 0")).count(),
        tools: log.lines().filter(begun).filter(tool).count(),
        graph: of_file(&place.path("graph.json")),
        imports: listed.lines().map(words).collect(),
    }
}

#[test]
fn a_build_agrees_with_strace_and_time_and_the_go_command() {
    let Some(go) = go() else { return };
    for program in ["strace", "/usr/bin/time"] {
        if Command::new(program).arg("--version").output().is_err() {
            println!("skipped: no {program}");
            return;
        }
    }
    let place = Place::new();
    small_diamond(&place.path("work"));
    let known = known(&place, &go);
    let least = known.execs.min(known.tools).min(known.graph.len());
    assert!(least > 30, "{} {}", known.execs, known.tools);
    for way in ways_to_see_builds() {
        std::fs::remove_dir_all(place.path("cache")).unwrap();
        let times = place.path("times");
        let time = [
            "/usr/bin/time",
            "-o",
            times.to_str().unwrap(),
            "-f",
            "%U %S",
        ];
        let command = [&time[..], &["go", "build", "./..."]].concat();
        let trace = traced(&place, &go, way, &command);
        assert!(trace.losses.is_empty(), "{way:?}: {:?}", trace.losses);
        let blind = trace.blind_spots.iter().map(|spot| trace.text(spot.what));
        assert_eq!(blind.count(), 0, "{way:?}");
        check_rows(&trace, way, &known);
        check_cpu(&trace, way, &times);
        check_graph(&trace, way, &known);
        check_imports(&trace, way, &known);
        check_slides(&trace, way);
    }
}

fn check_rows(trace: &Trace, way: [&str; 2], known: &Known) {
    let tools = rows(trace).into_iter().filter(|row| {
        let words = argv(trace, row);
        let first = String::from_utf8_lossy(&words[0]).into_owned();
        first.contains("/pkg/tool/") && words.get(1).is_none_or(|word| word != b"-V=full")
    });
    assert_eq!(tools.count(), known.tools, "{way:?}");
    // time(1) and the go command are what is left; the shim sees neither version questions nor
    // what a tool runs itself.
    if way[1] == "bpf" {
        assert_eq!(rows(trace).len(), known.execs + 1);
    } else {
        assert!(rows(trace).len() >= known.tools + 2);
    }
}

/// Every mapped segment lies where its file and its slide say; Go's programs, where their files say.
fn check_slides(trace: &Trace, way: [&str; 2]) {
    let slides = Slides::of(trace);
    assert_eq!(slides.mismatches, [], "{way:?}");
    if way[1] != "bpf" {
        return;
    }
    for (image, places) in &slides.images {
        let path = trace.text(trace.images[image.index()].path);
        if path.contains("/pkg/tool/") {
            let as_stated = places.slides.keys().all(|slide| *slide == 0);
            assert!(as_stated && places.checked > 0, "{path}: {places:?}");
        }
    }
    let checked: u64 = slides.images.values().map(|places| places.checked).sum();
    assert!(checked > 50, "{checked}");
    // Nobody asked what they import.
    assert!(trace.needs.iter().all(|needs| needs.imports.is_empty()));
}

fn check_cpu(trace: &Trace, way: [&str; 2], times: &Path) {
    let times = std::fs::read_to_string(times).unwrap();
    let times = times.split_whitespace().map(str::parse::<f64>);
    let measured: f64 = times.map(Result::unwrap).sum();
    let recorded: f64 = rows(trace).iter().map(|row| row.cpu().seconds()).sum();
    // time(1) rounds to 10 ms and does not count itself. What it measures holds the shims, whose
    // time is gotrace's own, some milliseconds each.
    let shims = trace.ending.unwrap().own_cpu.seconds();
    let shims = if way[1] == "bpf" { 0.0 } else { shims };
    let least = (measured - shims) * 0.98 - 0.02;
    let most = measured * 1.02 + 0.05;
    assert!(
        (least..most).contains(&recorded),
        "{way:?}: recorded {recorded}, measured {measured}, shims at most {shims}"
    );
}

fn check_graph(trace: &Trace, way: [&str; 2], known: &Known) {
    assert_eq!(of_trace(trace, 0), known.graph, "{way:?}");
    let go = program(trace, "go").id;
    let own = |action: &Action| action.graph == 0 && action.go == Some(go);
    assert!(trace.actions.iter().all(own), "{way:?}");
}

fn check_imports(trace: &Trace, way: [&str; 2], known: &Known) {
    for (package, imports) in &known.imports {
        let name = if package.contains("/cmd/") {
            "main"
        } else {
            package
        };
        let compiles = trace.imports.iter().filter(|found| {
            let words = argv(trace, trace.process(found.process).unwrap());
            let mut pairs = words.windows(2);
            let named = pairs.any(|pair| pair[0] == b"-p" && pair[1] == name.as_bytes());
            words[0].ends_with(b"/compile") && named
        });
        let found: Vec<_> = compiles
            .flat_map(|found| &found.packages)
            .map(|package| trace.text(*package))
            .collect();
        for import in imports.iter().filter(|import| *import != "unsafe") {
            assert!(
                found.contains(&import.into()),
                "{way:?}: {package} imports {import}"
            );
        }
    }
}

#[test]
fn two_go_commands_at_once_leave_a_graph_each_or_a_blind_spot() {
    let Some(go) = go() else { return };
    if Command::new("make").arg("--version").output().is_err() {
        println!("skipped: no make");
        return;
    }
    for way in ways_to_see_builds() {
        let place = Place::new();
        sample("make", &place.path("work"));
        let mut make = place.run(&way, &["make", "-j2"]);
        make.env("PATH", path_with(&go))
            .env("GOCACHE", warm_cache());
        let trace = trace_of(&place, &mut make);
        let graphs: Vec<_> = (0..9)
            .map(|graph| of_trace(&trace, graph))
            .filter(|graph| !graph.is_empty())
            .collect();
        let blind = trace.blind_spots.iter();
        let blind = blind.filter(|spot| trace.text(spot.what).contains("action graph"));
        // Of one whose file the other wrote over, the first graph may be left, and that it has no times
        // is a blind spot, too.
        assert!(graphs.len() <= 2, "{way:?}: {}", graphs.len());
        assert!(graphs.len() + blind.count() >= 2, "{way:?}");
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
                .env("GOCACHE", warm_cache())
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
fn a_graph_that_the_user_asks_for_is_theirs_and_is_read() {
    let Some(go) = go() else { return };
    for way in ways_to_see_builds() {
        for in_flags in [true, false] {
            let place = Place::new();
            sample("hello", &place.path("work"));
            let file = place.path("work").join("mine.json");
            let flag = "-debug-actiongraph=mine.json";
            let line: &[&str] = match in_flags {
                true => &["go", "build", "-o", "out"],
                false => &[
                    "go",
                    "build",
                    "-o",
                    "out",
                    "-debug-actiongraph",
                    "mine.json",
                ],
            };
            let mut run = place.run(&way, line);
            run.env("PATH", path_with(&go)).env("GOCACHE", warm_cache());
            if in_flags {
                run.env("GOFLAGS", flag);
            }
            let output = run.output().unwrap();
            assert!(output.status.success(), "{way:?}: {}", stderr(&output));
            let trace = place.trace();
            let case = format!("{way:?} {line:?}");
            assert_eq!(of_trace(&trace, 0), of_file(&file), "{case}");
            assert!(trace.actions.iter().all(|action| action.graph == 0));
            let blind: Vec<_> = trace
                .blind_spots
                .iter()
                .map(|s| trace.text(s.what))
                .collect();
            assert!(
                !blind.iter().any(|what| what.contains("graph")),
                "{case}: {blind:?}"
            );
        }
    }
}

#[test]
fn a_build_that_fails_says_so_in_its_own_words() {
    let Some(go) = go() else { return };
    for way in ways_to_see_builds() {
        let place = Place::new();
        sample("broken", &place.path("work"));
        let build = ["go", "build", "./..."];
        let mut plain = place.command(build[0]);
        plain.env("GOCACHE", warm_cache());
        let plain = plain
            .args(&build[1..])
            .env("PATH", path_with(&go))
            .output()
            .unwrap();
        assert!(!plain.status.success());
        let mut run = place.run(&[way[0], way[1], "--quiet"], &build);
        run.env("GOCACHE", warm_cache());
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
        // What such a build leaves is there for some milliseconds only.
        let blind = trace.blind_spots.iter();
        let blind: Vec<_> = blind.map(|spot| trace.text(spot.what)).collect();
        let of_build = |what: &str| what.contains("graph") || what.contains("importcfg");
        assert!(
            !blind.iter().any(|what| of_build(what)),
            "{way:?}: {blind:?}"
        );
        assert!(
            trace.actions.iter().all(|action| action.go.is_some()),
            "{way:?}"
        );
    }
}

/// What `compare` says of why packages were built, with the output's hashes: by import path.
fn rebuilt(place: &Place, base: &Path, new: &Path) -> (BTreeMap<String, Vec<String>>, Value) {
    let mut compare = place.command(env!("CARGO_BIN_EXE_gotrace"));
    compare.args(["compare", "--json", "--top", "1"]);
    let output = compare.arg(base).arg(new).output().unwrap();
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = shown["new"]["rebuilt"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let reasons = |row: &Value| {
        row["reasons"]
            .as_array()
            .unwrap()
            .iter()
            .map(text)
            .collect()
    };
    let rows = rows.iter().map(|row| (text(&row["package"]), reasons(row)));
    (rows.collect(), shown["outputs"].clone())
}

/// Against the source: `units` is changed, `terrain` and `weather` import it, `forecast` those.
#[test]
fn why_packages_were_built_anew_is_told_from_two_traces() {
    let (Some(go), Some(way)) = (go(), ways_to_see_builds().into_iter().next_back()) else {
        return;
    };
    let place = Place::new();
    sample("diamond", &place.path("work"));
    let build = |name: &str, flags: &[&str]| {
        let command = [&["go", "build", "-o", "out"], flags, &["./cmd/forecast"]].concat();
        let mut run = place.run(&way, &command);
        run.env("PATH", path_with(&go)).env("GOCACHE", warm_cache());
        let output = run.output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let path = place.path(name);
        std::fs::rename(place.path("trace"), &path).unwrap();
        path
    };
    let of = |package: &str, reasons: &[&str]| {
        let reasons = reasons.iter().map(|words| (*words).to_owned()).collect();
        (format!("example.com/diamond/{package}"), reasons)
    };
    let base = build("base", &[]);
    let same = build("same", &[]);
    assert_eq!(rebuilt(&place, &base, &same).0, BTreeMap::new());

    let units = place.path("work/units/units.go");
    let source = std::fs::read_to_string(&units).unwrap();
    std::fs::write(
        &units,
        source + "\nfunc Added(x int) int { return x + 1 }\n",
    )
    .unwrap();
    let changed = build("changed", &[]);
    let (reasons, outputs) = rebuilt(&place, &base, &changed);
    let units = "dependency example.com/diamond/units";
    let [terrain, weather] =
        ["terrain", "weather"].map(|name| format!("dependency example.com/diamond/{name}"));
    let expected = BTreeMap::from([
        of("cmd/forecast", &[&terrain, &weather]),
        of("terrain", &[units]),
        of("units", &["its own inputs"]),
        of("weather", &[units]),
    ]);
    assert_eq!(reasons, expected);
    // Nobody calls what was added: the linker leaves it out.
    let program = serde_json::json!(["example.com/diamond/cmd/forecast"]);
    assert_eq!(
        (&outputs["same"], &outputs["differ"]),
        (&program, &serde_json::json!([]))
    );

    let flags = build("flags", &["-gcflags=example.com/diamond/units=-N"]);
    let (reasons, _) = rebuilt(&place, &changed, &flags);
    assert_eq!(reasons["example.com/diamond/units"], ["flags"]);
}
