//! Comparisons of built runs: alignment, verdicts, what is withheld, facts, gates, why packages
//! were rebuilt. Values are set by hand.

use crate::builder::{Builder, LINK, WORK, compile, ms};
use gotrace::analyze::compare::{Comparison, Fact, Measure, Options, Row, Run, Subject, Verdict};
use gotrace::analyze::{Analysis, Name};
use gotrace::trace::Trace;

/// `go build`: compiles `m/a`, then `m/b`, and links; CPU times in milliseconds.
struct Made {
    a: u64,
    b: u64,
    link: u64,
}

const USUAL: Made = Made {
    a: 100,
    b: 200,
    link: 50,
};

fn trace(made: &Made) -> Builder {
    let mut builder = Builder::default();
    let wall = 20 + made.a + made.b + made.link;
    let go = builder.process(None, "/go/bin/go build ./...", (0, wall), 10);
    let (a, b) = (10 + made.a, 10 + made.a + made.b);
    builder.process(Some(go), &compile(2, "m/a"), (10, a), made.a);
    builder.process(Some(go), &compile(3, "m/b"), (a, b), made.b);
    let link = format!("{LINK} -o {WORK}/b001/exe/a.out");
    builder.process(Some(go), &link, (b, b + made.link), made.link);
    for (number, folder, what, deps, times) in [
        (0, 1, ("link", "m/cmd"), &[1, 2][..], (b, b, b + made.link)),
        (1, 3, ("build", "m/b"), &[2], (a, a, b)),
        (2, 2, ("build", "m/a"), &[], (10, 10, a)),
    ] {
        let objdir = builder.text(&format!("{WORK}/b00{folder}/"));
        let package = what.1;
        let command = format!("{COMPILE_A} -p {package} /src/{package}/x.go");
        let command = builder.text(&command);
        let action = builder.action(number, what, deps, times);
        action.objdir = objdir;
        action.commands = vec![command];
    }
    builder.end(wall);
    builder
}

const COMPILE_A: &str = "/go/pkg/tool/linux_amd64/compile -o /tmp/go-build1/b002/_pkg_.a -complete";

fn run_of(trace: &Trace) -> Run {
    Run::of(&Analysis::of(trace), "x.gotrace")
}

fn run(made: &Made) -> Run {
    run_of(&trace(made).trace)
}

/// `count` runs whose package `m/b` takes `b` and up to 2 ms more.
fn group(count: u64, b: u64) -> Vec<Run> {
    (0..count)
        .map(|at| {
            run(&Made {
                b: b + at * 7 % 3,
                a: 100 + at * 5 % 4,
                ..USUAL
            })
        })
        .collect()
}

fn compare(base: &[Run], new: &[Run]) -> Comparison {
    Comparison::of(base, new, &Options::default())
}

fn package(name: &str) -> Subject {
    Subject::Package(Name::from(name))
}

fn cpu<'c>(comparison: &'c Comparison, name: &str) -> &'c Row {
    comparison.row(&package(name), Measure::Cpu).unwrap()
}

fn millis(value: u64) -> f64 {
    ms(value).0 as f64
}

#[test]
fn a_run_holds_what_its_trace_adds_up_to() {
    let run = run(&USUAL);
    assert_eq!(run.figure(Subject::Whole, Measure::Wall), millis(370));
    assert_eq!(run.figure(Subject::Whole, Measure::Cpu), millis(360));
    assert_eq!(run.figure(package("m/a"), Measure::Cpu), millis(100));
    assert_eq!(run.figure(package("m/cmd"), Measure::Cpu), millis(50));
    // go itself works for no package.
    assert_eq!(run.figure(package(""), Measure::Cpu), millis(10));
    let tool = |name| Subject::Tool(Name::from(name));
    assert_eq!(run.figure(tool("compile"), Measure::Cpu), millis(300));
    assert_eq!(run.figure(tool("compile"), Measure::Count), 2.0);
    // a, then b, then link.
    assert_eq!(
        run.figure(Subject::Whole, Measure::LongestChain),
        millis(350)
    );
    let parallelism = run.figure(Subject::Whole, Measure::Parallelism);
    assert!((parallelism - 360.0 / 370.0).abs() < 1e-12);
    assert!(run.succeeded());
    assert_eq!(run.facts.0[&Fact::Cache], Name::from("cold"));
    assert_eq!(run.facts.0[&Fact::Command], Name::from("go build ./..."));
}

#[test]
fn a_slower_package_is_told_from_the_rest() {
    let comparison = compare(&group(10, 200), &group(10, 230));
    let b = cpu(&comparison, "m/b");
    assert_eq!(b.verdict, Some(Verdict::Slower));
    assert_eq!(b.difference(), millis(30));
    assert!((b.ratio().unwrap() - 231.0 / 201.0).abs() < 1e-12);
    let interval = b.ratio_interval().unwrap();
    assert!(interval.low > 1.1 && interval.high < 1.2, "{interval:?}");
    assert_eq!(cpu(&comparison, "m/a").verdict, Some(Verdict::WithinNoise));
    let back = compare(&group(10, 230), &group(10, 200));
    assert_eq!(cpu(&back, "m/b").verdict, Some(Verdict::Faster));
    assert_eq!(comparison.complaints().count(), 0);
}

#[test]
fn a_group_compared_with_itself_is_within_noise() {
    for count in [1, 2, 5, 12] {
        let runs = group(count, 200);
        let comparison = compare(&runs, &runs);
        assert!(comparison.family > 5);
        for row in &comparison.rows {
            let expected = row.key.is_judged().then_some(Verdict::WithinNoise);
            assert_eq!(row.verdict, expected, "{:?}", row.key);
        }
    }
}

#[test]
fn few_runs_are_no_verdict() {
    for (base, new) in [(1, 1), (1, 9), (3, 3)] {
        let comparison = compare(&group(base, 200), &group(new, 230));
        let need = comparison.runs_needed.unwrap();
        let expected = Some(Verdict::TooFewRuns { need });
        assert_eq!(cpu(&comparison, "m/b").verdict, expected);
        // 2 / C(2n, n) is to be at most 0.05 / family.
        let divisions = |n: u64| (1..=n).fold(1.0, |all, k| all * (n + k) as f64 / k as f64);
        let enough = |n| 2.0 / divisions(n) <= 0.05 / comparison.family as f64;
        assert!(enough(need as u64) && !enough(need as u64 - 1), "{need}");
        assert_eq!(comparison.is_single(), base == 1);
    }
}
