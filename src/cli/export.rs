//! `gotrace export`.

use std::process::ExitCode;

/// Writes a trace in a format that other tools open.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        anyhow::bail!("export: being built")
    }
}
