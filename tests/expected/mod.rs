//! What is written, held to golden files (`UPDATE=1` writes them anew), and the keys of JSON, held to
//! the page that documents them.

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// Holds what is written to a golden file, whose name is relative to `tests/data`.
pub(crate) fn file(name: &str, written: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, written).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        String::from_utf8_lossy(written),
        known,
        "{name}: UPDATE=1 writes it"
    );
}

/// Every key of what is printed stands in a chapter of `docs/json-schema.md`, and no other one does.
pub(crate) fn keys(chapter: &str, printed: &[Vec<u8>]) {
    let mut found = BTreeSet::new();
    for json in printed {
        add_keys(&serde_json::from_slice(json).unwrap(), "", &mut found);
    }
    let page = include_str!("../../docs/json-schema.md");
    let heading = format!("{chapter}\n");
    let text = page.split("\n## ").find(|text| text.starts_with(&heading));
    let documented: BTreeSet<String> = text
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
        .filter(|key| *key != "key")
        .map(|key| key.trim_matches(['*', '`']).to_owned())
        .collect();
    assert_eq!(found, documented, "{chapter}");
}

/// The keys of a value, with the names of those that hold them.
fn add_keys(value: &Value, before: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let name = match before {
                    "" | "rows" => key.clone(),
                    _ => format!("{before}.{key}"),
                };
                add_keys(value, &name, found);
                found.insert(name);
            }
        }
        Value::Array(values) => {
            values
                .iter()
                .for_each(|value| add_keys(value, before, found));
        }
        _ => {}
    }
}
