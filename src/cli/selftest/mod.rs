//! `gotrace selftest`: tries each way of recording on this machine, and writes a report.

mod bench;
mod place;

use super::output::{self, Output};
use crate::analyze::selftest::{Standing, Trial};
use crate::export::json;
use crate::render::text::selftest as text;
use bench::Bench;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Name of the report, where none is given.
const REPORT: &str = "gotrace-selftest.txt";

/// Tries each way of recording on this machine, and writes a report.
///
/// Builds small programs with the go command on PATH, records them, and compares the traces with what the
/// programs say that they did. The results go into a report, to be read, and to be attached to a report
/// of a bug; it holds paths of this machine. Everything else is removed again. The exit code is 1 where
/// something failed; with --strict also where something cannot be tried here.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The report
    #[arg(short, long, value_name = "FILE", default_value = REPORT)]
    output: PathBuf,
    /// Try this alone; several times for several: tools, build, tree, samples, waiting, calls,
    /// copies, hold, attach, bindings, translated
    #[arg(long, value_name = "TRIAL", value_parser = trial)]
    only: Vec<Trial>,
    /// End with exit code 1 where something cannot be tried, too
    #[arg(long)]
    strict: bool,
    /// Write JSON to standard output (docs/json-schema.md), in place of lines
    #[arg(long)]
    json: bool,
}

fn trial(word: &str) -> Result<Trial, String> {
    let known = Trial::ALL.iter().copied().find(|trial| trial.id() == word);
    known.ok_or_else(|| {
        let all = Trial::ALL.iter().map(|trial| trial.id());
        let all: Vec<&str> = all.collect();
        format!("no trial is called {word:?}: there are {}", all.join(", "))
    })
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let bench = Bench::of_this_machine();
        let mut report = Output::to(Some(&self.output))?;
        let mut screen = Output::stdout();
        let mut outcomes = Vec::new();
        for &trial in Trial::ALL {
            let is_asked_for = match self.only.as_slice() {
                [] => !trial.backend(std::env::consts::OS).is_empty(),
                only => only.contains(&trial),
            };
            if !is_asked_for {
                continue;
            }
            let outcome = bench.outcome(trial);
            if !self.json {
                let page = screen.page();
                text::line(&outcome, &page, &mut screen)?;
                screen.flush()?;
            }
            outcomes.push(outcome);
        }
        let page = report.page();
        text::report(
            &bench.host,
            &bench.diagnosis(),
            &outcomes,
            &page,
            &mut report,
        )?;
        report.finish()?;
        if self.json {
            json::selftest(&outcomes, &mut screen)?;
        } else {
            text::counts(&outcomes, &mut screen)?;
        }
        screen.finish()?;
        output::note(&format!("report in {}", self.output.display()));
        let bad = outcomes.iter().any(|outcome| match outcome.standing {
            Standing::Passed => false,
            Standing::Failed(_) => true,
            Standing::NotHere(_) => self.strict,
        });
        Ok(ExitCode::from(u8::from(bad)))
    }
}
