//! Calls that were added up as they were recorded, against values worked out by hand.

use super::builder::{Builder, COMPILE, ms};
use gotrace::analyze::calls::{
    self, CallRow, Durations, GroupBy, Merged, PathChoice, Recorded, Slowest, Statistics, Trees,
};
use gotrace::analyze::paths::{Kind, Limits, Paths};
use gotrace::analyze::{Analysis, Filter, PhaseIndex, call_tree};
use gotrace::trace::{
    BlindSpot, CallEdge, CallEvent, CallTreeRow, Goid, Nanos, Probe, ProbeId, ProcessId, Setting,
    StackOwner, StringId, Tid, Trace,
};
use std::collections::BTreeMap;

const F: ProbeId = ProbeId(0);
const G: ProbeId = ProbeId(1);
/// Watched by its entries alone.
const H: ProbeId = ProbeId(2);
/// Of a set.
const SET: ProbeId = ProbeId(3);
const FIRST: ProcessId = ProcessId(0);
const SECOND: ProcessId = ProcessId(1);
const THIRD: ProcessId = ProcessId(2);

/// Three compilers, from 0 to 100, from 100 to 200 and from 200 to 300 ms, and four watched functions.
pub(crate) fn program() -> Builder {
    let mut b = Builder::default();
    for (package, from) in [("m/a", 0), ("m/b", 100), ("m/a", 200)] {
        let line = format!("{COMPILE} -p {package}");
        b.process(None, &line, (from, from + 100), 50);
    }
    let all = [
        (F, "main.f", 2, ""),
        (G, "main.g", 1, ""),
        (H, "main.h", 0, ""),
        (SET, "main.set", 1, "a set"),
    ];
    for (id, name, exits, set) in all {
        let (function, set) = (b.text(name), b.text(set));
        b.trace.probes.push(Probe {
            id,
            function,
            exits,
            set,
            ..Probe::default()
        });
    }
    b.end(300);
    b
}

fn row(
    process: ProcessId,
    level: u32,
    probe: ProbeId,
    calls: (u64, u64),
    total: u64,
) -> CallTreeRow {
    CallTreeRow {
        process,
        level,
        probe,
        calls: calls.0,
        open: calls.1,
        total: ms(total),
    }
}

fn event(process: ProcessId, time: u64, probe: ProbeId, edge: CallEdge) -> CallEvent {
    CallEvent {
        time: ms(time),
        process,
        tid: Tid(100),
        stack: StackOwner::Goroutine(Goid(1)),
        probe,
        edge,
        depth: 100,
        argument: None,
    }
}

/// f called g twice, which called f and h; the last call of g was open.
///
/// ```text
/// f 3 calls, 60 ms: own 60 - 50 - 5 = 5
/// ├── g 2 calls, 50 ms: own 50 - 20 = 30
/// │   ├── f 4 calls, 20 ms: own 20
/// │   └── h 7 entries
/// └── set 1 call, 5 ms
/// ```
fn tree(process: ProcessId) -> Vec<CallTreeRow> {
    vec![
        row(process, 0, F, (3, 0), 60),
        row(process, 1, G, (2, 1), 50),
        row(process, 2, F, (4, 0), 20),
        row(process, 2, H, (7, 0), 0),
        row(process, 1, SET, (1, 0), 5),
    ]
}

fn statistics(trace: &Trace, filter: &Filter, by: GroupBy) -> Statistics {
    Statistics::of(&Analysis::of(trace), filter, by)
}

/// Group, function, calls, without exit, total and own time.
fn told(rows: &[CallRow]) -> Vec<(&str, &str, u64, u64, Nanos, Nanos)> {
    let rows = rows.iter();
    rows.map(|row| {
        (
            &*row.group,
            &*row.function,
            row.count,
            row.no_exit,
            row.total,
            row.own,
        )
    })
    .collect()
}

fn folded(trace: &Trace, filter: &Filter) -> BTreeMap<String, (Nanos, u64)> {
    shortened(trace, filter, PathChoice::All).0
}

/// Paths by their names, with their own time and their calls, those that stay; and which were merged.
fn shortened(
    trace: &Trace,
    filter: &Filter,
    stay: PathChoice<'_>,
) -> (BTreeMap<String, (Nanos, u64)>, Merged) {
    let options = call_tree::Options {
        filter: filter.clone(),
        ..call_tree::Options::default()
    };
    let (tree, _) = calls::tree(&Analysis::of(trace), &options, stay);
    let paths = tree.folded().map(|(path, weight)| {
        let path: Vec<&str> = path.iter().map(|name| &***name).collect();
        (path.join(";"), (weight.time, weight.samples))
    });
    (paths.collect(), tree.merged)
}

#[test]
fn functions_have_the_sums_of_their_paths_and_recursion_counts_once() {
    let mut b = program();
    b.trace.push_call_trees(&tree(FIRST));
    let found = statistics(&b.trace, &Filter::default(), GroupBy::Function);
    assert_eq!(
        told(&found.rows),
        [
            ("", "main.f", 7, 0, ms(60), ms(25)),
            ("", "main.g", 2, 1, ms(50), ms(30)),
            ("", "main.set", 1, 0, ms(5), ms(5)),
            ("", "main.h", 7, 0, ms(0), ms(0)),
        ]
    );
    for row in &found.rows {
        assert_eq!(row.single(), None, "{row:?}");
        assert_eq!(row.has_times(), &*row.function != "main.h", "{row:?}");
    }
    assert_eq!(found.walked.entries, 17);
    assert_eq!((found.walked.added_up, found.walked.cut), (1, 0));
}

#[test]
fn paths_have_their_own_time_and_their_calls() {
    let mut b = program();
    b.trace.push_call_trees(&tree(FIRST));
    b.trace.push_call_trees(&tree(SECOND));
    let expected = [
        ("main.f", (ms(10), 6)),
        ("main.f;main.g", (ms(60), 4)),
        ("main.f;main.g;main.f", (ms(40), 8)),
        ("main.f;main.g;main.h", (ms(0), 14)),
        ("main.f;main.set", (ms(10), 2)),
    ];
    let expected = expected.map(|(path, sums)| (path.to_owned(), sums));
    assert_eq!(
        folded(&b.trace, &Filter::default()),
        BTreeMap::from(expected)
    );
}

/// Of rows of 60, 50, 20, 5 and 0 ms.
#[test]
fn where_there_are_too_many_paths_the_shortest_are_merged_below_what_called_them() {
    let mut b = program();
    b.trace.push_call_trees(&tree(FIRST));
    let found = |filter, most| {
        let (paths, merged) = shortened(&b.trace, filter, PathChoice::Longest(most));
        let paths: Vec<_> = paths.into_iter().collect();
        (paths, merged.paths, merged.below)
    };
    let expected = |paths: &[(&str, u64, u64)], merged, below| {
        let paths = paths.iter();
        let paths = paths.map(|(path, time, calls)| ((*path).to_owned(), (ms(*time), *calls)));
        (paths.collect::<Vec<_>>(), merged, ms(below))
    };
    let all = Filter::default();
    assert_eq!(found(&all, 5).1, 0);
    // f;g;h and f;set are shorter than 10 ms, and each is told of below its own caller.
    let two = [
        ("main.f", 5, 3),
        ("main.f;[shorter calls]", 5, 1),
        ("main.f;main.g", 30, 2),
        ("main.f;main.g;[shorter calls]", 0, 7),
        ("main.f;main.g;main.f", 20, 4),
    ];
    assert_eq!(found(&all, 3), expected(&two, 2, 10));
    // Nothing is as long as 100 ms. What nobody called stays, and holds the calls of whatever was below it.
    let one = [("main.f", 5, 3), ("main.f;[shorter calls]", 55, 14)];
    assert_eq!(found(&all, 1), expected(&one, 4, 100));
    // The call of a set that was not asked for is not among them.
    let named = Filter {
        named: true,
        ..Filter::default()
    };
    let one = [("main.f", 5, 3), ("main.f;[shorter calls]", 50, 13)];
    assert_eq!(found(&named, 1), expected(&one, 3, 100));
}

/// The second program's f has not ended, and is as short as anything by what is known of it; of the third one the same
/// path is short.
#[test]
fn a_path_is_as_long_as_what_it_leads_to_and_is_merged_in_each_program_for_itself() {
    let mut b = program();
    b.trace.push_call_trees(&[
        row(FIRST, 0, G, (1, 0), 70),
        row(FIRST, 1, F, (2, 0), 60),
        row(FIRST, 2, SET, (1, 0), 30),
    ]);
    b.trace.push_call_trees(&[
        row(SECOND, 0, G, (0, 0), 0),
        row(SECOND, 1, F, (0, 0), 0),
        row(SECOND, 2, SET, (4, 0), 40),
    ]);
    b.trace
        .push_call_trees(&[row(THIRD, 0, G, (1, 0), 9), row(THIRD, 1, F, (1, 0), 2)]);
    // Of 70, 60, 40, 30, 9 and 2 ms five would be too many.
    let (paths, merged) = shortened(&b.trace, &Filter::default(), PathChoice::Longest(4));
    let expected = [
        ("main.g", (ms(10 + 7), 2)),
        ("main.g;[shorter calls]", (ms(2), 1)),
        ("main.g;main.f", (ms(30), 2)),
        ("main.g;main.f;main.set", (ms(30 + 40), 5)),
    ];
    let expected = expected.map(|(path, sums)| (path.to_owned(), sums));
    assert_eq!(paths, BTreeMap::from(expected));
    assert_eq!((merged.paths, merged.below), (1, ms(10)));
}

#[test]
fn functions_of_sets_can_be_left_out_and_their_time_is_nobody_elses() {
    let mut b = program();
    b.trace.push_call_trees(&tree(FIRST));
    b.trace
        .push_call_trees(&[row(SECOND, 0, SET, (1, 0), 9), row(SECOND, 1, G, (1, 0), 4)]);
    let named = Filter {
        named: true,
        ..Filter::default()
    };
    let found = statistics(&b.trace, &named, GroupBy::Function);
    assert_eq!(
        told(&found.rows),
        [
            ("", "main.f", 7, 0, ms(60), ms(25)),
            ("", "main.g", 3, 1, ms(54), ms(34)),
            ("", "main.h", 7, 0, ms(0), ms(0)),
        ]
    );
    // A caller that was not asked for is still the caller.
    let paths = folded(&b.trace, &named);
    assert_eq!(paths["main.set;main.g"], (ms(4), 1));
    assert!(!paths.contains_key("main.f;main.set"), "{paths:?}");
}

#[test]
fn a_tree_in_several_blocks_is_one() {
    let mut whole = program();
    whole.trace.push_call_trees(&tree(FIRST));
    let mut parts = program();
    // While f and g were under way, and then when they ended; and another program in between.
    parts.trace.push_call_trees(&[
        row(FIRST, 0, F, (0, 0), 0),
        row(FIRST, 1, G, (0, 0), 0),
        row(FIRST, 2, F, (4, 0), 20),
        row(FIRST, 2, H, (3, 0), 0),
    ]);
    parts.trace.push_call_trees(&[row(SECOND, 0, G, (1, 0), 1)]);
    parts.trace.push_call_trees(&[
        row(FIRST, 0, F, (3, 0), 60),
        row(FIRST, 1, SET, (1, 0), 5),
        row(FIRST, 1, G, (2, 1), 50),
        row(FIRST, 2, H, (4, 0), 0),
    ]);
    let first = Filter {
        pid: Some(whole.trace.processes[0].pid),
        ..Filter::default()
    };
    assert_eq!(folded(&parts.trace, &first), folded(&whole.trace, &first));
    assert_eq!(
        statistics(&parts.trace, &first, GroupBy::Function),
        statistics(&whole.trace, &first, GroupBy::Function)
    );
    let analysis = Analysis::of(&parts.trace);
    let mut order = Vec::new();
    let walked = Trees::of(&analysis, &Filter::default()).walk(|tree| order.push(tree.process.id));
    // Each when it was whole.
    assert_eq!(order, [SECOND, FIRST]);
    assert_eq!(walked.added_up, 2);
}

#[test]
fn of_a_program_that_has_a_tree_events_are_not_added() {
    let mut b = program();
    b.trace.push_calls(&[
        event(FIRST, 0, SET, CallEdge::Entry),
        event(FIRST, 5, SET, CallEdge::Exit),
        event(SECOND, 110, SET, CallEdge::Entry),
        event(SECOND, 113, SET, CallEdge::Exit),
    ]);
    b.trace.push_call_trees(&tree(FIRST));
    let found = statistics(&b.trace, &Filter::default(), GroupBy::Process);
    let set: Vec<_> = found
        .rows
        .iter()
        .filter(|row| &*row.function == "main.set")
        .collect();
    assert_eq!(set.len(), 2);
    assert_eq!(
        (&*set[0].group, set[0].count, set[0].total),
        ("compile (1000)", 1, ms(5))
    );
    assert_eq!(
        (&*set[1].group, set[1].count, set[1].total),
        ("compile (1001)", 1, ms(3))
    );
    assert_eq!(set[0].single(), None);
    assert_eq!(set[1].single().map(Durations::most), Some(ms(3)));
    let paths = folded(&b.trace, &Filter::default());
    assert_eq!(paths["main.f;main.set"], (ms(5), 1));
    assert_eq!(paths["main.set"], (ms(3), 1));
    // A row of both has no longest call.
    let found = statistics(&b.trace, &Filter::default(), GroupBy::Function);
    let set = found
        .rows
        .iter()
        .find(|row| &*row.function == "main.set")
        .unwrap();
    assert_eq!((set.count, set.total, set.single()), (2, ms(8), None));
    // Single calls are shown, not added up.
    let slowest = Slowest::of(&Analysis::of(&b.trace), &Filter::default(), 10);
    assert_eq!(slowest.calls.len(), 2);
}

#[test]
fn trees_are_of_packages_and_of_all_goroutines_of_a_program() {
    let mut b = program();
    for process in [FIRST, SECOND, THIRD] {
        b.trace.push_call_trees(&[row(process, 0, F, (2, 0), 7)]);
    }
    let by = |by| {
        let found = statistics(&b.trace, &Filter::default(), by);
        let rows = found.rows.iter();
        rows.map(|row| (row.group.to_string(), row.count))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        by(GroupBy::Package),
        [("m/a".to_owned(), 4), ("m/b".to_owned(), 2)]
    );
    assert_eq!(
        by(GroupBy::Goroutine)[0],
        ("compile (1000) all goroutines".to_owned(), 2)
    );
}

#[test]
fn a_time_range_takes_whole_programs_and_tells_of_those_that_it_cuts() {
    let mut b = program();
    for process in [FIRST, SECOND, THIRD] {
        b.trace.push_call_trees(&[row(process, 0, F, (2, 0), 7)]);
    }
    for (from, to, calls, cut) in [
        (0, 300, 6, 0),
        (0, 200, 4, 0),
        (100, 200, 2, 0),
        (50, 200, 2, 1),
        (50, 250, 2, 2),
        (120, 130, 0, 1),
        (300, 400, 0, 0),
    ] {
        let range = Filter {
            from: Some(ms(from)),
            to: Some(ms(to)),
            ..Filter::default()
        };
        let found = statistics(&b.trace, &range, GroupBy::Function);
        let counted: u64 = found.rows.iter().map(|row| row.count).sum();
        assert_eq!((counted, found.walked.cut), (calls, cut), "{from} to {to}");
    }
}

#[test]
fn trees_without_times_and_without_callers_take_nothing_from_anybody() {
    let mut b = program();
    b.trace.push_call_trees(&[
        // Its block was lost: what it called is known.
        row(FIRST, 0, F, (0, 0), 0),
        row(FIRST, 1, G, (5, 0), 30),
        row(SECOND, 0, F, (9, 0), 0),
    ]);
    let found = statistics(&b.trace, &Filter::default(), GroupBy::Function);
    assert_eq!(
        told(&found.rows),
        [
            ("", "main.g", 5, 0, ms(30), ms(30)),
            ("", "main.f", 9, 0, ms(0), ms(0)),
        ]
    );
    let paths = folded(&b.trace, &Filter::default());
    let expected = [("main.f", (ms(0), 9)), ("main.f;main.g", (ms(30), 5))];
    let expected = expected.map(|(path, sums)| (path.to_owned(), sums));
    assert_eq!(paths, BTreeMap::from(expected));
}

#[test]
fn sums_end_at_the_largest_number() {
    let mut b = program();
    let most = CallTreeRow {
        calls: u64::MAX,
        open: u64::MAX,
        total: Nanos(u64::MAX),
        ..row(FIRST, 0, F, (0, 0), 0)
    };
    b.trace.push_call_trees(&[most, most]);
    b.trace
        .push_call_trees(&[most, CallTreeRow { level: 1, ..most }]);
    let found = statistics(&b.trace, &Filter::default(), GroupBy::Function);
    let row = &found.rows[0];
    assert_eq!(
        (row.count, row.no_exit, row.total),
        (u64::MAX, u64::MAX, Nanos(u64::MAX))
    );
}

#[test]
fn a_page_holds_them_as_calls_of_their_programs_lives() {
    let mut b = program();
    b.trace.push_calls(&[
        event(FIRST, 0, SET, CallEdge::Entry),
        event(FIRST, 5, SET, CallEdge::Exit),
    ]);
    b.trace.push_call_trees(&tree(FIRST));
    b.trace.push_call_trees(&[row(SECOND, 0, F, (2, 0), 7)]);
    let analysis = Analysis::of(&b.trace);
    let limits = Limits {
        paths: 100,
        cells: 100,
    };
    let paths = Paths::of(&analysis, &PhaseIndex::of(&analysis), None, limits);
    let name = |mut path: u32| {
        let mut names = Vec::new();
        while path != 0 {
            let at = paths.paths[path as usize];
            names.push(paths.functions[at.function as usize].name.to_string());
            path = at.parent;
        }
        names.reverse();
        names.join(";")
    };
    let mut cells: Vec<_> = paths
        .cells
        .iter()
        .map(|cell| {
            assert_eq!(cell.kind, Kind::Call);
            (
                cell.process,
                name(cell.path),
                cell.from,
                cell.to,
                cell.weight.time,
                cell.weight.samples,
            )
        })
        .collect();
    cells.sort();
    let first = |path: &str, time, calls| (FIRST, path.to_owned(), ms(0), ms(100), ms(time), calls);
    assert_eq!(
        cells,
        [
            first("main.f", 5, 3),
            first("main.f;main.g", 30, 2),
            first("main.f;main.g;main.f", 20, 4),
            first("main.f;main.g;main.h", 0, 7),
            first("main.f;main.set", 5, 1),
            (SECOND, "main.f".to_owned(), ms(100), ms(200), ms(7), 2),
        ]
    );
}

#[test]
fn settings_and_gaps_say_how_calls_were_recorded() {
    let mut b = program();
    assert_eq!(Recorded::of(&b.trace), None);
    let set = |b: &mut Builder, key: &str, value: &str| {
        let (key, value) = (b.text(key), b.text(value));
        b.trace.settings.push(Setting {
            key,
            value,
            source: StringId::EMPTY,
        });
    };
    set(&mut b, "call_mode", "longer=10us");
    set(&mut b, "call_inside", "main.f");
    for what in [
        "calls of main.x in /bin/m",
        "calls of 12 functions in /bin/m (main.y, ...)",
    ] {
        let what = b.text(what);
        b.trace.blind_spots.push(BlindSpot {
            time: ms(0),
            what,
            why: StringId::EMPTY,
        });
    }
    let recorded = Recorded::of(&b.trace).unwrap();
    assert_eq!(recorded.shortest(), Some("10us"));
    assert_eq!(recorded.chosen, ["inside of main.f"]);
    assert!(!recorded.is_added_up());
    // Three functions were named.
    assert_eq!((recorded.watched, recorded.unwatched), (3, 13));
    let mut b = program();
    b.trace.push_call_trees(&tree(FIRST));
    assert!(Recorded::of(&b.trace).unwrap().is_added_up());
}
