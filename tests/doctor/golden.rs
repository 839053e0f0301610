//! What is shown and written of made-up findings, as golden files have it (`UPDATE=1` writes them
//! anew), and the keys of the JSON and the checks, as the pages have them.

use crate::expected;
use gotrace::analyze::Diagnosis;
use gotrace::analyze::doctor::{Check, Finding, Level};
use gotrace::export::json;
use gotrace::render::text::{Page, doctor as text};
use std::collections::BTreeSet;

fn finding(check: Check, level: Level, [text, evidence, remedy]: [&str; 3]) -> Finding {
    Finding {
        check,
        level,
        text: text.to_owned(),
        evidence: evidence.to_owned(),
        remedy: remedy.to_owned(),
    }
}

fn everything() -> Diagnosis {
    let findings = vec![
        finding(
            Check::Hardware,
            Level::Ok,
            ["arm64, macos 26.1, 8 cores", "of no interest", ""],
        ),
        finding(
            Check::GoCommand,
            Level::Warning,
            [
                "/usr/local/go/bin/go (go1.27.3 amd64) is translated, by Rosetta 2: each build takes several times as long",
                "the file is for amd64, the machine is arm64",
                "curl -fLO https://go.dev/dl/go1.27.3.darwin-arm64.tar.gz",
            ],
        ),
        finding(
            Check::Modules,
            Level::Note,
            ["this folder is in no module", "", ""],
        ),
        finding(
            Check::Cache,
            Level::Error,
            [
                "the build cache is off",
                "GOCACHE=off\x1b[2J in the environment",
                "unset GOCACHE",
            ],
        ),
    ];
    Diagnosis { findings }
}

fn written() -> Vec<u8> {
    let mut written = Vec::new();
    json::doctor(&everything(), &mut written).unwrap();
    written
}

#[test]
fn text_and_json_are_as_they_were() {
    let page = Page {
        columns: 72,
        ..Page::default()
    };
    let mut all = Vec::new();
    text::findings(&everything(), false, &page, &mut all).unwrap();
    expected::file("doctor/all.txt", &all);
    let mut wrong = Vec::new();
    text::findings(&everything(), true, &page, &mut wrong).unwrap();
    expected::file("doctor/quiet.txt", &wrong);
    expected::file("doctor/doctor.json", &written());
}

/// The first column of each table of a chapter, without its marks.
fn first_column(chapter: &str) -> BTreeSet<&str> {
    let rows = chapter
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    rows.map(|key| key.trim_matches(['*', '`'])).collect()
}

#[test]
fn every_key_is_documented_and_every_documented_key_is_printed() {
    expected::keys("doctor", &[written()]);
}

#[test]
fn every_check_is_on_the_page() {
    let page = include_str!("../../docs/doctor.md");
    let chapter = page
        .split("\n## ")
        .find(|text| text.starts_with("What is checked"))
        .unwrap();
    for check in Check::ALL {
        let row = format!("| `{}` | {} |", check.id(), check.question());
        assert!(chapter.contains(&row), "docs/doctor.md lacks: {row}");
    }
    assert_eq!(
        first_column(chapter).len(),
        Check::ALL.len() + 1,
        "and no others but the heading"
    );
}
