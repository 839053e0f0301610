//! The command line: the only room that prints, exits, and reads arguments and environment.

mod attach;
mod bindings;
mod calls;
mod compare;
mod doctor;
mod dump;
mod exit;
mod experiment;
mod explain;
mod export;
mod flamegraph;
mod gaps;
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

use crate::capture::native;
use crate::capture::toolexec::shim;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Shows where a Go build's time goes.
#[derive(Debug, Parser)]
#[command(name = "gotrace", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a command and records where its time goes.
    Run(run::Args),
    /// Runs a command again and again, and records each run.
    Repeat(repeat::Args),
    /// Measures what settings do to wall time, CPU time, and the names of stacks.
    Experiment(experiment::Args),
    /// Records the functions of a program that runs already.
    Attach(attach::Args),
    /// Shows a trace as tables.
    Show(show::Args),
    /// Shows the calls of watched functions.
    Calls(calls::Args),
    /// Shows dynamic linking: loads, binds, and what they took.
    Bindings(bindings::Args),
    /// Compares two runs, or two groups of runs: what became slower or faster, and is it noise?
    Compare(compare::Args),
    /// Draws the samples of a trace as a flamegraph (SVG).
    Flamegraph(flamegraph::Args),
    /// Draws the build of a trace over time (SVG, or text on the terminal).
    Timeline(timeline::Args),
    /// Writes a trace as a page to walk through: timeline, critical path, costs (HTML, one file).
    Report(report::Args),
    /// Writes a trace in a format that other tools open.
    Export(export::Args),
    /// Makes a trace of what another tool recorded: perf.data, folded stacks.
    Import(import::Args),
    /// Writes every record of a trace as a line of JSON: `export --format jsonl`.
    Dump(dump::Args),
    /// Makes a sealed copy of a trace whose recorder was killed, or of a damaged one.
    Recover(recover::Args),
    /// Shows which functions can be watched, and sets of them.
    Probes(probes::Args),
    /// Looks into executables: what they are, what they import, whether a Mac takes them.
    Inspect(inspect::Args),
    /// Checks the Go of this machine: toolchains, settings, caches, what gotrace can see.
    Doctor(doctor::Args),
    /// Says why a build or a program failed, and what would help.
    Explain(explain::Args),
    /// Looks at Go toolchains; makes copies that a Mac lets gotrace watch.
    Toolchain(toolchain::Args),
    /// Tries each way of recording on this machine, and writes a report.
    Selftest(selftest::Args),
    /// Grants gotrace what it needs to see more, after showing what that is.
    Setup(setup::Args),
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

/// Runs the command that the arguments name and returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == shim::MARK) {
        return exit::of_tool(shim::run(words.collect()));
    }
    let command = Arguments::parse().command;
    if command.records()
        && let Some(refusal) = native::become_native()
    {
        output::note(&refusal.to_string());
        output::hint(&refusal.remedy);
    }
    let outcome = match command {
        Command::Run(args) => args.run(),
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
    };
    exit::report(outcome)
}
