//! `gotrace dump`.

use super::export;
use super::trace_operand::TraceOperand;
use std::path::PathBuf;
use std::process::ExitCode;

/// Writes every record of a trace as a line of JSON: `export --format jsonl`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    trace: TraceOperand,
    /// File to write; `-`, the default, is standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        export::write(&self.trace, self.output.as_deref(), export::jsonl)
    }
}
