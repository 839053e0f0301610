//! `gotrace recover`.

use std::process::ExitCode;

/// Makes a sealed copy of a trace whose recorder was killed, or of a damaged one.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        anyhow::bail!("recover: being built")
    }
}
