//! Tables, as CSV: read and joined by Python, held to `docs/tables.md`.

use super::fixture::{self, HOSTILE, LONG, SAMPLES, ms};
use super::lines::{Lines, by_kind, row};
use super::python;
use gotrace::analyze::Analysis;
use gotrace::export::csv;
use gotrace::export::tables::{self, Kind, Source};
use gotrace::trace::Trace;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Every table as CSV.
pub(crate) fn written(trace: &Trace) -> BTreeMap<&'static str, String> {
    let analysis = Analysis::of(trace);
    let source = Source::of(&analysis);
    let table = |table: &'static dyn tables::Table| {
        let mut out = Vec::new();
        assert_eq!(csv::write(table, &source, &mut out).unwrap(), 0);
        (table.name(), String::from_utf8(out).unwrap())
    };
    tables::ALL.into_iter().map(table).collect()
}

/// The lines of `tables.py` about a trace, by their first field.
fn lines_of(trace: &Trace) -> Option<Lines> {
    let input = serde_json::to_vec(&written(trace)).unwrap();
    python::read("export/tables.py", &input).map(|said| by_kind(&said))
}

/// Milliseconds as they are printed.
fn at(millis: u64) -> String {
    ms(millis).0.to_string()
}

#[test]
fn a_folder_has_each_table_as_it_is_alone() {
    const TRACE: &str = "samples/traces/emulated/native.gotrace";
    let folder = tempfile::tempdir().unwrap();
    let csv = |flags: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gotrace"));
        command.args(["export", "--format", "csv", TRACE]);
        let output = command.args(flags).output().unwrap();
        (output.status.code(), output)
    };
    let tables = folder.path().join("a/tables");
    let (code, output) = csv(&["-o", tables.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{output:?}");
    let mut found = 0;
    for file in std::fs::read_dir(&tables).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(path.extension(), Some("csv".as_ref()), "{path:?}");
        let name = path.file_stem().unwrap().to_str().unwrap();
        let (_, alone) = csv(&["--table", name]);
        assert!(alone.stdout == std::fs::read(&path).unwrap(), "{name}");
        found += 1;
    }
    assert_eq!(found, tables::ALL.len());
    for nowhere in [&[][..], &["-o", "-"]] {
        let (code, output) = csv(nowhere);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(code, Some(2), "{said}");
        assert!(
            said.contains("name a folder with -o, or one table"),
            "{said}"
        );
    }
}

#[test]
fn every_column_is_documented_with_its_type_and_every_documented_column_is_there() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tables.md");
    let page = std::fs::read_to_string(path).unwrap();
    let mut documented = Vec::new();
    for section in page.split("\n## ").skip(1) {
        let (table, text) = section.split_once('\n').unwrap();
        let rows = text.lines().filter(|line| line.starts_with("| "));
        for row in rows.filter(|row| !row.starts_with("| column ")) {
            let mut cells = row.trim_matches(['|', ' ']).split(" | ");
            let (name, kind) = (cells.next().unwrap(), cells.next().unwrap());
            let optional = name.starts_with('*');
            let name = name.trim_matches(['*', '`']);
            documented.push((table.to_owned(), name.to_owned(), kind.to_owned(), optional));
        }
    }
    let mut there = Vec::new();
    for table in tables::ALL {
        for column in table.columns() {
            let kind = match column.kind {
                Kind::Unsigned => "unsigned",
                Kind::Signed => "signed",
                Kind::Truth => "truth",
                Kind::Text => "text",
            };
            let (table, name) = (table.name().to_owned(), column.name.to_owned());
            there.push((table, name, kind.to_owned(), column.optional));
        }
    }
    assert_eq!(documented, there);
}

#[test]
fn programs_and_their_arguments_come_back() {
    let Some(lines) = lines_of(&fixture::trace()) else {
        return;
    };
    let expected = [
        ("100 go - -", (0, 1_000), "exited 0 -", (50, 10)),
        ("101 compile m/a 100", (100, 300), "exited 0 -", (180, 10)),
        ("102 compile m/b 100", (300, 700), "exited 0 -", (350, 20)),
        ("104 link m/cmd 100", (700, 950), "exited 0 -", (100, 20)),
        ("105 shell m/cmd 104", (720, 730), "replaced - -", (1, 1)),
        ("105 cc m/cmd 104", (730, 900), "killed - 9", (90, 30)),
    ];
    let expected = expected.map(|(who, life, end, cpu)| {
        let [life, cpu] = [life, cpu].map(|(a, b)| format!("{} {}", at(a), at(b)));
        let fields = format!("{who} {life} {end} {cpu}");
        row(&fields.split(' ').collect::<Vec<_>>())
    });
    assert_eq!(lines["process"], expected);
    let argv = lines["argv"].iter().find(|argv| argv[0] == "102").unwrap();
    let hex: String = HOSTILE.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(argv[6], hex);
    assert_eq!(argv[7], "78".repeat(LONG));
}

#[test]
fn builds_have_their_actions_what_those_need_and_phases() {
    let Some(lines) = lines_of(&fixture::trace()) else {
        return;
    };
    let action = |fields: &[&str], times: [u64; 3], critical: &str| {
        let times = times.map(at);
        [row(fields), times.to_vec(), row(&[critical])].concat()
    };
    let mut actions = lines["action"].clone();
    actions.sort_unstable();
    let expected = [
        action(&["compile", "fmt", "-", "cached"], [50, 50, 60], "true"),
        action(
            &["compile", "m/a", "compile", "built"],
            [60, 100, 300],
            "true",
        ),
        action(
            &["compile", "m/b", "compile", "built"],
            [300, 300, 700],
            "true",
        ),
        action(&["link", "m/cmd", "link", "built"], [700, 700, 950], "true"),
    ];
    assert_eq!(actions, expected);
    let mut needs = lines["need"].clone();
    needs.sort_unstable();
    let expected = [
        ["m/a", "fmt"],
        ["m/b", "fmt"],
        ["m/b", "m/a"],
        ["m/cmd", "m/b"],
    ];
    assert_eq!(needs, expected.map(|need| row(&need)));
    // The probe that marks it was given up at 200.
    let phase = [row(&["101", "compile", "ssa"]), vec![at(110), at(200)]].concat();
    assert_eq!(lines["phase"], [phase]);
    let within = [row(&["101"]), vec![at(110)], row(&["compile", "ssa"])].concat();
    assert_eq!(lines["sampled-in"], [within]);
}

#[test]
fn samples_have_their_stacks() {
    let Some(lines) = lines_of(&fixture::trace()) else {
        return;
    };
    let expected = SAMPLES.map(|(pid, stack, weight, on_cpu)| {
        let kind = if on_cpu { "on_cpu" } else { "off_cpu" };
        row(&[&[kind, &pid.to_string(), &at(weight)], stack].concat())
    });
    assert_eq!(lines["sample"], expected);
}

#[test]
fn calls_are_paired() {
    let Some(lines) = lines_of(&fixture::trace()) else {
        return;
    };
    let compile = "cmd/compile/internal/ssa.Compile";
    let on = |goroutine, name, begin, times: Option<(u64, u64)>, end| {
        let [total, own] = match times {
            Some((total, own)) => [at(total), at(own)],
            None => ["-".to_owned(), "-".to_owned()],
        };
        row(&[name, "goroutine", goroutine, &at(begin), &total, &own, end])
    };
    let text = [
        on("5", compile, 110, Some((20, 20)), "returned"),
        row(&["-", "main.main"]),
    ];
    let most = u64::MAX.to_string();
    let integer = [
        on("5", compile, 135, Some((15, 15)), "returned"),
        row(&[&most, "-"]),
    ];
    let none = |call: Vec<String>| [call, row(&["-", "-"])].concat();
    let expected = [
        text.concat(),
        integer.concat(),
        none(on("6", compile, 165, Some((5, 5)), "unwound")),
        none(on("6", "main.outer", 160, Some((10, 5)), "returned")),
        none(on("6", "main.outer", 180, Some((120, 120)), "open")),
    ];
    let ended = lines["call"].iter().filter(|call| call[6] != "entry");
    assert_eq!(ended.cloned().collect::<Vec<_>>(), expected);
    let entries = lines["call"].iter().filter(|call| call[6] == "entry");
    let entries: Vec<_> = entries
        .map(|call| (&*call[0], &*call[1], &*call[3]))
        .collect();
    let (runs, marks, waits) = (at(105), at(110), at(140));
    let expected = [
        ("runtime.gogo", "system", &*runs),
        (compile, "goroutine", &*marks),
        ("runtime.park_m", "system", &*waits),
    ];
    assert_eq!(entries, expected);
}

#[test]
fn loaders_have_their_loads_and_binds() {
    let Some(lines) = lines_of(&fixture::trace()) else {
        return;
    };
    let expected = [
        ["/usr/bin/gcc", "start", "0x55000000"],
        ["/lib/libc.so.6", "start", "0x7c000000"],
        ["/lib/libz.so.1", "dlopen", "0x7f000000"],
    ];
    assert_eq!(lines["load"], expected.map(|load| row(&load)));
    let malloc: String = b"malloc".iter().map(|byte| format!("{byte:02x}")).collect();
    let files = ["/usr/bin/gcc", "/lib/libc.so.6", "eager", "call"];
    let bind = [&[&*malloc], &files[..], &["0x7c001000", "0x55004000"]].concat();
    assert_eq!(lines["bind"][0], row(&bind));
    let shown = String::from_utf8_lossy(HOSTILE);
    let hostile: String = shown.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(lines["bind"][1][0], hostile);
    assert_eq!(lines["bind"][1][2], "-", "no image has a weak symbol");
}

#[test]
fn a_trace_of_nothing_has_one_row_and_all_columns() {
    let Some(lines) = lines_of(&Trace::default()) else {
        return;
    };
    for counted in &lines["rows"] {
        let expected = if counted[0] == "traces" { "1" } else { "0" };
        assert_eq!(counted[1], expected, "{}", counted[0]);
    }
    let columns: usize = lines["columns"].iter().map(|names| names.len() - 1).sum();
    let there: usize = tables::ALL.map(|table| table.columns().len()).iter().sum();
    assert_eq!(columns, there);
}

#[test]
fn a_program_whose_end_was_not_seen_has_no_end() {
    let mut trace = fixture::trace();
    for process in &mut trace.processes {
        process.exit = None;
    }
    trace.ending = None;
    let Some(lines) = lines_of(&trace) else {
        return;
    };
    for process in &lines["process"] {
        assert!(process[5..].iter().all(|field| field == "-"), "{process:?}");
    }
    let whole = &written(&trace)["traces"];
    assert!(
        whole.lines().nth(1).unwrap().contains(",,,,false,"),
        "{whole}"
    );
}
