//! The page of `gotrace report`, read by an independent reader (`page.py`), against the drawing in `build.rs`.

use crate::build::{gotrace, record, record_all, record_slower, run};
use crate::python;
use gotrace::analyze::Analysis;
use gotrace::render::report;
use gotrace::trace::{
    Action, Exec, Exit, ExitStatus, Nanos, Pid, Process, ProcessId, Sample, SampleKind,
    SamplePlace, StackId, Tid, Trace, Usage,
};
use serde_json::Value;
use std::path::Path;

/// The tables of a page; `None` where there is no Python to read it.
fn tables(page: &[u8]) -> Option<Value> {
    let tables = python::read("show/page.py", page)?;
    Some(serde_json::from_str(&tables).unwrap())
}

fn tables_of(trace: &Path) -> Option<Value> {
    tables(gotrace(&["report", "-o", "-"], trace, 80).as_bytes())
}

/// The rows of a table, each as the values of these columns.
fn rows(tables: &Value, table: &str, columns: &[&str]) -> Vec<Vec<Value>> {
    let rows = tables[table].as_array().unwrap().iter();
    rows.map(|row| columns.iter().map(|column| row[column].clone()).collect())
        .collect()
}

/// A row by hand: text, or a number of milliseconds as nanoseconds.
macro_rules! row {
    ($($value:expr),*) => { vec![$(Value::from($value)),*] };
}

const NONE: u32 = u32::MAX;

const fn ms(millis: u64) -> f64 {
    (millis * 1_000_000) as f64
}

#[test]
fn the_page_holds_the_build_as_it_was_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let Some(tables) = tables_of(&record(folder.path(), true)) else {
        return;
    };
    let run = ["command", "wall", "cpu", "parallelism", "cores", "built"];
    assert_eq!(
        rows(&tables, "run", &run),
        [row!(
            "/go/bin/go build ./...",
            ms(1_000),
            ms(1_000),
            1.0,
            4,
            3.0
        )]
    );
    let actions = [
        "label",
        "ready",
        "start",
        "end",
        "cpu",
        "unlocks",
        "waited_for",
    ];
    assert_eq!(
        rows(&tables, "actions", &actions),
        [
            row!("link m/cmd", ms(700), ms(700), ms(950), ms(190), 0, 1),
            row!("compile m/b", ms(300), ms(300), ms(700), ms(500), 1, 2),
            row!("compile m/a", ms(60), ms(100), ms(300), ms(210), 1, NONE),
        ]
    );
    assert_eq!(
        rows(&tables, "path", &["label", "action", "start", "end"]),
        [
            row!("go: load", NONE, ms(0), ms(60)),
            row!("waiting for a slot: compile m/a", 2, ms(60), ms(100)),
            row!("compile m/a", 2, ms(100), ms(300)),
            row!("compile m/b", 1, ms(300), ms(700)),
            row!("link m/cmd", 0, ms(700), ms(950)),
            row!("go itself", NONE, ms(950), ms(1_000)),
        ]
    );
    assert_eq!(
        rows(&tables, "losses", &["from", "to", "what", "count"]),
        [row!(ms(400), ms(420), "samples", 7.0)]
    );
    assert_eq!(
        rows(&tables, "tax", &["own", "kernel", "share"]),
        [row!(ms(8), ms(4), 0.012)]
    );
}

/// One lane of three actions, all on the critical path; then four programs, each by itself; then threads.
#[test]
fn the_tracks_hold_the_spans_of_each_view() {
    let folder = tempfile::tempdir().unwrap();
    let Some(tables) = tables_of(&record(folder.path(), true)) else {
        return;
    };
    assert_eq!(
        rows(&tables, "tracks", &["view", "depth", "process", "count"]),
        [
            row!(0, 0, NONE, 3),
            row!(1, 0, 0, 1),
            row!(1, 0, 1, 1),
            row!(1, 0, 2, 1),
            row!(1, 0, 3, 1),
            // Threads, for there are samples: of m/a one, and of m/b one.
            row!(2, 0, 1, 1),
            row!(2, 1, 1, 1),
            row!(2, 0, 2, 1),
            row!(2, 1, 2, 1),
        ]
    );
    let spans = ["label", "start", "end", "kind", "flags", "of"];
    assert_eq!(
        rows(&tables, "spans", &spans),
        [
            row!("m/a", ms(100), ms(300), 0, 1, 2),
            row!("m/b", ms(300), ms(700), 0, 1, 1),
            row!("m/cmd", ms(700), ms(950), 0, 1, 0),
            row!("go", ms(0), ms(1_000), 1, 0, 0),
            row!("m/a", ms(100), ms(300), 1, 1, 1),
            row!("m/b", ms(300), ms(700), 1, 1, 2),
            row!("m/cmd", ms(700), ms(950), 1, 1, 3),
            row!("m/a", ms(100), ms(300), 1, 1, 1),
            // Ten samples of 10 ms from 100 ms on, the first of them at the start of the program.
            row!("running", ms(100), ms(190), 3, 0, 1),
            row!("m/b", ms(300), ms(700), 1, 1, 2),
            row!("running", ms(300), ms(490), 3, 0, 2),
        ]
    );
    // 40 samples of 10 ms, however many bins they are spread over.
    let bin = tables["chart"][0]["bin"].as_f64().unwrap();
    let area = |table: &str, column: &str| {
        let rows = rows(&tables, table, &[column]);
        let values = rows.iter().map(|row| row[0].as_f64().unwrap());
        values.sum::<f64>() * bin
    };
    for (table, column, expected) in [
        ("cpu", "cores", 400),
        // Three actions of 200, 400 and 250 ms, of which the first waited for 40 ms.
        ("under_way", "count", 850),
        ("waiting", "count", 40),
    ] {
        let area = area(table, column);
        assert!((area - ms(expected)).abs() < ms(1), "{table}: {area}");
    }
}

/// Of seven programs in one lane, 1 µs each and 1 µs apart, at most four bars are kept in all: those of the lane
/// become one, for the tracks of the programs cannot.
#[test]
fn what_is_too_much_is_folded_and_counted() {
    let mut trace = Trace::default();
    for id in 0..7 {
        let at = 2_000 * u64::from(id);
        trace.processes.push(Process {
            id: ProcessId(id),
            pid: Pid(100 + id),
            start: Nanos(at),
            exec_at: Nanos(at),
            exit: Some(Exit {
                at: Nanos(at + 1_000),
                status: ExitStatus::Code(0),
                usage: Usage::default(),
            }),
            ..Process::default()
        });
    }
    let options = report::Options {
        spans: 4,
        ..report::Options::default()
    };
    let mut page = Vec::new();
    report::write(&Analysis::of(&trace), options, &mut page).unwrap();
    let Some(tables) = tables(&page) else {
        return;
    };
    assert_eq!(
        rows(&tables, "folding", &["spans", "into"]),
        [row!(7.0, 1.0)]
    );
    let folded = rows(&tables, "spans", &["start", "end", "count", "busy"]);
    assert_eq!(folded[0], row!(0.0, 13_000.0, 7, 7_000.0));
    assert_eq!(folded.len(), 1 + 7);
}

/// The page and `show --json` tell the same of each package and each process.
#[test]
fn the_page_agrees_with_show() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), true);
    let Some(tables) = tables_of(&trace) else {
        return;
    };
    for (by, table, name) in [
        ("package", "packages", "package"),
        ("tool", "tools", "tool"),
    ] {
        let shown = gotrace(&["show", "--json", "--by", by], &trace, 80);
        let shown: Value = serde_json::from_str(&shown).unwrap();
        let shown = shown["rows"].as_array().unwrap().iter();
        let shown: Vec<_> = shown
            .map(|row| {
                let name = row[name].as_str().unwrap_or_default().to_owned();
                let number = |key: &str| row[key].as_f64().unwrap();
                (name, number("cpu_ns"), number("wall_ns"))
            })
            .collect();
        let rows = rows(&tables, table, &["name", "user", "system", "wall"]);
        let held: Vec<_> = rows
            .iter()
            .map(|row| {
                let number = |at: usize| row[at].as_f64().unwrap();
                let name = row[0].as_str().unwrap().to_owned();
                (name, number(1) + number(2), number(3))
            })
            .collect();
        assert_eq!(held, shown, "{by}");
    }
}

/// Whatever is selected, phases and images are summed from cells: all of them come to what the tables say.
#[test]
fn cells_come_to_the_sums_of_phases_and_images() {
    let folder = tempfile::tempdir().unwrap();
    let Some(tables) = tables_of(&record(folder.path(), true)) else {
        return;
    };
    let cells = rows(&tables, "cells", &["time", "phase", "beside", "image"]);
    assert!(!cells.is_empty());
    for (table, column, of) in [("phases", "cpu", [1, 2]), ("images", "sampled", [3, 3])] {
        let told = rows(&tables, table, &[column]);
        for (row, told) in (0_u64..).zip(&told) {
            let is_of = |cell: &Vec<Value>| of.iter().any(|&at| cell[at] == row);
            let cells = cells.iter().filter(|cell| is_of(cell));
            let sum: f64 = cells.map(|cell| cell[0].as_f64().unwrap()).sum();
            assert_eq!(Value::from(sum), told[0], "{table} {row}");
        }
    }
}

/// Cells and paths of a page say of each function what `show --json` does, and so do those of a piece of time.
#[test]
fn functions_of_the_page_agree_with_show() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), true);
    let Some(tables) = tables_of(&trace) else {
        return;
    };
    let number = |row: &[Value], at: usize| row[at].as_f64().unwrap();
    let place = |row: &[Value], at: usize| usize::try_from(row[at].as_u64().unwrap()).unwrap();
    let names = rows(&tables, "functions", &["name"]);
    let paths = rows(&tables, "paths", &["above", "function"]);
    let cells = rows(&tables, "cells", &["path", "time", "to"]);
    let unit = tables["sampling"][0]["unit"].as_f64().unwrap();
    for range in [["--from", "0"], ["--from", "0.35"]] {
        let from = if range[1] == "0" { 0.0 } else { ms(350) };
        let mut held = std::collections::BTreeMap::<String, (f64, f64)>::new();
        for cell in cells.iter().filter(|cell| number(cell, 2) * unit >= from) {
            let mut on_path = std::collections::BTreeSet::new();
            let mut at = place(cell, 0);
            let innermost = at;
            while at != 0 {
                let name = names[place(&paths[at], 1)][0].as_str().unwrap();
                let sums = held.entry(name.to_owned()).or_default();
                if at == innermost {
                    sums.0 += number(cell, 1);
                }
                if on_path.insert(name) {
                    sums.1 += number(cell, 1);
                }
                at -= place(&paths[at], 0);
            }
        }
        let words = ["show", "--json", "--by", "function", range[0], range[1]];
        let shown: Value = serde_json::from_str(&gotrace(&words, &trace, 80)).unwrap();
        let shown = shown["rows"].as_array().unwrap().iter();
        let shown: std::collections::BTreeMap<String, (f64, f64)> = shown
            .map(|row| {
                let time = |key: &str| row[key].as_f64().unwrap();
                let name = row["function"].as_str().unwrap().to_owned();
                (name, (time("own_ns"), time("total_ns")))
            })
            .collect();
        assert_eq!(held, shown, "{range:?}");
    }
}

/// A go command that built packages of these names, each in a process of that name.
fn build_of(names: &[&str]) -> Trace {
    let mut trace = Trace::default();
    trace.host.cores = 2;
    for (id, name) in (0..).zip(["go"].iter().chain(names)) {
        let argv = vec![trace.strings.push(name.as_bytes())];
        trace.processes.push(Process {
            id: ProcessId(id),
            pid: Pid(100 + id),
            parent: (id > 0).then_some(ProcessId(0)),
            exec: Exec {
                exe: argv[0],
                argv,
                ..Exec::default()
            },
            exit: Some(Exit {
                at: Nanos(1_000),
                status: ExitStatus::Code(0),
                usage: Usage::default(),
            }),
            ..Process::default()
        });
    }
    for (number, name) in (0..).zip(names) {
        let action = Action {
            go: Some(ProcessId(0)),
            number,
            mode: trace.strings.push(b"build"),
            package: trace.strings.push(name.as_bytes()),
            commands: vec![trace.strings.push(name.as_bytes())],
            ready: Some(Nanos(0)),
            start: Some(Nanos(0)),
            done: Some(Nanos(1_000)),
            need_build: true,
            ..Action::default()
        };
        trace.actions.push(action);
    }
    trace
}

fn page_of(trace: &Trace) -> Vec<u8> {
    let mut page = Vec::new();
    report::write(&Analysis::of(trace), report::Options::default(), &mut page).unwrap();
    page
}

#[test]
fn names_of_a_trace_are_no_part_of_the_page() {
    let long = "x".repeat(100_000);
    let names = [
        "</script><script>alert(1)</script>",
        "<!--<script>",
        "\"><img src=x onerror=alert(1)>",
        "a\u{202e}cod.exe",
        "\u{0}\u{1b}[31m",
        &long,
    ];
    let page = page_of(&build_of(&names));
    let text = String::from_utf8(page.clone()).unwrap();
    assert_eq!(text.matches("</script>").count(), 2);
    assert!(!text.contains("alert(1)") && !text.contains("onerror"));
    let Some(tables) = tables(&page) else {
        return;
    };
    let packages: Vec<String> = rows(&tables, "actions", &["package"])
        .iter()
        .map(|row| row[0].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(packages[..3], names[..3]);
    assert_eq!(packages[3..5], ["a\\u{202e}cod.exe", "\\x00\\x1b[31m"]);
    assert!(packages[5].len() < 500 && packages[5].contains('…'));
}

#[test]
fn a_trace_of_nothing_is_a_page() {
    let Some(tables) = tables(&page_of(&Trace::default())) else {
        return;
    };
    assert_eq!(rows(&tables, "run", &["wall", "processes"]), [row!(0.0, 0)]);
    // Nothing was recorded of how it ended.
    assert_eq!(rows(&tables, "gaps", &["what"]).len(), 1);
    for table in ["spans", "actions", "path", "processes", "tax"] {
        assert!(
            tables
                .get(table)
                .is_none_or(|rows| rows == &Value::Array(vec![])),
            "{table}"
        );
    }
}

/// A program from 600 to 700 ms of a recording that began earlier, with a sample of 10 ms that ends at 650: on the page
/// it begins at 0.
#[test]
fn the_page_begins_with_the_command() {
    let start = Nanos(600_000_000);
    let mut trace = Trace::default();
    trace.processes.push(Process {
        pid: Pid(7),
        start,
        exec_at: start,
        exit: Some(Exit {
            at: Nanos(700_000_000),
            status: ExitStatus::Code(0),
            usage: Usage::default(),
        }),
        ..Process::default()
    });
    trace.push_samples(&[Sample {
        time: Nanos(650_000_000),
        process: ProcessId(0),
        tid: Tid(7),
        goroutine: None,
        stack: StackId::EMPTY,
        weight: Nanos(10_000_000),
        kind: SampleKind::OnCpu,
        place: SamplePlace::User,
    }]);
    let Some(tables) = tables(&page_of(&trace)) else {
        return;
    };
    let moments = |table: &str| rows(&tables, table, &["start", "end"]);
    assert_eq!(moments("processes"), [row!(0.0, ms(100))]);
    assert_eq!(moments("path"), [row!(0.0, ms(100))]);
    assert_eq!(moments("spans")[0], row!(0.0, ms(100)));
    assert_eq!(*moments("spans").last().unwrap(), row!(ms(40), ms(50)));
    assert_eq!(rows(&tables, "run", &["end"]), [row!(ms(100))]);
    let unit = tables["sampling"][0]["unit"].as_f64().unwrap();
    let to = tables["cells"][0]["to"].as_f64().unwrap();
    assert!((to * unit - ms(50)).abs() < 1.0, "{to} of {unit}");
    // The bins that are busy, too, are those from 40 to 50 ms.
    let bin = tables["chart"][0]["bin"].as_f64().unwrap();
    let cores = rows(&tables, "cpu", &["cores"]);
    let busy = (0..)
        .zip(&cores)
        .filter(|(_, row)| row[0].as_f64().unwrap() > 0.0);
    let busy: Vec<f64> = busy.map(|(at, _): (u32, _)| f64::from(at) * bin).collect();
    assert!((busy[0] - ms(40)).abs() < bin * 1.01, "{busy:?}");
    assert!(
        (busy.last().unwrap() - ms(50)).abs() < bin * 1.01,
        "{busy:?}"
    );
}

/// Of a program that nothing was counted of, not even an end, only its life is known.
#[test]
fn what_is_not_known_is_no_zero() {
    let mut trace = Trace::default();
    trace.processes.push(Process::default());
    let Some(tables) = tables(&page_of(&trace)) else {
        return;
    };
    let columns = ["user", "system", "waiting", "max_rss_bytes"];
    let unknown = [vec![Value::Null; columns.len()]];
    for table in ["processes", "packages", "tools"] {
        assert_eq!(rows(&tables, table, &columns), unknown, "{table}");
    }
    assert_eq!(rows(&tables, "run", &["unended"]), [row!(1.0)]);
}

/// A killed recording, made whole again, lacks one thing: its end.
#[test]
fn a_loss_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let killed = record(folder.path(), false);
    let whole = std::fs::read(&killed).unwrap();
    std::fs::write(&killed, &whole[..whole.len() - 1]).unwrap();
    let sealed = folder.path().join("sealed.gotrace");
    let words = ["recover", "-o", sealed.to_str().unwrap()];
    assert_eq!(run(&words, &killed, 80).0, Some(0));
    for (trace, expected) in [
        (killed, "the end of the recording"),
        (sealed, "the end of the trace"),
    ] {
        let Some(tables) = tables_of(&trace) else {
            return;
        };
        let ends = rows(&tables, "gaps", &["what"]);
        let ends = ends.iter().filter_map(|row| row[0].as_str());
        let ends: Vec<&str> = ends.filter(|what| what.starts_with("the end")).collect();
        assert_eq!(ends, [expected]);
    }
}

/// A header and nothing behind it; folded stacks; a folder.
#[test]
fn what_is_no_trace_of_a_command_is_refused_with_what_helps() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), true);
    let stub = folder.path().join("stub.gotrace");
    std::fs::write(&stub, &std::fs::read(&trace).unwrap()[..100]).unwrap();
    let folded = folder.path().join("a.folded");
    std::fs::write(&folded, "main;work 12\n").unwrap();
    for (path, expected) in [
        (
            &*stub,
            "expected a trace of a command, found no program in it",
        ),
        (&*folded, "hint: gotrace import"),
        (folder.path(), "flamegraph and report with --base"),
    ] {
        let (code, page, said) = run(&["report", "-o", "-"], path, 80);
        assert_eq!((code, &*page), (Some(3), ""), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

/// One program, whose end was not seen: up to the last sample, which is the last thing that is known.
#[test]
fn a_program_without_an_end_is_open() {
    let mut trace = Trace::default();
    trace.processes.push(Process {
        pid: Pid(7),
        ..Process::default()
    });
    trace.push_samples(&[Sample {
        time: Nanos(500),
        process: ProcessId(0),
        tid: Tid(7),
        goroutine: None,
        stack: StackId::EMPTY,
        weight: Nanos(100),
        kind: SampleKind::OnCpu,
        place: SamplePlace::User,
    }]);
    let Some(tables) = tables(&page_of(&trace)) else {
        return;
    };
    let spans = rows(&tables, "spans", &["start", "end", "kind", "flags"]);
    assert_eq!(spans[0], row!(0.0, 500.0, 1, 2));
    assert_eq!(spans.last().unwrap(), &row!(400.0, 500.0, 3, 0));
    let status = rows(&tables, "processes", &["status"]);
    assert_eq!(status, [row!("its end was not seen")]);
}

/// Seven runs a side, m/b 100 ms of CPU slower in each of new: with that, a change can be told.
#[test]
fn a_base_is_laid_beside_and_judged() {
    let folder = tempfile::tempdir().unwrap();
    for (side, slower) in [("base", 0), ("new", 100)] {
        let side = folder.path().join(side);
        std::fs::create_dir(&side).unwrap();
        for number in 0..7 {
            record_slower(&side.join(format!("{number}.gotrace")), slower + number);
        }
    }
    let base = folder.path().join("base");
    let words = ["report", "-o", "-", "--base", base.to_str().unwrap()];
    let Some(tables) = tables(gotrace(&words, &folder.path().join("new"), 80).as_bytes()) else {
        return;
    };
    let compared = rows(
        &tables,
        "compared",
        &["name", "measure", "base", "new", "verdict"],
    );
    // Medians of 500 to 506 ms, and of 600 to 606.
    let expected = row!("m/b", "CPU", "503 ms", "603 ms", "slower");
    assert!(compared.contains(&expected), "{compared:?}");
    let same = row!("m/a", "CPU", "210 ms", "210 ms", "within noise");
    assert!(compared.contains(&same), "{compared:?}");
    // The first run of each has 400 ms in samples, and cores in use over time.
    let cells = rows(&tables, "cells", &["kind", "time"]);
    for kind in [0, 4] {
        let of_kind = cells.iter().filter(|cell| cell[0] == kind);
        let sum: f64 = of_kind.map(|cell| cell[1].as_f64().unwrap()).sum();
        assert_eq!(sum, ms(400), "{kind}");
    }
    let bin = tables["base_chart"][0]["bin"].as_f64().unwrap();
    let cores = rows(&tables, "base_cpu", &["cores"]);
    let cpu: f64 = cores
        .iter()
        .map(|cores| cores[0].as_f64().unwrap() * bin)
        .sum();
    assert!((cpu - ms(400)).abs() < 1.0, "{cpu}");
    // A heading and a lane of each.
    let tracks = rows(&tables, "tracks", &["view", "label", "count"]);
    let beside = tracks.iter().filter(|track| track[0] == 4);
    assert_eq!(
        beside.cloned().collect::<Vec<_>>(),
        [
            row!(4, "new: /go/bin/go build ./...", 0),
            row!(4, "", 3),
            row!(4, "base: /go/bin/go build ./...", 0),
            row!(4, "", 3),
        ]
    );
}

#[test]
fn what_cannot_be_compared_is_not_judged() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record_all(folder.path());
    let base = folder.path().join("base.gotrace");
    crate::build::record_under(&base, "env.GOFLAGS", "-race");
    let words = ["report", "-o", "-", "--base", base.to_str().unwrap()];
    let (code, page, said) = run(&words, &trace, 80);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("cannot be compared with") && said.contains("GOFLAGS"),
        "{said}"
    );
    let Some(tables) = tables(page.as_bytes()) else {
        return;
    };
    assert_eq!(rows(&tables, "comparison", &["comparable"]), [row!(0)]);
    let caveats = rows(&tables, "caveats", &["words"]);
    assert!(
        caveats[0][0].as_str().unwrap().contains("GOFLAGS"),
        "{caveats:?}"
    );
    assert!(tables["compared"].as_array().unwrap().is_empty());
}

#[test]
fn a_page_is_written_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), true);
    let page = folder.path().join("page.html");
    std::fs::write(&page, "before").unwrap();
    let write_to = |path: &Path| run(&["report", "-o", path.to_str().unwrap()], &trace, 80);

    let (code, _, said) = write_to(&page);
    assert_eq!(code, Some(0));
    assert!(
        said.ends_with(&format!("gotrace: wrote {}\n", page.display())),
        "{said}"
    );
    assert!(
        std::fs::read(&page)
            .unwrap()
            .starts_with(b"<!doctype html>")
    );

    let (code, _, said) = write_to(Path::new("/dev/full"));
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("/dev/full: cannot write"), "{said}");
    let (code, _, said) = write_to(folder.path());
    assert_eq!(code, Some(4), "{said}");
    let (code, _, said) = write_to(&trace);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("it is a gotrace trace"), "{said}");
    assert!(Trace::open(&trace).is_ok());

    // Without -o it goes beside the trace.
    let (code, _, _) = run(&["report"], &trace, 80);
    assert_eq!(code, Some(0));
    assert!(trace.with_extension("html").is_file());
    let (code, _, _) = run(&["report", "--open", "-o", "-"], &trace, 80);
    assert_eq!(code, Some(2));
}
