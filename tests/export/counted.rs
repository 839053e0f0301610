//! Stacks that were imported as counts: they stay counts where a format has a unit.

use super::pprof::pprof_of;
use super::python;
use gotrace::analyze::Analysis;
use gotrace::analyze::call_tree::{Grouping, Options};
use gotrace::export::speedscope;
use gotrace::import::Foreign;
use gotrace::trace::Trace;
use gotrace::trace::file::Writer;

const FOLDED: &str = "main;work 12\nmain;work;leaf 30\nmain;rest 3\n";

fn trace() -> Trace {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.gotrace");
    let foreign = Foreign::open(FOLDED.as_bytes(), None).unwrap();
    let mut writer = Writer::create(&path, foreign.anchor()).unwrap();
    foreign.write(&mut writer).unwrap();
    writer.finish().unwrap();
    Trace::open(&path).unwrap()
}

#[test]
fn speedscope_has_counts_without_a_unit() {
    let trace = trace();
    let tree = Analysis::of(&trace).call_tree(&Options {
        grouping: Grouping::Tool,
        ..Options::default()
    });
    let mut out = Vec::new();
    speedscope::write(&tree, "stacks", Some(trace.count()), &mut out).unwrap();
    let Some(said) = python::read("export/speedscope.py", &out) else {
        return;
    };
    let mut lines: Vec<_> = said.lines().collect();
    lines.sort_unstable();
    let expected = [
        "profile\tstacks\tnone\t0\t45",
        "sample\tstacks\t12\tmain\twork",
        "sample\tstacks\t3\tmain\trest",
        "sample\tstacks\t30\tmain\twork\tleaf",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn go_tool_pprof_adds_counts_up() {
    let Some(said) = pprof_of(&["-top"], None, &trace()) else {
        return;
    };
    assert!(said.contains("Type: samples\n"), "{said}");
    assert!(said.contains("of 45 total"), "{said}");
    let rows: Vec<Vec<_>> = said
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    for (own, total, name) in [
        ("30", "30", "leaf"),
        ("12", "42", "work"),
        ("0", "45", "main"),
    ] {
        let row = rows.iter().find(|row| row.last() == Some(&name));
        let row = row.map(|row| (row[0], row[3]));
        assert_eq!(row, Some((own, total)), "{said}");
    }
}
