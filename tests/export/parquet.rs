//! Tables, as Parquet: read by DuckDB and by Arrow, held to CSV, to the schema, and to what `show --json` sums up.

use super::lines::{Lines, by_kind};
use super::{fixture, python, tables};
use gotrace::analyze::{Analysis, By, Filter};
use gotrace::export::tables::{ALL, Kind, SCHEMA, Source, Table};
use gotrace::export::{json, parquet};
use gotrace::trace::{Nanos, Sample, Trace};
use serde_json::{Value, json as object};
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

/// A script and the package that it reads with.
type Reader = (&'static str, &'static str);
const DUCKDB: Reader = ("export/parquet.py", "duckdb-2.0.0");
const ARROW: Reader = ("export/arrow.py", "pyarrow-26.0.1");

/// The lines of `parquet.py` about a trace, by their first field; `None`, and why, without DuckDB.
fn lines_of(trace: &Trace) -> Option<Lines> {
    read_by(DUCKDB, trace)
}

fn read_by((script, package): Reader, trace: &Trace) -> Option<Lines> {
    let consumer = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(".tools/consumers")
        .join(package);
    if !consumer.exists() {
        println!("skipped: no {package}; scripts/fetch-consumers fetches it");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let analysis = Analysis::of(trace);
    let source = Source::of(&analysis);
    for table in ALL {
        let path = folder.path().join(format!("{}.parquet", table.name()));
        let mut file = File::create(path).unwrap();
        assert_eq!(parquet::write(table, &source, &mut file).unwrap(), 0);
    }
    let asked = object!({"folder": folder.path(), "csv": tables::written(trace)});
    let input = serde_json::to_vec(&asked).unwrap();
    python::read_with(script, &input, Some(&consumer)).map(|said| by_kind(&said))
}

/// The rows of `show --json`.
fn shown(trace: &Trace, by: By) -> Value {
    let analysis = Analysis::of(trace);
    let mut out = Vec::new();
    json::show(&analysis, by, &Filter::default(), None, &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn duckdb_reads_what_the_tables_hold() {
    let trace = fixture::trace();
    let Some(lines) = lines_of(&trace) else {
        return;
    };
    let mut columns = Vec::new();
    for table in ALL {
        for column in table.columns() {
            let kind = match column.kind {
                Kind::Unsigned => "UBIGINT",
                Kind::Signed => "BIGINT",
                Kind::Truth => "BOOLEAN",
                Kind::Text => "VARCHAR",
            };
            let repetition = if column.optional {
                "OPTIONAL"
            } else {
                "REQUIRED"
            };
            let fields = [table.name(), column.name, kind, repetition];
            columns.push(fields.map(str::to_owned).to_vec());
        }
    }
    // The reader goes by the alphabet.
    columns.sort_by(|one, other| one[0].cmp(&other[0]));
    assert_eq!(lines["column"], columns);
    for table in ALL.map(Table::name) {
        for (key, value) in [("gotrace.schema", SCHEMA), ("gotrace.table", table)] {
            let said = [table, key, value].map(str::to_owned).to_vec();
            assert!(lines["said"].contains(&said), "{said:?}");
        }
    }
    assert!(
        lines["group"].iter().all(|group| group[2..] == ["ZSTD"]),
        "{:?}",
        lines["group"]
    );
    let filled = lines["rows"].iter().filter(|rows| rows[1] != "0").count();
    assert!(filled > 15, "{:?}", lines["rows"]);
}

#[test]
fn sums_are_those_of_show() {
    let trace = fixture::trace();
    let Some(lines) = lines_of(&trace) else {
        return;
    };
    let on_cpu = shown(&trace, By::Function)["samples"]["weight_ns"]
        .as_u64()
        .unwrap();
    assert_eq!(lines["on-cpu"], [[on_cpu.to_string()]]);
    let rows = shown(&trace, By::Tool)["rows"].as_array().unwrap().clone();
    let mut tools: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![
                row["tool"].as_str().unwrap().to_owned(),
                row["cpu_ns"].to_string(),
            ]
        })
        .collect();
    tools.sort_unstable();
    assert_eq!(lines["cpu"], tools);
}

#[test]
fn arrow_reads_the_same() {
    let trace = fixture::trace();
    let (Some(duckdb), Some(arrow)) = (lines_of(&trace), read_by(ARROW, &trace)) else {
        return;
    };
    assert_eq!(arrow.keys().collect::<Vec<_>>(), ["cpu", "on-cpu", "rows"]);
    for (what, lines) in arrow {
        assert_eq!(lines, duckdb[&what], "{what}");
    }
}

#[test]
fn rows_go_out_in_groups() {
    let mut trace = fixture::trace();
    let block = trace.samples().next().unwrap().unwrap();
    let sample = block.iter().next().unwrap();
    let more: Vec<Sample> = (0..300_000)
        .map(|at| Sample {
            time: Nanos(at),
            ..sample
        })
        .collect();
    for part in more.chunks(1 << 16) {
        trace.push_samples(part);
    }
    let Some(lines) = lines_of(&trace) else {
        return;
    };
    let groups = lines["group"].iter().filter(|group| group[0] == "samples");
    let rows: Vec<u64> = groups.map(|group| group[1].parse().unwrap()).collect();
    assert_eq!(rows[..2], [131_072, 131_072]);
    let whole = lines["rows"].iter().find(|rows| rows[0] == "samples");
    assert_eq!(rows.iter().sum::<u64>().to_string(), whole.unwrap()[1]);
    assert!(rows.iter().sum::<u64>() > 300_000);
}

#[test]
fn the_command_line_writes_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let trace = "samples/traces/emulated/native.gotrace";
    let export = |output: &Path, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gotrace"));
        command
            .args(["export", trace, "--format", "parquet"])
            .args(more);
        command.arg("-o").arg(output).output().unwrap()
    };
    let tables = folder.path().join("new/tables");
    for _ in 0..2 {
        let output = export(&tables, &[]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let mut names: Vec<String> = fs::read_dir(&tables)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        let mut expected = ALL.map(|table| format!("{}.parquet", table.name()));
        expected.sort_unstable();
        assert_eq!(names, expected);
    }
    let file = folder.path().join("file");
    fs::write(&file, "mine").unwrap();
    let output = export(&file, &[]);
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    assert_eq!(export(Path::new("-"), &[]).status.code(), Some(2));
    assert_eq!(
        export(&tables, &["--table", "samples"]).status.code(),
        Some(2)
    );
}
