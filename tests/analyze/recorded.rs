//! Comparisons of recorded runs of one and the same build: `samples/traces/same`.

use gotrace::analyze::compare::{Comparison, Measure, Options, Run, Subject, Verdict};
use gotrace::analyze::{Analysis, Name};
use gotrace::trace::Trace;
use std::path::Path;

fn group(side: &str) -> Vec<Run> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/traces/same");
    let runs = (1..=8).map(|run| {
        let path = folder.join(side).join(format!("{run}.gotrace"));
        let trace = Trace::open(&path).unwrap();
        Run::of(&Analysis::of(&trace), &format!("{side}/{run}"))
    });
    runs.collect()
}

fn compare(base: &[Run], new: &[Run]) -> Comparison {
    Comparison::of(base, new, &Options::default())
}

/// What is called slower or faster.
fn changed(comparison: &Comparison) -> Vec<Subject> {
    let rows = comparison.rows.iter();
    let changed = rows.filter(|row| row.verdict.as_ref().is_some_and(Verdict::is_change));
    changed.map(|row| row.key.subject.clone()).collect()
}

#[test]
fn groups_of_one_build_show_no_change() {
    let (base, new) = (group("base"), group("new"));
    let comparison = compare(&base, &new);
    assert_eq!(comparison.complaints().count(), 0);
    assert_eq!(changed(&comparison), []);
    // It is no want of runs or of rows: a change would be found.
    let needed = comparison.runs_needed.unwrap();
    assert!(
        needed <= 8 && comparison.family >= 50,
        "{}",
        comparison.family
    );

    let runtime = Subject::Package(Name::from("runtime"));
    let mut slower = new.clone();
    for run in &mut slower {
        let cpu = run.figure(runtime.clone(), Measure::Cpu);
        let times = run.figures.iter_mut();
        let (_, time) = times
            .filter(|(key, _)| key.subject == runtime && key.measure == Measure::Cpu)
            .last()
            .unwrap();
        *time = cpu * 1.5;
    }
    assert_eq!(
        changed(&compare(&base, &slower)),
        std::slice::from_ref(&runtime)
    );
    assert_eq!(changed(&compare(&slower, &base)), [runtime]);
}

#[test]
fn a_group_against_itself_is_within_noise() {
    let base = group("base");
    let comparison = compare(&base, &base);
    let verdicts = comparison.rows.iter().filter_map(|row| row.verdict.clone());
    assert!(verdicts.clone().count() >= 50);
    assert!(
        verdicts
            .into_iter()
            .all(|verdict| verdict == Verdict::WithinNoise)
    );
}
