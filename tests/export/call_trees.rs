//! Calls that were added up as they were recorded, in every format that takes them: values worked out by hand, and
//! read by others.

use super::fixture::{self, GENERIC, LONG, ms};
use super::{pprof, tables};
use gotrace::analyze::call_tree::{self, Grouping};
use gotrace::analyze::calls::{self, GroupBy, PathChoice, Statistics};
use gotrace::analyze::{Analysis, Filter};
use gotrace::export::{folded, json};
use gotrace::trace::{CallTreeRow, Nanos, Probe, ProbeId, ProcessId, Trace};
use serde_json::Value;
use std::collections::BTreeMap;

/// `ssa.Compile`, named by the user, with exits.
const COMPILE: ProbeId = ProbeId(0);
const OUTER: ProbeId = ProbeId(4);
const NAMED_GENERIC: ProbeId = ProbeId(5);
const NAMED_LONG: ProbeId = ProbeId(6);

/// Of the compiler of `m/a`, in two blocks, and of that of `m/b`, as the fixture has it:
///
/// ```text
/// outer 2 calls, 100 ms: own 100 - 60 - 3 = 37      outer 2 calls, 9 ms: own 9 - 6 = 3
/// ├── Compile 5 calls, 60 ms: own 60 - 21 = 39      └── Compile 30 calls, 6 ms: own 6 - 1.5 = 4.5
/// │   └── outer 3 calls, 21 ms: own 21                  └── outer 60 calls, 1.5 ms: own 1.5
/// └── m/b.Sum[...] 1 call, 3 ms: own 3 - 1 = 2
///     └── x... 4 calls, 1 ms: own 1
/// ```
fn trace() -> Trace {
    let mut trace = fixture::trace();
    for (id, name) in [
        (NAMED_GENERIC, GENERIC.to_owned()),
        (NAMED_LONG, "x".repeat(LONG)),
    ] {
        let function = trace.strings.push(name.as_bytes());
        trace.probes.push(Probe {
            id,
            function,
            exits: 1,
            ..Probe::default()
        });
    }
    let row = |process, level, probe, calls, total| CallTreeRow {
        process: ProcessId(process),
        level,
        probe,
        calls,
        open: 0,
        total: ms(total),
    };
    trace.push_call_trees(&[
        row(1, 0, OUTER, 0, 0),
        row(1, 1, COMPILE, 2, 20),
        row(1, 2, OUTER, 3, 21),
    ]);
    trace.push_call_trees(&[
        row(1, 0, OUTER, 2, 100),
        row(1, 1, COMPILE, 3, 40),
        row(1, 1, NAMED_GENERIC, 1, 3),
        CallTreeRow {
            open: 1,
            ..row(1, 2, NAMED_LONG, 4, 1)
        },
    ]);
    trace
}

/// By function: self, total and number of calls. Of `outer` the total is 100 + 9: its other calls are in others of it.
fn expected() -> BTreeMap<String, (i64, i64, i64)> {
    BTreeMap::from([
        ("main.outer".to_owned(), (62_500_000, 109_000_000, 67)),
        (
            "cmd/compile/internal/ssa.Compile".to_owned(),
            (43_500_000, 66_000_000, 35),
        ),
        (GENERIC.to_owned(), (2_000_000, 3_000_000, 1)),
        ("x".repeat(LONG), (1_000_000, 1_000_000, 4)),
    ])
}

#[test]
fn go_tool_pprof_has_self_total_and_numbers_of_calls() {
    let trace = trace();
    let top = |index: &'static str| {
        let flags = [&pprof::ALL[..], &[index]].concat();
        pprof::pprof_of(&flags, None, &trace).map(|text| pprof::top(&text))
    };
    let Some(times) = top("-sample_index=call_time") else {
        return;
    };
    let counts = top("-sample_index=calls").unwrap();
    // Functions of other samples have none of it.
    let found = times.into_iter().filter(|(_, sums)| *sums != (0, 0));
    let found: BTreeMap<String, (i64, i64, i64)> = found
        .map(|(name, (own, total))| {
            let calls = counts.get(&name).map_or(0, |(calls, _)| *calls);
            (name, (own, total, calls))
        })
        .collect();
    let named = |all: BTreeMap<String, (i64, i64, i64)>| -> BTreeMap<String, (i64, i64, i64)> {
        // pprof cuts long names.
        let cut = |name: String| {
            if name.len() > 1_000 {
                "x".to_owned()
            } else {
                name
            }
        };
        all.into_iter()
            .map(|(name, sums)| (cut(name), sums))
            .collect()
    };
    assert_eq!(named(found), named(expected()));
}

#[test]
fn folded_stacks_have_their_own_time_below_their_tool() {
    let trace = trace();
    let options = call_tree::Options {
        filter: Filter {
            named: true,
            ..Filter::default()
        },
        grouping: Grouping::Tool,
    };
    let (tree, _) = calls::tree(&Analysis::of(&trace), &options, PathChoice::All);
    let mut out = Vec::new();
    folded::write(&tree, Nanos(1), &mut out).unwrap();
    let written = String::from_utf8(out).unwrap();
    let mut lines: Vec<_> = written
        .lines()
        .filter(|line| line.starts_with("compile;main.outer"))
        .map(|line| line.replace(&"x".repeat(LONG), "x..."))
        .collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            "compile;main.outer 40000000",
            "compile;main.outer;cmd/compile/internal/ssa.Compile 43500000",
            "compile;main.outer;cmd/compile/internal/ssa.Compile;main.outer 22500000",
            "compile;main.outer;m/b.Sum[go.shape.struct { A int, B string }] 2000000",
            "compile;main.outer;m/b.Sum[go.shape.struct { A int, B string }];x... 1000000",
        ]
    );
    // All of it once.
    let sum: u64 = lines
        .iter()
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap())
        .sum();
    assert_eq!(sum, ms(109).0);
}

#[test]
fn the_table_has_a_row_for_each_path() {
    let written = &tables::written(&trace())["call_trees"];
    let cut = written.replace(&"x".repeat(LONG), "x...");
    let expected = format!(
        "process,node,caller,level,probe,function,calls,no_exit,total_ns,self_ns,recursive\r\n\
         2,0,,0,4,main.outer,2,1,9000000,3000000,false\r\n\
         2,1,0,1,0,cmd/compile/internal/ssa.Compile,30,0,6000000,4500000,false\r\n\
         2,2,1,2,4,main.outer,60,0,1500000,1500000,true\r\n\
         1,0,,0,4,main.outer,2,0,100000000,37000000,false\r\n\
         1,1,0,1,0,cmd/compile/internal/ssa.Compile,5,0,60000000,39000000,false\r\n\
         1,2,1,2,4,main.outer,3,0,21000000,21000000,true\r\n\
         1,3,0,1,5,{GENERIC},1,0,3000000,2000000,false\r\n\
         1,4,3,2,6,x...,4,1,1000000,1000000,false\r\n"
    );
    assert_eq!(cut, expected);
}

#[test]
fn json_leaves_out_what_is_not_known_of_single_calls() {
    let trace = trace();
    let analysis = Analysis::of(&trace);
    let statistics = Statistics::of(&analysis, &Filter::default(), GroupBy::Function);
    let mut out = Vec::new();
    json::calls(
        &analysis,
        &statistics,
        GroupBy::Function,
        usize::MAX,
        &mut out,
    )
    .unwrap();
    let written: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(written["added_up_count"], 2);
    assert_eq!(written["cut_count"], 0);
    let expected = expected();
    let rows = written["rows"].as_array().unwrap();
    for row in rows {
        let Some(sums) = expected.get(row["function"].as_str().unwrap()) else {
            assert_eq!(row.get("added_up_count"), None, "{row}");
            continue;
        };
        let number = |key: &str| row[key].as_i64().unwrap();
        let found = (
            number("self_ns"),
            number("total_ns"),
            number("added_up_count"),
        );
        assert_eq!(found, *sums);
        for key in ["min_ns", "median_ns", "p99_ns", "max_ns"] {
            assert_eq!(row.get(key), None, "{key}");
        }
    }
    let long = rows
        .iter()
        .find(|row| row["function"].as_str().unwrap().len() == LONG);
    assert_eq!(long.unwrap()["no_exit_count"], 1);
}
