//! Go commands on `PATH`, and the tools of the one that runs.

use super::Surroundings;
use super::command::Program;
use super::executable::Executable;
use crate::environment::toolchain::{self, Toolchain};
use crate::environment::{goroot, translator};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// A go command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GoCommand {
    /// As `PATH` names it.
    pub path: PathBuf,
    /// What the file is.
    pub executable: Executable,
    /// The root of the toolchain that it lies in; `None` where it lies in none.
    pub goroot: Option<PathBuf>,
    /// Its version, as the file `VERSION` there says: `go1.27.3`.
    pub version: String,
    /// Who translates it; empty when it runs natively, or not at all.
    pub translator: String,
}

impl GoCommand {
    /// Those on `PATH`, in their order, each once; before them the command's own.
    pub(super) fn all(surroundings: &Surroundings, program: Option<&Program>) -> Vec<Self> {
        let named = program.filter(|program| program.is_go());
        let named = named.map(|program| program.found.clone());
        // A go command that was named and is not there stands for no other.
        if named == Some(None) {
            return Vec::new();
        }
        let on_path = toolchain::candidates(OsStr::new("go"), surroundings.path());
        let on_path = on_path
            .into_iter()
            .filter_map(|path| toolchain::find_on_path(path.as_os_str(), OsStr::new("")));
        let mut found: Vec<Self> = Vec::new();
        for path in named.flatten().into_iter().chain(on_path) {
            let go = Self::at(&surroundings.folder.join(path));
            if found
                .iter()
                .all(|other| other.executable.path != go.executable.path)
            {
                found.push(go);
            }
        }
        found
    }

    fn at(path: &Path) -> Self {
        let executable = Executable::at(path);
        let goroot = executable.path.ancestors().nth(2).map(Path::to_owned);
        let version = goroot.as_ref().and_then(|root| version(root));
        Self {
            path: path.to_owned(),
            goroot: goroot.filter(|_| version.is_some()),
            version: version.unwrap_or_default(),
            translator: translator::of_executable(&executable.path),
            executable,
        }
    }
}

/// The first line of a toolchain's file `VERSION`.
pub(super) fn version(goroot: &Path) -> Option<String> {
    let text = fs::read_to_string(goroot.join("VERSION")).ok()?;
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// Asks a go command for its settings, without a network: a toolchain that it would fetch first is
/// not fetched, and said to be missing in the second answer.
pub(super) fn ask(
    go: &Path,
    surroundings: &Surroundings,
) -> (Result<Toolchain, String>, Option<String>) {
    let asked = |changes: &[(&str, &str)]| {
        let answer = Toolchain::ask(
            go,
            surroundings.with(changes),
            surroundings.invoker.as_ref(),
        );
        answer.map_err(|error| match error {
            toolchain::Error::Failed { message, .. } => message,
            other => match std::error::Error::source(&other) {
                Some(source) => format!("{other}: {source}"),
                None => other.to_string(),
            },
        })
    };
    match asked(&[("GOPROXY", "off")]) {
        Ok(answer) => (Ok(answer), None),
        Err(message) => match asked(&[("GOPROXY", "off"), ("GOTOOLCHAIN", "local")]) {
            Ok(answer) => (Ok(answer), Some(message)),
            Err(_) => (Err(message), None),
        },
    }
}

/// A tool: compile, link, ...
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What the file is.
    pub executable: Executable,
}

/// The folder of a toolchain's tools.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolFolder {
    /// Where it is (`GOTOOLDIR`).
    pub path: PathBuf,
    /// The tools in it.
    pub tools: Vec<Tool>,
    /// The version of the toolchain that they are of, as the file `VERSION` of `GOROOT` says.
    pub version: String,
}

impl ToolFolder {
    pub(super) fn of(toolchain: &Toolchain) -> Self {
        let path = match toolchain.variable("GOTOOLDIR") {
            "" => toolchain.tools(),
            path => PathBuf::from(path),
        };
        let files = fs::read_dir(&path).into_iter().flatten().flatten();
        let mut tools: Vec<Tool> = files
            .filter(|file| file.path().is_file())
            .map(|file| Tool {
                name: file.file_name().to_string_lossy().into_owned(),
                executable: Executable::at(&file.path()),
            })
            .collect();
        tools.sort_by(|one, other| one.name.cmp(&other.name));
        let goroot = Path::new(toolchain.variable("GOROOT"));
        Self {
            path,
            tools,
            version: version(goroot).unwrap_or_default(),
        }
    }
}

/// Go commands in places where toolchains are installed, for whom none is on `PATH`.
pub(super) fn elsewhere(surroundings: &Surroundings) -> Vec<PathBuf> {
    let around = goroot::Surroundings::of(|name| surroundings.get(name).map(OsStr::to_owned));
    let found = goroot::search(&around).into_iter();
    found
        .filter_map(|found| Some(found.root?.join("bin/go")))
        .collect()
}
