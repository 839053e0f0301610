//! Experiments with runs whose figures are chosen.

use gotrace::analyze::Naming;
use gotrace::analyze::compare::Verdict;
use gotrace::analyze::experiment::{Experiment, Figures, Group, Kind};
use gotrace::trace::{Nanos, Unnamed};
use std::collections::BTreeMap;

/// A group whose walls are `base` to `base + 7` milliseconds, each with as much CPU as `cpu`, and
/// with one frame of a hundred without a name for each of `unnamed`.
fn group(kind: Kind, runs: u64, base: u64, cpu: u64, unnamed: u64) -> Group {
    let run = |number: u64| Figures {
        wall: Nanos((base + number) * 1_000_000),
        cpu: Nanos((cpu + number) * 1_000_000),
        naming: Naming {
            samples: 10,
            named_samples: 9,
            whole_stacks: 8,
            frames: 100,
            unnamed: BTreeMap::from([(Unnamed::Stripped, unnamed)]),
        },
    };
    Group {
        name: format!("{kind:?}"),
        kind,
        runs: (0..runs).map(run).collect(),
        failed: 0,
    }
}

#[test]
fn a_setting_that_does_something_is_told_from_noise() {
    let groups = [
        group(Kind::Baseline, 8, 100, 50, 0),
        group(Kind::Again, 8, 100, 50, 0),
        group(Kind::Setting, 8, 200, 30, 5),
    ];
    let experiment = Experiment::of(&groups);
    assert_eq!(experiment.family, 4);
    assert!(!experiment.is_noisy());
    let [base, again, setting] = &experiment.rows[..] else {
        panic!()
    };
    assert_eq!((&base.wall.change, &base.wall.verdict), (&None, &None));
    assert_eq!(again.wall.verdict, Some(Verdict::WithinNoise));
    assert_eq!(again.cpu.verdict, Some(Verdict::WithinNoise));
    assert_eq!(setting.wall.verdict, Some(Verdict::Slower));
    assert_eq!(setting.cpu.verdict, Some(Verdict::Faster));
    // Groups that do not overlap: 2 of the 12,870 ways to choose 8 of 16.
    assert!((setting.wall.p.unwrap() - 2.0 / 12_870.0).abs() < 1e-12);
    // Medians of 100 to 107 and 200 to 207.
    let change = setting.wall.change.unwrap();
    assert!((change.estimate - 203.5 / 103.5).abs() < 1e-12);
    assert!(change.low > 1.8 && change.high < 2.1, "{change:?}");
    // 1.00 of the frames have a name in the baseline, 0.95 here.
    assert_eq!(setting.named.median, Some(0.95));
    let change = setting.named.change.unwrap();
    assert!((change.estimate + 0.05).abs() < 1e-12);
    assert_eq!(setting.naming.frames, 800);
    assert_eq!(setting.naming.unnamed[&Unnamed::Stripped], 40);
}

#[test]
fn too_few_runs_are_said_to_be_too_few() {
    let groups = [
        group(Kind::Baseline, 3, 100, 50, 0),
        group(Kind::Again, 3, 100, 50, 0),
        group(Kind::Setting, 3, 200, 50, 0),
    ];
    let experiment = Experiment::of(&groups);
    // Four figures: with five runs a side 2 of 252 is at most 0.05 / 4, with four 2 of 70 is not.
    assert_eq!(experiment.runs_needed, Some(5));
    let verdicts = experiment.rows[1..]
        .iter()
        .map(|row| row.wall.verdict.clone());
    let need = Some(Verdict::TooFewRuns { need: 5 });
    assert_eq!(verdicts.collect::<Vec<_>>(), [need.clone(), need]);
}

#[test]
fn a_baseline_that_differs_from_itself_is_noise() {
    let groups = [
        group(Kind::Baseline, 8, 100, 50, 0),
        group(Kind::Again, 8, 150, 50, 0),
    ];
    assert!(Experiment::of(&groups).is_noisy());
    assert!(!Experiment::of(&[]).is_noisy());
    // Without samples there is no share of names.
    let mut blind = groups.clone();
    blind[1]
        .runs
        .iter_mut()
        .for_each(|run| run.naming = Naming::default());
    let rows = Experiment::of(&blind).rows;
    assert_eq!((rows[1].named.median, rows[1].named.change), (None, None));
}
