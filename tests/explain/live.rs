//! `gotrace explain -- COMMAND` on this machine: a cgo build that fails, and what goes through.

use std::path::Path;
use std::process::{Command, Output};

fn explain(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gotrace"))
        .arg("explain")
        .args(arguments)
        .current_dir(folder)
        .env("GOTOOLCHAIN", "local")
        .env_remove("GOFLAGS")
        .env("CGO_ENABLED", "1")
        .output()
        .unwrap()
}

const MODULE: &str = "module example.com/squeeze\n\ngo 1.21\n";
const PROGRAM: &str = "package main\n\n// unsigned long compressBound(unsigned long);\nimport \"C\"\n\nfunc main() { println(C.compressBound(100)) }\n";

/// The flag that is missing is the one with which the build succeeds.
#[test]
fn a_build_without_lz_is_explained_and_mended() {
    let here = |program: &str| Command::new(program).arg("--version").output().is_ok();
    let zlib = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib64",
    ];
    let zlib = zlib
        .iter()
        .any(|folder| Path::new(folder).join("libz.so").exists());
    if !here("gcc") || !zlib || Command::new("go").arg("version").output().is_err() {
        println!("skipped: no go, gcc or libz.so: scripts/setup");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("go.mod"), MODULE).unwrap();
    std::fs::write(folder.path().join("main.go"), PROGRAM).unwrap();
    let build = ["--json", "--", "go", "build", "-o", "out", "."];
    let failed = explain(&build, folder.path());
    assert_eq!(failed.status.code(), Some(1));
    let said = String::from_utf8(failed.stderr).unwrap();
    // What the command printed, and then the object.
    let (before, json) = said.split_at(said.find("{\n  \"schema\"").unwrap());
    assert!(
        before.contains("undefined reference to `compressBound'"),
        "{before}"
    );
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    let row = &json["rows"][0];
    assert_eq!(row["cause"], "not-linked", "{json:#}");
    assert_eq!(row["package"], "example.com/squeeze");
    assert_eq!(row["symbols"][0]["symbol"], "compressBound");
    assert_eq!(row["symbols"][0]["users"][0], "C.compressBound");
    let file = row["files"][0]["path"].as_str().unwrap();
    assert!(file.ends_with("/libz.so"), "{file}");
    let flags = row["remedies"][0]["value"].as_str().unwrap();
    assert_eq!(flags, "-lz");

    let mended = Command::new("go")
        .args(["build", "-o", "out", "."])
        .current_dir(folder.path())
        .env("GOTOOLCHAIN", "local")
        .env("CGO_LDFLAGS", flags)
        .status()
        .unwrap();
    assert!(mended.success());
}

#[test]
fn output_and_exit_codes_go_through() {
    let folder = tempfile::tempdir().unwrap();
    let run = |script: &str| explain(&["--", "sh", "-c", script], folder.path());
    let fine = run("printf 'a\\nb'; printf 'c' >&2");
    assert_eq!(fine.status.code(), Some(0));
    assert_eq!(fine.stdout, b"a\nb");
    assert_eq!(fine.stderr, b"c");
    assert_eq!(run("exit 7").status.code(), Some(7));
    assert_eq!(run("kill -9 $$").status.code(), Some(137));
    let warned = run("echo 'x: exec format error'");
    assert_eq!(
        warned.status.code(),
        Some(1),
        "an error that the command did not end with"
    );
    // Nobody but the system says that it was killed.
    let killed = run("kill -9 $$");
    let said = String::from_utf8(killed.stderr).unwrap();
    assert!(said.starts_with("error[killed-"), "{said}");
    assert!(
        !said.contains("  log "),
        "no line of the log says so: {said}"
    );
    let missing = explain(&["--", "/no/such/command"], folder.path());
    assert_eq!(missing.status.code(), Some(127));
    let file = explain(&["--log", "/no/such/log"], folder.path());
    assert_eq!(file.status.code(), Some(3));
}

/// A library of zig's, which its linker signed: with a byte of its code changed, the kernel kills
/// whoever reads that page.
#[test]
fn a_killed_program_is_held_to_the_rules_of_macos() {
    let folder = tempfile::tempdir().unwrap();
    let library = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/explain/mac/opt/homebrew/lib/libfrob.dylib");
    let mut bytes = std::fs::read(library).unwrap();
    bytes[0x1420] ^= 1;
    std::fs::write(folder.path().join("frob"), bytes).unwrap();
    std::fs::write(folder.path().join("log"), "zsh: killed     ./frob -x\n").unwrap();
    let found = explain(&["--log", "log"], folder.path());
    assert_eq!(found.status.code(), Some(1));
    let said = String::from_utf8(found.stdout).unwrap();
    assert!(
        said.starts_with("error[killed-signature] the kernel killed ./frob for"),
        "{said}"
    );
    assert!(said.contains("  files     ./frob: for arm64\n"), "{said}");
    let rule =
        "it breaks the rule page-hash: the kernel kills the process when the page is first read";
    assert!(said.contains(rule), "{said}");
    assert!(said.contains("codesign --force --sign - ./frob"), "{said}");
}

#[test]
fn what_is_no_error_is_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("log"), "ok\texample.com/a\t0.1s\n").unwrap();
    let found = explain(&["--log", "log"], folder.path());
    assert_eq!(found.status.code(), Some(0));
    assert_eq!(found.stdout, b"nothing to explain in 1 line\n");
}
