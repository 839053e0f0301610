//! Programs that run from their own files and tell of their calls, from outside.

use super::hardship::{limited, refuse, run_behind, words};
use super::probes::json;
use super::traced::{Place, end, go, stderr, warm_cache};
use gotrace::capture::Name;
use gotrace::trace::Trace;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const AUTO: [&str; 4] = ["--backend", "patch", "--probe", "program:main.*"];
const ALWAYS: [&str; 6] = [
    "--own-path",
    "always",
    "--backend",
    "patch",
    "--probe",
    "program:main.*",
];
const NEVER: [&str; 6] = [
    "--own-path",
    "never",
    "--backend",
    "patch",
    "--probe",
    "program:main.*",
];

/// How programs are linked.
const LINKED: [(&str, &[&str]); 5] = [
    ("0", &[]),
    ("0", &["-ldflags=-s -w"]),
    ("0", &["-buildmode=pie", "-ldflags=-s -w"]),
    ("1", &["-ldflags=-linkmode=external"]),
    ("1", &["-buildmode=pie", "-ldflags=-linkmode=external"]),
];

/// The go command, where programs can run so; says why they do not.
fn ready() -> Option<PathBuf> {
    if let Err(refusal) = Name::Patch.availability() {
        println!("skipped: {refusal}; {}", refusal.remedy);
        return None;
    }
    if cfg!(not(target_arch = "x86_64")) {
        println!("skipped: programs run from their own files on amd64 alone");
        return None;
    }
    go()
}

/// What `go build` makes of a source of the tests.
fn built(go: &Path, place: &Place, (cgo, arguments): (&str, &[&str]), source: &str) -> PathBuf {
    let program = place.path("program");
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(source);
    let mut command = place.command(go);
    command
        .env("GOCACHE", warm_cache())
        .env("CGO_ENABLED", cgo)
        .args(["build", "-buildvcs=false"])
        .args(arguments)
        .arg("-o")
        .arg(&program);
    if source.is_dir() {
        command.current_dir(source).arg(".");
    } else {
        command.arg(source);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    program
}

fn printed(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

/// What is told of a function's calls, all of which were recorded.
fn row(calls: &Value, function: &str) -> [u64; 2] {
    assert_eq!(calls["recording"]["lost_calls"], 0);
    let mut rows = calls["rows"].as_array().unwrap().iter();
    let row = rows.find(|row| row["function"] == function);
    let row = row.unwrap_or_else(|| panic!("no {function} in {calls}"));
    let count = |name: &str| row[name].as_u64().unwrap_or(0);
    let entries = count("count");
    // Of calls that were added up, the third.
    let unfinished = ["unwound_count", "open_count", "no_exit_count"].map(count);
    [entries, entries - unfinished.iter().sum::<u64>()]
}

/// Holds calls against what a program has printed of its own.
fn hold_counts(place: &Place, printed: &str) {
    let calls = json(place, &["calls"]);
    let mut held = 0;
    for line in printed.lines().filter(|line| line.starts_with("main.")) {
        let [name, entries, returns] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let counted = [entries, returns].map(|word| word.parse::<u64>().unwrap());
        assert_eq!(row(&calls, name), counted, "{name}");
        held += 1;
    }
    assert!(held > 0, "{printed}");
}

fn blind(place: &Place) -> String {
    json(place, &["calls"])["recording"]["blind_spots"].to_string()
}

fn setting(place: &Place, key: &str) -> String {
    let trace = place.trace();
    let mut settings = trace.settings.iter();
    let found = settings.find(|setting| trace.text(setting.key) == key);
    let value = found.map(|setting| trace.text(setting.value).into_owned());
    value.unwrap_or_default()
}

/// All that a program can find out about itself is what it is without gotrace, and its calls are those that it counts.
#[test]
fn a_program_sees_its_own_path_and_nothing_else() {
    let Some(go) = ready() else { return };
    for linked in LINKED {
        let place = Place::new();
        let program = built(&go, &place, linked, "run/own_path.go");
        // Signals that are held back, and one that is ignored.
        let behind = ["env", "--block-signal=USR1,RTMIN+3", "--ignore-signal=HUP"];
        let mut alone = place.command(behind[0]);
        let alone = alone.args(&behind[1..]).arg(&program).output().unwrap();
        assert!(printed(&alone).starts_with(program.to_str().unwrap()));
        for flags in [&AUTO[..], &ALWAYS[..]] {
            let output = run_behind(&behind, &place, flags, &[&program]);
            assert_eq!(
                printed(&output),
                printed(&alone),
                "{linked:?}: {}",
                stderr(&output)
            );
            assert_eq!(end(&output), end(&alone));
            hold_counts(&place, printed(&output));
            assert_eq!(setting(&place, "own_path"), "kept");
        }
        let copy = place.run(&NEVER, &[&program]).output().unwrap();
        let path = printed(&copy).lines().next().unwrap();
        assert!(path.contains("/gotrace/copies/"), "{path}");
        hold_counts(&place, printed(&copy));
    }
}

/// The kernel's own pages may lie right behind such a program, where what is beside its code would be.
#[test]
fn a_static_pie_runs_from_its_copy() {
    let Some(go) = ready() else { return };
    let place = Place::new();
    let flags = [
        "-buildmode=pie",
        "-ldflags=-linkmode=external -extldflags=-static-pie",
    ];
    let program = built(&go, &place, ("1", &flags), "run/own_path.go");
    let output = place.run(&AUTO, &[&program]).output().unwrap();
    hold_counts(&place, printed(&output));
    assert_eq!(setting(&place, "own_path"), "that of a copy");
    let refused = place.run(&ALWAYS, &[&program]).output().unwrap();
    assert_eq!(refused.status.code(), Some(125));
    assert!(stderr(&refused).contains("static PIE"));
    assert_eq!(printed(&refused), "");
}

/// What is hard on copies is no harder here.
#[test]
fn a_tortured_program_counts_the_same() {
    let Some(go) = ready() else { return };
    let linked = LINKED.into_iter().chain([("1", &["-race"][..])]);
    for linked in linked {
        let place = Place::new();
        let program = built(&go, &place, linked, "symbols/torture");
        let flags = [&ALWAYS[..], &["--call-mode", "aggregate"]].concat();
        let command = [program.to_str().unwrap(), "60", "/bin/true"];
        let mut run = place.run(&flags, &command);
        let output = run.env("GOGC", "5").output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!(setting(&place, "own_path"), "kept");
        hold_counts(&place, printed(&output));
    }
}

/// A program that runs itself by its own path runs its own file, which tells of nothing: that is said.
#[test]
fn what_a_program_runs_of_itself_is_told() {
    let Some(go) = ready() else { return };
    let place = Place::new();
    let program = built(&go, &place, LINKED[0], "run/own_path.go");
    let mut run = place.run(&AUTO, &[&program]);
    run.env("WAIT", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut gotrace = run.spawn().unwrap();
    let input = gotrace.stdin.take();
    let expected = format!("which runs {}", program.display());
    let is_told = || {
        let trace = Trace::open(&place.path("trace")).ok();
        trace.is_some_and(|trace| {
            let mut spots = trace.blind_spots.iter();
            spots.any(|spot| trace.text(spot.what).ends_with(&expected))
        })
    };
    // What is told is written within a second or two.
    let begun = Instant::now();
    while !is_told() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it is not told");
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(input);
    let output = gotrace.wait_with_output().unwrap();
    assert!(printed(&output).contains("\nagain\n<nil>\n"));
    hold_counts(&place, printed(&output));
}

/// In a sandbox in which nobody can be traced a program runs from its copy, which is said; or it is not started, where
/// that was not to be.
#[test]
fn what_may_not_be_traced_sees_the_path_of_its_copy() {
    let Some(go) = ready() else { return };
    let place = Place::new();
    let program = built(&go, &place, LINKED[0], "run/own_path.go");
    let mut run = place.run(&AUTO, &[&program]);
    refuse(&mut run, libc::SYS_ptrace);
    let output = run.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        printed(&output)
            .lines()
            .next()
            .unwrap()
            .contains("/gotrace/copies/")
    );
    hold_counts(&place, printed(&output));
    let said = stderr(&output);
    assert!(said.contains("sees the path of that"), "{said}");
    assert!(said.contains("(ptrace: Operation not permitted"), "{said}");
    assert_eq!(setting(&place, "own_path"), "that of a copy");
    let mut run = place.run(&ALWAYS, &[&program]);
    refuse(&mut run, libc::SYS_ptrace);
    let refused = run.output().unwrap();
    assert_eq!(refused.status.code(), Some(125));
    assert!(refused.stdout.is_empty());
    let said = stderr(&refused);
    assert!(
        said.contains("does not let gotrace trace the program"),
        "{said}"
    );
    assert!(said.contains("--own-path never"), "{said}");
}

/// Where something fails after the program was there, it runs as it is, and all of it was taken back.
#[test]
fn what_fails_half_way_leaves_the_program_as_it_is() {
    let Some(go) = ready() else { return };
    let place = Place::new();
    for linked in [LINKED[0], LINKED[4]] {
        let program = built(&go, &place, linked, "run/own_path.go");
        let alone = |refused: Option<libc::c_long>| {
            let mut alone = place.command(&program);
            if let Some(call) = refused {
                refuse(&mut alone, call);
            }
            alone.output().unwrap()
        };
        let sandboxed = alone(Some(libc::SYS_brk));
        assert!(sandboxed.status.success());
        let mut run = place.run(&ALWAYS, &[&program]);
        refuse(&mut run, libc::SYS_brk);
        let output = run.output().unwrap();
        assert_eq!(printed(&output), printed(&sandboxed), "{}", stderr(&output));
        let calls = json(&place, &["calls"]);
        assert_eq!(calls["entries"], 0);
        let blind = blind(&place);
        assert!(
            blind.contains("brk failed in it: Operation not permitted"),
            "{blind}"
        );
        assert!(
            stderr(&output).contains("runs as it is"),
            "{}",
            stderr(&output)
        );
    }
}

/// All descriptors are the program's own: those that the user's limit leaves are enough, or it runs as it is.
#[test]
fn a_limit_of_descriptors_leaves_all_calls_or_none() {
    let Some(go) = ready() else { return };
    let place = Place::new();
    let program = built(&go, &place, LINKED[0], "run/own_path.go");
    let alone = place.command(&program).output().unwrap();
    for (limit, all) in [("-n 1000", true), ("-n 240", true), ("-n 60", false)] {
        let output = run_behind(&words(&limited(limit)), &place, &ALWAYS, &[&program]);
        assert_eq!(printed(&output), printed(&alone), "{}", stderr(&output));
        if all {
            hold_counts(&place, printed(&output));
        } else {
            assert_eq!(json(&place, &["calls"])["entries"], 0);
        }
    }
}

/// A program whose libraries lie beside it finds them, however it is asked for.
#[test]
fn a_program_finds_libraries_beside_itself() {
    let Some(go) = ready() else { return };
    let place = Place::new();
    let folder = place.path("work");
    std::fs::write(folder.join("seven.c"), "int seven(void) { return 7; }\n").unwrap();
    std::fs::write(folder.join("go.mod"), "module program\n\ngo 1.21\n").unwrap();
    let source = "package main\n\n// #cgo LDFLAGS: -L${SRCDIR} -lseven -Wl,-rpath,$ORIGIN\n\
                  // int seven(void);\nimport \"C\"\n\nfunc main() { print(C.seven()) }\n";
    std::fs::write(folder.join("main.go"), source).unwrap();
    let mut library = place.command("gcc");
    library.args(["-shared", "-o", "libseven.so", "seven.c"]);
    if !library.output().is_ok_and(|output| output.status.success()) {
        println!("skipped: no gcc");
        return;
    }
    std::fs::remove_file(folder.join("seven.c")).unwrap();
    let mut build = place.command(&go);
    build
        .env("GOCACHE", warm_cache())
        .env("CGO_ENABLED", "1")
        .env("CGO_LDFLAGS_ALLOW", ".*ORIGIN.*");
    let build = build
        .args(["build", "-o", "program", "."])
        .output()
        .unwrap();
    assert!(build.status.success(), "{}", stderr(&build));
    let program = folder.join("program");
    for (flags, refused, entries) in [
        (&AUTO[..], false, 1),
        (&ALWAYS[..], false, 1),
        (&NEVER[..], false, 0),
        (&AUTO[..], true, 0),
    ] {
        let mut run: Command = place.run(flags, &[&program]);
        if refused {
            refuse(&mut run, libc::SYS_ptrace);
        }
        let output = run.output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(stderr(&output).contains('7'), "{}", stderr(&output));
        let calls = json(&place, &["calls"]);
        let mut rows = calls["rows"].as_array().unwrap().iter();
        let main = rows.find(|row| row["function"] == "main.main");
        let found = main.map_or(0, |row| row["count"].as_u64().unwrap());
        assert_eq!(found, entries, "{flags:?} {refused}");
        if entries == 0 {
            assert!(blind(&place).contains("libraries") || refused);
        }
    }
}
