//! `compare` from outside: folders, gates, exit codes, and what is refused.

use crate::build::{record, record_slower};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Exit code, standard output and standard error of `gotrace compare WORDS`.
pub(crate) fn compare(words: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_gotrace"))
        .arg("compare")
        .args(words)
        .env("COLUMNS", "120")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (printed, complaint) = (text(output.stdout), text(output.stderr));
    (output.status.code(), printed, complaint)
}

/// A folder of `count` runs whose `m/b` uses `slower` ms of CPU more, and up to 4 ms besides.
fn group(folder: &Path, name: &str, count: u64, slower: u64) -> String {
    let folder = folder.join(name);
    std::fs::create_dir(&folder).unwrap();
    for number in 0..count {
        let path = folder.join(format!("{number:02}.gotrace"));
        record_slower(&path, slower + number * 3 % 5);
    }
    folder.to_str().unwrap().to_owned()
}

/// Ten runs, ten of the same, and ten that are 40 ms of 500 slower in one package.
pub(crate) fn groups() -> (TempDir, [String; 3]) {
    let folder = tempfile::tempdir().unwrap();
    let of = |name, slower| group(folder.path(), name, 10, slower);
    let groups = [of("base", 0), of("same", 0), of("slow", 40)];
    (folder, groups)
}

#[test]
fn a_gate_fails_on_a_planted_slowdown_and_passes_without_it() {
    let (_folder, [base, same, slow]) = groups();
    for (new, gate, code, complaint) in [
        (
            &slow,
            "--fail-on=package=m/b:5%",
            1,
            "package m/b is 8.0 % slower, 5.0 % allowed",
        ),
        (&slow, "--fail-on=package=...:5%", 1, "package m/b"),
        (&slow, "--fail-on=package=m/b:10%", 0, ""),
        (&slow, "--fail-on=package=m/a:5%", 0, ""),
        (
            &slow,
            "--fail-on=tool=compile:5",
            1,
            "tool compile is 5.6 % slower",
        ),
        // 40 of 1,000 ms.
        (
            &slow,
            "--fail-over=3%",
            1,
            "CPU is 4.0 % slower, 3.0 % allowed",
        ),
        (&slow, "--fail-over=5%", 0, ""),
        (&same, "--fail-over=0%", 0, ""),
        (&same, "--fail-on=package=...:0%", 0, ""),
    ] {
        let (found, printed, said) = compare(&[gate, &base, new]);
        assert_eq!(found, Some(code), "{gate}: {printed}{said}");
        assert!(said.contains(complaint), "{gate}: {said}");
        assert_eq!(said.is_empty(), code == 0, "{gate}: {said}");
    }
    let (code, printed, _) = compare(&["--markdown", "--fail-over=3%", &base, &slow]);
    assert_eq!(code, Some(1));
    assert!(
        printed.starts_with("### Slower than allowed\n"),
        "{printed}"
    );
}

#[test]
fn verdicts_and_noise_floors_are_those_of_the_groups() {
    let (_folder, [base, same, slow]) = groups();
    let (code, printed, said) = compare(&["--json", "--noise", &same, &base, &slow]);
    assert_eq!((code, &*said), (Some(0), ""));
    let json: Value = serde_json::from_str(&printed).unwrap();
    let rows = json["rows"].as_array().unwrap();
    let verdict = |name: &str| {
        let mut rows = rows.iter();
        let row = rows.find(|row| row["package"] == name && row["measure"] == "cpu_ns");
        row.unwrap()["verdict"].as_str().unwrap()
    };
    assert_eq!((verdict("m/b"), verdict("m/a")), ("slower", "within_noise"));
    let b = rows.iter().find(|row| row["package"] == "m/b").unwrap();
    assert_eq!(b["base"], 502_000_000);
    assert_eq!(b["new"], 542_000_000);
    assert_eq!(b["base_values"].as_array().unwrap().len(), 10);
    // 504 to 500 ms.
    assert!((b["noise_ratio"].as_f64().unwrap() - 1.008).abs() < 1e-9);
    let (_, printed, _) = compare(&["--by", "fact", &base, &slow]);
    let lines = printed
        .lines()
        .map(|line| line.split_whitespace().collect());
    let lines: Vec<Vec<&str>> = lines.collect();
    for line in ["cores 4 4", "power not known not known"] {
        let words: Vec<&str> = line.split(' ').collect();
        assert!(lines.contains(&words), "{printed}");
    }
    let (_, printed, _) = compare(&["--by", "function", &base, &slow]);
    for title in [
        "functions by own CPU time",
        "functions by CPU time with what they called",
    ] {
        assert_eq!(printed.matches(title).count(), 1, "{printed}");
    }
    let (_, printed, _) = compare(&["--by", "package", &base, &slow]);
    assert!(
        printed.contains("packages by CPU time: 1 slower, 3 within noise"),
        "{printed}"
    );
}

#[test]
fn sides_of_several_operands_stand_around_two_dashes() {
    let (folder, [base, _, slow]) = groups();
    let one = |group: &str, number: u32| format!("{group}/{number:02}.gotrace");
    let words = [one(&base, 0), base.clone(), "--".to_owned(), slow];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (code, printed, said) = compare(&words);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        printed.contains("\n10 runs against 10: go build ./...\n"),
        "{printed}"
    );
    // What is there already counts once.
    assert!(
        said.contains("/base/00.gotrace: given several times, and counted once\n"),
        "{said}"
    );
    for (words, complaint) in [
        (vec![&*base], "expected BASE and NEW, found 1 operands"),
        (vec![&*base, &base, &base], "found 3 operands"),
    ] {
        let (code, _, said) = compare(&words);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(complaint), "{said}");
    }
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let (code, _, said) = compare(&[&base, empty.to_str().unwrap()]);
    assert_eq!(code, Some(3));
    assert!(
        said.ends_with(
            "empty: no *.gotrace in this folder, expected the traces of repeated runs\n"
        ),
        "{said}"
    );
    let (code, _, said) = compare(&[&base, folder.path().to_str().unwrap()]);
    assert_eq!(code, Some(3));
    assert!(said.contains("; there are such in "), "{said}");
}

#[test]
fn a_recording_under_several_names_counts_once() {
    let (folder, [base, _, slow]) = groups();
    let copied = folder.path().join("copied");
    std::fs::create_dir(&copied).unwrap();
    let one = format!("{base}/00.gotrace");
    for (from, to) in [
        (&one, "a"),
        (&one, "b"),
        (&format!("{base}/01.gotrace"), "c"),
    ] {
        std::fs::copy(from, copied.join(format!("{to}.gotrace"))).unwrap();
    }
    std::os::unix::fs::symlink(copied.join("c.gotrace"), copied.join("d.gotrace")).unwrap();
    let copied = copied.to_str().unwrap();
    let (code, printed, said) = compare(&["--json", copied, &slow]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("d.gotrace: given several times"), "{said}");
    let json: Value = serde_json::from_str(&printed).unwrap();
    let names = |json: &Value| json.to_string();
    assert_eq!(names(&json["base"]["runs"]), r#"["a","c"]"#);
    assert_eq!(names(&json["base"]["repeated"]), r#"["b"]"#);
    // On both sides.
    let (code, printed, said) = compare(&[&base, copied]);
    assert_eq!(code, Some(0), "{said}");
    let told = "on both sides, which makes a change harder to tell: a, c";
    assert!(printed.contains(told), "{printed}");
}

#[test]
fn a_noise_floor_needs_runs_that_are_like_those_compared() {
    let (_folder, [base, same, slow]) = groups();
    let one = |group: &str| format!("{group}/01.gotrace");
    let (base_one, slow_one) = (one(&base), one(&slow));
    let (code, printed, said) = compare(&["--noise", &base, &base_one, &slow_one]);
    assert_eq!(code, Some(0), "{said}");
    let told = "no part of the noise floor, for they are compared or given twice: 01";
    assert!(printed.contains(told), "{printed}");
    assert!(printed.contains("%, exceeded"), "{printed}");
    // Medians of ten runs are not held against the floor of pairs.
    let (_, printed, _) = compare(&["--noise", &same, &base, &slow]);
    assert!(printed.contains("noise floor") && !printed.contains("exceeded"));
    let (code, _, said) = compare(&["--noise", &base_one, &base_one, &slow_one]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("a noise floor takes two runs"), "{said}");
    let other = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/traces/same/base");
    let (code, _, said) = compare(&["--noise", other, &base, &slow]);
    assert_eq!(code, Some(3), "{said}");
    let why = "noise: the commands differ: noise go build runtime, compared go build ./...";
    assert!(said.contains(why), "{said}");
    let (code, _, said) = compare(&["--noise", other, "--allow", &base, &slow]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_trace_compared_with_itself_is_within_noise() {
    let (_folder, [base, ..]) = groups();
    let one = format!("{base}/03.gotrace");
    for operand in [&base, &one] {
        let (code, printed, _) = compare(&["--json", operand, operand]);
        assert_eq!(code, Some(0));
        let json: Value = serde_json::from_str(&printed).unwrap();
        let verdicts = json["rows"].as_array().unwrap().iter();
        let mut verdicts: Vec<&str> = verdicts.filter_map(|row| row["verdict"].as_str()).collect();
        assert!(verdicts.len() > 5);
        verdicts.dedup();
        assert_eq!(verdicts, ["within_noise"]);
    }
    let (_, printed, _) = compare(&[&one, &base]);
    assert!(
        printed.contains("a change cannot be told from noise"),
        "{printed}"
    );
}

#[test]
fn what_cannot_be_judged_is_no_pass() {
    let (_folder, [base, _, slow]) = groups();
    let one = |group: &str| format!("{group}/01.gotrace");
    let (code, _, said) = compare(&["--fail-over=1%", &one(&base), &one(&slow)]);
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("gate not judged: CPU: too few runs, need "),
        "{said}"
    );
    // What was compared is written all the same.
    let idle = "--fail-on=package=m/none:1%";
    let (code, printed, said) = compare(&[idle, "--markdown", &base, &slow]);
    assert_eq!(code, Some(2));
    for words in [&said, &printed] {
        let complaint = "package=m/none: neither side has it";
        assert!(words.contains(complaint), "{words}");
    }
    assert!(printed.starts_with("### Not decided\n"), "{printed}");
    assert!(printed.contains("| wall |"), "{printed}");
    let (code, printed, _) = compare(&[idle, "--json", &base, &slow]);
    assert_eq!(code, Some(2));
    let json: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(json["gates"]["passed"], false);
    assert_eq!(json["gates"]["idle"][0]["name"], "m/none");
    // A breach is told before a gate that holds nothing.
    let (code, _, said) = compare(&[idle, "--fail-over=1%", &base, &slow]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("m/none: neither side has it"), "{said}");
    for gate in ["package=m/b", "m/b:5%", "function=f:5%", "package=m/b:x%"] {
        let (code, _, _) = compare(&["--fail-on", gate, &base, &slow]);
        assert_eq!(code, Some(2), "{gate}");
    }
}

#[test]
fn a_killed_recorder_is_not_compared_unless_allowed() {
    let (folder, [base, ..]) = groups();
    let whole: PathBuf = Path::new(&base).join("00.gotrace");
    let whole = whole.to_str().unwrap();
    let cut = record(folder.path(), false);
    let cut = cut.to_str().unwrap();
    let (code, printed, said) = compare(&["--json", whole, cut]);
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("not comparable because the command did not end well"),
        "{said}"
    );
    assert!(
        said.contains("hint: --allow compares nevertheless"),
        "{said}"
    );
    let (code, markdown, _) = compare(&["--markdown", "--fail-over=5%", whole, cut]);
    assert_eq!(code, Some(3));
    assert!(markdown.starts_with("### Not comparable\n"), "{markdown}");
    let why = "not comparable because the command did not end well";
    assert!(markdown.contains(why), "{markdown}");
    let json: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(
        (&json["comparable"], &json["rows"]),
        (&Value::Bool(false), &serde_json::json!([]))
    );
    let (code, _, said) = compare(&["--allow=cache,go", whole, cut]);
    assert_eq!(code, Some(3), "{said}");
    for allow in ["--allow", "--allow=exit"] {
        let (code, printed, said) = compare(&[allow, whole, cut]);
        assert_eq!(code, Some(0), "{allow}: {said}");
        assert!(
            printed.contains("no verdict on wall time and all else: new "),
            "{printed}"
        );
    }
    let (code, _, said) = compare(&["--allow=colour", whole, cut]);
    assert_eq!(code, Some(2), "{said}");
}
