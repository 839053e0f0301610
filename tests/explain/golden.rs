//! What is said of each log, as golden files have it (`UPDATE=1` writes them anew), and the keys of
//! the JSON, as the page has them.

use crate::{data, explain, is_amd64, logs};
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
    let json = String::from_utf8(explain(log, &["--json"]).stdout).unwrap();
    let path = data().join(format!("expected/{log}.json"));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &json).unwrap();
    }
    assert_eq!(
        json,
        std::fs::read_to_string(&path).unwrap(),
        "UPDATE=1 writes it"
    );
}

/// The keys of a value, with the names of those that hold them.
fn keys(value: &serde_json::Value, before: &str, found: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                let name = match before {
                    "" | "rows" => key.clone(),
                    _ => format!("{before}.{key}"),
                };
                keys(value, &name, found);
                found.insert(name);
            }
        }
        serde_json::Value::Array(values) => {
            values.iter().for_each(|value| keys(value, before, found));
        }
        _ => {}
    }
}

#[test]
fn every_key_is_documented_and_every_documented_key_is_printed() {
    let mut printed = BTreeSet::new();
    for log in logs() {
        let json = explain(&log, &["--json"]).stdout;
        keys(&serde_json::from_slice(&json).unwrap(), "", &mut printed);
    }
    let page = include_str!("../../docs/json-schema.md");
    let mut chapters = page.split("\n## ");
    let chapter = chapters.find(|text| text.starts_with("explain\n")).unwrap();
    let documented: BTreeSet<String> = chapter
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
        .filter(|key| *key != "key")
        .map(|key| key.trim_matches(['*', '`']).to_owned())
        .collect();
    assert_eq!(printed, documented);
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
