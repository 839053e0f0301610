//! What is recorded where no flag says otherwise: the environment and files in, a value for each key
//! and where it comes from out (`docs/config.md`).
//!
//! Flags win over the environment, that over files. Of the two files the user's gives what it likes,
//! and a repository's can only take away from that: see [`key::Limit`].

mod file;
mod key;
mod place;
pub(super) use file::FileError;
pub(super) use key::{Key, Value};

use super::exit;
use crate::capture::probes::{CallMode, FunctionGlob, MaxTax};
use crate::capture::{Environment, Redaction, Selection};
use crate::environment::invoker::{Invoker, invoker};
use crate::environment::survey::SettingsFile;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The flag of each command that heeds files.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(super) struct Wanted {
    /// Read no gotrace.toml, neither the user's nor the repository's (docs/config.md)
    #[arg(long)]
    no_config: bool,
}

/// Reads the value of an option that is on where it has none.
pub(super) fn switch() -> impl TypedValueParser<Value = bool> {
    PossibleValuesParser::new(["yes", "no"]).map(|word| word == "yes")
}

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The user's: what is in it is what they want.
    User,
    /// The repository's: whoever wrote it may not be trusted with the machine.
    Repository,
}

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// In the environment, under this name.
    Environment(String),
    /// In a file.
    File {
        /// Which.
        path: Arc<Path>,
        /// The line, counted from 1.
        line: usize,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(variable) => write!(f, "environment, {variable}"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
        }
    }
}

/// A key that is set somewhere.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stated {
    key: Key,
    value: Value,
    source: Source,
}

/// What is wrong with what was set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    /// In a file.
    #[error(transparent)]
    File(FileError),
    /// In the environment.
    #[error("{variable}: {what}")]
    Environment {
        /// The variable.
        variable: String,
        /// What was expected of it, and what was found.
        what: String,
    },
}

impl Error {
    /// What would help, besides putting it right.
    pub(super) const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::File(_) => Some("--no-config reads no gotrace.toml"),
            Self::Environment { .. } => None,
        }
    }
}

/// All that is set outside of the command line.
#[derive(Clone, Debug, Default)]
pub(super) struct Config {
    /// What holds for each key that is set; of [`Key::Redact`] one for each place.
    stated: Vec<Stated>,
}

/// Where files lie, for one user and one folder.
struct Places {
    user: Option<PathBuf>,
    repository: Option<PathBuf>,
    /// Who called sudo.
    invoker: Option<u32>,
}

impl Wanted {
    /// Reads what is set for the recording of a command.
    ///
    /// # Errors
    ///
    /// What is wrong with the environment, or with a file, and what would help.
    pub(super) fn config(self, command: Option<&OsString>) -> anyhow::Result<Config> {
        self.read(command).map_err(|error| match error.hint() {
            Some(hint) => exit::hinted(error, hint),
            None => error.into(),
        })
    }

    fn read(self, command: Option<&OsString>) -> Result<Config, Error> {
        let mut environment = Environment::inherited();
        let invoker = invoker(|name| environment.get(name).map(OsStr::to_owned));
        if let Some(invoker) = &invoker {
            let command = command.map_or(OsStr::new("go"), OsString::as_os_str);
            environment.belong_to(invoker, command);
        }
        let places = Places::of(&environment, invoker.as_ref());
        let mut files = Vec::new();
        if !self.no_config {
            for (path, owner) in places.all() {
                files.push((owner, places.read(path, owner).map_err(Error::File)?));
            }
        }
        let variable = |name: &str| environment.get(name).map(OsStr::to_owned);
        Ok(Config::of(files, of_environment(variable)?))
    }
}

impl Places {
    fn of(environment: &Environment, invoker: Option<&Invoker>) -> Self {
        let variable = |name| environment.get(name).map(OsStr::to_owned);
        let user = place::of_user(
            std::env::consts::OS,
            variable("XDG_CONFIG_HOME"),
            variable("HOME"),
        );
        let folder = std::env::current_dir().unwrap_or_default();
        let is_users = |path: &PathBuf| {
            let same = |user: &PathBuf| user.canonicalize().ok() == path.canonicalize().ok();
            user.as_ref().is_some_and(same)
        };
        Self {
            repository: place::of_repository(&folder).filter(|path| !is_users(path)),
            user,
            invoker: invoker.map(|invoker| invoker.uid),
        }
    }

    fn all(&self) -> impl Iterator<Item = (&Path, Owner)> {
        let user = self.user.iter().map(|path| (path.as_path(), Owner::User));
        let repository = self.repository.iter();
        user.chain(repository.map(|path| (path.as_path(), Owner::Repository)))
    }

    /// What a file sets; nothing, where there is none.
    fn read(&self, path: &Path, owner: Owner) -> Result<Vec<Stated>, FileError> {
        let text = place::text(path, owner, self.invoker)?;
        text.map_or(Ok(Vec::new()), |text| file::read(path, &text, owner))
    }
}

/// What the environment sets. A variable without a value says nothing.
fn of_environment(variable: impl Fn(&str) -> Option<OsString>) -> Result<Vec<Stated>, Error> {
    let mut stated = Vec::new();
    for key in Key::ALL {
        let name = key.variable();
        let Some(text) = variable(&name).filter(|text| !text.is_empty()) else {
            continue;
        };
        let value = key.of_text(&text.to_string_lossy());
        stated.push(Stated {
            key,
            value: value.map_err(|what| Error::Environment {
                variable: name.clone(),
                what,
            })?,
            source: Source::Environment(name),
        });
    }
    Ok(stated)
}

/// The files that are in force for commands that are run here, with what is wrong with them.
pub(super) fn files(environment: &Environment, invoker: Option<&Invoker>) -> Vec<SettingsFile> {
    let places = Places::of(environment, invoker);
    let there = places
        .all()
        .filter(|(path, _)| path.symlink_metadata().is_ok());
    let files = there.map(|(path, owner)| {
        let (stated, wrong) = match places.read(path, owner) {
            Ok(stated) => (stated, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let stated = stated.iter();
        SettingsFile {
            path: path.to_owned(),
            of_repository: owner == Owner::Repository,
            stated: stated
                .map(|stated| format!("{} = {}", stated.key.name(), stated.value))
                .collect(),
            wrong,
        }
    });
    files.collect()
}

/// What a file with this text would set, a line for each key.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn settings_in(text: &str, owner: Owner) -> Result<Vec<String>, FileError> {
    let stated = file::read(Path::new(place::NAME), text, owner)?;
    let lines = stated.iter();
    let lines = lines.map(|stated| format!("{} = {}", stated.key.name(), stated.value));
    Ok(lines.collect())
}

impl Config {
    /// What holds of what files and the environment say.
    fn of(files: Vec<(Owner, Vec<Stated>)>, environment: Vec<Stated>) -> Self {
        let mut config = Self::default();
        let (users, repositories): (Vec<_>, Vec<_>) = files
            .into_iter()
            .partition(|(owner, _)| *owner == Owner::User);
        let stated = |files: Vec<(Owner, Vec<Stated>)>| files.into_iter().flat_map(|file| file.1);
        for stated in stated(users) {
            config.set(stated);
        }
        for stated in stated(repositories) {
            let holds = config.stated(stated.key).map(|stated| stated.value.clone());
            let holds = holds.unwrap_or_else(|| stated.key.default());
            if stated.key == Key::Redact || stated.key.is_less(&stated.value, &holds) {
                config.set(stated);
            }
        }
        for stated in environment {
            config.set(stated);
        }
        config
    }

    /// Sets a key in the place of what it was; names to be hidden are added to others.
    fn set(&mut self, stated: Stated) {
        if stated.key != Key::Redact {
            self.stated.retain(|other| other.key != stated.key);
        }
        self.stated.push(stated);
    }

    fn stated(&self, key: Key) -> Option<&Stated> {
        self.stated.iter().find(|stated| stated.key == key)
    }

    /// To choose values with.
    pub(super) fn choices(&self) -> Choices<'_> {
        let mut choices = Choices {
            config: self,
            sources: BTreeMap::new(),
        };
        let hidden = self.stated.iter().filter(|it| it.key == Key::Redact);
        let sources: Vec<String> = hidden.map(|stated| stated.source.to_string()).collect();
        if !sources.is_empty() {
            choices.tell(Key::Redact, sources.join(", "));
        }
        choices
    }
}

/// Values for a run: of the command line where it has them, else of the configuration. Where each
/// came from is kept for the trace; where nobody said anything, there is none.
#[derive(Debug)]
pub(super) struct Choices<'c> {
    config: &'c Config,
    sources: BTreeMap<&'static str, String>,
}

impl Choices<'_> {
    pub(super) fn rate(&mut self, flag: Option<u32>) -> Option<u32> {
        self.choose(Key::Rate, flag, |value| match value {
            Value::Rate(rate) => Some(*rate),
            _ => None,
        })
    }

    pub(super) fn backend(&mut self, flag: Option<&Selection>) -> Selection {
        let chosen = self.choose(Key::Backend, flag.cloned(), |value| match value {
            Value::Backend(selection) => Some(selection.clone()),
            _ => None,
        });
        chosen.unwrap_or_default()
    }

    pub(super) fn max_tax(&mut self, flag: Option<MaxTax>) -> MaxTax {
        let chosen = self.choose(Key::MaxTax, flag, |value| match value {
            Value::MaxTax(limit) => Some(*limit),
            _ => None,
        });
        chosen.unwrap_or_default()
    }

    /// Of a key that is on or off; where nobody said anything, as it is then.
    pub(super) fn switch(&mut self, key: Key, flag: Option<bool>) -> bool {
        let of = |value: &Value| match value {
            Value::Switch(on) => Some(*on),
            _ => None,
        };
        let chosen = self.choose(key, flag, of);
        chosen.or_else(|| of(&key.default())).unwrap_or_default()
    }

    /// Names of sets that are to be watched; those of the command line are its own.
    pub(super) fn probe_sets(&mut self) -> Vec<String> {
        let chosen = self.choose(Key::ProbeSets, None, |value| match value {
            Value::Names(names) => Some(names.clone()),
            _ => None,
        });
        chosen.unwrap_or_default()
    }

    /// How calls are recorded, where the command line says nothing of it; with where the first of that stands, if
    /// anything of it does.
    ///
    /// # Errors
    ///
    /// When one end of what is between two functions is missing.
    pub(super) fn call_mode(&mut self) -> Result<Option<(CallMode, String)>, exit::Usage> {
        let places: Vec<(Key, String)> = Key::OF_CALLS
            .into_iter()
            .filter_map(|key| Some((key, self.config.stated(key)?.source.to_string())))
            .collect();
        let place = |of: Key| places.iter().find(|(key, _)| *key == of);
        let keep = self.choose(Key::CallMode, None, |value| match value {
            Value::Keep(keep) => Some(*keep),
            _ => None,
        });
        let depth = self.choose(Key::CallDepth, None, |value| match value {
            Value::Depth(depth) => Some(*depth),
            _ => None,
        });
        let [inside, from, to] =
            [Key::CallInside, Key::CallFrom, Key::CallTo].map(|key| self.function(key));
        let between = match (from, to) {
            (Some(from), Some(to)) => Some((from, to)),
            (None, None) => None,
            (from, _) => {
                let (there, missing) = match from {
                    Some(_) => (Key::CallFrom, Key::CallTo),
                    None => (Key::CallTo, Key::CallFrom),
                };
                let source = place(there).map_or("", |(_, source)| source);
                let (there, missing) = (there.name(), missing.name());
                return Err(exit::Usage(format!(
                    "{source}: {there}: expected {missing} beside it, found none"
                )));
            }
        };
        let mode = CallMode {
            keep: keep.unwrap_or_default(),
            depth,
            inside,
            between,
        };
        let first = places.into_iter().next().map(|(_, source)| source);
        Ok(first.map(|source| (mode, source)))
    }

    fn function(&mut self, key: Key) -> Option<FunctionGlob> {
        self.choose(key, None, |value| match value {
            Value::Function(glob) => Some(glob.clone()),
            _ => None,
        })
    }

    /// What is hidden.
    pub(super) fn redaction(&self) -> Redaction {
        let hidden = self.config.stated.iter();
        let names = hidden.filter_map(|stated| match (stated.key, &stated.value) {
            (Key::Redact, Value::Names(names)) => Some(names),
            _ => None,
        });
        Redaction::with(names.flatten().map(String::as_str))
    }

    /// Where values come from, by the names of settings.
    pub(super) fn into_sources(self) -> BTreeMap<&'static str, String> {
        self.sources
    }

    /// Keeps that the command line has a value of a key.
    pub(super) fn told_on_command_line(&mut self, key: Key) {
        self.tell(key, "command line".to_owned());
    }

    fn choose<T>(
        &mut self,
        key: Key,
        flag: Option<T>,
        of: impl Fn(&Value) -> Option<T>,
    ) -> Option<T> {
        if flag.is_some() {
            self.told_on_command_line(key);
            return flag;
        }
        let stated = self.config.stated(key)?;
        let value = of(&stated.value)?;
        self.tell(key, stated.source.to_string());
        Some(value)
    }

    fn tell(&mut self, key: Key, source: String) {
        self.sources.insert(key.setting(), source);
    }
}

#[cfg(test)]
mod tests;
