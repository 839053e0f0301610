//! `gotrace export`.

use super::gaps;
use super::output::Output;
use super::trace_operand::TraceOperand;
use crate::analyze::Analysis;
use crate::analyze::call_tree::{self, Grouping};
use crate::export;
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
    /// File to write; `-`, the default, is standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// What another tool opens.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum Format {
    /// Perfetto's protobuf, for ui.perfetto.dev and `trace_processor`
    Perfetto,
    /// Chrome's trace JSON, for Chrome's tracing page and whatever else reads it
    Chrome,
    /// Folded stacks, for flamegraph tools
    Folded,
    /// Every record of the trace as a line of JSON
    Jsonl,
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        write(&self.trace, self.format, self.output.as_deref())
    }
}

/// Writes a trace as `format` to a file or to standard output.
pub(super) fn write(
    trace: &TraceOperand,
    format: Format,
    output: Option<&Path>,
) -> anyhow::Result<ExitCode> {
    let trace = trace.open()?;
    let mut output = Output::to(output)?;
    let analysis = Analysis::of(&trace);
    let unreadable_blocks = match format {
        Format::Perfetto => export::perfetto::write(&analysis, &mut output),
        Format::Chrome => export::chrome::write(&analysis, &mut output),
        Format::Folded => {
            let tree = analysis.call_tree(&call_tree::Options {
                grouping: Grouping::Tool,
                ..call_tree::Options::default()
            });
            export::folded::write(&tree, &mut output).map(|()| tree.unreadable_blocks)
        }
        Format::Jsonl => export::jsonl::write(&trace, &mut output),
    }?;
    output.finish()?;
    gaps::note(&analysis, unreadable_blocks);
    Ok(ExitCode::SUCCESS)
}
