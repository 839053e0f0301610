//! The command line: the only room that prints, exits, and reads arguments and environment.

mod attach;
mod bindings;
mod calls;
mod compare;
mod config;
mod doctor;
mod dump;
mod examples;
mod exit;
mod experiment;
mod explain;
mod export;
mod flamegraph;
mod gaps;
mod generate;
mod guide;
mod import;
mod input;
mod inspect;
mod output;
mod pictures;
mod probes;
mod probing;
mod recording;
mod recover;
mod repeat;
mod report;
mod run;
mod selection;
mod selftest;
mod series;
mod setup;
mod show;
mod status;
mod timeline;
mod toolchain;
mod trace_group;
mod trace_operand;
mod view;

use crate::capture::native;
use crate::capture::toolexec::shim;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use std::io::{self, Write as _};
use std::process::ExitCode;

/// Shows where a Go build's time goes.
///
/// `gotrace run` records a build, or whatever else a command does, into a trace: one file, which every
/// other command takes, on any machine. Without a name they take the newest. `gotrace COMMAND --help` has
/// examples of each, and docs/ pages about what they show.
#[derive(Debug, Parser)]
#[command(name = "gotrace", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Args),
    Repeat(repeat::Args),
    Experiment(experiment::Args),
    Attach(attach::Args),
    Show(show::Args),
    Calls(calls::Args),
    Bindings(bindings::Args),
    Compare(compare::Args),
    Flamegraph(flamegraph::Args),
    Timeline(timeline::Args),
    Report(report::Args),
    View(view::Args),
    Export(export::Args),
    Import(import::Args),
    Dump(dump::Args),
    Recover(recover::Args),
    Probes(probes::Args),
    Inspect(inspect::Args),
    Doctor(doctor::Args),
    Explain(explain::Args),
    Toolchain(toolchain::Args),
    Selftest(selftest::Args),
    Setup(setup::Args),
    Gen(generate::Args),
}

impl Command {
    /// Whether it watches programs, as which a translated gotrace would see less.
    const fn records(&self) -> bool {
        matches!(
            self,
            Self::Run(_) | Self::Repeat(_) | Self::Experiment(_) | Self::Attach(_)
        )
    }
}

/// What a `gotrace.toml` with this text sets, a line for each key: a user's, or a repository's, which may set less.
///
/// # Errors
///
/// What is wrong with it, with the line.
pub fn settings_in(text: &str, of_repository: bool) -> Result<Vec<String>, String> {
    let owner = if of_repository {
        config::Owner::Repository
    } else {
        config::Owner::User
    };
    config::settings_in(text, owner).map_err(|error| error.to_string())
}

/// Where the arguments are those of a shim, runs the tool that they name, and returns its exit code.
#[must_use]
pub fn run_tool() -> Option<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    let first = words.next()?;
    if first == shim::MARK {
        return Some(exit::of_tool(shim::run(words.collect())));
    }
    (first == shim::WHICH).then(|| {
        let said = writeln!(io::stdout(), "{:016x}", shim::BUILD);
        said.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
    })
}

/// Runs the command that the arguments name and returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    if let Some(code) = run_tool() {
        return code;
    }
    let arguments = guide::explained(Arguments::command()).try_get_matches();
    let command = match arguments.and_then(|found| Arguments::from_arg_matches(&found)) {
        Ok(arguments) => arguments.command,
        Err(error) => return exit::misspelt(&error),
    };
    if command.records()
        && let Some(refusal) = native::become_native()
    {
        output::note(&refusal.to_string());
        output::hint(&refusal.remedy);
    }
    let outcome = match command {
        Command::Run(args) => return exit::report_run(args.run()),
        Command::Repeat(args) => args.run(),
        Command::Experiment(args) => args.run(),
        Command::Attach(args) => args.run(),
        Command::Show(args) => args.run(),
        Command::Calls(args) => args.run(),
        Command::Bindings(args) => args.run(),
        Command::Compare(args) => args.run(),
        Command::Flamegraph(args) => args.run(),
        Command::Timeline(args) => args.run(),
        Command::Report(args) => args.run(),
        Command::View(args) => args.run(),
        Command::Export(args) => args.run(),
        Command::Import(args) => args.run(),
        Command::Dump(args) => args.run(),
        Command::Recover(args) => args.run(),
        Command::Probes(args) => args.run(),
        Command::Inspect(args) => args.run(),
        Command::Doctor(args) => args.run(),
        Command::Explain(args) => args.run(),
        Command::Toolchain(args) => args.run(),
        Command::Selftest(args) => args.run(),
        Command::Setup(args) => args.run(),
        Command::Gen(args) => args.run(),
    };
    exit::report(outcome)
}
