//! The processes of a real build, joined with its real action graph and without it.

use crate::builder::Builder;
use gotrace::{
    analyze::{
        Analysis, Tool,
        build::{ActionKind, Origin, Outcome},
    },
    trace::{Nanos, ProcessId, Trace},
};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path};

struct Real {
    trace: Trace,
    rows: Vec<Value>,
}

fn real(with_graph: bool) -> Real {
    let path = "tests/data/builds/test-go1.27.3-linux-amd64.jsonl";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let rows: Vec<Value> = fs::read_to_string(path)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut b = Builder::default();
    for row in &rows {
        let time = |key: &str| Nanos(row[key].as_u64().unwrap());
        let text = |key: &str| row[key].as_str().unwrap();
        let list = |key: &str| row[key].as_array().unwrap();
        if row["process"].is_u64() {
            let parent = row["parent"].as_u64();
            let parent = parent.map(|parent| ProcessId(u32::try_from(parent).unwrap()));
            let id = b.process(parent, text("exe"), (0, 0), 1);
            let argv = list("argv").iter();
            let argv = argv.map(|arg| b.text(arg.as_str().unwrap())).collect();
            let cwd = b.text(text("cwd"));
            let process = b.edit(id);
            (process.exec.argv, process.exec.cwd) = (argv, cwd);
            (process.start, process.exec_at) = (time("start"), time("start"));
            process.exit.as_mut().unwrap().at = time("end");
        } else if row["imports"].is_u64() {
            let process = ProcessId(u32::try_from(row["imports"].as_u64().unwrap()).unwrap());
            let packages = list("packages").iter();
            let packages: Vec<&str> = packages.map(|package| package.as_str().unwrap()).collect();
            b.imports(process, &packages);
        } else if with_graph {
            let number = |value: &Value| u32::try_from(value.as_u64().unwrap()).unwrap();
            let deps: Vec<u32> = list("deps").iter().map(number).collect();
            let objdir = b.text(text("objdir"));
            let commands = list("cmd").iter();
            let commands = commands.map(|cmd| b.text(cmd.as_str().unwrap())).collect();
            let what = (text("mode"), text("package"));
            let action = b.action(number(&row["action"]), what, &deps, (0, 0, 0));
            action.ready = Some(time("ready"));
            action.start = Some(time("start"));
            action.done = Some(time("done"));
            (action.objdir, action.commands) = (objdir, commands);
        }
    }
    Real {
        trace: b.trace,
        rows: rows
            .into_iter()
            .filter(|row| row["process"].is_u64())
            .collect(),
    }
}

/// Arguments that ask a tool about itself: asked before any action, for the whole build.
fn asks(row: &Value) -> bool {
    let asks = |arg: &Value| arg == "-V=full" || arg == "-###";
    row["argv"].as_array().unwrap().iter().any(asks)
}

#[test]
fn every_tool_is_found_in_the_action_that_printed_it() {
    let real = real(true);
    let analysis = Analysis::of(&real.trace);
    let [build] = &analysis.builds.builds[..] else {
        panic!("one build");
    };
    assert_eq!(build.origin, Origin::ActionGraph);
    let mut joined = BTreeSet::new();
    for (action, graph) in build.actions.iter().zip(&real.trace.actions) {
        let commands: Vec<String> = graph
            .commands
            .iter()
            .map(|&id| real.trace.text(id).replace(['"', '\\'], ""))
            .collect();
        let direct = |id: &&ProcessId| analysis.roles.get(**id).unwrap().parent == build.go;
        let ran = action.processes.iter().filter(direct).count();
        // The graph does not print test binaries.
        if action.kind != ActionKind::TestRun {
            assert_eq!(ran, commands.len(), "{} {}", action.mode, action.package);
        }
        for &id in &action.processes {
            assert!(joined.insert(id), "{id} is in two actions");
            let role = analysis.roles.get(id).unwrap();
            assert_eq!(
                role.package.as_ref(),
                Some(&action.package),
                "{:?}",
                role.tool
            );
            if role.parent == build.go && role.tool != Tool::TestBinary {
                let argv = real.rows[id.index()]["argv"].as_array().unwrap();
                let argv: Vec<&str> = argv.iter().map(|arg| arg.as_str().unwrap()).collect();
                let line = argv.join(" ").replace(['"', '\\'], "");
                // gcc is printed without its folder.
                let printed = |command: &String| line.ends_with(command.as_str());
                assert!(commands.iter().any(printed), "{line}\n{commands:#?}");
            }
        }
    }
    let expected: BTreeSet<ProcessId> = (0..)
        .map(ProcessId)
        .zip(&real.rows)
        .skip(1)
        .filter(|(_, row)| !asks(row))
        .map(|(id, _)| id)
        .collect();
    assert_eq!(joined, expected);
    let [test] = &build.tests[..] else {
        panic!("one test");
    };
    assert_eq!(&*test.package, "example.com/m/a");
    assert!(test.run > Nanos::ZERO && test.link > test.run);
}

#[test]
fn command_lines_alone_tell_nearly_the_same() {
    let (with, without) = (real(true), real(false));
    let (with, without) = (Analysis::of(&with.trace), Analysis::of(&without.trace));
    let worked = |analysis: &Analysis<'_>| -> BTreeSet<String> {
        let actions = analysis.builds.builds[0].actions.iter();
        let built = actions.filter(|action| action.works() && action.outcome == Outcome::Built);
        built
            .filter(|action| !action.processes.is_empty())
            // Without a graph, cgo is a part of compiling.
            .map(|action| {
                match action.kind {
                    ActionKind::Cgo => ActionKind::Compile,
                    kind => kind,
                }
                .name()
                .to_owned()
                    + " "
                    + &action.package
            })
            .collect()
    };
    let mut expected = worked(&with);
    // runtime/cgo was cached and only vetted: its folder is tied to no package.
    assert!(expected.remove("vet runtime/cgo"));
    expected.insert("vet ".to_owned());
    assert_eq!(worked(&without), expected);
    for ((id, with), (_, without)) in with.roles.iter().zip(without.roles.iter()) {
        assert_eq!(with.tool, without.tool);
        if with.package.as_deref() != Some("runtime/cgo") {
            assert_eq!(with.package, without.package, "{id} {:?}", with.tool);
        }
    }
    let build = &without.builds.builds[0];
    assert_eq!(build.origin, Origin::Processes);
    let main = build
        .actions
        .iter()
        .find(|a| &*a.package == "example.com/m/a.test")
        .unwrap();
    let deps: Vec<&str> = main
        .deps
        .iter()
        .map(|dep| &*build.action(*dep).unwrap().package)
        .collect();
    assert_eq!(deps, ["example.com/m/a", "example.com/m/a_test"]);
}
