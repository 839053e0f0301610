//! `gotrace experiment` from outside: what is tried, what is refused, what is printed where.

use crate::traced::{Place, go, path_with, sample, stderr, warm_cache};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// `gotrace experiment FLAGS -o series -- COMMAND`.
fn experiment(place: &Place, go: &Path, flags: &[&str], command: &[impl AsRef<OsStr>]) -> Command {
    let mut experiment = place.command(env!("CARGO_BIN_EXE_gotrace"));
    std::fs::create_dir_all(place.path("tmp")).unwrap();
    experiment
        .env("TMPDIR", place.path("tmp"))
        .env("PATH", path_with(go));
    experiment.env("GOCACHE", warm_cache());
    experiment
        .args(["experiment", "-o"])
        .arg(place.path("series"));
    experiment.args(flags).arg("--").args(command);
    experiment
}

fn shown(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_baseline_runs_twice_and_standard_output_is_the_tables() {
    let Some(go) = go() else { return };
    let place = Place::new();
    let flags = [
        "-n",
        "2",
        "--warm-up",
        "0",
        "--json",
        "-s",
        "GOGC=50",
        "-s",
        "A=b/c",
    ];
    let script = ["sh", "-c", "echo \"<$GOGC $A>\""];
    let output = experiment(&place, &go, &flags, &script).output().unwrap();
    let shown = shown(&output);
    assert_eq!(shown["schema"], "gotrace.experiment/1");
    assert_eq!(
        (&shown["complete"], &shown["cache"]),
        (&true.into(), &"warm".into())
    );
    let rows = shown["rows"].as_array().unwrap();
    let of = |key: &str| rows.iter().map(|row| row[key].clone()).collect::<Vec<_>>();
    assert_eq!(
        of("configuration"),
        ["baseline", "baseline again", "GOGC=50", "A=b/c"]
    );
    assert_eq!(of("kind"), ["baseline", "again", "setting", "setting"]);
    assert_eq!(of("run_count"), [2, 2, 2, 2]);
    assert_eq!(rows[2]["wall_ns"]["verdict"], "too_few_runs");
    for words in ["< >", "<50 >", "< b/c>"] {
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    }
    let folders = ["A=b_c", "GOGC=50", "baseline", "baseline_again"];
    let files = folders
        .iter()
        .flat_map(|one| [format!("{one}/1.gotrace"), format!("{one}/2.gotrace")]);
    assert_eq!(place.files(), files.collect::<Vec<_>>());
}

#[test]
fn settings_that_would_show_nothing_are_refused_by_name() {
    let Some(go) = go() else { return };
    let place = Place::new();
    sample("hello", &place.path("work"));
    let mut build = place.command(&go);
    build
        .args(["build", "-o", "hello", "."])
        .env("GOCACHE", warm_cache());
    assert!(build.status().unwrap().success());
    for (setting, command, words) in [
        (
            "GODEBUG=asyncpremptoff=1",
            &["true"][..],
            "asyncpremptoff; did you mean asyncpreemptoff?",
        ),
        (
            "GODEBUG=nothing=1",
            &["true"],
            "no key of GODEBUG is called nothing",
        ),
        (
            "GOMAXPROC=1",
            &["true"],
            "no variable is called GOMAXPROC; did you mean GOMAXPROCS?",
        ),
        ("GOMAXPROCS=many", &["true"], "expected a number from 1"),
        ("-pp=1", &["go", "build"], "unknown flag -pp"),
        (
            "-p=1",
            &["go", "build", "-p", "2"],
            "the command has that flag itself",
        ),
        (
            "-p=1",
            &["./hello"],
            "./hello is a program that is built already",
        ),
        (
            "GOAMD64=v2",
            &["./hello"],
            "./hello is a program that is built already",
        ),
        ("HOME=/h", &["true"], "it is so already"),
        ("nothing", &["true"], "expected NAME=VALUE"),
    ] {
        let mut run = experiment(&place, &go, &["-n", "1", "--setting", setting], command);
        if setting.starts_with("HOME") {
            run.env("HOME", "/h");
        }
        let output = run.output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{setting}: {said}");
        assert!(
            said.contains(&format!("--setting {setting}")) || setting == "nothing",
            "{said}"
        );
        assert!(said.contains(words), "{setting}: {said}");
        assert!(!place.path("series").exists(), "{setting}");
    }
    let mut run = experiment(&place, &go, &["-n", "1", "--build", "."], &["true"]);
    assert_eq!(run.output().unwrap().status.code(), Some(2));
    assert!(!place.path("series").exists());
}

/// The names that the toolchain documents elsewhere: its metrics of what is not as by default.
#[test]
fn every_key_that_the_toolchain_counts_is_a_setting() {
    let Some(go) = go() else { return };
    let place = Place::new();
    let root = place
        .command(&go)
        .args(["env", "GOROOT"])
        .output()
        .unwrap()
        .stdout;
    let root = String::from_utf8(root).unwrap();
    let metrics = Path::new(root.trim_end()).join("src/runtime/metrics/doc.go");
    let metrics = std::fs::read_to_string(metrics).unwrap();
    let known = gotrace::environment::settings::KnownSettings::of(Path::new(root.trim_end()));
    let known = known.unwrap();
    let keys = metrics.split("/godebug/non-default-behavior/").skip(1);
    let keys: Vec<&str> = keys.map(|rest| rest.split(':').next().unwrap()).collect();
    assert!(keys.len() > 10, "{keys:?}");
    for key in keys
        .into_iter()
        .chain(["asyncpreemptoff", "gctrace", "cpu.avx2"])
    {
        assert_eq!(known.refusal("GODEBUG", &format!("{key}=1")), None);
    }
    for name in ["GOGC", "GOMAXPROCS", "GODEBUG", "GOMEMLIMIT", "GOTRACEBACK"] {
        assert!(known.runtime_variables.contains(name), "{name}");
    }
    // What `go env` prints, as far as it is the user's to set.
    let printed = place
        .command(&go)
        .args(["env", "-json"])
        .output()
        .unwrap()
        .stdout;
    let printed: Value = serde_json::from_slice(&printed).unwrap();
    for name in ["GOAMD64", "GOFLAGS", "GOEXPERIMENT", "CGO_ENABLED", "CC"] {
        assert!(printed.get(name).is_some(), "{name}");
        assert!(known.go_variables.contains(name), "{name}");
    }
}

#[test]
fn a_program_is_built_anew_for_each_setting() {
    let Some(go) = go() else { return };
    let place = Place::new();
    sample("hello", &place.path("work"));
    let flags = [
        "-n",
        "1",
        "--warm-up",
        "0",
        "--json",
        "--build",
        ".",
        "-s",
        "-ldflags=-w",
    ];
    // What a program says of how it was built; the program itself need not run for that.
    let command = ["go", "version", "-m", "{}"];
    let output = experiment(&place, &go, &flags, &command).output().unwrap();
    let rows = shown(&output)["rows"].as_array().unwrap().len();
    assert_eq!(rows, 3);
    let without_debug = stderr(&output).matches("-ldflags=-w\n").count();
    assert_eq!(without_debug, 1, "{}", stderr(&output));
    assert_eq!(
        stderr(&output).matches("path\texample.com/hello").count(),
        3
    );
    let left: Vec<_> = std::fs::read_dir(place.path("tmp")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");

    std::fs::remove_dir_all(place.path("series")).unwrap();
    std::fs::write(
        place.path("work/main.go"),
        "package main\nfunc main() { x }\n",
    )
    .unwrap();
    let output = experiment(&place, &go, &flags, &command).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("baseline: go build . failed"),
        "{}",
        stderr(&output)
    );
    assert!(!place.path("series").exists());
}

#[test]
fn what_fails_ends_an_experiment_and_what_was_run_is_shown() {
    let Some(go) = go() else { return };
    let place = Place::new();
    let flags = ["-n", "1", "--warm-up", "0", "-s", "A=1"];
    let script = ["sh", "-c", "exit ${A:-0}"];
    let output = experiment(&place, &go, &flags, &script).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("run 3 of 3, A=1: the command ended with exit status 1"));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("baseline again"), "{text}");
}

#[test]
fn runs_that_fail_are_counted_and_measured_by_nothing() {
    let Some(go) = go() else { return };
    let place = Place::new();
    let flags = [
        "-n",
        "2",
        "--warm-up",
        "0",
        "--json",
        "--ignore-failure",
        "-s",
        "A=1",
    ];
    // The third of the runs, which are ABC CBA.
    let script = ["sh", "-c", "echo >>count; [ $(wc -l <count) -ne 3 ]"];
    let output = experiment(&place, &go, &flags, &script).output().unwrap();
    let shown = shown(&output);
    assert_eq!(shown["complete"], true);
    let rows = shown["rows"].as_array().unwrap();
    let of = |key: &str| rows.iter().map(|row| row[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("run_count"), [2, 2, 1]);
    assert_eq!(of("failed_count"), [0, 0, 1]);
    for (row, count) in rows.iter().zip([2, 2, 1]) {
        for figure in ["wall_ns", "cpu_ns"] {
            assert_eq!(row[figure]["values"].as_array().unwrap().len(), count);
        }
    }
    let said = stderr(&output);
    let words = "run 3 of 6, A=1: the command ended with exit status 1";
    assert!(said.contains(words), "{said}");
}

/// What is built before the runs is told of Ctrl-C as they are: that of a terminal goes to the
/// whole group, that of `kill` to gotrace alone. Nothing more is built then.
#[test]
fn ctrl_c_ends_what_is_built_for_an_experiment() {
    let Some(go) = go() else { return };
    for to_group in [true, false] {
        let place = Place::new();
        sample("hello", &place.path("work"));
        let (begun, gate, log) = (place.path("begun"), place.path("gate"), place.path("log"));
        for fifo in [&begun, &gate] {
            nix::unistd::mkfifo(fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        }
        // The first tool waits until it may go on.
        let [begun_at, gate_at, log_at] = [&begun, &gate, &log].map(|path| path.display());
        let text = format!(
            "#!/bin/sh\necho \"$@\" >>{log_at}\nif [ -e {gate_at} ]; then\necho x >{begun_at}\n\
             cat {gate_at}\nrm -f {gate_at}\nfi\nexec \"$@\"\n"
        );
        let slow = place.path("slow");
        std::fs::write(&slow, text).unwrap();
        std::fs::set_permissions(&slow, std::fs::Permissions::from_mode(0o755)).unwrap();
        let flags = ["-n", "1", "--build", ".", "-s", "A=1"];
        let mut run = experiment(&place, &go, &flags, &["{}"]);
        run.env("GOFLAGS", format!("-p=1 -toolexec={}", slow.display()));
        run.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = run.process_group(0).spawn().unwrap();
        assert_eq!(std::fs::read_to_string(&begun).unwrap(), "x\n");
        let pid = i32::try_from(child.id()).unwrap();
        let target = if to_group { -pid } else { pid };
        kill(Pid::from_raw(target), Signal::SIGINT).unwrap();
        if !to_group {
            std::fs::write(&gate, "").unwrap();
        }
        let output = child.wait_with_output().unwrap();
        // A tool that go has left behind may wait at a pipe still.
        kill(Pid::from_raw(-pid), Signal::SIGKILL).ok();
        assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
        let log = std::fs::read_to_string(&log).unwrap();
        let links = log.lines().filter(|line| line.contains("/link -o "));
        assert!(links.count() <= 1, "{log}");
        assert!(!place.path("series").exists());
        // A go command that is told before it listens leaves a folder of its own.
        let left = std::fs::read_dir(place.path("tmp")).unwrap();
        let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let left: Vec<_> = left.filter(|name| !name.starts_with("go-build")).collect();
        assert_eq!(left, [""; 0]);
    }
}

/// Two libraries have a function; which of the two the program binds is what is tried.
#[test]
#[cfg(target_os = "linux")]
fn what_each_configuration_binds_is_recorded() {
    use gotrace::capture::Name;
    let (Some(go), Ok(())) = (go(), Name::Audit.availability()) else {
        println!("skipped: no go, or ld.so does not tell what it binds");
        return;
    };
    let place = Place::new();
    let make = |words: &[&str]| {
        let output = place.command("gcc").args(words).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
    };
    for (folder, value) in [("one", 1), ("two", 2)] {
        std::fs::create_dir(place.path("work").join(folder)).unwrap();
        let source = format!("{folder}.c");
        let text = format!("int which(void) {{ return {value}; }}\n");
        std::fs::write(place.path("work").join(&source), text).unwrap();
        let library = format!("{folder}/libwhich.so");
        make(&["-shared", "-fPIC", "-o", &library, &source]);
    }
    let text =
        "#include <stdio.h>\nint which(void);\nint main(void) { printf(\"%d\\n\", which()); }\n";
    std::fs::write(place.path("work/main.c"), text).unwrap();
    make(&["-o", "main", "main.c", "-Lone", "-lwhich"]);
    let [one, two] = ["one", "two"].map(|name| place.path("work").join(name));
    let setting = format!("LD_LIBRARY_PATH={}", two.display());
    let flags = [
        "--bindings",
        "-n",
        "1",
        "--warm-up=0",
        "--json",
        "-s",
        &setting,
    ];
    let mut run = experiment(&place, &go, &flags, &["./main"]);
    let output = run.env("LD_LIBRARY_PATH", &one).output().unwrap();
    let shown = shown(&output);
    assert_eq!(shown["rows"].as_array().unwrap().len(), 3);
    // The program itself says which one it called.
    let said = stderr(&output);
    let said: Vec<_> = said.lines().filter(|line| line.len() == 1).collect();
    assert_eq!(said, ["1", "1", "2"]);
    let bound = place.files().into_iter();
    let mut bound: Vec<_> = bound
        .map(|file| provider_of(&place.run_of(&file)))
        .collect();
    bound.sort();
    let expected = [&one, &one, &two].map(|folder| folder.join("libwhich.so"));
    assert_eq!(
        bound,
        expected.map(|path| std::fs::canonicalize(path).unwrap())
    );
}

/// The file whose `which` a program was bound to.
#[cfg(target_os = "linux")]
fn provider_of(trace: &gotrace::trace::Trace) -> std::path::PathBuf {
    let blocks = trace.bindings().map(|block| block.unwrap());
    let binds = blocks.flat_map(|block| block.iter().collect::<Vec<_>>());
    let mut binds = binds.filter(|bind| trace.text(bind.symbol) == "which");
    let provider = binds.next().unwrap().provider.unwrap();
    let path = trace.text(trace.images[provider.index()].path);
    path.into_owned().into()
}
