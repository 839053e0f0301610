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
    for (option, of_programs) in [
        (&["--package", "m/a"][..], true),
        (&["--tool", "link"], true),
        (&["--process", "101"], true),
        (&["--from", "3"], false),
        (&["--to", "3"], false),
        (&["--off-cpu"], false),
        (&["--profiles"], false),
    ] {
        let of_neither = ["action", "critical-path", "gap"];
        let whole = ["package", "process", "tool", "phase"];
        let whole = whole.iter().filter(|_| !of_programs);
        for by in of_neither.iter().chain(whole) {
            let complaint = refused(&[&["show", "--by", by], option].concat());
            assert!(complaint.contains(option[0]), "{complaint}");
            assert!(complaint.contains(&format!("--by {by} ")), "{complaint}");
        }
        let formats = ["perfetto", "chrome", "firefox", "pprof", "jsonl", "csv"];
        for format in formats {
            let export = ["export", "--format", format, "-o", "/dev/null"];
            let complaint = refused(&[&export[..], option].concat());
            let words = format!("{} is for --format folded and speedscope", option[0]);
            assert!(complaint.contains(&words), "{complaint}");
        }
        for by in ["search", "finding"] {
            let complaint = refused(&["bindings", "--lazy", "--by", by]);
            assert!(complaint.contains("--lazy chooses binds"), "{complaint}");
        }
        let complaint = refused(&[&["show"], option].concat());
        assert!(complaint.contains(option[0]), "{complaint}");
        assert!(complaint.contains("without --by"), "{complaint}");
    }
}

/// The compilers of m/a and m/b took 210 and 500 ms, and link 190.
#[test]
fn options_choose_programs() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), true);
    let shown = |by: &str, key: &str, options: &[&str]| {
        let words = [&["show", "--json", "--by", by], options].concat();
        let (code, printed, complaint) = run(&words, &trace, 80);
        assert_eq!(code, Some(0), "{words:?}: {complaint}");
        let json: Value = serde_json::from_str(&printed).unwrap();
        let rows = json["rows"].as_array().unwrap().iter();
        let rows = rows.map(|row| {
            (
                row[key].clone(),
                row["cpu_ns"].as_u64().unwrap() / 1_000_000,
            )
        });
        (
            rows.collect::<Vec<_>>(),
            json["cpu_ns"].as_u64().unwrap() / 1_000_000,
        )
    };
    let compile = |cpu| (vec![(Value::from("compile"), cpu)], cpu);
    assert_eq!(shown("tool", "tool", &["--package", "m/a"]), compile(210));
    assert_eq!(shown("tool", "tool", &["--tool", "compile"]), compile(710));
    let packages = |rows: &[(&str, u64)], all| {
        let rows = rows
            .iter()
            .map(|(package, cpu)| (Value::from(*package), *cpu));
        (rows.collect::<Vec<_>>(), all)
    };
    let both = packages(&[("m/b", 500), ("m/a", 210)], 710);
    assert_eq!(shown("package", "package", &["--tool", "compile"]), both);
    let one = (vec![(Value::from(102), 500)], 500);
    assert_eq!(shown("process", "pid", &["--package", "m/b"]), one);
    assert_eq!(shown("process", "pid", &["--process", "102"]), one);
    let (rows, all) = shown("phase", "phase", &["--package", "m/a"]);
    assert_eq!((rows, all), (Vec::new(), 210));
    let none = ["show", "--by", "tool", "--package", "m/a", "--tool", "link"];
    let (_, printed, _) = run(&none, &trace, 80);
    assert_eq!(printed, "no program passes the filter\n");
    // The fixture has phases of no program.
    let none = ["show", "--by", "phase", "--package", "m/a"];
    let (_, printed, _) = run(&none, &trace, 80);
    assert_eq!(printed, "no phase of these programs was marked\n");
}

/// As [`options_choose_samples`] has them: m/a ends in Compile alone.
#[test]
fn options_choose_what_is_exported() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), true);
    let sums = |options: &[&str]| {
        let words = [&["export", "--format", "folded"], options].concat();
        let (code, printed, complaint) = run(&words, &trace, 80);
        assert_eq!(code, Some(0), "{words:?}: {complaint}");
        let times = printed.lines().map(|line| line.rsplit(' ').next().unwrap());
        times
            .map(|time| time.parse::<u64>().unwrap() / 1_000_000)
            .sum::<u64>()
    };
    assert_eq!(sums(&[]), 400);
    assert_eq!(sums(&["--package", "m/a"]), 100);
    assert_eq!(sums(&["--from", "0.35", "--all-paths"]), 200);
    let calls = ["export", "--format", "folded", "--of", "calls", "--off-cpu"];
    let wrong = refused(&calls);
    assert!(wrong.contains("--off-cpu chooses samples"), "{wrong}");
    let wrong = refused(&["export", "--format", "folded", "--package", "m/z"]);
    assert!(wrong.contains("--package m/z: no program"), "{wrong}");
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
