//! What can be worked out, and what simulated runs show.

use crate::random::Random;
use crate::{head, percent, row, say};
use gotrace::analyze::compare::FALSE_DISCOVERIES;
use gotrace::analyze::statistics::{benjamini_hochberg, rank_test, ratio_interval, smallest_group};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

/// Rows of the family that simulated comparisons have.
const FAMILY: usize = 150;

/// Two groups of runs.
type Groups = (Vec<f64>, Vec<f64>);

/// A run by chance.
type OneRun = fn(&mut Random) -> f64;

/// Writes all tables.
pub(crate) fn write() {
    smallest_groups();
    power();
    coverage();
    speed();
}

fn smallest_groups() {
    say("<!-- smallest groups -->\n");
    let families = [1, 10, 50, 100, 150, 200, 300, 500, 1000, 10_000];
    let numbers = |label: &str, of: &dyn Fn(usize) -> String| {
        let cells = families.iter().map(|family| of(*family));
        std::iter::once(label.to_owned())
            .chain(cells)
            .collect::<Vec<_>>()
    };
    head(&numbers("rows in the family", &|family| family.to_string()));
    row(numbers("runs a side", &|family| {
        smallest_group(family, FALSE_DISCOVERIES).map_or_else(String::new, |runs| runs.to_string())
    }));
    say("");
}

/// How often one slower row is found in a family in which nothing else changed.
fn power() {
    const TRIALS: usize = 10_000;
    const UNCHANGED: usize = 50_000;
    let mut random = Random(1);
    let sizes = [6, 8, 10, 12, 14, 16, 20, 30];
    say("<!-- power -->\n");
    let labels = sizes.iter().map(|runs| format!("{runs} + {runs}"));
    head(
        &std::iter::once("slowdown / sd".to_owned())
            .chain(labels)
            .collect::<Vec<_>>(),
    );
    // P-values of rows that did not change are drawn from many that were computed.
    let unchanged: Vec<Vec<f64>> = sizes
        .iter()
        .map(|&runs| {
            let rows = (0..UNCHANGED)
                .map(|_| rank_test(&random.runs(runs, 1.0, 0.02), &random.runs(runs, 1.0, 0.02)));
            rows.collect()
        })
        .collect();
    for deviations in [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0] {
        let mut cells = vec![format!("{deviations}")];
        for (&runs, unchanged) in sizes.iter().zip(&unchanged) {
            let mut found = 0;
            for _ in 0..TRIALS {
                let mut p = vec![rank_test(
                    &random.runs(runs, 1.0, 0.02),
                    &random.runs(runs, 1.0 + 0.02 * deviations, 0.02),
                )];
                p.extend((1..FAMILY).map(|_| unchanged[random.below(UNCHANGED)]));
                found += usize::from(benjamini_hochberg(&p, FALSE_DISCOVERIES)[0]);
            }
            cells.push(percent(found, TRIALS));
        }
        row(cells);
    }
    say("");
}

/// How often a 95 % interval of a ratio holds the true one.
fn coverage() {
    const TRIALS: usize = 20_000;
    let mut random = Random(2);
    let sizes = [2, 3, 4, 5, 6, 8, 10, 16, 20, 30];
    let kinds: [(&str, OneRun); 2] = [
        ("normal, sd 2 %", |random| 1.0 + 0.02 * random.normal()),
        ("skewed, sd 10 %", |random| 1.0 + 0.05 * random.skewed()),
    ];
    say("<!-- coverage -->\n");
    let labels = sizes.iter().map(|runs| format!("{runs} + {runs}"));
    head(
        &std::iter::once("noise".to_owned())
            .chain(labels)
            .collect::<Vec<_>>(),
    );
    for (name, one) in kinds {
        let mut cells = vec![name.to_owned()];
        for runs in sizes {
            let mut held = 0;
            for _ in 0..TRIALS {
                let base: Vec<f64> = (0..runs).map(|_| one(&mut random)).collect();
                let new: Vec<f64> = (0..runs).map(|_| 1.05 * one(&mut random)).collect();
                let interval = ratio_interval(&base, &new);
                held += usize::from(interval.is_some_and(|i| i.low <= 1.05 && 1.05 <= i.high));
            }
            cells.push(percent(held, TRIALS));
        }
        row(cells);
    }
    say("");
}

/// What the arithmetic of a large comparison takes.
fn speed() {
    const ROWS: usize = 10_000;
    let mut random = Random(3);
    let ties = |values: Vec<f64>| -> Vec<f64> {
        values
            .into_iter()
            .map(|value| (value * 20.0).round())
            .collect()
    };
    say("<!-- speed -->\n");
    head(&[
        "of 10,000 rows, 16 + 16 runs".to_owned(),
        "CPU time".to_owned(),
    ]);
    let groups: Vec<Groups> = (0..ROWS)
        .map(|_| (random.runs(16, 1.0, 0.1), random.runs(16, 1.0, 0.1)))
        .collect();
    let tied: Vec<Groups> = groups
        .iter()
        .map(|(base, new)| (ties(base.clone()), ties(new.clone())))
        .collect();
    let time = |name: &str, work: &dyn Fn() -> f64| {
        let start = cpu_time();
        std::hint::black_box(work());
        let took = cpu_time() - start;
        row([name.to_owned(), format!("{took} ms")]);
    };
    let tests = |groups: &[Groups]| -> f64 {
        let p: Vec<f64> = groups
            .iter()
            .map(|(base, new)| rank_test(base, new))
            .collect();
        benjamini_hochberg(&p, FALSE_DISCOVERIES).len() as f64
    };
    time("rank tests, and the family", &|| tests(&groups));
    time("the same with many equal values", &|| tests(&tied));
    time("intervals of ratios", &|| {
        let intervals = groups
            .iter()
            .filter_map(|(base, new)| ratio_interval(base, new));
        intervals.map(|interval| interval.low).sum()
    });
    say("");
}

/// CPU time of this process in milliseconds, of which the work of other programs takes nothing.
fn cpu_time() -> i64 {
    getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| usage.user_time().num_milliseconds())
}
