//! The recorded pair of a native and a translated build, in both orders: `samples/traces/emulated`.

use crate::compare::compare;
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/traces/emulated");

fn path(side: &str) -> String {
    format!("{FOLDER}/{side}.gotrace")
}

fn of(sides: [&str; 2], words: &[&str]) -> String {
    let [base, new] = sides.map(path);
    let words = [words, &[&base, &new]].concat();
    let (code, printed, said) = compare(&words);
    assert_eq!(code, Some(0), "{said}");
    printed
}

fn json(sides: [&str; 2]) -> Value {
    serde_json::from_str(&of(sides, &["--json"])).unwrap()
}

const FORTH: [&str; 2] = ["native", "translated"];
const BACK: [&str; 2] = ["translated", "native"];

/// New to base of each row of a subject's CPU time, by name.
fn slowdowns(json: &Value, subject: &str) -> BTreeMap<String, f64> {
    let rows = json["rows"].as_array().unwrap().iter();
    let rows = rows.filter(|row| row["subject"] == subject && row["measure"] == "cpu_ns");
    let ratios = rows.filter_map(|row| {
        let name = row[subject].as_str().unwrap().to_owned();
        Some((name, row["ratio"].as_f64()?))
    });
    ratios.collect()
}

/// The records of a trace.
fn records(side: &str) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_gotrace"))
        .args(["dump", &path(side)])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What the system counted for the programs that were started so, in nanoseconds.
fn cpu(records: &[Value], is_meant: impl Fn(&[&str]) -> bool) -> f64 {
    let processes = records.iter().filter(|it| it["record"] == "process");
    let times = processes.filter_map(|process| {
        let argv = process["argv"].as_array().unwrap().iter();
        let argv: Vec<&str> = argv.map(|word| word.as_str().unwrap()).collect();
        let time = |key: &str| process[key].as_f64().unwrap_or(0.0);
        is_meant(&argv).then(|| time("user_ns") + time("system_ns"))
    });
    times.sum()
}

#[test]
fn the_first_line_says_which_side_was_translated_by_what() {
    let native = "native (go1.27.3 amd64)";
    let translated = "translated by qemu-aarch64 (go1.27.3 arm64)";
    for (sides, expected) in [
        (FORTH, format!("base {native}, new {translated}")),
        (BACK, format!("base {translated}, new {native}")),
    ] {
        for words in [&[][..], &["--by", "package"]] {
            let printed = of(sides, words);
            assert_eq!(printed.lines().next(), Some(&*expected), "{words:?}");
        }
        let markdown = of(sides, &["--markdown"]);
        let line = markdown.lines().nth(2).unwrap();
        assert!(line.starts_with(&expected), "{line}");
    }
}

#[test]
fn slowdowns_are_what_the_system_counted_and_inverse_in_the_other_order() {
    let (forth, back) = (json(FORTH), json(BACK));
    let recorded = FORTH.map(records);
    for (subject, least) in [("package", 50), ("tool", 4)] {
        let (there, here) = (slowdowns(&forth, subject), slowdowns(&back, subject));
        assert!(there.len() >= least, "{} {subject}", there.len());
        assert!(there.keys().eq(here.keys()), "{subject}");
        for (name, ratio) in &there {
            let product = ratio * here[name];
            assert!((product - 1.0).abs() < 1e-9, "{name}: {ratio} {product}");
            assert!(*ratio > 1.0, "{name}: {ratio}");
        }
    }
    let expected = |is_meant: &dyn Fn(&[&str]) -> bool| {
        let [native, translated] = [&recorded[0], &recorded[1]].map(|it| cpu(it, is_meant));
        translated / native
    };
    for package in ["fmt", "reflect", "strconv", "os"] {
        let compiles = |argv: &[&str]| argv.windows(2).any(|two| two == ["-p", package]);
        let (found, expected) = (slowdowns(&forth, "package")[package], expected(&compiles));
        assert!((found / expected - 1.0).abs() < 1e-9, "{package}: {found}");
    }
    for tool in ["compile", "link"] {
        let is_tool = |argv: &[&str]| argv[0].rsplit('/').next() == Some(tool);
        let (found, expected) = (slowdowns(&forth, "tool")[tool], expected(&is_tool));
        assert!((found / expected - 1.0).abs() < 1e-9, "{tool}: {found}");
    }
}

#[test]
fn functions_of_the_guest_have_their_names() {
    let forth = json(FORTH);
    let rows = forth["rows"].as_array().unwrap().iter();
    let mut seen = 0;
    let mut of_compile = (0.0, 0.0);
    for row in rows.filter(|row| row["subject"] == "function" && row["measure"] == "own_ns") {
        let name = row["function"].as_str().unwrap();
        let time = row["new"].as_f64().unwrap_or(0.0);
        if row["tool"] == "compile" && time > 0.0 {
            let of_guest = ["cmd/compile/", "runtime.", "internal/runtime/"];
            let of_guest = of_guest.iter().any(|start| name.starts_with(start));
            seen += usize::from(of_guest);
            of_compile.0 += if of_guest { time } else { 0.0 };
            of_compile.1 += time;
        }
        // One name for the same function of both architectures.
        assert!(!name.contains("internal/arm64."), "{name}");
        assert!(!name.contains("internal/amd64."), "{name}");
    }
    assert!(seen >= 200, "{seen}");
    // The rest is the translator's.
    let share = of_compile.0 / of_compile.1;
    assert!((0.2..0.9).contains(&share), "{share}");
    let printed = of(FORTH, &["--by", "function"]);
    assert!(
        printed.contains("compile: cmd/compile/internal/ssa."),
        "{printed}"
    );
}

#[test]
fn both_sides_built_the_same() {
    for sides in [FORTH, BACK] {
        let outputs = &json(sides)["outputs"];
        assert_eq!(outputs["same"], serde_json::json!(["example.com/hello"]));
        assert_eq!(outputs["differ"], serde_json::json!([]));
    }
    // What sha256sum made of the two files, as the samples' README has it.
    let readme = std::fs::read_to_string(format!("{FOLDER}/README.md")).unwrap();
    let (_, hash) = readme
        .split_once("| built on both sides | SHA-256 ")
        .unwrap();
    let hash = &hash[..64];
    for side in FORTH {
        let records = records(side);
        let hashes = records.iter().filter(|it| {
            let key = it["key"].as_str().unwrap_or_default();
            key.starts_with("output.sha256.")
        });
        let hashes: Vec<&str> = hashes.map(|it| it["value"].as_str().unwrap()).collect();
        assert_eq!(hashes, [hash], "{side}");
    }
}
