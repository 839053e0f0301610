//! Gates: what fails, what passes, and what must not look like a pass.

use crate::compare::{compare, group, run_of_packages};
use gotrace::analyze::Name;
use gotrace::analyze::compare::{Comparison, Gate, Gates, Outcome, Run, Verdict};

fn gate(kind: &str, pattern: &str, limit: f64) -> Gate {
    Gate {
        kind: Name::from(kind),
        pattern: Name::from(pattern),
        limit,
    }
}

fn judge(gate: Gate, comparison: &Comparison) -> Outcome {
    Gates(vec![gate]).judge(comparison)
}

#[test]
fn a_gate_holds_what_is_slower_beyond_noise() {
    let slower = compare(&group(10, 200), &group(10, 230));
    for (one, breaches) in [
        (gate("package", "m/b", 0.10), 1),
        (gate("package", "m/b", 0.20), 0),
        (gate("package", "m/...", 0.10), 1),
        (gate("package", "m/a", 0.0), 0),
        (gate("tool", "compile", 0.05), 1),
        // 30 of 370 ms of wall, 30 of 360 of CPU.
        (Gate::whole(0.05), 2),
        (Gate::whole(0.10), 0),
    ] {
        let outcome = judge(one.clone(), &slower);
        assert_eq!(outcome.breaches.len(), breaches, "{one:?}");
        assert_eq!(outcome.passed(), breaches == 0);
    }
    assert!(judge(Gate::whole(0.0), &compare(&group(10, 230), &group(10, 200))).passed());
    let idle = judge(gate("package", "m/none", 0.1), &slower);
    assert_eq!(idle.idle.len(), 1);
    assert!(!idle.passed());
    // Too few runs are no pass.
    let few = judge(Gate::whole(0.05), &compare(&group(3, 200), &group(3, 230)));
    assert_eq!((few.breaches.len(), few.undecided.len()), (0, 2));
    assert!(!few.passed());
}

/// Nine runs of these packages.
fn nine(packages: &[(&str, u64)]) -> Vec<Run> {
    vec![run_of_packages(packages); 9]
}

/// Names and verdicts.
fn told(rows: &[(gotrace::analyze::compare::Key, Verdict)]) -> Vec<(String, Verdict)> {
    let rows = rows.iter();
    rows.map(|(key, verdict)| (key.subject.name().to_string(), verdict.clone()))
        .collect()
}

#[test]
fn what_one_side_alone_has_is_named_and_no_silent_pass() {
    let comparison = compare(
        &nine(&[("m/a", 90), ("m/old", 5)]),
        &nine(&[("m/a", 90), ("m/x/new", 40)]),
    );
    let only_in_new = |name: &str| vec![(name.to_owned(), Verdict::OnlyInNew)];
    // A gate that names it cannot be held.
    let named = judge(gate("package", "m/x/new", 0.1), &comparison);
    assert_eq!(told(&named.undecided), only_in_new("m/x/new"));
    assert!(!named.passed());
    let gone = judge(gate("package", "m/old", 0.1), &comparison);
    assert_eq!(
        told(&gone.undecided),
        [("m/old".to_owned(), Verdict::OnlyInBase)]
    );
    // Nor can one of which nothing else is left.
    let all = judge(gate("package", "m/x/...", 0.1), &comparison);
    assert_eq!(told(&all.undecided), only_in_new("m/x/new"));
    // One that holds others passes, and tells.
    let many = judge(gate("package", "m/...", 0.1), &comparison);
    assert_eq!(many.undecided, []);
    assert_eq!(told(&many.one_sided).len(), 2);
    assert!(many.passed());
    // Once, however many gates are about it.
    let gates = vec![gate("package", "m/...", 0.1), gate("package", "...", 0.2)];
    let twice = Gates(gates).judge(&comparison);
    assert_eq!(told(&twice.one_sided).len(), 2);
}
