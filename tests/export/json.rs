//! JSON: read by Python, held to `docs/json-schema.md`, and kept in golden files.

use super::fixture::{self, HOSTILE, LONG};
use super::python;
use gotrace::analyze::calls::{self, GroupBy, PathChoice, Slowest, Statistics};
use gotrace::analyze::{Analysis, By, Filter, call_tree};
use gotrace::export::{json, jsonl};
use gotrace::trace::{ExitStatus, SampleKind, Trace};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn shown(trace: &Trace, by: By, top: Option<usize>) -> Vec<u8> {
    let mut out = Vec::new();
    let filter = Filter::default();
    json::show(&Analysis::of(trace), by, &filter, top, &mut out).unwrap();
    out
}

fn dumped(trace: &Trace) -> Vec<u8> {
    let mut out = Vec::new();
    jsonl::write(trace, &mut out).unwrap();
    out
}

/// Key paths, by the record that they are in, and the arguments of processes in hexadecimal.
#[derive(Default)]
pub(crate) struct Read {
    pub(crate) keys: BTreeSet<(String, String)>,
    argvs: Vec<(u32, Vec<String>)>,
}

impl Read {
    /// Reads more; `None` where there is no Python.
    pub(crate) fn add(&mut self, written: &[u8]) -> Option<()> {
        for line in python::read("export/keys.py", written)?.lines() {
            let mut words = line.split(' ').map(str::to_owned);
            let mut next = || words.next().unwrap();
            match next().as_str() {
                "key" => drop(self.keys.insert((next(), next()))),
                "argv" => self.argvs.push((next().parse().unwrap(), words.collect())),
                other => panic!("{other}"),
            }
        }
        Some(())
    }
}

/// The keys that a chapter of the page lists, by section.
pub(crate) fn documented(chapter: &str) -> BTreeSet<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json-schema.md");
    let page = std::fs::read_to_string(path).unwrap();
    let text = page.split("\n## ").find(|text| text.starts_with(chapter));
    let mut keys = BTreeSet::new();
    let mut shared = BTreeSet::new();
    for section in text.unwrap().split("\n### ").skip(1) {
        let (name, text) = section.split_once('\n').unwrap();
        let rows = text.lines().filter(|line| line.starts_with("| "));
        let first = rows.filter_map(|row| row.split(" | ").next());
        for key in first.filter(|first| *first != "| key") {
            let key = key.trim_start_matches("| ").trim_matches(['*', '`']);
            match (name, key) {
                ("cost", key) => drop(shared.insert(key.to_owned())),
                (name, "...") => {
                    keys.extend(shared.iter().map(|key| (name.to_owned(), key.clone())));
                }
                (name, key) => {
                    let new = keys.insert((name.to_owned(), key.to_owned()));
                    assert!(new, "{name}: {key} stands twice");
                }
            }
        }
    }
    keys
}

pub(crate) fn assert_same(
    printed: &BTreeSet<(String, String)>,
    documented: &BTreeSet<(String, String)>,
) {
    let missing: Vec<_> = printed.difference(documented).collect();
    assert!(missing.is_empty(), "printed, not documented: {missing:?}");
    let stale: Vec<_> = documented.difference(printed).collect();
    assert!(stale.is_empty(), "documented, not printed: {stale:?}");
}

#[test]
fn every_key_of_show_is_documented_and_every_documented_key_is_printed() {
    let mut trace = fixture::trace();
    fixture::add_test_run(&mut trace);
    let mut printed = BTreeSet::new();
    for by in By::ALL {
        let mut read = Read::default();
        if read.add(&shown(&trace, by, None)).is_none() {
            return;
        }
        for (name, key) in read.keys {
            assert_eq!(name, by.name());
            printed.insert(match key.strip_prefix("rows.") {
                Some(key) => (name, key.to_owned()),
                None => ("object".to_owned(), key),
            });
        }
    }
    assert_same(&printed, &documented("show\n"));
}

fn calls(trace: &Trace, by: Option<GroupBy>) -> Vec<u8> {
    let mut out = Vec::new();
    let analysis = Analysis::of(trace);
    let filter = Filter::default();
    match by {
        Some(by) => {
            let statistics = Statistics::of(&analysis, &filter, by);
            json::calls(&analysis, &statistics, by, usize::MAX, &mut out).unwrap();
        }
        None => {
            let slowest = Slowest::of(&analysis, &filter, 10);
            json::slowest_calls(&analysis, &slowest, &mut out).unwrap();
        }
    }
    out
}

#[test]
fn every_key_of_calls_is_documented_and_every_documented_key_is_printed() {
    let trace = fixture::trace();
    let mut printed = BTreeSet::new();
    for by in GroupBy::ALL.map(Some).into_iter().chain([None]) {
        let mut read = Read::default();
        if read.add(&calls(&trace, by)).is_none() {
            return;
        }
        for (name, key) in read.keys {
            assert_eq!(name, by.map_or("call", GroupBy::name));
            let section = if by.is_some() { "row" } else { "call" };
            printed.insert(match key.strip_prefix("rows.") {
                Some(key) => (section.to_owned(), key.to_owned()),
                None => ("object".to_owned(), key),
            });
        }
    }
    let analysis = Analysis::of(&trace);
    let (tree, walked) = calls::tree(&analysis, &call_tree::Options::default(), PathChoice::All);
    let mut out = Vec::new();
    json::tree_of_calls(&analysis, &tree, walked, usize::MAX, &mut out).unwrap();
    let mut read = Read::default();
    if read.add(&out).is_none() {
        return;
    }
    for (name, key) in read.keys {
        assert_eq!(name, "path");
        printed.insert(match key.strip_prefix("rows.") {
            Some(key) => (name, key.to_owned()),
            None => ("object".to_owned(), key),
        });
    }
    assert_same(&printed, &documented("calls\n"));
}

#[test]
fn every_key_of_dump_is_documented_and_every_documented_key_is_printed() {
    let mut killed = fixture::trace();
    killed.ending.as_mut().unwrap().status = Some(ExitStatus::Signal(2));
    let mut read = Read::default();
    for trace in [&fixture::trace(), &killed] {
        if read.add(&dumped(trace)).is_none() {
            return;
        }
    }
    assert_same(&read.keys, &documented("dump\n"));
}

#[test]
fn arguments_come_back_byte_for_byte() {
    let trace = fixture::trace();
    let wanted = |own: bool| -> Vec<(u32, Vec<String>)> {
        let shown = trace.processes.iter().filter(|process| own || !process.own);
        shown
            .map(|process| {
                let argv = process.exec.argv.iter();
                let hex = argv.map(|&word| hexadecimal(trace.strings.get(word)));
                (process.id.0, hex.collect())
            })
            .collect()
    };
    assert!(wanted(true)[2].1.contains(&hexadecimal(HOSTILE)));

    let mut dump = Read::default();
    let mut show = Read::default();
    if dump.add(&dumped(&trace)).is_none() {
        return;
    }
    assert_eq!(dump.argvs, wanted(true));
    show.add(&shown(&trace, By::Process, None)).unwrap();
    show.argvs.sort_unstable();
    assert_eq!(show.argvs, wanted(false));
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How many lines of each record a dump has.
fn lines(dump: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(dump).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn of<'l>(lines: &'l [Value], record: &'l str) -> impl Iterator<Item = &'l Value> {
    lines.iter().filter(move |line| line["record"] == record)
}

#[test]
fn every_record_of_the_trace_has_its_line() {
    let trace = fixture::trace();
    let lines = lines(&dumped(&trace));
    for (record, count) in [
        ("trace", 1),
        ("host", 1),
        ("toolchain", trace.toolchains.len()),
        ("setting", trace.settings.len()),
        ("process", trace.processes.len()),
        ("thread", trace.threads.len()),
        ("image", trace.images.len()),
        ("mapping", trace.mappings.len()),
        ("unmapping", trace.unmappings.len()),
        ("action", trace.actions.len()),
        ("imports", trace.imports.len()),
        ("interpreter", trace.interpreters.len()),
        ("load", trace.loads.len()),
        ("unload", trace.unloads.len()),
        ("linking", trace.linkings.len()),
        ("search", trace.searches.len()),
        ("needs", trace.needs.len()),
        ("binding", 5),
        ("counter", trace.counters.len()),
        ("finding", trace.findings.len()),
        ("loss", trace.losses.len()),
        ("blind_spot", trace.blind_spots.len()),
        ("ending", 1),
        ("profile", trace.profiles.len()),
        ("sample", 8),
        ("end", 1),
    ] {
        assert!(count > 0, "{record}: not in the fixture");
        assert_eq!(of(&lines, record).count(), count, "{record}");
    }
    assert_eq!(lines[0]["schema"], jsonl::SCHEMA);
    assert_eq!(lines.last().unwrap()["samples"], 8);

    let mut known = BTreeSet::from([0]);
    for line in &lines {
        match line["record"].as_str().unwrap() {
            "stack" => assert!(known.insert(line["stack"].as_u64().unwrap()), "told once"),
            "sample" | "profile" => assert!(known.contains(&line["stack"].as_u64().unwrap())),
            _ => {}
        }
    }
}

#[test]
fn sums_over_a_dump_are_what_show_says() {
    let trace = fixture::trace();
    let lines = lines(&dumped(&trace));
    let number = |line: &Value, key: &str| line[key].as_u64().unwrap();
    let cpu: u64 = of(&lines, "process")
        .filter(|process| process["own"] == false)
        .map(|process| number(process, "user_ns") + number(process, "system_ns"))
        .sum();
    // 60 of go, 190 and 370 of the compiles, 120 of link, 2 of the shell, 120 of gcc.
    assert_eq!(cpu, fixture::ms(862).0);
    let own = |sample: &&Value| sample["process"] == 3;
    let weight: u64 = of(&lines, "sample")
        .filter(|sample| sample["kind"] == "on_cpu" && !own(sample))
        .map(|sample| number(sample, "weight_ns"))
        .sum();
    for by in By::ALL {
        let shown: Value = serde_json::from_slice(&shown(&trace, by, None)).unwrap();
        assert_eq!(shown["schema"], json::SHOW_SCHEMA);
        assert_eq!(shown["cpu_ns"], cpu, "{}", by.name());
        let lists = shown.as_object().unwrap().iter();
        let lists: Vec<_> = lists.filter(|(_, value)| value.is_array()).collect();
        assert_eq!(lists.len(), 1, "rows is the only list at the top");
        let rows = shown["rows"].as_array().unwrap();
        let sum = |key: &str| rows.iter().map(|row| number(row, key)).sum::<u64>();
        match by {
            By::Package | By::Tool | By::Process => assert_eq!(sum("cpu_ns"), cpu),
            By::Function | By::Image => {
                assert_eq!(shown["samples"]["weight_ns"], weight);
            }
            By::CriticalPath => assert_eq!(sum("wall_ns"), shown["wall_ns"].as_u64().unwrap()),
            By::Action => assert_eq!(rows.len(), 4),
            // The one sample of the compile since its mark.
            By::Phase => assert_eq!(sum("cpu_ns"), fixture::ms(10).0),
            By::Gap => {
                let recording = &shown["recording"];
                for kind in ["losses", "blind_spots"] {
                    for gap in recording[kind].as_array().unwrap() {
                        assert!(rows.contains(gap), "{gap}");
                    }
                }
            }
        }
    }
}

#[test]
fn top_cuts_rows_and_filters_choose_samples() {
    let trace = fixture::trace();
    let rows = |top| {
        let shown: Value = serde_json::from_slice(&shown(&trace, By::Tool, top)).unwrap();
        shown["rows"].as_array().unwrap().clone()
    };
    let all = rows(None);
    assert!(all.len() > 2);
    assert_eq!(rows(Some(2)), all[..2]);
    assert_eq!(rows(Some(0)), [] as [Value; 0]);

    let mut out = Vec::new();
    let filter = Filter {
        kind: SampleKind::OffCpu,
        ..Filter::default()
    };
    json::show(&Analysis::of(&trace), By::Function, &filter, None, &mut out).unwrap();
    let shown: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(shown["samples"]["kind"], "off_cpu");
    assert_eq!(shown["samples"]["weight_ns"], fixture::ms(150).0);
}

fn golden(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/export");
    folder.join(name)
}

/// What changes here changes for everyone who reads it: `UPDATE=1` writes the files anew.
#[test]
fn what_is_printed_is_as_it_was() {
    let trace = fixture::trace();
    let mut files = vec![("dump.jsonl".to_owned(), dumped(&trace))];
    for by in By::ALL {
        let name = format!("show-{}.json", by.name());
        files.push((name, shown(&trace, by, None)));
    }
    for (name, by) in [
        ("calls.json", Some(GroupBy::Goroutine)),
        ("calls-slowest.json", None),
    ] {
        files.push((name.to_owned(), calls(&trace, by)));
    }
    for (name, written) in files {
        let long = "x".repeat(LONG);
        let written = String::from_utf8(written).unwrap();
        assert_golden(&name, &written.replace(&long, "x, 100000 times"));
    }
}

/// `UPDATE=1` writes the file anew.
pub(crate) fn assert_golden(name: &str, written: &str) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(golden(name), written).unwrap();
    }
    let before = std::fs::read_to_string(golden(name)).unwrap();
    assert!(before == written, "{name}: not as it was; see UPDATE");
}
