//! `gotrace timeline`.

use std::process::ExitCode;

/// Draws the build of a trace over time (SVG, or text on the terminal).
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        anyhow::bail!("timeline: being built")
    }
}
