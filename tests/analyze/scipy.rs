//! Statistics against scipy's on the same numbers: those checked in, and, where scipy has been
//! fetched, numbers of another seed.

use crate::statistics::close;
use gotrace::analyze::statistics::{
    adjusted, benjamini_hochberg, difference_interval, median, quantile, rank_test, ratio_interval,
    smallest_p_of, standard_deviation,
};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/statistics");

#[test]
fn checked_in_numbers_agree() {
    let text = std::fs::read_to_string(format!("{FOLDER}/vectors.json")).unwrap();
    agree(&serde_json::from_str(&text).unwrap());
}

#[test]
fn other_numbers_agree() {
    let scipy = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/consumers/scipy-1.17.1");
    if !scipy.exists() {
        println!("skipped: no scipy; scripts/fetch-consumers fetches it");
        return;
    }
    let output = Command::new("python3")
        .args(["-B", &format!("{FOLDER}/vectors.py"), "2"])
        .env("PYTHONPATH", scipy)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    agree(&serde_json::from_slice(&output.stdout).unwrap());
}

fn agree(vectors: &Value) {
    for case in cases(vectors, "rank_tests", 50) {
        let p = rank_test(&numbers(&case["base"]), &numbers(&case["new"]));
        let (expected, error) = (number(&case["p"]), number(&case["error"]));
        let is_close = close(p, expected, 1e-9) || (p - expected).abs() <= error;
        assert!(is_close, "{p} is not scipy's {expected}: {case}");
    }
    for case in cases(vectors, "intervals", 14) {
        let (base, new) = (numbers(&case["base"]), numbers(&case["new"]));
        let interval = match case["of"].as_str().unwrap() {
            "ratio" => ratio_interval(&base, &new),
            _ => difference_interval(&base, &new),
        };
        let interval = interval.unwrap();
        let estimate = number(&case["estimate"]);
        assert!(
            close(interval.estimate, estimate, 1e-12),
            "{interval:?} {case}"
        );
        for (found, end) in [(interval.low, "low"), (interval.high, "high")] {
            let range = numbers(&case[end]);
            let (from, to) = (range[0] - 1e-12, range[1] + 1e-12);
            assert!((from..=to).contains(&found), "{end} {found}: {case}");
        }
    }
    for case in cases(vectors, "families", 5) {
        let (p, expected) = (numbers(&case["p"]), numbers(&case["adjusted"]));
        for (found, expected) in adjusted(&p).into_iter().zip(&expected) {
            assert!(close(found, *expected, 1e-12), "{found} is not {expected}");
        }
        let findings: Vec<bool> = expected.iter().map(|p| *p <= 0.05).collect();
        assert_eq!(benjamini_hochberg(&p, 0.05), findings);
    }
    for case in cases(vectors, "groups", 4) {
        let values = numbers(&case["values"]);
        assert!(close(
            median(&values).unwrap(),
            number(&case["median"]),
            1e-12
        ));
        let deviation = standard_deviation(&values).unwrap();
        assert!(close(deviation, number(&case["standard_deviation"]), 1e-12));
        let shares = numbers(&case["shares"]).into_iter();
        for (share, expected) in shares.zip(numbers(&case["quantiles"])) {
            assert!(close(quantile(&values, share).unwrap(), expected, 1e-12));
        }
    }
    for case in cases(vectors, "smallest", 6) {
        let values = numbers(&case["values"]);
        let new = case["new"].as_u64().unwrap() as usize;
        let (base, new) = values.split_at(values.len() - new);
        let (found, expected) = (smallest_p_of(base, new), number(&case["p"]));
        assert!(close(found, expected, 1e-12), "{found}: {case}");
    }
}

fn cases<'v>(vectors: &'v Value, name: &str, count: usize) -> &'v Vec<Value> {
    let cases = vectors[name].as_array().unwrap();
    assert_eq!(cases.len(), count, "{name}");
    cases
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}
