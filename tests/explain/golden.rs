//! What is said of each log, as golden files have it (`UPDATE=1` writes them anew), and the keys of
//! the JSON, as the page has them.

use crate::{data, expected, explain, is_amd64, logs};
use std::collections::BTreeSet;

#[test]
fn every_log_is_explained_as_before() {
    if !is_amd64() {
        return;
    }
    let logs = logs();
    assert!(logs.len() > 25, "{logs:?}");
    let mut changed = Vec::new();
    for log in logs {
        let found = explain(&log, &[]);
        let text = String::from_utf8(found.stdout).unwrap();
        let errors = text.lines().any(|line| line.starts_with("error["));
        assert_eq!(found.status.code(), Some(i32::from(errors)), "{log}");
        let path = data().join(format!("expected/{log}.txt"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        if std::fs::read_to_string(&path).ok().as_ref() != Some(&text) {
            changed.push(format!("{log}:\n{text}"));
        }
    }
    assert!(
        changed.is_empty(),
        "UPDATE=1 writes them: {}",
        changed.join("\n")
    );
}

#[test]
fn json_is_as_it_was() {
    let log = "ld64-absent-from-slice";
    let json = explain(log, &["--json"]).stdout;
    expected::file(&format!("explain/expected/{log}.json"), &json);
}

#[test]
fn every_key_is_documented_and_every_documented_key_is_printed() {
    let logs = logs().into_iter();
    let printed: Vec<_> = logs.map(|log| explain(&log, &["--json"]).stdout).collect();
    expected::keys("explain", &printed);
}

/// Each cause that there is stands on the page, and each that stands there is one.
#[test]
fn every_cause_is_on_the_page() {
    let page = include_str!("../../docs/explain.md");
    let documented: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    for log in logs() {
        let json: serde_json::Value =
            serde_json::from_slice(&explain(&log, &["--json"]).stdout).unwrap();
        for row in json["rows"].as_array().unwrap() {
            let cause = row["cause"].as_str().unwrap();
            assert!(documented.contains(cause), "{cause}");
        }
    }
}

/// Folders stand on link lines more than once, and where none is there, each said so again.
#[test]
fn nothing_is_said_twice() {
    let nowhere = tempfile::tempdir().unwrap();
    let nowhere = nowhere.path().display().to_string();
    let mut seen = 0;
    for log in logs() {
        let file = data().join(format!("logs/{log}.log"));
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_gotrace"))
            .args(["explain", "--json", "--root", &nowhere, "--log"])
            .arg(file)
            .output()
            .unwrap();
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        for row in json["rows"].as_array().unwrap() {
            let notes = row["notes"].as_array().unwrap();
            let said: BTreeSet<String> = notes.iter().map(ToString::to_string).collect();
            assert_eq!(said.len(), notes.len(), "{log}: {row:#}");
            seen += notes.len();
        }
    }
    assert!(seen > 20, "{seen}");
}
