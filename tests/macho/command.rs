//! `gotrace inspect` from outside: exit codes, text, JSON.

use crate::files::built;
use std::path::Path;
use std::process::{Command, Output};

fn inspect(arguments: &[&str], file: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gotrace"))
        .arg("inspect")
        .args(arguments)
        .arg(file)
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn path(name: &str) -> Option<&'static Path> {
    let (_, path) = built()?.iter().find(|(way, _)| *way == name)?;
    Some(path)
}

#[test]
fn a_broken_rule_is_exit_code_1() {
    let Some(file) = path("arm64") else {
        return;
    };
    let whole = inspect(&["--check"], file);
    assert_eq!(whole.status.code(), Some(0), "{}", text(&whole));
    assert!(
        text(&whole).contains(": arm64: none of "),
        "{}",
        text(&whole)
    );

    let broken = file.with_extension("broken");
    let mut bytes = std::fs::read(file).unwrap();
    bytes[0x10_0000] ^= 1;
    std::fs::write(&broken, bytes).unwrap();
    let found = inspect(&["--check"], &broken);
    assert_eq!(found.status.code(), Some(1));
    let lines = text(&found);
    assert!(lines.contains("arm64: error[page-hash] __TEXT,"), "{lines}");
    assert!(lines.contains("at 0x100000\n"), "{lines}");
    assert!(lines.contains("kills the process when the page is first read"));
    let json: serde_json::Value =
        serde_json::from_slice(&inspect(&["--check", "--json"], &broken).stdout).unwrap();
    assert_eq!(json["error_count"], 1);
    assert_eq!(json["rows"][0]["findings"][0]["rule"], "page-hash");
    assert_eq!(json["rows"][0]["findings"][0]["offset"], "0x100000");
}

#[test]
fn no_rules_apply_to_elf() {
    let own = Path::new(env!("CARGO_BIN_EXE_gotrace"));
    let found = inspect(&["--check"], own);
    assert_eq!(found.status.code(), Some(0));
    assert!(text(&found).contains("no rules apply to ELF"));
    let facts = text(&inspect(&[], own));
    assert!(facts.contains("libc.so.6"), "{facts}");
}

#[test]
fn other_files_are_bad_input() {
    let found = inspect(
        &[],
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("Cargo.toml")
            .as_path(),
    );
    assert_eq!(found.status.code(), Some(3));
    let said = String::from_utf8(found.stderr).unwrap();
    assert!(said.contains("neither an ELF nor a Mach-O file"), "{said}");
}

#[test]
fn a_device_is_no_file() {
    let found = inspect(&[], Path::new("/dev/zero"));
    assert_eq!(found.status.code(), Some(3));
    let said = String::from_utf8(found.stderr).unwrap();
    assert_eq!(
        said,
        "gotrace: /dev/zero: cannot read: expected a file or a pipe, found a device\n"
    );
}

/// Folders of programs have scripts in them, too.
#[test]
fn files_beside_bad_ones_are_looked_into() {
    let own = Path::new(env!("CARGO_BIN_EXE_gotrace"));
    for options in [&["--check"][..], &["--json"]] {
        let files = ["Cargo.toml", "README.md"];
        let found = inspect(&[options, &files].concat(), own);
        assert_eq!(found.status.code(), Some(3));
        let said = String::from_utf8(found.stderr.clone()).unwrap();
        let [first, last] = said.lines().collect::<Vec<_>>()[..] else {
            panic!("{said}");
        };
        assert!(first.contains("Cargo.toml: no executable"), "{first}");
        assert!(last.contains("README.md: no executable"), "{last}");
        assert!(text(&found).contains("ELF"), "{options:?}");
    }
}
