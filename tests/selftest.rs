//! `gotrace selftest`, run as a user would: here everything that can work has to.
#![cfg(unix)]

#[cfg(test)]
#[path = "expected/mod.rs"]
mod expected;

use gotrace::analyze::selftest::{Comparison, Outcome, Standing, Trial};
use gotrace::capture::Name;
use gotrace::environment::Refusal;
use gotrace::environment::toolchain::find_on_path;
use gotrace::export::json;
use gotrace::render::text::{Page, selftest as text};
use serde_json::Value;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

/// Runs it in a folder of its own, with this `PATH`.
#[cfg(test)]
fn selftest(folder: &Path, path: &OsStr, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gotrace"))
        .arg("selftest")
        .args(arguments)
        .env("PATH", path)
        .env("TMPDIR", folder)
        .current_dir(folder)
        .output()
        .unwrap()
}

#[cfg(test)]
fn standings(output: &Output) -> Vec<(String, String)> {
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = json["rows"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rows.map(|row| (text(&row["trial"]), text(&row["standing"])))
        .collect()
}

#[test]
fn all_that_works_here_passes_and_nothing_is_left_behind() {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if find_on_path(OsStr::new("go"), &path).is_none() {
        println!("skipped: there is no go command on PATH: scripts/setup --for test");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = selftest(folder.path(), &path, &["--json"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}");
    let bpf = Name::Bpf.availability().is_ok();
    let root = nix::unistd::geteuid().is_root();
    for (trial, standing) in standings(&output) {
        let may_be_missing = match trial.as_str() {
            "tools" => false,
            "bindings" => Name::Audit.availability().is_err(),
            "copies" => Name::Patch.availability().is_err(),
            "calls" | "attach" => !bpf || !root,
            // Not every machine has a translator.
            "translated" => true,
            _ => !bpf,
        };
        assert!(
            standing == "passed" || may_be_missing && standing == "not here",
            "{trial}: {told}"
        );
    }
    let left = std::fs::read_dir(folder.path()).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["gotrace-selftest.txt"]);
    let report = std::fs::read_to_string(folder.path().join("gotrace-selftest.txt")).unwrap();
    assert!(
        report.contains("\n== doctor\n") && report.contains("\n== tools: passed\n$ "),
        "{report}"
    );
}

#[test]
fn what_cannot_be_tried_is_no_failure_unless_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = OsStr::new("/nowhere");
    let only = ["--json", "--only", "tools", "--only", "tree"];
    let output = selftest(folder.path(), nowhere, &only);
    assert_eq!(output.status.code(), Some(0));
    let expected = [("tools", "not here"), ("tree", "not here")];
    assert_eq!(
        standings(&output),
        expected.map(|(a, b)| (a.to_owned(), b.to_owned()))
    );
    let strict = selftest(folder.path(), nowhere, &["--strict", "--only", "tools"]);
    assert_eq!(strict.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&strict.stdout).contains("no go command"));
    let unknown = selftest(folder.path(), nowhere, &["--only", "everything"]);
    assert_eq!(unknown.status.code(), Some(2));
}

/// A go command that does not build what it is told to.
#[test]
fn a_program_that_is_not_the_one_that_was_to_be_built_is_a_failure() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    let program = "#!/bin/sh\nwhile [ $# -gt 0 ]; do [ \"$1\" = -o ] && out=$2; shift; done\n\
        [ -z \"$out\" ] || { printf '#!/bin/sh\\necho build 7\\n' >\"$out\" && chmod +x \"$out\"; }\n";
    std::fs::write(&go, program).unwrap();
    std::fs::set_permissions(&go, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut path = folder.path().as_os_str().to_owned();
    path.push(":/usr/bin:/bin");
    let output = selftest(folder.path(), &path, &["--only", "tools"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("failed    tools"), "{told}");
    assert!(told.contains("tools that ran: expected compile selftest, compile selftest/numbers, link selftest, found"), "{told}");
    assert!(
        told.contains("number that the program was built with"),
        "{told}"
    );
}

/// Made-up outcomes: one of each kind.
#[cfg(test)]
fn outcomes() -> Vec<Outcome> {
    let agrees = Comparison::of("events lost", 0, 0);
    let differs = Comparison::of("children", "pid 7 ended with 1", "");
    let command = "/usr/bin/gotrace run -o trace.gotrace -- ./program tree 1";
    vec![
        Outcome {
            commands: vec!["go build -o ./program .".to_owned()],
            ..Outcome::of(Trial::Tools, vec![agrees.clone()])
        },
        Outcome {
            commands: vec![command.to_owned()],
            told: "gotrace: a note\nanother \x1b[2J\n".to_owned(),
            ..Outcome::of(Trial::Tree, vec![agrees, differs])
        },
        Outcome::of(Trial::Samples, Vec::new()),
        Outcome::without(
            Trial::Calls,
            Standing::NotHere(Refusal {
                reason: "functions of one's own choice are watched by root alone".to_owned(),
                evidence: "the user's number is 1000".to_owned(),
                remedy: "sudo gotrace selftest".to_owned(),
            }),
        ),
    ]
}

#[test]
fn lines_report_and_json_are_as_they_were() {
    let page = Page::default();
    let mut lines = Vec::new();
    for outcome in &outcomes() {
        text::line(outcome, &page, &mut lines).unwrap();
    }
    text::counts(&outcomes(), &mut lines).unwrap();
    for outcome in &outcomes() {
        text::trial(outcome, &page, &mut lines).unwrap();
    }
    expected::file("selftest/text.txt", &lines);
    let mut written = Vec::new();
    json::selftest(&outcomes(), &mut written).unwrap();
    expected::file("selftest/json.json", &written);
    expected::keys("selftest", &[written]);
}
