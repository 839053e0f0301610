//! What `gotrace doctor` judges: facts of the machine, the toolchain and the settings, as plain
//! values, so that those of another system can be made by hand.
//!
//! [`Surroundings`] come in: the environment of a command and where it runs; a [`Survey`] goes
//! out. Nothing is changed, fetched or built: go commands are asked without a network.

mod apple;
mod c_compiler;
mod cache;
mod command;
mod executable;
mod folder;
mod go_command;
mod go_settings;
mod integrity;
mod isolation;
mod machine;
mod profile;

pub use crate::environment::head::{Format, Head};
pub use apple::Apple;
pub(super) use apple::has_rosetta;
pub use c_compiler::CCompiler;
pub use cache::Cache;
pub use command::{FileBytes, Program};
pub use executable::Executable;
pub use folder::Folder;
pub use go_command::{GoCommand, Tool, ToolFolder};
pub use go_settings::{GoSettings, Module};
pub use integrity::Integrity;
pub use isolation::Isolation;
pub use machine::{Ancestor, InstalledTranslator, Machine};
pub use profile::ProfileLine;

use super::Refusal;
use super::host::{self, Host};
use super::invoker::Invoker;
use super::settings::KnownSettings;
use super::toolchain::{self, Toolchain};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

/// The environment that a command would have, and where it would run.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Variables by name.
    pub variables: BTreeMap<OsString, OsString>,
    /// Who called sudo.
    pub invoker: Option<Invoker>,
    /// The working folder.
    pub folder: PathBuf,
}

impl Surroundings {
    /// A variable that is set to something.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        let value = self.variables.get(OsStr::new(name))?;
        (!value.is_empty()).then_some(value)
    }

    /// The same as text, empty where it is not set.
    #[must_use]
    pub fn text(&self, name: &str) -> String {
        let value = self.get(name).unwrap_or_default();
        value.to_string_lossy().into_owned()
    }

    /// The search path; where there is none, the one that `execvp` takes.
    fn path(&self) -> &OsStr {
        self.get("PATH").unwrap_or(OsStr::new("/bin:/usr/bin"))
    }

    fn home(&self) -> Option<PathBuf> {
        self.get("HOME").map(PathBuf::from)
    }

    /// The environment with these variables instead, for a program that is asked something.
    fn with<'a>(
        &'a self,
        changes: &'a [(&'a str, &'a str)],
    ) -> impl Iterator<Item = (&'a OsStr, &'a OsStr)> {
        let changed = |name: &OsStr| changes.iter().any(|(changed, _)| *changed == name);
        let variables = self.variables.iter();
        let kept = variables.map(|(name, value)| (name.as_os_str(), value.as_os_str()));
        let changes = changes.iter();
        let changes = changes.map(|(name, value)| (OsStr::new(*name), OsStr::new(*value)));
        kept.filter(move |(name, _)| !changed(name)).chain(changes)
    }

    /// What a program prints that ends well; of one that does not the first line that it complains by.
    /// Nothing is typed into it.
    fn output(&self, program: &Path, arguments: &[&str]) -> Result<String, String> {
        let mut command = std::process::Command::new(program);
        command.args(arguments).env_clear().envs(self.with(&[]));
        command.stdin(std::process::Stdio::null());
        if self.folder.is_dir() {
            command.current_dir(&self.folder);
        }
        if let Some(invoker) = &self.invoker {
            invoker.become_this(&mut command);
        }
        let output = command.output().map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(said.lines().next().unwrap_or_default().to_owned())
    }
}

/// A way of watching commands, and whether it works here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watching {
    /// What `--backend` calls it.
    pub backend: String,
    /// What it gives.
    pub gives: String,
    /// Why it does not work.
    pub refusal: Option<Refusal>,
}

/// A file of settings for gotrace itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsFile {
    /// Where it is.
    pub path: PathBuf,
    /// It is the repository's, and not the user's own.
    pub of_repository: bool,
    /// What it sets: `rate = 99`.
    pub stated: Vec<String>,
    /// What is wrong with it.
    pub wrong: Option<String>,
}

/// All that is known.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Hardware, system, and who translates.
    pub machine: Machine,
    /// Containers and namespaces.
    pub isolation: Isolation,
    /// Programs that run those of other architectures.
    pub translators: Vec<InstalledTranslator>,
    /// What only a Mac has.
    pub apple: Option<Apple>,
    /// Prefixes of Homebrew: `/opt/homebrew`.
    pub homebrew: Vec<PathBuf>,
    /// The go commands on `PATH`; the first is the one that runs, unless the command names another.
    pub go: Vec<GoCommand>,
    /// Go commands elsewhere, where none is on `PATH`.
    pub elsewhere: Vec<PathBuf>,
    /// The files of the go command and its compiler, where they are signed as macOS has it.
    pub signed: Vec<(PathBuf, FileBytes)>,
    /// The variables that concern Go and C compilers, as the environment has them.
    pub environment: BTreeMap<String, String>,
    /// The entries of `PATH`.
    pub path: Vec<PathBuf>,
    /// What the go command says of itself, or why it does not; `None` where there is none.
    pub toolchain: Option<Result<Toolchain, String>>,
    /// Its tools.
    pub tools: ToolFolder,
    /// The go command's settings, and what they name.
    pub settings: GoSettings,
    /// The settings that the toolchain knows; `None` where its source is not there.
    pub known: Option<KnownSettings>,
    /// The C compiler that cgo takes.
    pub compiler: CCompiler,
    /// The build cache.
    pub cache: Cache,
    /// Where builds put temporary files.
    pub temporary: Folder,
    /// Lines of shell profiles that set what concerns Go.
    pub profile: Vec<ProfileLine>,
    /// Ways of watching commands.
    pub watching: Vec<Watching>,
    /// Files of settings that are in force for gotrace; `None` where nobody looked for them.
    pub settings_files: Option<Vec<SettingsFile>>,
    /// The command that is to be run.
    pub program: Option<Program>,
}

impl Survey {
    /// Gathers everything; for `command`, what it would run.
    #[must_use]
    pub fn of(surroundings: &Surroundings, command: &[OsString]) -> Self {
        let machine = Machine::of(surroundings, &host::host());
        let program = command.first().map(|name| Program::of(name, surroundings));
        let go = GoCommand::all(surroundings, program.as_ref());
        let (toolchain, unfetched) = match go.first() {
            Some(first) => {
                let (answer, unfetched) = go_command::ask(&first.path, surroundings);
                (Some(answer), unfetched)
            }
            None => (None, None),
        };
        let asked = toolchain.as_ref().and_then(|answer| answer.as_ref().ok());
        let mut settings = GoSettings::of(asked, surroundings);
        settings.unfetched = unfetched;
        if let Some(go) = asked {
            settings.ask(go, surroundings);
        }
        let mut survey = Self::without_asking(surroundings, asked);
        survey.compiler.ask(surroundings);
        Self {
            apple: (machine.os == "macos").then(|| Apple::of(surroundings)),
            machine,
            translators: machine::installed(surroundings.path()),
            homebrew: apple::homebrew(),
            elsewhere: match go.is_empty() {
                true => go_command::elsewhere(surroundings),
                false => Vec::new(),
            },
            signed: signed(go.first(), &survey.tools),
            go,
            toolchain,
            settings,
            profile: profile::lines(surroundings),
            program,
            ..survey
        }
    }

    /// Gathers what takes no other program to find out; `toolchain` has been asked before, and
    /// `host` was looked at.
    #[must_use]
    pub fn quick(surroundings: &Surroundings, toolchain: Option<&Toolchain>, host: &Host) -> Self {
        let machine = Machine::of(surroundings, host);
        Self {
            apple: (machine.os == "macos").then(|| Apple::of(surroundings)),
            machine,
            go: GoCommand::all(surroundings, None),
            toolchain: toolchain.map(|toolchain| Ok(toolchain.clone())),
            settings: GoSettings::of(toolchain, surroundings),
            ..Self::without_asking(surroundings, toolchain)
        }
    }

    fn without_asking(surroundings: &Surroundings, toolchain: Option<&Toolchain>) -> Self {
        let goroot = toolchain.map(|toolchain| toolchain.variable("GOROOT"));
        let temporary = ["GOTMPDIR", "TMPDIR"].map(|name| surroundings.get(name));
        let temporary = temporary.into_iter().flatten().next();
        Self {
            isolation: Isolation::of(surroundings),
            environment: environment(surroundings),
            path: std::env::split_paths(surroundings.path()).collect(),
            tools: toolchain.map_or_else(ToolFolder::default, ToolFolder::of),
            known: goroot.and_then(|goroot| KnownSettings::of(Path::new(goroot)).ok()),
            compiler: CCompiler::of(toolchain, surroundings),
            cache: Cache::of(toolchain, surroundings),
            temporary: Folder::of(
                temporary.map_or(Path::new("/tmp"), Path::new),
                surroundings.invoker.as_ref(),
            ),
            ..Self::default()
        }
    }

    /// What the go command says of itself.
    #[must_use]
    pub fn asked(&self) -> Option<&Toolchain> {
        self.toolchain.as_ref()?.as_ref().ok()
    }

    /// A setting of the go command, empty where it is not known.
    #[must_use]
    pub fn go_env(&self, name: &str) -> &str {
        self.asked().map_or("", |go| go.variable(name))
    }

    /// The folders of GOPATH.
    #[must_use]
    pub fn go_path(&self) -> Vec<PathBuf> {
        std::env::split_paths(self.go_env("GOPATH")).collect()
    }

    /// A variable of the environment, empty where it is not set.
    #[must_use]
    pub fn variable(&self, name: &str) -> &str {
        self.environment.get(name).map_or("", String::as_str)
    }
}

/// The variables that concern Go and C compilers.
fn environment(surroundings: &Surroundings) -> BTreeMap<String, String> {
    const OTHERS: [&str; 9] = [
        "CC",
        "CXX",
        "FC",
        "AR",
        "PKG_CONFIG",
        "PKG_CONFIG_PATH",
        "SDKROOT",
        "TMPDIR",
        "SHELL",
    ];
    let variables = surroundings.variables.iter();
    let texts = variables.filter_map(|(name, value)| {
        let name = name.to_str()?;
        let kept = name.starts_with("GO") || name.starts_with("CGO") || OTHERS.contains(&name);
        let value = value.to_string_lossy();
        (kept && !value.is_empty()).then(|| (name.to_owned(), value.into_owned()))
    });
    texts.collect()
}

/// The go command and its compiler, if these are Mach-O files.
fn signed(go: Option<&GoCommand>, tools: &ToolFolder) -> Vec<(PathBuf, FileBytes)> {
    let compiler = tools.tools.iter().find(|tool| tool.name == "compile");
    let files = go
        .map(|go| &go.executable)
        .into_iter()
        .chain(compiler.map(|tool| &tool.executable));
    files
        .filter(|file| file.head.format == Format::MachO)
        .map(|file| {
            (
                file.path.clone(),
                FileBytes(fs::read(&file.path).unwrap_or_default()),
            )
        })
        .collect()
}

/// Finds an executable on the surroundings' `PATH`.
fn find(name: &OsStr, surroundings: &Surroundings) -> Option<PathBuf> {
    toolchain::find_on_path(name, surroundings.path()).map(|found| surroundings.folder.join(found))
}
