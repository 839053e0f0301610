//! What `calls --json` writes.

use super::{Recording, object, recording};
use crate::analyze::calls::{CallRow, GroupBy, Slow, Slowest, Statistics, Walked};
use crate::analyze::{Analysis, CallTree, summary};
use crate::export::words;
use crate::trace::{Argument, StackOwner};
use serde::Serialize;
use std::io::{self, Write};

/// Name and version of what `calls --json` writes.
pub const CALLS_SCHEMA: &str = "gotrace.calls/1";

#[derive(Serialize)]
struct Head<'a> {
    schema: &'static str,
    by: &'static str,
    command: String,
    entries: u64,
    orphan_exits: u64,
    unreadable_blocks: u64,
    added_up_count: u64,
    cut_count: u64,
    recording: Recording<'a>,
}

fn head<'a>(analysis: &Analysis<'a>, by: &'static str, walked: Walked) -> Head<'a> {
    Head {
        schema: CALLS_SCHEMA,
        by,
        command: summary::command(analysis).to_string(),
        entries: walked.entries,
        orphan_exits: walked.orphan_exits,
        unreadable_blocks: walked.unreadable_blocks,
        added_up_count: walked.added_up,
        cut_count: walked.cut,
        recording: recording(analysis.trace),
    }
}

#[derive(Serialize)]
struct Row<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    function: &'a str,
    count: u64,
    open_count: u64,
    unwound_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    added_up_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_exit_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    given_up_ns: Option<u64>,
    #[serde(flatten)]
    times: Option<Times>,
    #[serde(flatten)]
    single: Option<Single>,
}

/// Of functions whose exits were recorded.
#[derive(Serialize)]
struct Times {
    total_ns: u64,
    self_ns: u64,
}

/// Of functions of which each call is known.
#[derive(Serialize)]
struct Single {
    min_ns: u64,
    median_ns: u64,
    p99_ns: u64,
    max_ns: u64,
}

impl<'a> Row<'a> {
    fn of(row: &'a CallRow, by: GroupBy) -> Self {
        let added_up = (row.added_up > 0).then_some(row);
        Self {
            group: (by != GroupBy::Function).then_some(&*row.group),
            function: &row.function,
            count: row.count,
            open_count: row.open,
            unwound_count: row.unwound,
            added_up_count: added_up.map(|row| row.added_up),
            no_exit_count: added_up.map(|row| row.no_exit),
            given_up_ns: row.given_up.map(|at| at.0),
            times: row.has_times().then_some(Times {
                total_ns: row.total.0,
                self_ns: row.own.0,
            }),
            single: row.single().map(|of| Single {
                min_ns: of.least().0,
                median_ns: of.quantile(500).0,
                p99_ns: of.quantile(990).0,
                max_ns: of.most().0,
            }),
        }
    }
}

/// Writes the object of `calls --json`: at most `top` rows.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn calls(
    analysis: &Analysis<'_>,
    statistics: &Statistics,
    by: GroupBy,
    top: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    let head = head(analysis, by.name(), statistics.walked);
    let rows = statistics.rows.iter().take(top);
    object(&head, rows.map(|row| Row::of(row, by)), out)
}

#[derive(Serialize)]
struct TreeHead<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    merged_paths: u64,
    merged_below_ns: u64,
}

#[derive(Serialize)]
struct TreeRow<'a> {
    level: usize,
    function: &'a str,
    count: u64,
    total_ns: u64,
    self_ns: u64,
}

/// Writes the object of `calls --tree --json`: at most `top` rows.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn tree_of_calls(
    analysis: &Analysis<'_>,
    tree: &CallTree,
    walked: Walked,
    top: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    let head = TreeHead {
        head: head(analysis, "path", walked),
        merged_paths: tree.merged.paths,
        merged_below_ns: tree.merged.below.0,
    };
    let rows = tree.longest(top);
    let rows = rows.map(|(level, node)| TreeRow {
        level,
        function: tree.name(node),
        count: node.own.samples,
        total_ns: node.total.time.0,
        self_ns: node.own.time.0,
    });
    object(&head, rows, out)
}

#[derive(Serialize)]
struct SlowRow<'a> {
    function: &'a str,
    process: u32,
    pid: u32,
    tid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    goroutine: Option<u64>,
    start_ns: u64,
    total_ns: u64,
    self_ns: u64,
    end: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    argument_integer: Option<i128>,
    #[serde(skip_serializing_if = "Option::is_none")]
    argument_text: Option<String>,
    callers: Vec<&'a str>,
}

impl<'a> SlowRow<'a> {
    fn of(analysis: &Analysis<'_>, slow: &'a Slow) -> Self {
        let call = &slow.call;
        let process = analysis.trace.process(call.process);
        Self {
            function: &slow.function,
            process: call.process.0,
            pid: process.map_or(0, |process| process.pid.0),
            tid: call.tid.0,
            goroutine: match call.stack {
                StackOwner::Goroutine(goid) => Some(goid.0),
                _ => None,
            },
            start_ns: call.begin.0,
            total_ns: call.total().0,
            self_ns: call.own().0,
            end: words::call_end(call.how),
            argument_integer: match call.argument {
                Some(Argument::Integer(word)) => {
                    let probe = analysis.trace.probe(call.probe);
                    let kind = probe.map(|probe| probe.argument).unwrap_or_default();
                    Some(kind.number(word))
                }
                _ => None,
            },
            argument_text: match call.argument {
                Some(Argument::Text(id)) => Some(analysis.trace.text(id).into_owned()),
                _ => None,
            },
            callers: slow.callers.iter().map(|name| &**name).collect(),
        }
    }
}

/// Writes the object of `calls --slowest --json`.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn slowest_calls(
    analysis: &Analysis<'_>,
    slowest: &Slowest,
    out: &mut impl Write,
) -> io::Result<()> {
    let head = head(analysis, "call", slowest.walked);
    let rows = slowest.calls.iter();
    object(&head, rows.map(|slow| SlowRow::of(analysis, slow)), out)
}
