//! `gotrace export`.

use super::exit::Usage;
use super::gaps;
use super::output::{self, Output};
use super::selection::Samples;
use super::status::Work;
use super::trace_operand::TraceOperand;
use crate::analyze::call_tree::{self, Grouping};
use crate::analyze::calls::{self, PathChoice};
use crate::analyze::{Analysis, CallTree, summary};
use crate::export;
use crate::export::tables::{self, Source, Table};
use crate::render::text::{calls as text, ranking};
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
    /// Table to write, with `--format csv`; without it every one, each to a file of a folder (`-o`)
    #[arg(long, value_name = "TABLE", value_parser = names_of_tables())]
    table: Option<String>,
    /// What stacks are made of, with `--format folded` and `speedscope` [default: samples; calls where there are
    /// neither samples nor profiles]
    #[arg(long, value_enum)]
    of: Option<Of>,
    /// Write every path, with `--format folded` and `speedscope`: of calls that were added up as they were recorded the
    /// shortest are merged where there are more than 200,000
    #[arg(long)]
    all_paths: bool,
    /// File to write; `-`, the default, is standard output; for all tables (csv, parquet), a folder
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    samples: Samples,
}

/// What stacks are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Of {
    /// Stacks that were seen on the CPU
    Samples,
    /// Calls of watched functions, by their own time
    Calls,
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
    /// Comma-separated values: a table of the trace (`--table`), or every one as a file of a folder
    Csv,
    /// Every table of the trace as a file of a folder (`-o`), for DuckDB, Spark and data frames
    Parquet,
}

const NO_TABLE: &str =
    "csv is a file for each table: name a folder with -o, or one table: --table processes, ...";

const NO_FOLDER: &str = "parquet is a file for each table: name a folder with -o";

/// Writes a table; returns how many blocks of the trace could not be read.
type WriteTable = fn(&dyn Table, &Source<'_>, &mut Output) -> io::Result<u64>;

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
        if !matches!(self.format, Format::Folded | Format::Speedscope) {
            self.refuse_choices()?;
        }
        match self.format {
            Format::Perfetto => write(trace, output, timed(export::perfetto::write)),
            Format::Chrome => write(trace, output, timed(export::chrome::write)),
            Format::Firefox => write(trace, output, timed(export::firefox::write)),
            Format::Pprof => write(trace, output, export::pprof::write),
            Format::Speedscope => write(trace, output, |it, out| self.speedscope(it, out)),
            Format::Folded => write(trace, output, |it, out| self.folded(it, out)),
            Format::Jsonl => write(trace, output, jsonl),
            Format::Parquet => {
                let folder = folder(output, NO_FOLDER)?;
                write_tables(trace, folder, "parquet", parquet()?)
            }
            Format::Csv => match self.table.as_deref().and_then(tables::named) {
                Some(table) => write(trace, output, |analysis, out| {
                    export::csv::write(table, &Source::of(analysis), out)
                }),
                None => write_tables(trace, folder(output, NO_TABLE)?, "csv", export::csv::write),
            },
        }
    }

    /// Refuses what chooses stacks: other formats hold all.
    fn refuse_choices(&self) -> Result<(), Usage> {
        let of = self.of.map(|_| "--of");
        let all = self.all_paths.then_some("--all-paths");
        match of.or(all).or(self.samples.first_given()) {
            Some(option) => Err(Usage(format!(
                "{option} is for --format folded and speedscope: other formats hold the whole trace{}",
                match self.format {
                    Format::Pprof => ", of which go tool pprof -tagfocus shows a part",
                    _ => "",
                }
            ))),
            None => Ok(()),
        }
    }

    fn folded(&self, analysis: &Analysis<'_>, out: &mut Output) -> anyhow::Result<u64> {
        let tree = self.by_tool(analysis)?;
        export::folded::write(&tree, analysis.trace.count(), out)?;
        Ok(tree.unreadable_blocks)
    }

    fn speedscope(&self, analysis: &Analysis<'_>, out: &mut Output) -> anyhow::Result<u64> {
        let tree = self.by_tool(analysis)?;
        let counts = analysis.trace.holds_counts();
        let count = counts.then(|| analysis.trace.count());
        export::speedscope::write(&tree, &summary::command(analysis), count, out)?;
        Ok(tree.unreadable_blocks)
    }

    fn by_tool(&self, analysis: &Analysis<'_>) -> Result<CallTree, Usage> {
        let trace = analysis.trace;
        let is_sampled = trace.sample_count() > 0 || !trace.profiles.is_empty();
        let has_calls = trace.call_count() > 0 || trace.call_tree_count() > 0;
        let of_samples = self.samples.first_given_alone();
        let of = self
            .of
            .unwrap_or(match has_calls && !is_sampled && of_samples.is_none() {
                true => Of::Calls,
                false => Of::Samples,
            });
        if let (Of::Calls, Some(option)) = (of, of_samples) {
            return Err(Usage(format!(
                "{option} chooses samples, and --of calls has none"
            )));
        }
        let options = call_tree::Options {
            grouping: Grouping::Tool,
            filter: self.samples.filter(analysis)?,
        };
        if of == Of::Samples {
            let tree = analysis.call_tree(&options);
            if tree.total().samples == 0 {
                output::note(ranking::why_no_samples(trace));
            }
            return Ok(tree);
        }
        let stay = match self.all_paths {
            true => PathChoice::All,
            false => PathChoice::Longest(calls::MOST_WHOLE_PATHS),
        };
        let (tree, walked) = calls::tree(analysis, &options, stay);
        let merged =
            text::merged(tree.merged).map(|words| format!("{words}: --all-paths writes each"));
        let notes = [merged, text::cut(walked.cut)];
        notes.iter().flatten().for_each(|words| output::note(words));
        Ok(tree)
    }
}

/// Writes a trace to a file or to standard output, as `format` does; that returns how many blocks
/// of the trace could not be read.
pub(super) fn write<E>(
    trace: &TraceOperand,
    output: Option<&Path>,
    format: impl FnOnce(&Analysis<'_>, &mut Output) -> Result<u64, E>,
) -> anyhow::Result<ExitCode>
where
    anyhow::Error: From<E>,
{
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

/// The folder that all tables go into.
fn folder<'p>(output: Option<&'p Path>, missing: &str) -> Result<&'p Path, Usage> {
    let folder = output.filter(|path| *path != Path::new("-"));
    folder.ok_or_else(|| Usage(missing.to_owned()))
}

/// Writes every table to a file of a folder, which is made where it is missing.
fn write_tables(
    trace: &TraceOperand,
    folder: &Path,
    extension: &str,
    write_table: WriteTable,
) -> anyhow::Result<ExitCode> {
    let quiet = trace.quiet;
    let trace = trace.open()?;
    let analysis = Analysis::of(&trace);
    let source = Source::of(&analysis);
    output::folder(folder)?;
    let mut unreadable_blocks = 0;
    for (number, table) in (1..).zip(tables::ALL) {
        let path = folder.join(table.name()).with_extension(extension);
        let mut output = Output::to(Some(&path))?;
        let work = Work::writing(quiet, &output);
        work.comes_to(number, tables::ALL.len());
        unreadable_blocks += write_table(table, &source, &mut output)?;
        output.finish()?;
        drop(work);
    }
    gaps::note(&analysis, unreadable_blocks);
    Ok(ExitCode::SUCCESS)
}

#[cfg(feature = "parquet")]
#[expect(clippy::unnecessary_wraps, reason = "without Parquet it fails")]
fn parquet() -> io::Result<WriteTable> {
    Ok(export::parquet::write)
}

#[cfg(not(feature = "parquet"))]
fn parquet() -> io::Result<WriteTable> {
    let why = "this gotrace was built without Parquet (feature parquet): --format csv has the same tables";
    Err(io::Error::new(io::ErrorKind::Unsupported, why))
}

/// Every record as a line of JSON.
pub(super) fn jsonl(analysis: &Analysis<'_>, out: &mut Output) -> io::Result<u64> {
    export::jsonl::write(analysis.trace, out)
}

/// Of formats that hold only what has a time: what was added up as it was recorded has none.
fn timed(
    format: impl FnOnce(&Analysis<'_>, &mut Output) -> io::Result<u64>,
) -> impl FnOnce(&Analysis<'_>, &mut Output) -> io::Result<u64> {
    |analysis, out| {
        if analysis.trace.call_tree_count() > 0 {
            output::note(ADDED_UP);
        }
        format(analysis, out)
    }
}

const ADDED_UP: &str = "left out: calls that were added up as they were recorded, for this format holds what has a \
                        time: pprof, folded, speedscope, csv, parquet and jsonl have them";
