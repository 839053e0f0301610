//! Options that choose samples, and what is refused.

use crate::build::{record, run};
use serde_json::Value;

/// Functions by their own milliseconds, of the samples that were asked for.
fn own(options: &[&str]) -> Vec<(String, u64)> {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), true);
    let words = [&["show", "--json", "--by", "function"], options].concat();
    let (code, printed, complaint) = run(&words, &trace, 80);
    assert_eq!(code, Some(0), "{options:?}: {complaint}");
    let json: Value = serde_json::from_str(&printed).unwrap();
    let rows = json["rows"].as_array().unwrap().iter();
    let own = rows.map(|row| {
        let name = row["function"].as_str().unwrap();
        let name = name.rsplit('.').next().unwrap();
        (name.to_owned(), row["own_ns"].as_u64().unwrap() / 1_000_000)
    });
    own.filter(|(_, own)| *own > 0).collect()
}

fn refused(words: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), true);
    let (code, printed, complaint) = run(words, &trace, 80);
    assert_eq!(code, Some(2), "{words:?}: {printed}{complaint}");
    assert_eq!(printed, "");
    complaint
}

/// m/a has 10 samples from 100 ms on that end in Compile. m/b has 20 of those from 300 ms on, and
/// beside the first ten of them ten that end in memmove. Each stands for 10 ms.
#[test]
fn options_choose_samples() {
    let compile = |own| vec![("Compile".to_owned(), own)];
    let both = |first, second| [compile(first), vec![("memmove".to_owned(), second)]].concat();
    assert_eq!(own(&[]), both(300, 100));
    assert_eq!(own(&["--package", "m/a"]), compile(100));
    assert_eq!(own(&["--package", "m/b"]), both(200, 100));
    assert_eq!(own(&["--package", "m/cmd"]), []);
    assert_eq!(own(&["--tool", "compile"]), both(300, 100));
    assert_eq!(own(&["--tool", "link"]), []);
    assert_eq!(own(&["--process", "101"]), compile(100));
    assert_eq!(own(&["--process", "102"]), both(200, 100));
    assert_eq!(own(&["--to", "0.3"]), compile(100));
    assert_eq!(own(&["--from", "0.35"]), both(150, 50));
    assert_eq!(own(&["--from", "0.15", "--to", "0.31"]), {
        // Five of m/a; the sample at 300 ms of either stack, none at 310 ms.
        both(50 + 10, 10)
    });
    assert_eq!(own(&["--package", "m/a", "--from", "0.3"]), []);
    assert_eq!(own(&["--off-cpu"]), []);
    assert_eq!(own(&["--profiles"]), []);
}

#[test]
fn what_the_trace_does_not_hold_is_named() {
    let by = ["show", "--by", "function"];
    let complaint = refused(&[&by[..], &["--tool", "gcc"]].concat());
    assert_eq!(
        complaint,
        "gotrace: --tool gcc: no program of this trace is that; its tools: compile, go, link\n"
    );
    assert_eq!(
        refused(&["flamegraph", "--tool", "complie"]),
        "gotrace: --tool complie: no program of this trace is that; its tools: compile, go, link\n"
    );
    let complaint = refused(&[&by[..], &["--process", "1"]].concat());
    assert!(complaint.contains("--process 1: no program"), "{complaint}");
    for words in [&by[..], &["flamegraph"], &["calls"], &["bindings"]] {
        let complaint = refused(&[words, &["--package", "m/z"]].concat());
        let expected = "--package m/z: no program of this trace works for that package\n";
        assert!(complaint.ends_with(expected), "{words:?}: {complaint}");
    }
}

#[test]
fn options_that_would_be_ignored_are_refused() {
    for option in [
        &["--package", "m/a"][..],
        &["--tool", "link"],
        &["--process", "101"],
        &["--from", "3"],
        &["--to", "3"],
        &["--off-cpu"],
        &["--profiles"],
    ] {
        for by in ["package", "action", "process", "tool", "critical-path"] {
            let complaint = refused(&[&["show", "--by", by], option].concat());
            assert!(complaint.contains(option[0]), "{complaint}");
            assert!(complaint.contains(&format!("--by {by} ")), "{complaint}");
        }
        for by in ["search", "finding"] {
            let complaint = refused(&["bindings", "--lazy", "--by", by]);
            assert!(complaint.contains("--lazy chooses binds"), "{complaint}");
        }
        for words in [&["show"][..], &["show", "--json"]] {
            let complaint = refused(&[words, option].concat());
            assert!(complaint.contains(option[0]), "{complaint}");
            assert!(complaint.contains("without --by"), "{complaint}");
        }
    }
}

/// A run without `--bindings` is no base.
#[test]
fn binds_are_compared_with_those_that_were_recorded_alone() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), true);
    let base = trace.to_str().unwrap();
    let (code, printed, complaint) = run(&["bindings", "--base", base], &trace, 80);
    assert_eq!((code, &*printed), (Some(3), ""), "{complaint}");
    assert!(
        complaint.contains("build.gotrace: no loads and no binds"),
        "{complaint}"
    );
    assert!(
        complaint.contains("hint: gotrace run --bindings"),
        "{complaint}"
    );
}

#[test]
fn goroutines_are_drawn_of_one_process_that_ran() {
    for (words, complaint) in [
        (&["--process", "101"][..], "only with --bars goroutines"),
        (&["--bars", "goroutines"], "expected --process PID"),
        (&["--bars", "goroutines", "--process", "101"], "-o FILE.svg"),
        (
            &["--bars", "goroutines", "--process", "9", "-o", "-"],
            "no program of this trace has that pid",
        ),
    ] {
        let said = refused(&[&["timeline"], words].concat());
        assert!(said.contains(complaint), "{said}");
    }
}

#[test]
fn numbers_that_are_none_are_refused() {
    for number in ["NaN", "inf", "-1", "wide"] {
        let word = |option: &str| format!("{option}={number}");
        refused(&["flamegraph", &word("--min-width")]);
        refused(&["show", "--by", "function", &word("--from")]);
    }
}

/// Profiles hold stacks, each merged of many samples: they are not called samples.
#[test]
fn stacks_of_profiles_are_called_stacks() {
    use gotrace::analyze::{Analysis, By, Filter, Source};
    use gotrace::render::{flamegraph, text};
    use gotrace::trace::{Nanos, ProcessId, ProfileSample, StackId, Trace};
    let folder = tempfile::tempdir().unwrap();
    let mut trace = Trace::open(&record(folder.path(), true)).unwrap();
    for weight in [30, 50] {
        trace.profiles.push(ProfileSample {
            process: ProcessId(1),
            stack: StackId(3),
            weight: Nanos(weight * 1_000_000),
        });
    }
    let analysis = Analysis::of(&trace);
    let filter = Filter {
        source: Source::Profiles,
        ..Filter::default()
    };
    let page = text::Page::default();
    let mut out = Vec::new();
    text::ranking::write(&analysis, By::Image, &filter, None, &page, &mut out).unwrap();
    let printed = String::from_utf8(out).unwrap();
    let heading = printed.lines().next().unwrap();
    assert!(heading.contains("share  stacks"), "{printed}");
    let options = flamegraph::Options {
        filter,
        ..flamegraph::Options::default()
    };
    let mut svg = Vec::new();
    flamegraph::draw(&analysis, &options, &mut svg).unwrap();
    let svg = String::from_utf8(svg).unwrap();
    let title = "80.0 ms in 2 stacks of the tools";
    assert!(svg.contains(title), "{}", &svg[..4_000.min(svg.len())]);
}
