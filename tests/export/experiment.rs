//! Experiments as JSON, held to `docs/json-schema.md`, and as text; both kept in golden files.

use super::json::{Read, assert_golden, assert_same, documented};
use gotrace::analyze::Naming;
use gotrace::analyze::experiment::{Experiment, Figures, Group, Kind};
use gotrace::export::json::{self, Made};
use gotrace::render::text::{Page, experiment as text};
use gotrace::trace::{Nanos, Unnamed};
use std::collections::BTreeMap;

fn experiment(frames: u64) -> Experiment {
    let group = |(kind, name, wall): (Kind, &str, u64)| Group {
        name: name.to_owned(),
        kind,
        runs: (0..8)
            .map(|run| Figures {
                wall: Nanos((wall + run * 3 % 8) * 1_000_000),
                cpu: Nanos(2 * (40 + run) * 1_000_000),
                naming: Naming {
                    samples: frames / 10,
                    named_samples: frames / 10,
                    whole_stacks: frames / 20,
                    frames,
                    unnamed: match frames {
                        0 => BTreeMap::new(),
                        _ => BTreeMap::from([(Unnamed::Stripped, run), (Unnamed::Kernel, 1)]),
                    },
                },
            })
            .collect(),
        failed: 0,
    };
    let groups = [
        (Kind::Baseline, "baseline", 100),
        (Kind::Again, "baseline again", 100),
        (Kind::Setting, "GOGC=50", 120),
        (Kind::Setting, "A=\x1b[2J", 90),
    ];
    Experiment::of(&groups.map(group))
}

fn as_json() -> Vec<u8> {
    let made = Made {
        command: "go build ./...".to_owned(),
        go: "go1.27.3".to_owned(),
        cache: "cold",
        complete: true,
        folder: "/traces".to_owned(),
    };
    let mut out = Vec::new();
    json::experiment(&made, &experiment(1_000), &mut out).unwrap();
    out
}

fn as_text(frames: u64) -> String {
    let mut out = Vec::new();
    text::write(&experiment(frames), &Page::default(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn every_key_of_an_experiment_is_documented_and_every_documented_key_is_printed() {
    let mut read = Read::default();
    if read.add(&as_json()).is_none() {
        return;
    }
    let keys = read.keys.into_iter().map(|(name, key)| {
        assert_eq!(name, json::EXPERIMENT_SCHEMA);
        match key.strip_prefix("rows.") {
            Some(key) => ("row".to_owned(), key.to_owned()),
            None => ("object".to_owned(), key),
        }
    });
    assert_same(&keys.collect(), &documented("experiment\n"));
}

#[test]
fn an_experiment_is_printed_as_it_was() {
    let json = String::from_utf8(as_json()).unwrap();
    assert_golden("experiment.json", &json);
    assert_golden("experiment.txt", &as_text(1_000));
    assert!(!as_text(1_000).contains('\x1b'));
    assert!(as_text(0).contains("no samples"));
    assert!(!as_text(0).contains("failed"));
}

#[test]
fn runs_that_failed_have_a_column_where_there_are_any() {
    let mut experiment = experiment(0);
    experiment.rows[2].failed = 3;
    let mut out = Vec::new();
    text::write(&experiment, &Page::default(), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let line = |start: &str| {
        let line = text.lines().find(|line| line.starts_with(start)).unwrap();
        line.split_whitespace().take(5).collect::<Vec<_>>()
    };
    assert_eq!(line("wall time")[2..4], ["runs", "failed"]);
    assert_eq!(line("GOGC=50")[1..3], ["8", "3"]);
    assert_eq!(line("baseline ")[1..3], ["8", "0"]);
    assert!(text.contains("runs that failed are in no figure"), "{text}");
}
