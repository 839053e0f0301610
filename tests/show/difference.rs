//! Differential flamegraphs against inferno's own comparison of folded stacks.

use crate::build::{
    SAMPLED, Watched, gotrace, record, record_samples, record_trees, record_under, run,
};
use crate::flamegraph::frames;
use gotrace::trace::{CallTreeRow, Nanos, ProbeId, ProcessId};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Nothing ends in memmove any more, m/b has three times as many samples, and some end in the
/// root of the stack.
const NEW: [(u32, usize, u64); 3] = [(1, 3, 10), (2, 3, 60), (2, 1, 8)];

/// Milliseconds of base and of new in each function, as inferno's `diff-folded` finds them.
fn inferno(base: &Path, new: &Path, normalize: bool) -> BTreeMap<String, [u64; 2]> {
    let folded = |trace| gotrace(&["export", "--format", "folded"], trace, 80);
    let (base, new) = (folded(base), folded(new));
    let options = inferno::differential::Options {
        normalize,
        ..Default::default()
    };
    let mut lines = Vec::new();
    inferno::differential::from_readers(options, base.as_bytes(), new.as_bytes(), &mut lines)
        .unwrap();
    let mut sums = BTreeMap::new();
    for line in String::from_utf8(lines).unwrap().lines() {
        let (rest, new) = line.rsplit_once(' ').unwrap();
        let (stack, base) = rest.rsplit_once(' ').unwrap();
        for name in ["all"].into_iter().chain(stack.split(';')) {
            let sum = sums.entry(name.to_owned()).or_insert([0, 0]);
            sum[0] += base.parse::<u64>().unwrap() / 1_000_000;
            sum[1] += new.parse::<u64>().unwrap() / 1_000_000;
        }
    }
    sums
}

/// Milliseconds of base and of new in each frame, and its width in percent.
fn drawn(words: &[&str], base: &Path, new: &Path) -> BTreeMap<String, ([u64; 2], f64)> {
    let base = base.to_str().unwrap();
    let words = [&["flamegraph", "--base", base], words].concat();
    let frames = frames(&gotrace(&words, new, 80)).into_iter();
    let frames = frames.map(|(title, width)| {
        let (name, values) = title.rsplit_once(" (").unwrap();
        let name = name.split_once(' ').map_or(name, |(name, _change)| name);
        let value = |word: &str| {
            let value = values.split("; ").find_map(|part| part.strip_prefix(word));
            let value = value.unwrap().split(", ").next().unwrap();
            let (number, unit) = value.split_once(' ').unwrap();
            assert!(unit == "ms" || value == "0 s", "{value}");
            number.parse::<f64>().unwrap() as u64
        };
        (name.to_owned(), ([value("base "), value("new ")], width))
    });
    frames.collect()
}

/// Base and new on file.
fn two_builds(folder: &Path) -> (PathBuf, PathBuf) {
    let (base, new) = (folder.join("base.gotrace"), folder.join("new.gotrace"));
    record_samples(&base, &SAMPLED);
    record_samples(&new, &NEW);
    (base, new)
}

#[test]
fn frames_have_the_values_that_inferno_finds() {
    let folder = tempfile::tempdir().unwrap();
    let (base, new) = two_builds(folder.path());
    for normalize in [false, true] {
        let expected = inferno(&base, &new, normalize);
        let words: &[&str] = if normalize { &["--normalize"] } else { &[] };
        for (side, reverse) in [(1, None), (0, Some("--reverse"))] {
            let words: Vec<&str> = words.iter().copied().chain(reverse).collect();
            let drawn = drawn(&words, &base, &new);
            let there = expected.iter().filter(|(_, values)| values[side] > 0);
            assert_eq!(drawn.len(), there.clone().count(), "{words:?}");
            for (name, values) in there {
                let (found, width) = drawn[name];
                assert_eq!(found, *values, "{words:?} {name}");
                let percent = values[side] as f64 / expected["all"][side] as f64 * 100.0;
                assert!((width - percent).abs() < 1e-4, "{name}: {width} {percent}");
            }
        }
    }
}

#[test]
fn the_mean_of_repeats_counts() {
    let folder = tempfile::tempdir().unwrap();
    let (base, new) = two_builds(folder.path());
    let repeats = folder.path().join("repeats");
    std::fs::create_dir(&repeats).unwrap();
    record_samples(&repeats.join("1.gotrace"), &[(1, 3, 10), (2, 3, 50)]);
    record_samples(&repeats.join("2.gotrace"), &[(1, 3, 14), (2, 1, 22)]);
    std::fs::write(repeats.join("notes.txt"), "not a trace").unwrap();
    // 600 and 360 ms in all, 600 and 140 in Compile.
    let compile = "cmd/compile/internal/ssa.Compile";
    let of_new = drawn(&[], &base, &repeats);
    assert_eq!(
        (of_new["all"].0, of_new[compile].0),
        ([400, 480], [400, 370])
    );
    let of_base = drawn(&[], &repeats, &new);
    assert_eq!(
        (of_base["all"].0, of_base[compile].0),
        ([480, 780], [370, 700])
    );
}

#[test]
fn other_options_choose_on_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    let (base, new) = two_builds(folder.path());
    let all = |words: &[&str]| drawn(words, &base, &new)["all"].0;
    assert_eq!(all(&["--package", "m/a"]), [100, 100]);
    assert_eq!(all(&["--package", "m/b"]), [300, 680]);
    assert_eq!(all(&["--group", "none", "--tool", "compile"]), [400, 780]);
    // Each 10 ms from 300 ms on: two stacks in base, one and, for 80 ms, another in new.
    assert_eq!(all(&["--from", "0.35", "--to", "0.4"]), [100, 80]);
    let turned = drawn(&["--reversed", "--group", "none"], &base, &new);
    assert_eq!(turned["cmd/compile/internal/ssa.Compile"].0, [300, 700]);
}

#[test]
fn what_does_not_go_together_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (base, new) = two_builds(folder.path());
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let base = base.to_str().unwrap();
    let refused = |words: &[&str]| {
        let words = [&["flamegraph"], words].concat();
        let (code, printed, complaint) = run(&words, &new, 80);
        assert_eq!(printed, "", "{words:?}");
        (code.unwrap(), complaint)
    };
    for (words, code, expected) in [
        (&["--reverse"][..], 2, "--base <BASE>"),
        (&["--normalize"], 2, "--base <BASE>"),
        (
            &["--base", base, "--group", "process"],
            2,
            "--group process chooses a process",
        ),
        (
            &["--base", base, "--process", "101"],
            2,
            "--process chooses a process",
        ),
        (
            &["--base", base, "--tool", "vet"],
            2,
            "--tool vet: no program of this trace is that",
        ),
        (
            &["--base", base, "--off-cpu"],
            3,
            "no sample passes the filter, of 118",
        ),
        (
            &["--base", base, "--of", "calls"],
            3,
            "no call that was recorded",
        ),
        (
            &["--base", empty.to_str().unwrap()],
            3,
            "no *.gotrace in this folder",
        ),
        (&["--base", "/dev/null"], 3, "/dev/null"),
    ] {
        let (found, complaint) = refused(words);
        assert_eq!(found, code, "{words:?}: {complaint}");
        assert!(complaint.contains(expected), "{words:?}: {complaint}");
    }
    let (code, _, complaint) = run(&["flamegraph"], &empty, 80);
    assert_eq!(code, Some(3));
    assert!(
        complaint.contains("a folder, expected a trace"),
        "{complaint}"
    );
}

#[test]
fn what_a_side_lost_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (_, new) = two_builds(folder.path());
    let base = record(folder.path(), true);
    let words = ["flamegraph", "--base", base.to_str().unwrap()];
    let (code, svg, complaint) = run(&words, &new, 80);
    assert_eq!(code, Some(0));
    assert_eq!(
        complaint,
        "gotrace: base: lost: 7 samples (gotrace show --by gap says what and why)\n"
    );
    assert!(svg.contains("base: lost: 7 samples; each frame is looked at by itself: "));
}

#[test]
fn what_the_sides_differ_by_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (base, _) = two_builds(folder.path());
    let new = folder.path().join("two-cores.gotrace");
    record_under(&new, "env.GOMAXPROCS", "2");
    let words = ["flamegraph", "--base", base.to_str().unwrap()];
    let (code, _, complaint) = run(&words, &new, 80);
    assert_eq!(code, Some(0));
    assert_eq!(complaint, "gotrace: GOMAXPROCS differs: base 4, new 2\n");
}

/// One side has more paths than are drawn, of 30 us each; the other one two of 10 us, which are all long there: the same
/// ones stay on the first side.
#[test]
fn calls_that_are_long_on_one_side_stay_on_both() {
    const FUNCTIONS: u32 = 450;
    let folder = tempfile::tempdir().unwrap();
    let (few, many) = (
        folder.path().join("few.gotrace"),
        folder.path().join("many.gotrace"),
    );
    let names: Vec<&str> = (0..FUNCTIONS)
        .map(|number| &*format!("main.f{number}").leak())
        .collect();
    let watched: Vec<Watched> = names.iter().map(|name| (*name, 1)).collect();
    let row = |level, probe, micros| CallTreeRow {
        process: ProcessId(1),
        level,
        probe: ProbeId(probe),
        calls: 1,
        open: 0,
        total: Nanos(micros * 1_000),
    };
    // One function calls others.
    let calls = |caller: u32, callees: std::ops::Range<u32>, micros: u64| {
        let total = micros * u64::from(callees.end - callees.start);
        let callees = callees.map(move |callee| row(1, callee, micros));
        [row(0, caller, total)].into_iter().chain(callees)
    };
    let all = (0..FUNCTIONS).flat_map(|caller| calls(caller, 0..FUNCTIONS, 30));
    record_trees(&many, &watched, &all.collect::<Vec<_>>());
    record_trees(&few, &watched, &calls(7, 1..3, 10).collect::<Vec<_>>());
    for (base, new) in [(&few, &many), (&many, &few)] {
        let words = [
            "flamegraph",
            "--of",
            "calls",
            "--reversed",
            "--min-width=0",
            "--base",
        ];
        let mut words = [&words[..], &[base.to_str().unwrap()]].concat();
        if new == &few {
            words.push("--reverse");
        }
        let (code, svg, complaint) = run(&words, new, 80);
        assert_eq!(code, Some(0), "{complaint}");
        // 450 times 450, but for two.
        let merged = "gotrace: 202,498 paths that took less than 50.0 µs each are merged to [shorter calls] of what \
                      called them, in all runs together\n";
        assert!(complaint.contains(merged), "{complaint}");
        let titles = frames(&svg).into_iter().map(|(title, _)| title);
        let titles: Vec<String> = titles.collect();
        let (of_few, of_many) = match base == &few {
            true => ("base ", "new "),
            false => ("new ", "base "),
        };
        let is_drawn = |name: &str, [few, many]: [&str; 2]| {
            titles.iter().any(|title| {
                title.starts_with(&format!("{name} "))
                    && title.contains(&format!("{of_few}{few}, "))
                    && title.contains(&format!("{of_many}{many}, "))
            })
        };
        assert!(is_drawn("main.f1", ["10.0 µs", "30.0 µs"]), "{titles:?}");
        assert!(is_drawn("main.f2", ["10.0 µs", "30.0 µs"]), "{titles:?}");
        // 202,498 times 30 us.
        assert!(is_drawn("[shorter calls]", ["0 s", "6.07 s"]), "{titles:?}");
    }
}
