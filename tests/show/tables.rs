//! The tables of the small build: what they say, and what their columns add up to.

use crate::build::{gotrace, record};

/// The milliseconds in a column, found by its title; times are right-aligned under it. What
/// follows a table stands behind an empty line.
fn column(table: &str, title: &str) -> Vec<f64> {
    let heading = table.lines().next().unwrap();
    let end = heading.find(title).unwrap() + title.len();
    let rows = table.lines().skip(1).take_while(|line| !line.is_empty());
    let cells = rows.map(|line| &line[..end]);
    cells
        .map(|cell| {
            let mut words = cell.rsplit(' ');
            match (words.next().unwrap(), words.next().unwrap_or("")) {
                ("ms", number) => number.parse().unwrap(),
                ("-", _) => 0.0,
                other => panic!("{other:?} under {title} in\n{table}"),
            }
        })
        .collect()
}

fn table(by: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), true);
    gotrace(&["show", "--by", by, "--top", "0"], &trace, 200)
}

#[test]
fn columns_of_costs_add_up_to_the_command() {
    for by in ["package", "tool", "process"] {
        let table = table(by);
        assert_eq!(column(&table, "CPU").iter().sum::<f64>(), 1000.0, "{by}");
    }
    // 850 ms of running actions; none but m/a waited, 100 − 60 ms.
    let actions = table("action");
    assert_eq!(column(&actions, "wall"), [400.0, 250.0, 200.0]);
    assert_eq!(column(&actions, "CPU"), [500.0, 190.0, 210.0]);
    assert_eq!(column(&actions, "waited"), [0.0, 0.0, 40.0]);
    // 40 samples of 10 ms, in one executable.
    let functions = table("function");
    assert_eq!(column(&functions, "own"), [300.0, 100.0, 0.0, 0.0]);
    assert_eq!(column(&functions, "total"), [400.0, 100.0, 400.0, 400.0]);
    assert_eq!(column(&table("image"), "own"), [400.0]);
}

#[test]
fn the_critical_path_covers_the_command_without_a_gap() {
    let table = table("critical-path");
    let (starts, lengths) = (column(&table, "start"), column(&table, "length"));
    let mut at = 0.0;
    for (start, length) in starts.iter().zip(&lengths) {
        assert_eq!(*start, at);
        at += length;
    }
    assert_eq!(at, 1000.0);
    assert_eq!(lengths, [60.0, 40.0, 200.0, 400.0, 250.0, 50.0]);
}

#[test]
fn the_longest_pieces_of_the_critical_path_stand_in_the_order_of_time() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), true);
    let words = ["show", "--by", "critical-path", "--top", "3"];
    let printed = gotrace(&words, &trace, 100);
    let rows: Vec<_> = printed.lines().skip(1).take(3).collect();
    for (row, what) in rows.iter().zip(["m/a", "m/b", "link m/cmd"]) {
        assert!(row.contains(what), "{what}: {row}");
    }
    let left_out = printed.lines().nth(4).unwrap();
    assert_eq!(left_out, "3 shorter pieces are left out: --top 0 shows all");
    let json = gotrace(&[&words[..], &["--json"]].concat(), &trace, 100);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let rows = json["rows"].as_array().unwrap().iter();
    let labels: Vec<_> = rows.map(|row| row["label"].as_str().unwrap()).collect();
    assert_eq!(labels, ["compile m/a", "compile m/b", "link m/cmd"]);
}

#[test]
fn an_end_that_a_killed_recorder_did_not_see_is_told_apart_from_a_life_that_goes_on() {
    use gotrace::trace::Trace;
    use gotrace::{analyze, render::text};
    let folder = tempfile::tempdir().unwrap();
    let mut trace = Trace::open(&record(folder.path(), true)).unwrap();
    trace.processes[3].exit = None;
    let printed = |trace: &Trace| {
        let analysis = analyze::Analysis::of(trace);
        let filter = analyze::Filter::default();
        let page = text::Page::default();
        let mut out = Vec::new();
        let by = analyze::By::Process;
        text::ranking::write(&analysis, by, &filter, None, &page, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(printed(&trace).matches("lives on").count(), 1);
    trace.ending = None;
    assert_eq!(printed(&trace).matches("lives on").count(), 0);
    assert_eq!(printed(&trace).matches("end not seen").count(), 1);
}

#[test]
fn what_the_processor_counted_stands_behind_processes_where_the_system_tells() {
    use gotrace::trace::{ProcessorCounts, Trace};
    use gotrace::{analyze, render::text};
    let folder = tempfile::tempdir().unwrap();
    let mut trace = Trace::open(&record(folder.path(), true)).unwrap();
    let printed = |trace: &Trace| {
        let analysis = analyze::Analysis::of(trace);
        let filter = analyze::Filter::default();
        let page = text::Page {
            columns: 200,
            ..text::Page::default()
        };
        let mut out = Vec::new();
        let by = analyze::By::Process;
        text::ranking::write(&analysis, by, &filter, None, &page, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    assert!(!printed(&trace).contains("instructions"));
    let pid = trace.processes[1].pid.to_string();
    trace.processes[1].counts = Some(ProcessorCounts {
        instructions: 3_000_000,
        cycles: 2_000_000,
        performance_core_instructions: 1_000_000,
        performance_core_cycles: 500_000,
        energy_nj: 4_200_000,
    });
    let printed = printed(&trace);
    let ends = |start: &str| {
        let mut lines = printed.lines().map(str::trim);
        let line = lines.find(|line| line.starts_with(start)).expect(start);
        line.split("  ")
            .filter(|cell| !cell.is_empty())
            .map(str::trim)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let headings = ends("pid");
    let last = &headings[headings.len() - 4..];
    assert_eq!(
        last,
        ["instructions", "a cycle", "performance cores", "energy"]
    );
    let row = ends(&pid);
    assert_eq!(row[row.len() - 4..], ["3,000,000", "1.50", "25 %", "4 mJ"]);
}

#[test]
fn a_table_looks_as_it_should() {
    // Bars have twelve columns for the whole: 10 % are 1.2, to the next eighth 1 and 2/8.
    assert_eq!(
        table("package"),
        "\
package            CPU  share    wall  waiting  peak memory  processes
m/b           500.0 ms   50 %  0.40 s        -      128 MiB          1  ██████
m/a           210.0 ms   21 %  0.20 s        -     64.0 MiB          1  ██▌
m/cmd         190.0 ms   19 %  0.25 s  60.0 ms      256 MiB          1  ██▎
(no package)  100.0 ms   10 %  1.00 s  50.0 ms     32.0 MiB          1  █▎
"
    );
}

#[test]
fn what_does_not_fit_is_left_out_and_rows_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), true);
    let printed = gotrace(&["show", "--by", "package", "--top", "1"], &trace, 40);
    assert_eq!(
        printed,
        "\
package       CPU  share      wall
m/b      500.0 ms   50 %  400.0 ms
3 more rows are left out: --top 0 shows all
"
    );
    for by in [
        "package",
        "action",
        "process",
        "tool",
        "function",
        "image",
        "critical-path",
    ] {
        for columns in [48, 60, 80, 100] {
            for line in gotrace(&["show", "--by", by], &trace, columns).lines() {
                assert!(line.chars().count() <= columns, "{by} {columns}: {line}");
            }
        }
    }
}

#[test]
fn json_holds_the_numbers_of_the_tables() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), true);
    for by in ["package", "tool", "process"] {
        let printed = gotrace(&["show", "--json", "--by", by], &trace, 80);
        let json: serde_json::Value = serde_json::from_str(&printed).unwrap();
        let rows = json["rows"].as_array().unwrap();
        let cpu: u64 = rows.iter().map(|row| row["cpu_ns"].as_u64().unwrap()).sum();
        assert_eq!(cpu, 1_000_000_000, "{by}");
        let top = gotrace(&["show", "--json", "--by", by, "--top", "1"], &trace, 80);
        let json: serde_json::Value = serde_json::from_str(&top).unwrap();
        assert_eq!(json["rows"].as_array().unwrap().len(), 1);
    }
}
