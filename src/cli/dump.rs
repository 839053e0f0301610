//! `gotrace dump`.

use std::process::ExitCode;

/// Writes every record of a trace as a line of JSON: `export --format jsonl`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        anyhow::bail!("dump: being built")
    }
}
