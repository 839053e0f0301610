//! `gotrace show`.

use std::process::ExitCode;

/// Shows a trace as tables.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        anyhow::bail!("show: being built")
    }
}
