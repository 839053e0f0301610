//! What `selftest --json` writes.

use super::object;
use crate::analyze::selftest::{Comparison, Counts, Outcome, Standing};
use serde::Serialize;
use std::io::{self, Write};

/// Name and version of what `selftest --json` writes.
pub const SELFTEST_SCHEMA: &str = "gotrace.selftest/1";

#[derive(Serialize)]
struct Head {
    schema: &'static str,
    passed_count: usize,
    failed_count: usize,
    not_here_count: usize,
}

#[derive(Serialize)]
struct Row<'a> {
    trial: &'static str,
    question: &'static str,
    standing: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    evidence: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    remedy: &'a str,
    commands: &'a [String],
    comparisons: Vec<Compared<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    told: &'a str,
}

#[derive(Serialize)]
struct Compared<'a> {
    what: &'static str,
    expected: &'a str,
    found: &'a str,
    fits: bool,
}

/// Writes the object of `selftest --json`: a row for each trial.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn selftest(outcomes: &[Outcome], out: &mut impl Write) -> io::Result<()> {
    let counts = Counts::of(outcomes);
    let head = Head {
        schema: SELFTEST_SCHEMA,
        passed_count: counts.passed,
        failed_count: counts.failed,
        not_here_count: counts.not_here,
    };
    object(&head, outcomes.iter().map(row), out)
}

fn row(outcome: &Outcome) -> Row<'_> {
    let (reason, evidence, remedy) = match &outcome.standing {
        Standing::Passed => ("", "", ""),
        Standing::Failed(why) => (why.as_str(), "", ""),
        Standing::NotHere(refusal) => (
            refusal.reason.as_str(),
            refusal.evidence.as_str(),
            refusal.remedy.as_str(),
        ),
    };
    Row {
        trial: outcome.trial.id(),
        question: outcome.trial.question(),
        standing: outcome.standing.name(),
        reason,
        evidence,
        remedy,
        commands: &outcome.commands,
        comparisons: outcome.comparisons.iter().map(compared).collect(),
        told: &outcome.told,
    }
}

fn compared(comparison: &Comparison) -> Compared<'_> {
    Compared {
        what: comparison.what,
        expected: &comparison.expected,
        found: &comparison.found,
        fits: comparison.fits,
    }
}
