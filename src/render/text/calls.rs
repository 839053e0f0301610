//! The tables of `gotrace calls`.

use super::page::{Page, Tone};
use super::table::{Cell, Column, ROWS, Table, left_out};
use super::width::columns;
use crate::analyze::call_tree::{Node, NodeKind};
use crate::analyze::calls::{
    CallEnd, CallRow, Durations, GroupBy, Merged, Recorded, SHORTER, Slow, Slowest, Statistics,
    Walked,
};
use crate::analyze::{CallTree, Filter};
use crate::render::units::{self, Scale};
use crate::trace::{Nanos, Probe, StringId, Trace};
use std::io;

/// Writes calls by function and by whom they belong to, at most `top` rows.
///
/// # Errors
///
/// Those of the writer.
pub fn statistics(
    statistics: &Statistics,
    by: GroupBy,
    top: usize,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut columns = Vec::new();
    if by != GroupBy::Function {
        columns.push(Column::name(by.name()));
    }
    columns.extend([
        Column::name("function"),
        Column::number("calls"),
        Column::number("total"),
        Column::number("self"),
        Column::number("min").optional(4),
        Column::number("median").optional(1),
        Column::number("p99").optional(2),
        Column::number("max").optional(3),
        Column::word("").optional(5),
    ]);
    let mut table = Table::new(columns);
    let shown = statistics.rows.iter().take(top);
    for row in shown {
        let mut cells = Vec::new();
        if by != GroupBy::Function {
            cells.push(Cell::from(&*row.group));
        }
        cells.push(Cell::from(&*row.function));
        cells.push(units::count(row.count).into());
        cells.extend(times(row).map(|time| match time {
            Some(time) => Cell::from(units::duration(time)),
            None => Cell::toned("-", Tone::Dim),
        }));
        cells.push(Cell::toned(ends(row), Tone::Dim));
        table.push(cells);
    }
    table.write(page, out)?;
    let rows = statistics.rows.len().saturating_sub(top);
    left_out(rows, ROWS, page, out)
}

/// Total, self, the shortest call, the median, the 99th percentile, the longest: those that are known.
pub(in crate::render) fn times(row: &CallRow) -> [Option<Nanos>; 6] {
    let sum = |time: Nanos| row.has_times().then_some(time);
    let of = row.single();
    [
        sum(row.total),
        sum(row.own),
        of.map(Durations::least),
        of.map(|of| of.quantile(500)),
        of.map(|of| of.quantile(990)),
        of.map(Durations::most),
    ]
}

pub(in crate::render) fn ends(row: &CallRow) -> String {
    let parts = [
        (row.open, "open"),
        (row.unwound, "unwound"),
        (row.no_exit, "without exit"),
    ];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    let mut parts: Vec<String> = parts
        .map(|(count, what)| format!("{} {what}", units::count(count)))
        .collect();
    if !row.has_times() {
        parts.push("entries only".to_owned());
    }
    if let Some(at) = row.given_up {
        parts.push(format!("given up at {}", units::duration(at)));
    }
    parts.join(", ")
}

/// What recording adds to the times of a table; nothing where no exits were recorded.
#[must_use]
pub fn cost_of_recording(trace: &Trace) -> Option<String> {
    let named = trace.probes.iter().filter(|probe| probe.exits > 0);
    let named = named.filter(|probe| probe.set == StringId::EMPTY);
    let dearest = named.max_by_key(|probe| probe.entry_cost + probe.exit_cost)?;
    Some(format!(
        "times hold what recording takes: of each call up to {} for its entry and {} for its exit",
        units::duration(dearest.entry_cost),
        units::duration(dearest.exit_cost)
    ))
}

/// Lines that are in memory at a time: those of deep calls are long.
const LINES: usize = 4096;

/// Writes calls below their callers, the `top` paths that took longest; of siblings the longest first.
///
/// # Errors
///
/// Those of the writer.
pub fn tree(tree: &CallTree, top: usize, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let scale = Scale::of(tree.total().time);
    let most = tree.nodes.iter().map(|node| node.own.samples).max();
    let widest = [
        units::count(most.unwrap_or_default()),
        scale.write(tree.total().time),
    ];
    let [calls, time] = widest.map(|widest| columns(&widest));
    let table = || {
        Table::new(vec![
            Column::number("calls").at_least(calls),
            Column::number("total").at_least(time),
            Column::number("self").at_least(time),
            Column::name("function"),
        ])
    };
    let mut lines = tree.longest(top).peekable();
    let mut piece = table();
    loop {
        for (depth, node) in lines.by_ref().take(LINES) {
            piece.push(line(tree, node, depth, scale));
        }
        piece.write(page, out)?;
        if lines.peek().is_none() {
            let all = tree.nodes.len().saturating_sub(1);
            return left_out(all.saturating_sub(top), ROWS, page, out);
        }
        piece = table().without_headings();
    }
}

fn line(tree: &CallTree, node: &Node, depth: usize, scale: Scale) -> Vec<Cell> {
    let name = format!("{}{}", "  ".repeat(depth), tree.name(node));
    let calls = match node.kind {
        NodeKind::Group | NodeKind::Root => String::new(),
        _ => units::count(node.own.samples),
    };
    vec![
        calls.into(),
        scale.write(node.total.time).into(),
        scale.write(node.own.time).into(),
        name.into(),
    ]
}

/// Writes the longest calls, each with its callers below it.
///
/// # Errors
///
/// Those of the writer.
pub fn slowest(slowest: &Slowest, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let mut table = Table::new(vec![
        Column::number("total"),
        Column::number("self"),
        Column::number("begin").optional(2),
        Column::name("function"),
        Column::name("argument"),
        Column::name("where").optional(1),
    ]);
    for slow in &slowest.calls {
        table.push(vec![
            units::duration(slow.call.total()).into(),
            units::duration(slow.call.own()).into(),
            units::duration(slow.call.begin).into(),
            function(slow).into(),
            slow.argument.as_deref().unwrap_or("").into(),
            format!("{} {}", slow.process, slow.stack).into(),
        ]);
        for caller in &slow.callers {
            let mut cells = vec![Cell::default(); 3];
            cells.push(Cell::toned(format!("  in {caller}"), Tone::Dim));
            table.push(cells);
        }
    }
    table.write(page, out)
}

fn function(slow: &Slow) -> String {
    let end = match slow.call.how {
        CallEnd::Open => " (still open)",
        CallEnd::Unwound => " (unwound)",
        CallEnd::Returned | CallEnd::TailJumped | CallEnd::Instant => "",
    };
    format!("{}{end}", slow.function)
}

/// Says that there is nothing to show, and how there would be.
///
/// # Errors
///
/// Those of the writer.
pub fn nothing(
    trace: &Trace,
    filter: &Filter,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    writeln!(out, "{}", page.paint(why_none(trace, filter), Tone::Dim))
}

/// Says that of calls which were recorded none is known by itself.
///
/// # Errors
///
/// Those of the writer.
pub fn nothing_single(filter: &Filter, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let words = match is_of_all_named(filter) {
        true => "no single call is known of the functions that were named",
        false => "no call that is known by itself passes the filter",
    };
    writeln!(out, "{}", page.paint(words, Tone::Dim))
}

/// Whether no more is asked for than that functions were named. Which samples are, is nothing to calls.
fn is_of_all_named(filter: &Filter) -> bool {
    let all_named = Filter {
        named: true,
        source: filter.source,
        kind: filter.kind,
        ..Filter::default()
    };
    *filter == all_named
}

/// Why there is nothing to show, and how there would be.
pub(in crate::render) fn why_none(trace: &Trace, filter: &Filter) -> &'static str {
    let mut watched = trace.probes.iter();
    let is_meant = |probe: &Probe| !filter.named || probe.set == StringId::EMPTY;
    let timed = watched.any(|probe| is_meant(probe) && probe.exits > 0);
    let recorded = trace.call_count() > 0 || trace.call_tree_count() > 0;
    if recorded && !timed {
        "only entries were recorded: without exits no call has a duration"
    } else if recorded && is_of_all_named(filter) {
        "no call is known of the functions that were named"
    } else if recorded {
        "no call passes the filter"
    } else if trace.probes.is_empty() && is_asked_for_in_vain(trace) {
        "no function could be watched: gotrace show --by gap says why"
    } else if trace.probes.is_empty() {
        "the trace holds no calls: gotrace run --probe IMAGE:FUNCTION -- COMMAND records some"
    } else {
        "none of the watched functions was called"
    }
}

/// Whether calls are not there that somebody wanted.
fn is_asked_for_in_vain(trace: &Trace) -> bool {
    let mut unseen = trace.blind_spots.iter().map(|spot| trace.text(spot.what));
    unseen.any(|what| what.starts_with("calls "))
}

/// Says of how many functions of sets the calls are not shown; nothing where there are none.
#[must_use]
pub fn sets_left_out(functions: usize) -> Option<String> {
    (functions > 0).then(|| {
        let functions = units::counted(functions as u64, "function", "functions");
        format!("{functions} of probe sets left out: --sets shows them")
    })
}

/// What the reader of a table must know of what is not in it.
#[must_use]
pub fn caveat(walked: Walked) -> Option<String> {
    (walked.orphan_exits > 0).then(|| {
        let exits = units::counted(walked.orphan_exits, "exit", "exits");
        format!("{exits} of calls whose entry was not recorded")
    })
}

/// Why the longest calls are not known, or not all of them; nothing where all calls are known one by one.
#[must_use]
pub fn no_single_calls(trace: &Trace) -> Option<&'static str> {
    (trace.call_tree_count() > 0).then_some(
        "calls were added up as they were recorded: single ones are known only where they mark phases",
    )
}

/// Of which programs the calls are not shown, for a time range was asked for; nothing where there are none.
#[must_use]
pub fn cut(programs: u64) -> Option<String> {
    (programs > 0).then(|| {
        let programs = units::counted(programs, "program", "programs");
        format!(
            "calls of {programs} left out: they were added up over the program's whole life, which is only partly \
             between --from and --to"
        )
    })
}

/// What calls of a tree have no row of their own; nothing where all have.
#[must_use]
pub fn merged(merged: Merged) -> Option<String> {
    (merged.paths > 0).then(|| {
        let paths = units::counted(merged.paths, "path", "paths");
        format!(
            "{paths} that took less than {} each are merged to {SHORTER} of what called them",
            units::duration(merged.below)
        )
    })
}

/// How calls were recorded, in clauses.
#[must_use]
pub fn recorded(recorded: &Recorded) -> Vec<String> {
    let mut clauses = vec![match recorded.shortest() {
        Some(shortest) => format!("of {shortest} and longer"),
        None if recorded.is_added_up() => "added up as they were recorded".to_owned(),
        None => "not all of them".to_owned(),
    }];
    clauses.extend(recorded.chosen.iter().cloned());
    let watched = units::counted(recorded.watched as u64, "function", "functions");
    clauses.push(format!("{watched} watched"));
    if recorded.unwatched > 0 {
        clauses.push(format!("{} could not be", units::count(recorded.unwatched)));
    }
    clauses
}

/// Whether a tree holds no calls.
#[must_use]
pub fn is_empty(tree: &CallTree) -> bool {
    tree.total().samples == 0 && tree.total().time == Nanos::ZERO
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyze::Name;
    use crate::analyze::profile::Weight;
    use crate::trace::CallTreeRow;

    #[test]
    fn functions_that_were_named_and_not_called_are_told_from_calls_that_do_not_pass() {
        let mut trace = Trace::default();
        let named = Filter {
            named: true,
            ..Filter::default()
        };
        let compilers = Filter {
            tool: Some("compile".to_owned()),
            ..named.clone()
        };
        let set = trace.strings.push(b"go-build");
        for set in [set, StringId::EMPTY] {
            trace.probes.push(Probe {
                set,
                exits: 1,
                ..Probe::default()
            });
        }
        let found = |trace: &Trace| [&named, &compilers].map(|filter| why_none(trace, filter));
        assert_eq!(
            found(&trace),
            ["none of the watched functions was called"; 2]
        );
        trace.push_call_trees(&[CallTreeRow {
            calls: 1,
            ..CallTreeRow::default()
        }]);
        let expected = [
            "no call is known of the functions that were named",
            "no call passes the filter",
        ];
        assert_eq!(found(&trace), expected);
        assert_eq!(why_none(&trace, &Filter::default()), expected[1]);
        // Of those that were named entries alone.
        trace.probes[1].exits = 0;
        let entries = "only entries were recorded: without exits no call has a duration";
        assert_eq!(found(&trace), [entries; 2]);
        assert_eq!(why_none(&trace, &Filter::default()), expected[1]);
    }

    /// More lines than are in memory at a time: the first ones have the longest times, the last one most calls.
    #[test]
    fn a_long_tree_is_one_table() {
        let count = LINES + 10;
        let node = |at: usize| Node {
            kind: NodeKind::Function,
            parent: 0,
            name: 1,
            own: Weight {
                time: Nanos(1_000 * (count - at) as u64),
                samples: if at + 1 == count { 123_456_789 } else { 1 },
            },
            total: Weight {
                time: Nanos(1_000 * (count - at) as u64),
                samples: 1,
            },
        };
        let root = Node {
            kind: NodeKind::Root,
            own: Weight::default(),
            total: Weight {
                time: Nanos(1_000_000_000),
                samples: 1,
            },
            ..node(0)
        };
        let long = CallTree {
            nodes: [root].into_iter().chain((0..count).map(node)).collect(),
            names: ["", "main.f"].map(Name::from).to_vec(),
            ..CallTree::default()
        };
        let mut out = Vec::new();
        tree(&long, usize::MAX, &Page::default(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 1 + count);
        assert_eq!(text.matches("function").count(), 1);
        let place = text.find("function").unwrap();
        let is_below = |line: &str| line.find("main.f") == Some(place);
        assert!(text.lines().skip(1).all(is_below), "{text}");
        assert!(text.ends_with("main.f\n") && text.contains("\n123,456,789 "));
    }
}
