//! pprof's profiles, read by `go tool pprof`.

use super::fixture::{self, GENERIC, SAMPLES, ms};
use super::real::go;
use gotrace::analyze::{Analysis, By, Filter};
use gotrace::export::{json, pprof};
use gotrace::trace::{Nanos, Trace};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What `go tool pprof` prints of a trace, or of the difference between two; `None`, and why, where
/// there is no go command.
pub(crate) fn pprof_of(flags: &[&str], base: Option<&Trace>, trace: &Trace) -> Option<String> {
    let Some(go) = go() else {
        println!("skipped: no go on PATH, and no GOTRACE_GO");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, trace: &Trace| -> PathBuf {
        let mut out = Vec::new();
        pprof::write(&Analysis::of(trace), &mut out).unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, out).unwrap();
        path
    };
    let mut command = Command::new(go);
    command.args(["tool", "pprof"]).args(flags);
    if let Some(base) = base {
        command.arg("-diff_base").arg(file("base", base));
    }
    let output = command
        .arg(file("profile", trace))
        .env("HOME", folder.path())
        .env(
            "GOCACHE",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("gocache"),
        )
        .env("GOTOOLCHAIN", "local")
        .env_remove("GOFLAGS")
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// What `-raw` prints: types of values, samples with their labels, and the functions of locations,
/// innermost first.
#[derive(Default)]
struct Raw {
    types: String,
    samples: Vec<(Vec<u64>, Vec<String>, String)>,
    text: String,
}

fn raw_of(trace: &Trace) -> Option<Raw> {
    let text = pprof_of(&["-raw"], None, trace)?;
    let (head, rest) = text.split_once("\nLocations\n").unwrap();
    let (locations, _) = rest.split_once("Mappings\n").unwrap();
    let mut functions: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let mut id = 0;
    for line in locations.lines() {
        let mut line = line.trim();
        if let Some((number, rest)) = line.split_once(": 0x") {
            id = number.parse().unwrap();
            line = rest.split_once(' ').unwrap().1;
        }
        // `M=1 name file:line:column s=0`
        let (line, _) = line.rsplit_once(" s=").unwrap();
        let (name, _) = line.rsplit_once(' ').unwrap();
        let name = name
            .split_once("M=")
            .map_or(name, |(_, rest)| rest.split_once(' ').unwrap().1);
        functions.entry(id).or_default().push(name.to_owned());
    }
    let (_, samples) = head.split_once("\nSamples:\n").unwrap();
    let (types, samples) = samples.split_once('\n').unwrap_or((samples, ""));
    let mut raw = Raw {
        types: types.to_owned(),
        ..Raw::default()
    };
    for line in samples.lines() {
        match line
            .split_once(": ")
            .filter(|(values, _)| !values.contains('['))
        {
            Some((values, locations)) => {
                let numbers = |text: &str| -> Vec<u64> {
                    text.split_whitespace()
                        .map(|number| number.parse().unwrap())
                        .collect()
                };
                let mut stack: Vec<String> = numbers(locations)
                    .iter()
                    .flat_map(|location| functions[location].clone())
                    .collect();
                stack.reverse();
                raw.samples.push((numbers(values), stack, String::new()));
            }
            None => {
                let labels = &mut raw.samples.last_mut().unwrap().2;
                labels.push_str(line.trim());
                labels.push(' ');
            }
        }
    }
    raw.text = text;
    Some(raw)
}

/// CPU time of all samples.
pub(crate) fn cpu_of(trace: &Trace) -> Option<u64> {
    let raw = raw_of(trace)?;
    Some(raw.samples.iter().map(|(values, _, _)| values[1]).sum())
}

#[test]
fn samples_have_their_stacks_and_labels() {
    let Some(raw) = raw_of(&fixture::trace()) else {
        return;
    };
    let types = "samples/count cpu/nanoseconds[dflt] waits/count off_cpu/nanoseconds calls/count call_time/nanoseconds";
    assert_eq!(raw.types.trim(), types);
    let labels = [
        "place:[user] tool:[go] goroutine:[1] process:[100] ",
        // The phase that it was taken in.
        "package:[m/a] phase:[compile ssa] place:[user] tool:[compile] goroutine:[1] process:[101] ",
        "package:[m/b] place:[user] tool:[compile] goroutine:[1] process:[102] ",
        "package:[m/b] place:[user] tool:[compile] goroutine:[1] process:[102] ",
        "package:[m/b] place:[kernel] tool:[compile] process:[102] ",
        "package:[m/b] place:[user] tool:[compile] goroutine:[1] process:[102] ",
        "place:[user] tool:[go] goroutine:[1] process:[100] ",
    ];
    let mut expected: Vec<_> = SAMPLES
        .iter()
        .zip(labels)
        .map(|((_, stack, weight, on_cpu), labels)| {
            let stack = if stack.is_empty() {
                &["[no stack]"]
            } else {
                *stack
            };
            let weight = ms(*weight).0;
            let values = match on_cpu {
                true => vec![1, weight, 0, 0, 0, 0],
                false => vec![0, 0, 1, weight, 0, 0],
            };
            let stack = stack.iter().map(|&name| name.to_owned()).collect();
            (values, stack, labels.to_owned())
        })
        .collect();
    // Calls that were added up: 9 - 6, 6 - 1.5 and 1.5 ms of their own.
    let path = [
        "main.outer",
        "cmd/compile/internal/ssa.Compile",
        "main.outer",
    ]
    .map(str::to_owned);
    for (depth, calls, own) in [(1, 2, 3_000_000), (2, 30, 4_500_000), (3, 60, 1_500_000)] {
        let labels = "package:[m/b] tool:[compile] process:[102] ".to_owned();
        expected.push((vec![0, 0, 0, 0, calls, own], path[..depth].to_vec(), labels));
    }
    let mut samples = raw.samples;
    expected.sort_unstable();
    samples.sort_unstable();
    assert_eq!(samples, expected);
}

#[test]
fn images_have_their_build_ids_and_frames_lie_in_them() {
    let Some(raw) = raw_of(&fixture::trace()) else {
        return;
    };
    let compile = "/0x0 /go/pkg/tool/linux_amd64/compile abcd [FN][FL][LN][IN]";
    let mapping = raw
        .text
        .lines()
        .find(|line| line.ends_with(compile))
        .unwrap();
    let (id, range) = mapping.split_once(": 0x").unwrap();
    let start = u64::from_str_radix(range.split('/').next().unwrap(), 16).unwrap();
    // The address of a call is within its instruction.
    for (offset, name) in [
        (0x1010, "runtime.goexit /go/src/"),
        (0x201f, "main.main /go/src/"),
    ] {
        let place = format!("{:#x} M={id} {name}", start + offset);
        assert!(raw.text.contains(&place), "{place}: {}", raw.text);
    }
    for comment in [
        "lost: 7 samples: the ring buffer was full",
        "command: /go/bin/go build ./...",
    ] {
        assert!(raw.text.contains(comment), "{comment}");
    }
}

/// Own and total time of each function, as `-top` prints them.
pub(crate) fn top(text: &str) -> BTreeMap<String, (i64, i64)> {
    let nanos = |text: &str| -> i64 { text.trim_end_matches("ns").parse().unwrap() };
    let (_, rows) = text.split_once("cum%\n").unwrap();
    let rows = rows.lines().map(|line| {
        let mut words = line.split_whitespace();
        let (own, total) = (nanos(words.next().unwrap()), nanos(words.nth(2).unwrap()));
        let name = words.skip(1).collect::<Vec<_>>().join(" ");
        let name = name
            .trim_end_matches(" (inline)")
            .trim_end_matches(" (partial-inline)");
        (name.to_owned(), (own, total))
    });
    rows.collect()
}

pub(crate) const ALL: [&str; 4] = ["-top", "-unit=ns", "-nodecount=1000000", "-nodefraction=0"];

#[test]
fn functions_cost_what_show_says() {
    let trace = fixture::trace();
    let Some(text) = pprof_of(&ALL, None, &trace) else {
        return;
    };
    let mut found = top(&text);
    found.retain(|name, _| !name.starts_with('['));
    let mut out = Vec::new();
    json::show(
        &Analysis::of(&trace),
        By::Function,
        &Filter::default(),
        None,
        &mut out,
    )
    .unwrap();
    let shown: Value = serde_json::from_slice(&out).unwrap();
    let rows = shown["rows"].as_array().unwrap().iter().map(|row| {
        let number = |key: &str| row[key].as_i64().unwrap();
        let name = row["function"].as_str().unwrap().to_owned();
        (name, (number("own_ns"), number("total_ns")))
    });
    assert_eq!(found, rows.collect());
    assert_eq!(found[GENERIC], (0, 40_000_000));
    let total = format!(" of {}ns total", shown["samples"]["weight_ns"]);
    assert!(text.contains(&total), "{text}");
}

#[test]
fn labels_choose_samples_and_profiles_are_subtracted() {
    let base = fixture::trace();
    let compile = [
        &ALL[..],
        &["-tagfocus=tool=compile", "-tagfocus=process=102"],
    ]
    .concat();
    let Some(text) = pprof_of(&compile, None, &base) else {
        return;
    };
    assert_eq!(top(&text)["main.main"].1, 30_000_000);
    let below = [&ALL[..], &["-tagroot=tool,package"]].concat();
    let text = pprof_of(&below, None, &base).unwrap();
    let (tool, package) = ("compile", "m/b");
    assert_eq!(
        (top(&text)[tool].1, top(&text)[package].1),
        (60_000_000, 50_000_000)
    );

    let mut more = fixture::trace();
    let block = more.samples().next().unwrap().unwrap();
    let mut sample = block.iter().nth(2).unwrap();
    sample.weight = Nanos(5_000_000);
    more.push_samples(&[sample]);
    let text = pprof_of(&ALL, Some(&base), &more).unwrap();
    let changed: BTreeMap<_, _> = top(&text)
        .into_iter()
        .filter(|row| row.1 != (0, 0))
        .collect();
    let five = 5_000_000;
    let expected = [
        ("m/b.add", five),
        (GENERIC, 0),
        ("main.main", 0),
        ("runtime.goexit", 0),
    ];
    let expected = expected.map(|(name, own)| (name.to_owned(), (own, five)));
    assert_eq!(changed, BTreeMap::from(expected));
}

#[test]
fn a_trace_of_nothing_is_a_profile_of_nothing() {
    if let Some(raw) = raw_of(&Trace::default()) {
        assert_eq!(raw.types.trim(), "samples/count cpu/nanoseconds[dflt]");
        assert!(raw.samples.is_empty());
    }
}
