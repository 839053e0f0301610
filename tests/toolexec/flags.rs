//! The user's own GOFLAGS stay, wherever they are set, and their own toolexec with them.

use crate::traced::{Place, argv, end, go, path_with, program, sample, stderr, warm_cache};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const WAY: [&str; 3] = ["--quiet", "--backend", "toolexec"];

/// A toolexec of the user, in a folder whose name needs quotes: it logs and runs the tool.
fn wrapper(place: &Place) -> PathBuf {
    let folder = place.path("a b");
    std::fs::create_dir(&folder).unwrap();
    let wrapper = folder.join("wrap");
    let log = place.path("log");
    let script = format!(
        "#!/bin/sh\necho \"$1 ${{2##*/}}\" >> '{}'\nshift\nexec \"$@\"\n",
        log.display()
    );
    std::fs::write(&wrapper, script).unwrap();
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).unwrap();
    wrapper
}

fn output(run: &mut Command, go: &Path) -> Output {
    run.env("PATH", path_with(go)).env("GOCACHE", warm_cache());
    run.output().unwrap()
}

#[test]
fn the_users_toolexec_runs_every_tool_that_it_would_run_alone() {
    let Some(go) = go() else { return };
    for in_environment in [true, false] {
        let place = Place::new();
        sample("diamond", &place.path("work"));
        let flags = format!(
            "-gcflags=-N '-toolexec=\"{}\" mark'",
            wrapper(&place).display()
        );
        let build = [
            "go",
            "build",
            "-a",
            "unicode/utf8",
            "math/bits",
            "internal/goarch",
        ];
        let log = |run: &mut Command| {
            if in_environment {
                run.env("GOFLAGS", &flags);
            } else {
                std::fs::write(place.path("goenv"), format!("GOFLAGS={flags}\n")).unwrap();
            }
            let built = output(run, &go);
            assert!(built.status.success(), "{}", stderr(&built));
            let log = std::fs::read_to_string(place.path("log")).unwrap();
            std::fs::remove_file(place.path("log")).unwrap();
            let mut lines: Vec<String> = log.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        let mut plain = place.command(build[0]);
        let alone = log(plain.args(&build[1..]));
        assert!(alone.len() > 3 && alone.iter().all(|line| line.starts_with("mark ")));
        let traced = log(&mut place.run(&WAY, &build));
        assert_eq!(traced, alone, "in the environment: {in_environment}");

        // The other flag of the user's holds as well.
        let trace = place.trace();
        let compile = trace.processes.iter().find(|row| {
            let words = argv(&trace, row);
            words[0].ends_with(b"/compile") && words.len() > 2
        });
        let words = argv(&trace, compile.unwrap());
        assert!(words.contains(&b"-N".to_vec()), "{words:?}");
    }
}

#[test]
fn the_go_command_sees_the_users_flags() {
    let Some(go) = go() else { return };
    let place = Place::new();
    let flags = ["go", "env", "GOFLAGS"];
    for (variable, file) in [
        (Some("-mod=mod '-tags=a b'"), ""),
        (None, "GOFLAGS=-tags=c\n"),
    ] {
        std::fs::write(place.path("goenv"), file).unwrap();
        let mut run = place.run(&WAY, &flags);
        if let Some(variable) = variable {
            run.env("GOFLAGS", variable);
        }
        let found = output(&mut run, &go);
        let found = String::from_utf8_lossy(&found.stdout).into_owned();
        let expected = variable.unwrap_or("-tags=c");
        assert!(
            found.starts_with(expected.split(' ').next().unwrap()),
            "{found}"
        );
        assert!(
            found.contains(expected.rsplit('=').next().unwrap().trim_end_matches('\'')),
            "{found}"
        );
        assert!(found.contains("-toolexec="), "{found}");
    }
}

#[test]
fn flags_that_the_go_command_refuses_are_refused_in_its_own_words() {
    let Some(go) = go() else { return };
    let place = Place::new();
    sample("hello", &place.path("work"));
    for flags in ["'-open", "-no-such-flag", "plain"] {
        let mut plain = place.command("go");
        plain.args(["build", "."]).env("GOFLAGS", flags);
        let plain = output(&mut plain, &go);
        let mut run = place.run(&WAY, &["go", "build", "."]);
        let traced = output(run.env("GOFLAGS", flags), &go);
        assert_eq!(end(&traced), end(&plain), "{flags}");
        assert_eq!(stderr(&traced), stderr(&plain), "{flags}");
        assert!(!plain.status.success());
    }
}

#[test]
fn a_toolexec_on_the_command_line_takes_the_shims_place_and_that_is_told() {
    let Some(go) = go() else { return };
    let place = Place::new();
    sample("hello", &place.path("work"));
    let wrapper = format!("-toolexec='{}' mark", wrapper(&place).display());
    let build = ["go", "build", &wrapper, "-o", "../out", "."];
    let built = output(&mut place.run(&WAY, &build), &go);
    assert!(built.status.success(), "{}", stderr(&built));
    assert!(place.path("log").exists());
    let trace = place.trace();
    let spots = trace.blind_spots.iter().map(|spot| trace.text(spot.why));
    assert_eq!(spots.filter(|why| why.contains("-toolexec")).count(), 1);
}

#[test]
fn without_a_go_command_other_commands_run_all_the_same() {
    let place = Place::new();
    let mut run = place.run(&WAY, &["/bin/sh", "-c", "exit 3"]);
    let output = run.env("PATH", "/nowhere").output().unwrap();
    assert_eq!(
        (output.status.code(), stderr(&output)),
        (Some(3), String::new())
    );
    let trace = place.trace();
    assert_eq!(program(&trace, "sh").parent, None);
    assert_eq!(trace.toolchains.len(), 0);
}

#[test]
fn tools_are_run_by_the_small_executable_where_it_lies_beside_gotrace() {
    // What the go command would run is the first word of its -toolexec.
    const SCRIPT: &str = r#"words="${GOFLAGS#*-toolexec=}"; readlink -f "${words%% *}""#;
    let place = Place::new();
    let runner = |run: &mut Command| {
        let ended = run.output().unwrap();
        assert!(ended.status.success(), "{}", stderr(&ended));
        PathBuf::from(String::from_utf8(ended.stdout).unwrap().trim())
    };
    let beside = runner(&mut place.run(&WAY, &["sh", "-c", SCRIPT]));
    let small = Path::new(env!("CARGO_BIN_EXE_gotrace-shim"));
    assert_eq!(beside, small.canonicalize().unwrap());

    let lone = place.path("gotrace");
    std::fs::copy(env!("CARGO_BIN_EXE_gotrace"), &lone).unwrap();
    let mut run = place.command(&lone);
    run.arg("run").args(WAY).arg("-o").arg(place.path("lone"));
    let alone = runner(run.args(["--", "sh", "-c", SCRIPT]));
    assert_eq!(alone, lone.canonicalize().unwrap());
}
