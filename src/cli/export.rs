//! `gotrace export`.

use super::exit::Usage;
use super::gaps;
use super::output::Output;
use super::status::Work;
use super::trace_operand::TraceOperand;
use crate::analyze::call_tree::{self, Grouping};
use crate::analyze::{Analysis, CallTree, summary};
use crate::export;
use crate::export::tables::{self, Source, Table};
use clap::builder::PossibleValuesParser;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Writes a trace in a format that other tools open.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    trace: TraceOperand,
    /// Format to write
    #[arg(long, value_enum)]
    format: Format,
    /// Table to write, with `--format csv`
    #[arg(long, value_name = "TABLE", value_parser = names_of_tables())]
    table: Option<String>,
    /// File to write; `-`, the default, is standard output; with `--format parquet`, a folder
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// What another tool opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Perfetto's protobuf, for ui.perfetto.dev and `trace_processor`
    Perfetto,
    /// Chrome's trace JSON, for Chrome's tracing page and whatever else reads it
    Chrome,
    /// Firefox Profiler's processed profile, for profiler.firefox.com
    Firefox,
    /// pprof's `profile.proto.gz`, for `go tool pprof` and whatever else reads it
    Pprof,
    /// speedscope's file format, for speedscope.app
    Speedscope,
    /// Folded stacks, for flamegraph tools
    Folded,
    /// Every record of the trace as a line of JSON
    Jsonl,
    /// A table of the trace (`--table`) as comma-separated values
    Csv,
    /// Every table of the trace as a file of a folder (`-o`), for DuckDB, Spark and data frames
    Parquet,
}

const NO_TABLE: &str = "csv holds one table: --table processes, --table samples, ...";

const NO_FOLDER: &str = "parquet is a file for each table: name a folder with -o";

fn names_of_tables() -> PossibleValuesParser {
    PossibleValuesParser::new(tables::ALL.map(Table::name))
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let (trace, output) = (&self.trace, self.output.as_deref());
        if self.table.is_some() && self.format != Format::Csv {
            let words = "--table is for --format csv: other formats hold the whole trace";
            return Err(Usage(words.to_owned()).into());
        }
        match self.format {
            Format::Perfetto => write(trace, output, export::perfetto::write),
            Format::Chrome => write(trace, output, export::chrome::write),
            Format::Firefox => write(trace, output, export::firefox::write),
            Format::Pprof => write(trace, output, export::pprof::write),
            Format::Speedscope => write(trace, output, speedscope),
            Format::Folded => write(trace, output, folded),
            Format::Jsonl => write(trace, output, jsonl),
            Format::Parquet => {
                let folder = output.filter(|path| *path != Path::new("-"));
                let folder = folder.ok_or_else(|| Usage(NO_FOLDER.to_owned()))?;
                write_tables(trace, folder)
            }
            Format::Csv => {
                let table = self.table.as_deref().and_then(tables::named);
                let table = table.ok_or_else(|| Usage(NO_TABLE.to_owned()))?;
                write(trace, output, |analysis, out| {
                    export::csv::write(table, &Source::of(analysis), out)
                })
            }
        }
    }
}

/// Writes a trace to a file or to standard output, as `format` does; that returns how many blocks
/// of the trace could not be read.
pub(super) fn write(
    trace: &TraceOperand,
    output: Option<&Path>,
    format: impl FnOnce(&Analysis<'_>, &mut Output) -> io::Result<u64>,
) -> anyhow::Result<ExitCode> {
    let quiet = trace.quiet;
    let trace = trace.open()?;
    let mut output = Output::to(output)?;
    let work = Work::writing(quiet, &output);
    let analysis = Analysis::of(&trace);
    let unreadable_blocks = format(&analysis, &mut output)?;
    output.finish()?;
    drop(work);
    gaps::note(&analysis, unreadable_blocks);
    Ok(ExitCode::SUCCESS)
}

/// Writes every table to a file of a folder, which is made where it is missing.
#[cfg(feature = "parquet")]
fn write_tables(trace: &TraceOperand, folder: &Path) -> anyhow::Result<ExitCode> {
    let quiet = trace.quiet;
    let trace = trace.open()?;
    let analysis = Analysis::of(&trace);
    let source = Source::of(&analysis);
    super::output::folder(folder)?;
    let mut unreadable_blocks = 0;
    for table in tables::ALL {
        let path = folder.join(table.name()).with_extension("parquet");
        let mut output = Output::to(Some(&path))?;
        let _work = Work::writing(quiet, &output);
        unreadable_blocks += export::parquet::write(table, &source, &mut output)?;
        output.finish()?;
    }
    gaps::note(&analysis, unreadable_blocks);
    Ok(ExitCode::SUCCESS)
}

#[cfg(not(feature = "parquet"))]
fn write_tables(_trace: &TraceOperand, _folder: &Path) -> anyhow::Result<ExitCode> {
    let why = "this gotrace was built without Parquet (feature parquet): --format csv has the same tables";
    Err(io::Error::new(io::ErrorKind::Unsupported, why).into())
}

/// Every record as a line of JSON.
pub(super) fn jsonl(analysis: &Analysis<'_>, out: &mut Output) -> io::Result<u64> {
    export::jsonl::write(analysis.trace, out)
}

fn folded(analysis: &Analysis<'_>, out: &mut Output) -> io::Result<u64> {
    let tree = by_tool(analysis);
    export::folded::write(&tree, analysis.trace.count(), out)?;
    Ok(tree.unreadable_blocks)
}

fn speedscope(analysis: &Analysis<'_>, out: &mut Output) -> io::Result<u64> {
    let tree = by_tool(analysis);
    export::speedscope::write(&tree, &summary::command(analysis), out)?;
    Ok(tree.unreadable_blocks)
}

fn by_tool(analysis: &Analysis<'_>) -> CallTree {
    analysis.call_tree(&call_tree::Options {
        grouping: Grouping::Tool,
        ..call_tree::Options::default()
    })
}
