//! `gotrace run`.

use std::process::ExitCode;

/// Runs a command and records where its time goes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        anyhow::bail!("run: being built")
    }
}
