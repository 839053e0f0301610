//! `gotrace setup`.

use std::process::ExitCode;

/// Grants gotrace what it needs to see more, after showing what that is.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        anyhow::bail!("setup: being built")
    }
}
