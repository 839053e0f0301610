//! What `experiment --json` writes.

use super::compare::Family;
use super::object;
use crate::analyze::compare::{FALSE_DISCOVERIES, Verdict};
use crate::analyze::experiment::{Effect, Experiment, Kind, Row};
use serde::Serialize;
use std::io::{self, Write};

/// Name and version of what `experiment --json` writes.
pub const EXPERIMENT_SCHEMA: &str = "gotrace.experiment/1";

/// What stands before the rows, besides the experiment itself.
#[derive(Clone, Debug, Serialize)]
pub struct Made {
    /// The command line.
    pub command: String,
    /// `go1.27.3`.
    pub go: String,
    /// `cold` or `warm`.
    pub cache: &'static str,
    /// All runs were made.
    pub complete: bool,
    /// Where the traces are.
    pub folder: String,
}

#[derive(Serialize)]
struct Head<'a> {
    schema: &'static str,
    #[serde(flatten)]
    made: &'a Made,
    noisy: bool,
    family: Family,
}

#[derive(Serialize)]
struct OfRow<'a> {
    configuration: &'a str,
    kind: &'static str,
    run_count: usize,
    failed_count: usize,
    wall_ns: Time<'a>,
    cpu_ns: Time<'a>,
    named_share: Share<'a>,
    samples: Samples,
    frames: Frames,
}

/// What an effect has that is a time; without the changes for the baseline.
#[derive(Serialize)]
struct Time<'a> {
    median: Option<f64>,
    values: &'a [f64],
    ratio: Option<f64>,
    ratio_low: Option<f64>,
    ratio_high: Option<f64>,
    p: Option<f64>,
    verdict: Option<&'static str>,
}

#[derive(Serialize)]
struct Share<'a> {
    median: Option<f64>,
    values: &'a [f64],
    difference: Option<f64>,
    difference_low: Option<f64>,
    difference_high: Option<f64>,
}

#[derive(Serialize)]
struct Samples {
    count: u64,
    named_count: u64,
    whole_stack_count: u64,
}

#[derive(Serialize)]
struct Frames {
    count: u64,
    named_count: u64,
    unnamed: Vec<Reason>,
}

#[derive(Serialize)]
struct Reason {
    reason: &'static str,
    count: u64,
}

/// Writes the object of `experiment --json`.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn experiment(made: &Made, experiment: &Experiment, out: &mut impl Write) -> io::Result<()> {
    let head = Head {
        schema: EXPERIMENT_SCHEMA,
        made,
        noisy: experiment.is_noisy(),
        family: Family {
            count: experiment.family,
            left_out: None,
            false_discovery_rate: FALSE_DISCOVERIES,
            runs_needed: experiment.runs_needed,
        },
    };
    object(&head, experiment.rows.iter().map(row), out)
}

fn row(row: &Row) -> OfRow<'_> {
    let naming = &row.naming;
    let unnamed = naming.unnamed.iter().map(|(why, count)| Reason {
        reason: why.words(),
        count: *count,
    });
    let named = row.named.change;
    OfRow {
        configuration: &row.name,
        kind: match row.kind {
            Kind::Baseline => "baseline",
            Kind::Again => "again",
            Kind::Setting => "setting",
        },
        run_count: row.runs,
        failed_count: row.failed,
        wall_ns: time(&row.wall),
        cpu_ns: time(&row.cpu),
        named_share: Share {
            median: row.named.median,
            values: &row.named.values,
            difference: named.map(|change| change.estimate),
            difference_low: named.map(|change| change.low),
            difference_high: named.map(|change| change.high),
        },
        samples: Samples {
            count: naming.samples,
            named_count: naming.named_samples,
            whole_stack_count: naming.whole_stacks,
        },
        frames: Frames {
            count: naming.frames,
            named_count: naming.named_frames(),
            unnamed: unnamed.collect(),
        },
    }
}

fn time(effect: &Effect) -> Time<'_> {
    let change = effect.change;
    Time {
        median: effect.median,
        values: &effect.values,
        ratio: change.map(|change| change.estimate),
        ratio_low: change.map(|change| change.low),
        ratio_high: change.map(|change| change.high),
        p: effect.p,
        verdict: effect.verdict.as_ref().map(|verdict| match verdict {
            Verdict::Slower => "slower",
            Verdict::Faster => "faster",
            Verdict::WithinNoise => "within_noise",
            Verdict::OnlyInBase => "only_in_base",
            Verdict::OnlyInNew => "only_in_new",
            Verdict::TooFewRuns { .. } => "too_few_runs",
            Verdict::Withheld { .. } => "withheld",
        }),
    }
}
