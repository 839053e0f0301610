//! `gotrace gen`: man pages and completions, made of the same commands that `--help` describes.

use super::output::{self, Output};
use super::{Arguments, examples, guide};
use clap::{Command, CommandFactory as _, Subcommand};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Writes man pages, and completions for shells.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Wanted,
}

#[derive(Debug, Subcommand)]
enum Wanted {
    /// Writes a man page for each command
    Man(ManPages),
    /// Writes what a shell completes gotrace's commands and options with
    Completions(Completions),
}

#[derive(Debug, clap::Args)]
struct ManPages {
    /// Folder for the pages, gotrace.1, gotrace-run.1, ...; made if it is not there
    folder: PathBuf,
}

#[derive(Debug, clap::Args)]
struct Completions {
    /// The shell
    shell: Shell,
    /// File to write; `-`, the default, is standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Wanted::Man(man) => man.run(),
            Wanted::Completions(completions) => completions.run(),
        }
    }
}

impl ManPages {
    fn run(&self) -> anyhow::Result<ExitCode> {
        let folder = &self.folder;
        output::folder(folder)?;
        let mut gotrace = Arguments::command().disable_help_subcommand(true);
        gotrace.build();
        write_pages(&gotrace, "", folder)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Completions {
    fn run(&self) -> anyhow::Result<ExitCode> {
        // clap_complete panics where it cannot write.
        let mut script = Vec::new();
        clap_complete::generate(
            self.shell,
            &mut Arguments::command(),
            "gotrace",
            &mut script,
        );
        let mut output = Output::to(self.output.as_deref())?;
        output.write_all(&script)?;
        output.finish()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes the page of a command, and those of its subcommands.
fn write_pages(command: &Command, name: &str, folder: &Path) -> anyhow::Result<()> {
    // Each has one text of help alone: what --help prints.
    let page = command.clone();
    let page = page.mut_arg("help", |help| help.long_help("Print help"));
    let man = Man::new(page).source(concat!("gotrace ", env!("CARGO_PKG_VERSION")));
    let mut output = Output::to(Some(&folder.join(man.get_filename())))?;
    write_page(&man, command, name, &mut output)?;
    output.finish()?;
    for inner in command.get_subcommands() {
        write_pages(inner, &guide::name_within(name, inner), folder)?;
    }
    Ok(())
}

fn write_page(man: &Man, command: &Command, name: &str, out: &mut Output) -> io::Result<()> {
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    if command.has_subcommands() {
        man.render_subcommands_section(out)?;
    }
    man.render_options_section(out)?;
    let mut examples = Roff::new();
    examples.control("SH", ["EXAMPLES"]);
    for (purpose, line) in examples::of(name) {
        examples.control("TP", []);
        examples.text([roman(*purpose)]);
        examples.text([roman(*line)]);
    }
    examples.to_writer(out)
}
