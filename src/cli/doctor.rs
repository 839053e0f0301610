//! `gotrace doctor`: what is wrong with this machine's Go, and what would help.

use super::config;
use super::output::Output;
use crate::analyze::Diagnosis;
use crate::analyze::doctor::Level;
use crate::capture::session::Session;
use crate::capture::{Environment, Found, Name, redacted};
use crate::environment::invoker::{Invoker, invoker};
use crate::environment::survey::{Surroundings, Survey, Watching};
use crate::export::json;
use crate::render::text::doctor as text;
use crate::trace::Severity;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;

/// Checks the Go of this machine: toolchains, settings, caches, what gotrace can see.
///
/// Nothing is changed, built or fetched. Each finding has its evidence, and a command that helps.
/// The exit code is 1 where there is an error, with --strict also where there is a warning.
#[derive(Debug, clap::Args)]
#[command(override_usage = "gotrace doctor [OPTIONS] [-- COMMAND [ARGUMENT]...]")]
pub(super) struct Args {
    /// Show warnings and errors alone
    #[arg(short, long, conflicts_with = "json")]
    quiet: bool,
    /// End with exit code 1 where there is a warning, too
    #[arg(long)]
    strict: bool,
    /// Write JSON (docs/json-schema.md)
    #[arg(long)]
    json: bool,
    /// A command that is to be run: checked, too, with the go command that it names
    #[arg(value_name = "COMMAND", last = true)]
    command: Vec<OsString>,
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let mut environment = Environment::inherited();
        let invoker = invoker(|name| environment.get(name).map(OsStr::to_owned));
        if let Some(invoker) = &invoker {
            let name = self.command.first().map_or(OsStr::new("go"), |name| name);
            environment.belong_to(invoker, name);
        }
        let diagnosis = diagnosis(&survey(&environment, invoker.as_ref(), &self.command));
        let mut output = Output::stdout();
        if self.json {
            json::doctor(&diagnosis, &mut output)?;
        } else {
            let page = output.page();
            text::findings(&diagnosis, self.quiet, &page, &mut output)?;
        }
        output.finish()?;
        let worst = if self.strict {
            Level::Warning
        } else {
            Level::Error
        };
        let sick = diagnosis
            .findings
            .iter()
            .any(|finding| finding.level >= worst);
        Ok(ExitCode::from(u8::from(sick)))
    }
}

/// All that is to be judged.
pub(super) fn survey(
    environment: &Environment,
    invoker: Option<&Invoker>,
    command: &[OsString],
) -> Survey {
    let mut survey = Survey::of(&surroundings(environment, invoker), command);
    let go = survey
        .toolchain
        .as_ref()
        .and_then(|told| told.as_ref().ok());
    let goroot = go.map(|go| PathBuf::from(go.variable("GOROOT")));
    survey.watching = watching(goroot);
    survey.settings_files = Some(config::files(environment, invoker));
    survey
}

/// The judgement, without what looks like a secret.
pub(super) fn diagnosis(survey: &Survey) -> Diagnosis {
    let mut diagnosis = Diagnosis::of(survey);
    // What is shown here ends in reports of bugs.
    for finding in &mut diagnosis.findings {
        for text in [&mut finding.text, &mut finding.evidence] {
            *text = redacted(text);
        }
    }
    diagnosis
}

fn surroundings(environment: &Environment, invoker: Option<&Invoker>) -> Surroundings {
    // Of a variable that is there twice, programs see the first.
    let mut variables = std::collections::BTreeMap::new();
    for (name, value) in environment.pairs() {
        variables
            .entry(name.to_owned())
            .or_insert_with(|| value.to_owned());
    }
    Surroundings {
        variables,
        invoker: invoker.cloned(),
        folder: std::env::current_dir().unwrap_or_default(),
    }
}

/// What is wrong with the Go that a command is to be recorded with, without running anything more.
pub(super) fn findings(session: &Session) -> Vec<Found> {
    let surroundings = surroundings(session.unwatched(), session.invoker());
    let survey = Survey::quick(&surroundings, session.toolchain(), session.host());
    let findings = Diagnosis::of(&survey).findings.into_iter();
    let found = findings.filter_map(|finding| {
        Some(Found {
            check: finding.check.id(),
            severity: match finding.level {
                Level::Ok => return None,
                Level::Note => Severity::Note,
                Level::Warning => Severity::Warning,
                Level::Error => Severity::Error,
            },
            text: finding.text,
            evidence: finding.evidence,
            remedy: finding.remedy,
        })
    });
    found.collect()
}

/// What could watch builds by a toolchain on a system of this kind, and whether it does.
fn watching(goroot: Option<PathBuf>) -> Vec<Watching> {
    let roots: Vec<PathBuf> = goroot.into_iter().collect();
    let here = |name: &Name| name.system().is_none_or(|os| os == std::env::consts::OS);
    let ways = Name::ALL.into_iter().filter(here).map(|name| Watching {
        backend: name.word().to_owned(),
        gives: name.gives().to_owned(),
        refusal: name.watches(&roots).err(),
    });
    ways.collect()
}
