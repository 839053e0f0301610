//! `gotrace recover`.

use super::output;
use super::status::Work;
use super::trace_operand::damage;
use crate::render::units;
use crate::symbolize;
use crate::trace::file;
use std::path::PathBuf;
use std::process::ExitCode;

/// Makes a sealed copy of a trace whose recorder was killed, or of a damaged one.
///
/// The copy holds every whole block of the trace, and the names of its frames as this machine's
/// files have them. The trace itself is left as it is.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Trace file to read
    #[arg(value_name = "TRACE")]
    trace: PathBuf,
    /// File to write, replaced if it is a trace
    #[arg(short, long, value_name = "SEALED")]
    output: PathBuf,
    /// Say nothing but errors: no status line
    #[arg(short, long)]
    quiet: bool,
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let work = Work::begin(self.quiet, &format!("recovering {}", self.trace.display()));
        let recovered = file::recover(&self.trace, &self.output, |trace| {
            if trace.ending.is_none() {
                symbolize::fill(trace);
            }
        })?;
        drop(work);
        if self.quiet {
            return Ok(ExitCode::SUCCESS);
        }
        let blocks = units::counted(recovered.blocks, "block", "blocks");
        let found = damage(&recovered.found).unwrap_or_else(|| "nothing is missing".to_owned());
        output::note(&format!(
            "{}: {blocks} copied to {}: {found}",
            self.trace.display(),
            self.output.display()
        ));
        Ok(ExitCode::SUCCESS)
    }
}
