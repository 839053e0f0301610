//! `gotrace flamegraph`.

use std::process::ExitCode;

/// Draws the samples of a trace as a flamegraph (SVG).
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        anyhow::bail!("flamegraph: being built")
    }
}
