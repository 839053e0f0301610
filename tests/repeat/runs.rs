//! What is run, in which order, and what is kept of it.

use crate::series::settings;
use crate::traced::{Place, argv, go, path_with, stderr, ways_to_see_builds};
use gotrace::trace::Trace;
use std::process::Command;

/// A module whose build compiles four packages: without a program, nothing needs the runtime.
fn small_module(place: &Place) {
    let work = place.path("work");
    std::fs::write(work.join("go.mod"), "module example.com/small\n\ngo 1.21\n").unwrap();
    let text = "// Package small is small.\npackage small\n\nimport (\n\t\"container/list\"\n\t\
                \"math/bits\"\n\t\"unicode/utf8\"\n)\n\n// N is a number.\nvar N = \
                bits.Len(uint(utf8.RuneLen('x'))) + list.New().Len()\n";
    std::fs::write(work.join("small.go"), text).unwrap();
}

/// Packages that were compiled.
fn compiled(trace: &Trace) -> usize {
    let compiles = trace.processes.iter().filter(|row| {
        let words = argv(trace, row);
        words[0].ends_with(b"/compile") && words.get(1).is_none_or(|word| word != b"-V=full")
    });
    compiles.count()
}

#[test]
fn a_cold_run_compiles_everything_and_leaves_no_cache() {
    let Some(go) = go() else { return };
    for way in ways_to_see_builds() {
        let place = Place::new();
        small_module(&place);
        let flags = [way[0], way[1], "-n", "3", "--cold", "--warm-up", "0"];
        let build = ["go", "build", "./..."];
        let mut cold = place.repeat(&flags, &build);
        let output = cold.env("PATH", path_with(&go)).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(place.files(), ["1.gotrace", "2.gotrace", "3.gotrace"]);
        assert_eq!(place.temporary(), [""; 0].map(std::path::PathBuf::from));
        for name in place.files() {
            let trace = place.run_of(&name);
            assert_eq!(compiled(&trace), 4, "{way:?} {name}");
            let settings = settings(&trace);
            assert_eq!(settings["repeat.cache"], "cold");
            assert_eq!(settings["cache.state"], "empty");
        }
    }
}

#[test]
fn a_warm_up_run_fills_the_cache_and_is_not_kept() {
    let Some(go) = go() else { return };
    let place = Place::new();
    small_module(&place);
    let flags = ["--backend", "toolexec", "-n", "2", "--warm-up", "1"];
    let mut warm = place.repeat(&flags, &["go", "build", "./..."]);
    let output = warm.env("PATH", path_with(&go)).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(place.files(), ["1.gotrace", "2.gotrace"]);
    for name in place.files() {
        let trace = place.run_of(&name);
        assert_eq!(compiled(&trace), 0, "{name}");
        assert_eq!(settings(&trace)["repeat.cache"], "warm");
    }
    let said = stderr(&output);
    assert_eq!(said.matches("warm-up 1 of 1: ").count(), 1, "{said}");
    assert_eq!(said.matches("run 2 of 2: ").count(), 1, "{said}");
    assert!(!said.contains('\x1b'), "{said:?}");
}

#[test]
fn configurations_take_turns_and_each_run_says_which_it_is() {
    let place = Place::new();
    let flags = ["-n", "4", "--warm-up", "0", "--baseline", "--vary", "A=1"];
    let script = ["sh", "-c", "echo ${A-none} >>seen"];
    let output = place.repeat(&flags, &script).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let seen = std::fs::read_to_string(place.path("work/seen")).unwrap();
    assert_eq!(seen, "none\n1\n1\nnone\n1\nnone\nnone\n1\n");
    let files = place.files();
    assert_eq!(files.len(), 8, "{files:?}");
    let mut positions = Vec::new();
    for name in files {
        let (folder, run) = name.split_once('/').unwrap();
        let settings = settings(&place.run_of(&name));
        assert_eq!(settings["repeat.configuration"], folder);
        assert_eq!(format!("{}.gotrace", settings["repeat.run"]), run);
        assert_eq!(settings["repeat.runs"], "4");
        assert_eq!(settings["repeat.configurations"], "2");
        let varied = settings.get("repeat.vary").map(String::as_str);
        assert_eq!(varied, (folder == "A=1").then_some("A=1"));
        positions.push((settings["repeat.position"].clone(), folder.to_owned()));
    }
    positions.sort();
    let order: Vec<&str> = positions
        .iter()
        .map(|(_, folder)| folder.as_str())
        .collect();
    let (b, a) = ("baseline", "A=1");
    assert_eq!(order, [b, a, a, b, a, b, b, a]);
}

/// As `docs/repeat.md` has it: `-o gogc`.
#[test]
fn a_folder_may_be_named_from_where_one_is() {
    let place = Place::new();
    for (at, folder) in ["gogc", "./one", "deep/er/one"].into_iter().enumerate() {
        let mut repeat = place.command(env!("CARGO_BIN_EXE_gotrace"));
        repeat.args([
            "repeat",
            "-n",
            "1",
            "--warm-up=0",
            "--vary",
            "A=1",
            "--vary",
            "A=2",
        ]);
        let output = repeat.args(["-o", folder, "--", "true"]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{at}: {}", stderr(&output));
        let run = place.path("work").join(folder).join("A=2/1.gotrace");
        assert!(run.exists(), "{folder}");
    }
}

#[test]
fn every_value_reaches_the_command_and_has_a_folder() {
    let place = Place::new();
    let mut flags = vec!["-n", "1", "--warm-up", "0", "--quiet"];
    let values = [
        "A=/usr/lib",
        "A=b c=d",
        "A=b_c=d",
        "A=_usr_lib",
        "A=",
        "A=ä\"'$x",
    ];
    for value in &values {
        flags.extend(["--vary", value]);
    }
    let script = ["sh", "-c", "echo \"A=$A\" >>seen"];
    let output = place.repeat(&flags, &script).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
    let seen = std::fs::read_to_string(place.path("work/seen")).unwrap();
    assert_eq!(seen.lines().collect::<Vec<_>>(), values);
    let expected = [
        "A=/1.gotrace",
        "A=____x/1.gotrace",
        "A=_usr_lib-2/1.gotrace",
        "A=_usr_lib/1.gotrace",
        "A=b_c=d-2/1.gotrace",
        "A=b_c=d/1.gotrace",
    ];
    assert_eq!(place.files(), expected);
    let varied = |name: &str| settings(&place.run_of(name))["repeat.vary"].clone();
    assert_eq!(varied("A=_usr_lib/1.gotrace"), "A=/usr/lib");
    assert_eq!(varied("A=b_c=d-2/1.gotrace"), "A=b_c=d");
}

#[test]
fn what_looks_like_a_secret_is_in_no_trace() {
    let place = Place::new();
    let flags = ["-n", "1", "--warm-up", "0", "--vary", "MY_TOKEN=hunter22"];
    let output = place.repeat(&flags, &["true"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let [name] = &place.files()[..] else { panic!() };
    let settings = settings(&place.run_of(name));
    assert_eq!(settings["repeat.vary"], "MY_TOKEN=[redacted]");
    assert!(!settings.values().any(|value| value.contains("hunter22")));
}

#[test]
fn the_hash_of_what_was_built_is_that_of_sha256sum() {
    let Some(go) = go() else { return };
    for way in ways_to_see_builds() {
        let place = Place::new();
        crate::traced::sample("hello", &place.path("work/hello"));
        let flags = [way[0], way[1], "-n", "1", "--warm-up", "0"];
        let build = ["go", "build", "-C", "hello", "-o", "../built", "."];
        let mut run = place.repeat(&flags, &build);
        run.env("GOCACHE", crate::traced::warm_cache());
        let output = run.env("PATH", path_with(&go)).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let mut sum = Command::new("sha256sum");
        let sum = sum.arg(place.path("work/built")).output().unwrap();
        let sum = String::from_utf8(sum.stdout).unwrap();
        let expected = sum.split(' ').next().unwrap();
        let settings = settings(&place.run_of("1.gotrace"));
        let hashes: Vec<_> = settings
            .iter()
            .filter(|(key, _)| key.starts_with("output.sha256."))
            .collect();
        assert_eq!(hashes.len(), 1, "{hashes:?}");
        assert!(hashes[0].0.ends_with("built"), "{hashes:?}");
        assert_eq!(hashes[0].1, expected, "{way:?}");
    }
}

#[test]
fn what_a_series_says_at_its_end_compares_it() {
    let Some(go) = go() else { return };
    let place = Place::new();
    let flags = [
        "-n",
        "2",
        "--warm-up",
        "0",
        "--vary",
        "-p=1",
        "--vary",
        "-p=2",
    ];
    let mut repeat = place.repeat(&flags, &["go", "version"]);
    let output = repeat.env("PATH", path_with(&go)).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stderr(&output);
    let words = said.split("gotrace compare ").nth(1).unwrap().trim_end();
    assert!(words.starts_with("--allow=flags "), "{words}");
    let mut compare = place.command(env!("CARGO_BIN_EXE_gotrace"));
    compare.arg("compare").args(words.split(' '));
    let output = compare.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("2 runs against 2: go version"), "{text}");
}
