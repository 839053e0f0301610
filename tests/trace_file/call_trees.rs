//! Aggregated calls in the file.

use super::hostile::{block, constant, open};
use super::small;
use gotrace::trace::file::{Integrity, Writer, recover};
use gotrace::trace::{
    CallTreeRow, ClockAnchor, Image, Nanos, Probe, ProbeId, Process, ProcessId, Record, Trace,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

const PROBES: u32 = 300;

fn row(level: u32, probe: u32, calls: u64, total: u64) -> CallTreeRow {
    CallTreeRow {
        process: ProcessId(1),
        level,
        probe: ProbeId(probe),
        calls,
        open: 0,
        total: Nanos(total),
    }
}

fn write(path: &Path, trees: &[(&[CallTreeRow], u64, u64)]) {
    let mut writer = Writer::create(path, ClockAnchor::default()).unwrap();
    let image = writer.image(&Image::default());
    for id in 0..3 {
        let process = Process {
            id: ProcessId(id),
            ..Process::default()
        };
        writer.record(Record::ProcessStarted(process)).unwrap();
    }
    for id in 0..PROBES {
        let probe = Probe {
            id: ProbeId(id),
            image,
            ..Probe::default()
        };
        writer.record(Record::Probe(probe)).unwrap();
    }
    for (rows, from, to) in trees {
        writer.call_tree(rows, Nanos(*from), Nanos(*to)).unwrap();
    }
    writer.finish().unwrap();
}

fn blocks(trace: &Trace) -> Vec<Vec<CallTreeRow>> {
    let blocks = trace.call_trees().map(Result::unwrap);
    blocks.map(|block| block.iter().collect()).collect()
}

fn rows(trace: &Trace) -> Vec<CallTreeRow> {
    blocks(trace).concat()
}

/// Calls, open ones and total of each path of a process.
fn paths(rows: &[CallTreeRow]) -> BTreeMap<(u32, Vec<u32>), (u64, u64, u64)> {
    let mut path = Vec::new();
    let mut paths = BTreeMap::new();
    for row in rows {
        path.truncate(row.level as usize);
        path.push(row.probe.0);
        let sum: &mut (u64, u64, u64) = paths.entry((row.process.0, path.clone())).or_default();
        *sum = (
            sum.0 + row.calls,
            sum.1 + row.open,
            sum.2.wrapping_add(row.total.0),
        );
    }
    paths
}

/// A tree of two programs: main calls f twice and g, f calls g; the other one is within h.
fn two_programs() -> Vec<CallTreeRow> {
    let mut rows = vec![
        row(0, 0, 1, 1_000),
        row(1, 1, 2, 700),
        row(2, 2, 5, 500),
        row(1, 2, 1, 90),
        row(0, 7, 3, 12),
    ];
    let open = CallTreeRow {
        process: ProcessId(0),
        open: 1,
        ..row(0, 3, 4, 8)
    };
    rows.push(open);
    rows
}

#[test]
fn trees_come_back_and_end_the_trace() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trees.gotrace");
    let two = two_programs();
    write(&path, &[(&two, 40, 5_000), (&two[5..], 30, 60)]);
    let trace = Trace::open(&path).unwrap();
    assert_eq!(trace.integrity, Integrity::default());
    assert_eq!(trace.call_tree_count(), 7);
    assert_eq!(rows(&trace), [&two[..], &two[5..]].concat());
    assert_eq!(trace.end(), Nanos(5_000));
}

#[test]
fn trees_in_memory_are_those_that_were_pushed() {
    let mut trace = Trace::default();
    trace.push_call_trees(&two_programs());
    assert_eq!(trace.call_tree_count(), 6);
    assert_eq!(rows(&trace), two_programs());
}

/// The columns as `docs/trace-format.md` tells them: two roots, the first with a callee of a callee, and
/// then one of its own.
#[test]
fn a_block_is_read_as_the_page_says() {
    let column = |values: &[u8]| [&[1], values].concat();
    let contents = [
        column(&[0, 0, 0, 1, 3]),
        column(&[2, 1]),
        column(&[0, 0, 0, 0, 0]),
        column(&[1, 2, 3, 4, 5]),
        column(&[0, 0, 3, 0, 0]),
        column(&[100, 90, 80, 5, 7]),
    ];
    let (trace, _) = open(&[block(12, 5, &contents.concat())]);
    assert_eq!(trace.integrity.damaged_blocks, 0);
    let told = rows(&trace)
        .iter()
        .map(|row| {
            let (process, total) = (row.process.0, row.total.0);
            (process, row.level, row.calls, row.open, total)
        })
        .collect::<Vec<_>>();
    let expected = [
        (1, 0, 1, 0, 100),
        (1, 1, 2, 0, 90),
        (1, 2, 3, 3, 80),
        (1, 2, 4, 0, 5),
        (0, 0, 5, 0, 7),
    ];
    assert_eq!(told, expected);
}

#[test]
fn what_is_no_tree_is_left_out() {
    let one = |columns: &[Vec<u8>]| block(12, 1, &columns.concat());
    let number = |value| constant(value);
    let sound = [0, 0, 0, 1, 0, 9].map(number);
    let (trace, _) = open(&[one(&sound)]);
    assert_eq!(trace.call_tree_count(), 1);
    let with = |column: usize, value: u64| {
        let mut columns = sound.clone();
        columns[column] = number(value);
        one(&columns)
    };
    let mut longer = sound.to_vec();
    longer.push(vec![0]);
    let wrong = [
        // A level above the root, and one of more than 32 bits.
        with(0, 1),
        with(0, 1 << 32),
        // A process before the first, one that is not there, and one of more than 32 bits.
        with(1, 1),
        with(1, 2 * 99),
        with(1, 1 << 40),
        // A probe that is not there, and one of more than 32 bits.
        with(2, 1_000),
        with(2, 1 << 32),
        // More open calls than calls.
        with(4, 2),
        // More bytes, and fewer: without the last column.
        one(&longer),
        one(&sound[..5]),
    ];
    for (at, bytes) in wrong.iter().enumerate() {
        let (trace, _) = open(std::slice::from_ref(bytes));
        let found = (
            trace.integrity.damaged_blocks,
            trace.integrity.lost_calls,
            trace.call_tree_count(),
        );
        assert_eq!(found, (1, 1, 0), "{at}");
    }
}

#[test]
fn trees_of_nothing_cannot_go_on_without_end() {
    let contents = [0, 0, 0, 1, 0, 9].map(constant).concat();
    let (trace, length) = open(&vec![block(12, 1 << 20, &contents); 8]);
    assert!(length < 20_000, "{length}");
    assert_eq!(trace.integrity.lost_calls, 4 << 20);
}

#[test]
fn a_large_tree_goes_on_below_its_callers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trees.gotrace");
    let mut tree = vec![row(0, 0, 1, 1_000_000), row(1, 1, 1, 900_000)];
    for at in 0..100_000_u32 {
        let open = u64::from(at % 7 == 0);
        tree.push(CallTreeRow {
            open,
            ..row(2 + at % 3, at % 200, 1 + open, 3)
        });
    }
    write(&path, &[(&tree, 1, 2)]);
    let trace = Trace::open(&path).unwrap();
    assert_eq!(trace.integrity, Integrity::default());
    let blocks = blocks(&trace);
    assert!(blocks.len() > 1, "{}", blocks.len());
    for (at, block) in blocks.iter().enumerate() {
        assert!(block[0].level == 0 && block[0].probe.0 == 0, "{at}");
        assert!(at == 0 || block[0].calls == 0, "{at}");
    }
    assert_eq!(paths(&blocks.concat()), paths(&tree));
}

#[test]
fn trees_are_recovered() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (
        folder.path().join("cut.gotrace"),
        folder.path().join("whole.gotrace"),
    );
    write(&path, &[(&two_programs(), 1, 9)]);
    let bytes = std::fs::read(&path).unwrap();
    // Without the trailer the recorder was killed.
    std::fs::write(&path, &bytes[..bytes.len() - 20]).unwrap();
    recover(&path, &copy, |_| {}).unwrap();
    let trace = Trace::open(&copy).unwrap();
    assert!(!trace.integrity.unsealed);
    assert_eq!(rows(&trace), two_programs());
    assert!(small::told(&trace).iter().any(|l| l.contains("call tree")));
}

prop_compose! {
    fn any_row()(
        process in 0..3_u32,
        level in 0..12_u32,
        probe in 0..PROBES,
        calls in prop_oneof![any::<u64>(), 0..9_u64],
        share in 0..4_u64,
        total in any::<u64>(),
    ) -> CallTreeRow {
        CallTreeRow {
            process: ProcessId(process),
            level,
            probe: ProbeId(probe),
            calls,
            open: if share == 3 { calls / 2 } else { 0 },
            total: Nanos(total),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_trees_come_back(mut rows in proptest::collection::vec(any_row(), 0..200)) {
        let (mut most, mut process) = (0, ProcessId(0));
        for row in &mut rows {
            row.level = row.level.min(most);
            if row.level == 0 {
                process = row.process;
            }
            row.process = process;
            most = row.level + 1;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trees.gotrace");
        write(&path, &[(&rows, 3, 4)]);
        let trace = Trace::open(&path).unwrap();
        prop_assert_eq!(&trace.integrity, &Integrity::default());
        prop_assert_eq!(self::rows(&trace), rows);
    }
}
