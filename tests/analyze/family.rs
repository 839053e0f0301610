//! Which rows are judged together: those that could be told to differ, whichever runs are base's.

use crate::compare::{compare, cpu, group, millis, package};
use gotrace::analyze::compare::{Comparison, Key, Measure, Run, Verdict};

/// Ten runs, and `count` packages more that take no time but in `some` of the runs.
fn with_idle(mut runs: Vec<Run>, count: usize, some: &[usize]) -> Vec<Run> {
    for (at, run) in runs.iter_mut().enumerate() {
        for number in 0..count {
            let key = Key {
                subject: package(&format!("idle/{number:04}")),
                measure: Measure::Cpu,
            };
            let time = if some.contains(&at) { 1 } else { 0 };
            run.figures.insert(key, millis(time));
        }
    }
    runs
}

fn counts(comparison: &Comparison) -> (usize, usize) {
    (comparison.family, comparison.left_out)
}

#[test]
fn rows_that_cannot_differ_make_no_other_harder_to_find() {
    let slow = group(8, 204);
    let plain = compare(&group(8, 200), &slow);
    assert_eq!(cpu(&plain, "m/b").verdict, Some(Verdict::Slower));
    let (family, left_out) = counts(&plain);
    // 2 / C(16, 8) is 1.6e-4: of 2,000 rows it is no finding, all of them being tested.
    for some in [&[][..], &[3], &[1, 4]] {
        let idle = compare(
            &with_idle(group(8, 200), 2_000, some),
            &with_idle(slow.clone(), 2_000, &[]),
        );
        assert_eq!(counts(&idle), (family, left_out + 2_000), "{some:?}");
        assert_eq!(cpu(&idle, "m/b").verdict, Some(Verdict::Slower));
        let row = cpu(&idle, "idle/0007");
        assert_eq!(row.verdict, Some(Verdict::WithinNoise));
    }
}

#[test]
fn what_is_tested_does_not_depend_on_which_runs_are_base_s() {
    let (base, new) = (with_idle(group(8, 200), 40, &[3]), group(8, 230));
    let new = with_idle(new, 40, &[0, 1, 2, 5]);
    let expected = counts(&compare(&base, &new));
    assert!(expected.1 >= 40, "{expected:?}");
    let all = [base, new].concat();
    for turn in 1..all.len() {
        let mut turned = all.clone();
        turned.rotate_left(turn);
        turned.swap(0, turn);
        let (base, new) = turned.split_at(8);
        assert_eq!(counts(&compare(base, new)), expected, "{turn}");
    }
}

#[test]
fn a_change_that_equal_values_hide_is_not_within_noise() {
    // Half of new's runs take a millisecond more: half of so many can be chance in any division.
    let half = [0, 2, 4, 6, 7];
    let base = with_idle(group(9, 200), 200, &[]);
    let new = with_idle(group(9, 200), 200, &half);
    let comparison = compare(&base, &new);
    let row = cpu(&comparison, "idle/0000");
    assert_eq!(row.difference(), millis(1));
    // 2 C(13, 4) / C(18, 9) is 0.029; of 18 + 18, 2 C(26, 8) / C(36, 18) is 3.4e-4; of 27 + 27,
    // 2 C(39, 12) / C(54, 27) is 4e-6.
    let Some(Verdict::TooFewRuns { need }) = row.verdict else {
        panic!("{:?}", row.verdict);
    };
    assert!(need > 9 && need % 9 == 0, "{need}");
}
