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
    /// Lists the Go toolchains of this machine: version, architecture, signature, whether they can be watched
    List(list::Args),
    /// Copies a toolchain for macOS and signs its programs ad hoc, so that they can be watched
    Prepare(prepare::Args),
    /// Checks whether two toolchains can be compared: native and translated, mostly
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
