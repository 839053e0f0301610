//! JSON of what commands show: one object with its `schema`, and `rows` as its only top-level
//! list. `docs/json-schema.md` describes every key.
//!
//! An [`Analysis`] comes in; the object goes out, a row at a time.

mod bindings;
mod calls;
mod compare;
mod doctor;
mod experiment;
mod explain;
mod inspect;
mod limits;
mod probes;
mod rows;
mod selftest;
mod toolchain;

pub use bindings::{BINDINGS_SCHEMA, bindings, bindings_difference};
pub use calls::{CALLS_SCHEMA, calls, slowest_calls, tree_of_calls};
pub use compare::{COMPARE_SCHEMA, compare};
pub use doctor::{DOCTOR_SCHEMA, doctor};
pub use experiment::{EXPERIMENT_SCHEMA, Made, experiment};
pub use explain::{EXPLAIN_SCHEMA, explain};
pub use inspect::{INSPECT_SCHEMA, inspect};
pub use probes::{PROBES_SCHEMA, ProbedRow, RefusedRow, SiteRow, UnseenRow, probes};
pub use selftest::{SELFTEST_SCHEMA, selftest};
pub use toolchain::{
    INSTRUMENTED_SCHEMA, InstrumentedRow, PAIR_SCHEMA, PREPARED_SCHEMA, TOOLCHAINS_SCHEMA, ToldRow,
    instrumented, pair, prepared, toolchains,
};

use super::words;
use crate::analyze::{Analysis, By, Filter, summary};
use crate::trace::Trace;
use serde::ser::{Serialize, SerializeSeq as _, Serializer};
use std::cell::RefCell;
use std::io::{self, Write};

/// Name and version of what `show --json` writes.
pub const SHOW_SCHEMA: &str = "gotrace.show/1";

/// What stands before the rows.
#[derive(serde::Serialize)]
struct Head<'a> {
    schema: &'static str,
    by: &'static str,
    command: String,
    wall_ns: u64,
    cpu_ns: u64,
    recording: Recording<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    samples: Option<Samples>,
    #[serde(skip_serializing_if = "Option::is_none")]
    build: Option<limits::Build<'a>>,
}

/// What is missing from the trace. Lists stand here, so that `rows` is the only one at the top.
#[derive(serde::Serialize)]
struct Recording<'a> {
    complete: bool,
    damaged_header: bool,
    cut_bytes: u64,
    damaged_blocks: u64,
    missing_rows: u64,
    lost_samples: u64,
    lost_calls: u64,
    lost_bindings: u64,
    undefined: u64,
    unknown_blocks: u64,
    unknown_records: u64,
    losses: Vec<Loss<'a>>,
    blind_spots: Vec<BlindSpot<'a>>,
}

#[derive(serde::Serialize)]
struct Loss<'a> {
    what: std::borrow::Cow<'a, str>,
    why: std::borrow::Cow<'a, str>,
    count: u64,
}

#[derive(serde::Serialize)]
struct BlindSpot<'a> {
    what: std::borrow::Cow<'a, str>,
    why: std::borrow::Cow<'a, str>,
}

/// What the samples behind the rows are. Shares are parts of `weight_ns`.
#[derive(serde::Serialize)]
struct Samples {
    kind: &'static str,
    source: &'static str,
    count: u64,
    weight_ns: u64,
    truncated_count: u64,
    unnamed_count: u64,
    compile_count: u64,
    compile_rooted_count: u64,
    unreadable_blocks: u64,
}

/// Writes the object of `show --json`: at most `top` rows, all of them for `None`. `filter` says which programs they
/// are about, and which samples stand behind functions and images; it is of no effect on actions and the critical path.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn show(
    analysis: &Analysis<'_>,
    by: By,
    filter: &Filter,
    top: Option<usize>,
    out: &mut impl Write,
) -> io::Result<()> {
    let top = top.unwrap_or(usize::MAX);
    let costs = analysis.costs_of(filter);
    let head = head(analysis, by, costs.total.cpu().0);
    match by {
        By::Package | By::Tool | By::Process | By::Action | By::CriticalPath => {
            let limits = match by {
                By::Package | By::Action | By::CriticalPath => analysis.limits(),
                _ => None,
            };
            let head = Head {
                build: limits.as_ref().map(limits::Build::of),
                ..head
            };
            match by {
                By::Package => object(&head, rows::packages(&costs).take(top), out),
                By::Tool => object(&head, rows::tools(&costs).take(top), out),
                By::Process => object(&head, rows::processes(analysis, &costs).take(top), out),
                By::Action => object(&head, rows::actions(analysis).take(top), out),
                _ => object(&head, rows::critical_path(analysis, top), out),
            }
        }
        By::Gap => {
            let gaps = analysis.all_gaps();
            object(&head, rows::gaps(&gaps).take(top), out)
        }
        By::Phase => {
            let phases = analysis.phases_of(filter);
            object(&head, rows::phases(&phases).take(top), out)
        }
        By::Function | By::Image => {
            let profile = analysis.profile(filter);
            let samples = Some(Samples {
                kind: words::sample_kind(filter.kind),
                source: if profile.from_profiles {
                    "profiles"
                } else {
                    "samples"
                },
                count: profile.total.samples,
                weight_ns: profile.total.time.0,
                truncated_count: profile.truncated.samples,
                unnamed_count: profile.unnamed.iter().map(|row| row.own.samples).sum(),
                compile_count: profile.roots.samples,
                compile_rooted_count: profile.roots.reached,
                unreadable_blocks: profile.unreadable_blocks,
            });
            let head = Head { samples, ..head };
            if by == By::Function {
                object(&head, rows::functions(&profile).take(top), out)
            } else {
                let images = analysis.images(&profile.images);
                object(&head, rows::images(&images, &profile).take(top), out)
            }
        }
    }
}

fn head<'a>(analysis: &Analysis<'a>, by: By, cpu_ns: u64) -> Head<'a> {
    let trace = analysis.trace;
    Head {
        schema: SHOW_SCHEMA,
        by: by.name(),
        command: summary::command(analysis).to_string(),
        wall_ns: analysis.builds.critical_path.wall().0,
        cpu_ns,
        recording: recording(trace),
        samples: None,
        build: None,
    }
}

fn recording(trace: &Trace) -> Recording<'_> {
    let integrity = &trace.integrity;
    let losses = trace.losses.iter().map(|loss| Loss {
        what: trace.text(loss.what),
        why: trace.text(loss.why),
        count: loss.count,
    });
    let blind_spots = trace.blind_spots.iter().map(|spot| BlindSpot {
        what: trace.text(spot.what),
        why: trace.text(spot.why),
    });
    Recording {
        complete: trace.ending.is_some() && !integrity.unsealed,
        damaged_header: integrity.damaged_header,
        cut_bytes: integrity.cut_bytes,
        damaged_blocks: integrity.damaged_blocks,
        missing_rows: integrity.missing_rows,
        lost_samples: integrity.lost_samples,
        lost_calls: integrity.lost_calls,
        lost_bindings: integrity.lost_bindings,
        undefined: integrity.undefined,
        unknown_blocks: integrity.unknown_blocks,
        unknown_records: integrity.unknown_records,
        losses: losses.collect(),
        blind_spots: blind_spots.collect(),
    }
}

/// Writes `head` with `rows` as its last key.
fn object<T: Serialize>(
    head: &impl Serialize,
    rows: impl Iterator<Item = T>,
    out: &mut impl Write,
) -> io::Result<()> {
    #[derive(serde::Serialize)]
    struct Whole<'a, H: Serialize, R: Serialize> {
        #[serde(flatten)]
        head: &'a H,
        rows: R,
    }
    let rows = Rows(RefCell::new(rows));
    serde_json::to_writer_pretty(&mut *out, &Whole { head, rows })?;
    out.write_all(b"\n")
}

/// Rows that are made while they are written. They can be written once.
struct Rows<I>(RefCell<I>);

impl<T: Serialize, I: Iterator<Item = T>> Serialize for Rows<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for row in &mut *self.0.borrow_mut() {
            list.serialize_element(&row)?;
        }
        list.end()
    }
}
