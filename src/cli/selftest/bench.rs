//! The machine on which things are tried, and which trials can be made on it.

use super::place::Place;
use crate::analyze::Diagnosis;
use crate::analyze::doctor::quoted;
use crate::analyze::selftest::{self, Comparison, Outcome, Standing, Trial};
use crate::capture::selftest::{Ran, Workshop};
use crate::capture::{Environment, Name, WayOfDtrace, redacted, try_dtrace};
use crate::cli::doctor;
use crate::environment::Refusal;
use crate::environment::host::{self, Host};
use crate::environment::invoker::{Invoker, invoker};
use crate::environment::survey::Survey;
use crate::environment::toolchain::find_on_path;
use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;

/// The machine, and whose it is.
pub(super) struct Bench {
    /// What it is.
    pub(super) host: Host,
    environment: Environment,
    invoker: Option<Invoker>,
    go: Option<PathBuf>,
    survey: Survey,
}

/// Why a trial came to nothing.
pub(super) enum Hindrance {
    /// It cannot be made here.
    NotHere(Refusal),
    /// Something that must work does not: what, and what was run.
    Broken(String, Vec<Ran>),
}

impl From<io::Error> for Hindrance {
    fn from(error: io::Error) -> Self {
        Self::Broken(error.to_string(), Vec::new())
    }
}

/// What was compared, and what was run for it.
pub(super) type Tried = Result<(Vec<Comparison>, Vec<Ran>), Hindrance>;

impl Bench {
    pub(super) fn of_this_machine() -> Self {
        let mut environment = Environment::inherited();
        let invoker = invoker(|name| environment.get(name).map(OsStr::to_owned));
        if let Some(invoker) = &invoker {
            environment.belong_to(invoker, OsStr::new("go"));
        }
        let path = environment.get("PATH").unwrap_or_default().to_owned();
        Self {
            host: host::host(),
            survey: doctor::survey(&environment, invoker.as_ref(), &[]),
            go: find_on_path(OsStr::new("go"), &path),
            environment,
            invoker,
        }
    }

    /// What `doctor` finds.
    pub(super) fn diagnosis(&self) -> Diagnosis {
        doctor::diagnosis(&self.survey)
    }

    /// Makes a trial, in a folder of its own.
    pub(super) fn outcome(&self, trial: Trial) -> Outcome {
        let (mut outcome, ran) = match self.tried(trial) {
            Ok((comparisons, ran)) => (Outcome::of(trial, comparisons), ran),
            Err(Hindrance::NotHere(refusal)) => (
                Outcome::without(trial, Standing::NotHere(refusal)),
                Vec::new(),
            ),
            Err(Hindrance::Broken(why, ran)) => {
                (Outcome::without(trial, Standing::Failed(why)), ran)
            }
        };
        for one in ran {
            let words = one.command.iter();
            let words = words.map(|word| quoted(&word.to_string_lossy()));
            outcome.commands.push(words.collect::<Vec<_>>().join(" "));
            outcome.told.push_str(&redacted(&one.told));
        }
        outcome
    }

    fn tried(&self, trial: Trial) -> Tried {
        let backend = available(trial)?;
        let place = Place {
            workshop: Workshop::open(self.environment.clone(), self.invoker.clone())?,
            go: self.go.clone(),
            arch: self.host.arch,
            backend,
        };
        match trial {
            Trial::Tools | Trial::Build => place.build(trial),
            Trial::Tree => place.tree(),
            Trial::Samples => place.samples(),
            Trial::Waiting => place.waiting(),
            // Copies for Macs are made beforehand, of whole toolchains.
            Trial::Copies if std::env::consts::OS == "macos" => place.prepared(),
            Trial::Calls | Trial::Copies => place.calls(),
            Trial::Hold => Ok((held(), Vec::new())),
            Trial::Attach => place.attach(),
            Trial::Bindings => place.bindings(),
            Trial::Translated => place.translated(&self.survey),
        }
    }
}

/// Both ways in which dtrace could take hold of a program, tried.
fn held() -> Vec<Comparison> {
    let try_way = |way| try_dtrace(way).map_err(|refusal| refusal.to_string());
    let suspended = try_way(WayOfDtrace::Suspended);
    selftest::held(suspended, try_way(WayOfDtrace::Started))
}

/// The backend of a trial, if it works here.
fn available(trial: Trial) -> Result<&'static str, Hindrance> {
    let os = std::env::consts::OS;
    let word = trial.backend(os);
    let known = Name::ALL.into_iter().find(|name| name.word() == word);
    let Some(name) = known else {
        return Err(Hindrance::NotHere(Refusal {
            reason: "no backend of this gotrace records that on this system".to_owned(),
            evidence: format!("this is {os}"),
            remedy: String::new(),
        }));
    };
    name.availability().map_err(Hindrance::NotHere)?;
    let is_named = matches!(trial, Trial::Calls | Trial::Attach);
    if is_named && !nix::unistd::geteuid().is_root() {
        return Err(Hindrance::NotHere(Refusal {
            reason: "functions of one's own choice are watched by root alone".to_owned(),
            evidence: format!("the user's number is {}", nix::unistd::geteuid()),
            remedy: "sudo gotrace selftest".to_owned(),
        }));
    }
    Ok(word)
}
