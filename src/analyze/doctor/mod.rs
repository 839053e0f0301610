//! What is wrong with a machine's Go, and what would help.
//!
//! A [`Survey`] comes in, findings of each [`Check`] go out. A false alarm is worse than silence:
//! what is not known is not judged, and what somebody may have wanted is a note at most.

mod check;
mod compiler;
mod folders;
mod go;
mod machine;
mod release;
mod settings;
mod target;
mod watching;

pub use check::{Check, Section};

use crate::environment::survey::Survey;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Ok,
    /// Good to know; may well be wanted.
    Note,
    /// It works, and is slow, misleading, or of no effect.
    Warning,
    /// Builds, or the command, fail.
    Error,
}

impl Level {
    /// `error`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which check.
    pub check: Check,
    /// How bad it is.
    pub level: Level,
    /// What it is.
    pub text: String,
    /// How that is known; empty where the text says it.
    pub evidence: String,
    /// A command that helps, or a sentence where no command does; empty where nothing is to be done.
    pub remedy: String,
}

/// All findings, in the order of the checks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// They are here.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// Judges what is known.
    #[must_use]
    pub fn of(survey: &Survey) -> Self {
        let mut findings = Findings::default();
        machine::check(survey, &mut findings);
        go::check(survey, &mut findings);
        settings::check(survey, &mut findings);
        compiler::check(survey, &mut findings);
        folders::check(survey, &mut findings);
        watching::check(survey, &mut findings);
        Self {
            findings: findings.0,
        }
    }

    /// How many there are of a level.
    #[must_use]
    pub fn count(&self, level: Level) -> usize {
        let findings = self.findings.iter();
        findings.filter(|finding| finding.level == level).count()
    }
}

/// Gathers findings.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, check: Check, level: Level, text: impl Into<String>) -> More<'_> {
        self.0.push(Finding {
            check,
            level,
            text: text.into(),
            evidence: String::new(),
            remedy: String::new(),
        });
        More(self)
    }

    fn ok(&mut self, check: Check, text: impl Into<String>) -> More<'_> {
        self.add(check, Level::Ok, text)
    }

    fn note(&mut self, check: Check, text: impl Into<String>) -> More<'_> {
        self.add(check, Level::Note, text)
    }

    fn warning(&mut self, check: Check, text: impl Into<String>) -> More<'_> {
        self.add(check, Level::Warning, text)
    }

    fn error(&mut self, check: Check, text: impl Into<String>) -> More<'_> {
        self.add(check, Level::Error, text)
    }
}

/// What more there is to say of the last finding.
struct More<'a>(&'a mut Findings);

impl More<'_> {
    fn because(self, evidence: impl Into<String>) -> Self {
        if let Some(last) = self.0.0.last_mut() {
            last.evidence = evidence.into();
        }
        self
    }

    fn remedy(self, remedy: impl Into<String>) -> Self {
        if let Some(last) = self.0.0.last_mut() {
            last.remedy = remedy.into();
        }
        self
    }
}

/// Where a setting of the go command has its value from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// The environment.
    Environment,
    /// The file of `go env -w`.
    Kept,
    /// Nobody set it.
    Default,
}

impl Source {
    fn of(name: &str, survey: &Survey) -> Self {
        if !survey.variable(name).is_empty() {
            return Self::Environment;
        }
        match survey.settings.kept(name) {
            "" => Self::Default,
            _ => Self::Kept,
        }
    }

    /// The command that takes the setting back.
    fn undo(self, name: &str) -> String {
        match self {
            Self::Environment => format!("unset {name}"),
            Self::Kept => format!("go env -u {name}"),
            Self::Default => String::new(),
        }
    }

    /// Where it is set, with the lines of profiles that do so.
    fn evidence(self, name: &str, value: &str, survey: &Survey) -> String {
        match self {
            Self::Environment => {
                let lines = survey.profile.iter().filter(|line| line.variable == name);
                let places: Vec<String> = lines
                    .map(|line| format!("{}:{}", line.file.display(), line.line))
                    .collect();
                match places.as_slice() {
                    [] => format!("{name}={value} in the environment"),
                    places => format!(
                        "{name}={value} in the environment, set in {}",
                        places.join(", ")
                    ),
                }
            }
            Self::Kept => format!(
                "{name}={value} in {}, of go env -w",
                survey.settings.file.display()
            ),
            Self::Default => format!("{name}={value}, the default"),
        }
    }
}

/// A word for a shell, in quotes where it needs them.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+=:,@%~".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests;
