//! `gotrace toolchain`: the Go toolchains of a machine, copies that can be watched, and pairs that
//! can be compared. One module for each of its commands.

mod list;
mod prepare;
mod verify;

use clap::Subcommand;
use std::process::ExitCode;

/// Looks at Go toolchains; makes copies that a Mac lets gotrace watch.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Args),
    Prepare(prepare::Args),
    Verify(verify::Args),
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::List(args) => args.run(),
            Command::Prepare(args) => args.run(),
            Command::Verify(args) => args.run(),
        }
    }
}
