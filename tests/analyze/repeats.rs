//! Recordings that are given several times, and which runs a noise floor is made of.

use crate::compare::{compare, cpu, group, millis, package};
use gotrace::analyze::Name;
use gotrace::analyze::compare::{Comparison, Fact, Measure, NoiseGroup, Options, Run};
use gotrace::render::change;
use gotrace::trace::{ClockAnchor, ExitStatus};

/// Runs that were recorded one after the other from `start` on, and are called by when.
fn recorded(start: u64, count: u64) -> Vec<Run> {
    let runs = group(count, 200).into_iter().zip(start..);
    runs.map(|(mut run, unix_ns)| {
        run.name = Name::from(unix_ns.to_string());
        run.recording = Some(ClockAnchor {
            monotonic_ns: 1,
            unix_ns,
        });
        run
    })
    .collect()
}

fn copy(run: &Run) -> Run {
    Run {
        name: Name::from("copy"),
        ..run.clone()
    }
}

#[test]
fn a_copy_of_a_recording_counts_once() {
    let mut base = recorded(1, 3);
    base.push(copy(&base[1]));
    let comparison = compare(&base, &recorded(11, 3));
    assert_eq!(comparison.base.runs, ["1", "2", "3"].map(Name::from));
    assert_eq!(comparison.base.repeated, [Name::from("copy")]);
    assert_eq!(cpu(&comparison, "m/b").base.len(), 3);
    let told = "given several times in base, and counted once: copy";
    assert!(change::caveats(&comparison).contains(&told.to_owned()));
    // What does not say when it was recorded is taken for what it is called.
    let unknown = group(4, 200);
    assert_eq!(compare(&unknown, &unknown).base.runs.len(), 4);
}

#[test]
fn what_is_on_both_sides_is_said() {
    let shared = |base: &[Run], new: &[Run]| compare(base, new).shared;
    let new = [recorded(3, 1), recorded(11, 2)].concat();
    assert_eq!(shared(&recorded(1, 3), &new), [Name::from("3")]);
    // A group compared with itself is meant so.
    assert_eq!(shared(&recorded(1, 3), &recorded(1, 3)), []);
    assert_eq!(shared(&recorded(1, 3), &recorded(11, 3)), []);
}

fn with_noise(noise: Vec<Run>) -> Comparison {
    Comparison::of(&recorded(1, 1), &recorded(11, 1), &Options { noise })
}

fn noise(noise: Vec<Run>) -> NoiseGroup {
    with_noise(noise).noise.unwrap()
}

#[test]
fn a_noise_floor_is_made_of_runs_that_are_not_compared() {
    let group = noise([recorded(1, 3), recorded(11, 1)].concat());
    assert_eq!(group.runs, ["2", "3"].map(Name::from));
    assert_eq!(group.compared, ["1", "11"].map(Name::from));
    assert!(group.is_enough() && group.differences.is_empty());
    // Nor of copies of one.
    let one = recorded(21, 1);
    let group = noise(vec![one[0].clone(), copy(&one[0])]);
    assert!(!group.is_enough());
    // Nor of runs that failed.
    let mut runs = recorded(21, 2);
    runs[0].status = Some(ExitStatus::Code(1));
    let group = noise(runs);
    assert_eq!(group.failed, [Name::from("21")]);
    assert!(!group.is_enough());
    assert_eq!(with_noise(recorded(21, 1)).rows[0].noise, None);
}

#[test]
fn a_noise_floor_is_of_the_same_circumstances() {
    let unlike = |fact: Fact, noise_has: &str, compared_have: &str| {
        let with = |mut runs: Vec<Run>, value: &str| {
            for run in &mut runs {
                run.facts.0.insert(fact.clone(), Name::from(value));
            }
            runs
        };
        let options = Options {
            noise: with(recorded(21, 3), noise_has),
        };
        let (base, new) = (recorded(1, 1), recorded(11, 1));
        let comparison = Comparison::of(
            &with(base, compared_have),
            &with(new, compared_have),
            &options,
        );
        let differences = comparison.noise.unwrap().differences;
        let words: Vec<String> = differences.iter().map(change::noise_fact).collect();
        words
    };
    assert_eq!(
        unlike(Fact::Flags, "-race", ""),
        ["noise: GOFLAGS differs: noise -race, compared none"]
    );
    // Two sides may be compared for their translators, but not with the noise of another one.
    assert_eq!(
        unlike(Fact::Translator, "qemu-aarch64", "none"),
        ["noise: the translators differ: noise qemu-aarch64, compared none"]
    );
    assert_eq!(unlike(Fact::Kernel, "6.1", "6.18"), [""; 0]);
}

#[test]
fn only_two_single_runs_can_exceed_the_floor_of_pairs() {
    let options = || Options {
        noise: recorded(21, 9),
    };
    let exceeded = |base: &[Run], new: &[Run]| {
        let comparison = Comparison::of(base, new, &options());
        let row = comparison.row(&package("m/b"), Measure::Cpu).unwrap();
        change::noise(row.noise.as_ref(), row)
    };
    // 200, 201 or 202 ms against 230.
    assert_eq!(exceeded(&group(1, 200), &group(1, 230)), "1.0 %, exceeded");
    assert_eq!(exceeded(&group(1, 200), &group(1, 201)), "1.0 %");
    assert_eq!(exceeded(&group(3, 200), &group(3, 230)), "1.0 %");
    assert_eq!(exceeded(&group(1, 200), &group(3, 230)), "1.0 %");
    let row = |comparison: Comparison| cpu(&comparison, "m/b").noise.unwrap().median;
    assert_eq!(row(with_noise(recorded(21, 9))), millis(201));
}
