//! Toolchains that are compared with each other: found, asked, and given the same target.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::Configuration;
use crate::capture::{Change, Environment};
use crate::environment::invoker::Invoker;
use crate::environment::toolchain::{self, Toolchain};

/// A toolchain that runs are to use.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// What it says of itself.
    pub toolchain: Toolchain,
}

/// Why a toolchain cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotChosen {
    /// There is no go command.
    #[error("{}: no go command there: expected a GOROOT, or the path of a go command", .0.display())]
    Missing(PathBuf),
    /// There is one, and it does not say what it is.
    #[error("{}", path.display())]
    Silent {
        /// What was named.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: toolchain::Error,
    },
}

impl Chosen {
    /// Finds the toolchain that `named` names: a `GOROOT`, the path of a go command, or a name on
    /// `PATH`. It is asked with this environment, for its settings may come from there.
    ///
    /// # Errors
    ///
    /// When there is none, or it cannot be asked.
    pub fn find(
        named: &Path,
        environment: &Environment,
        invoker: Option<&Invoker>,
    ) -> Result<Self, NotChosen> {
        let path = environment.get("PATH").unwrap_or_default();
        let go = match named.is_dir() {
            true => toolchain::find_on_path(named.join("bin/go").as_os_str(), path),
            false => toolchain::find_on_path(named.as_os_str(), path),
        };
        let go = go.ok_or_else(|| NotChosen::Missing(named.to_owned()))?;
        let go = std::path::absolute(&go).unwrap_or(go);
        let mut environment = environment.clone();
        for change in fixed() {
            if let Change::Variable(name, value) = &change {
                environment.set(name, value);
            }
        }
        environment.remove("GOROOT");
        match Toolchain::ask(&go, environment.pairs(), invoker) {
            Ok(toolchain) => Ok(Self { toolchain }),
            Err(source) => {
                let path = named.to_owned();
                Err(NotChosen::Silent { path, source })
            }
        }
    }

    /// Architecture that the toolchain itself runs as, in Go's words.
    #[must_use]
    pub fn arch(&self) -> &str {
        match self.toolchain.arch {
            "" => self.toolchain.variable("GOHOSTARCH"),
            arch => arch,
        }
    }

    /// The configuration of runs that use it, as `go1.27.3-amd64`.
    #[must_use]
    pub fn configuration(&self) -> Configuration {
        let version = self.toolchain.variable("GOVERSION");
        let name = format!("{version}-{}", self.arch());
        let root = Path::new(self.toolchain.variable("GOROOT"));
        let folder = match root.join("bin/go").is_file() {
            true => root.join("bin"),
            false => self.toolchain.path.parent().unwrap_or(root).to_owned(),
        };
        let mut changes = vec![Change::PathFirst(folder), Change::Unset("GOROOT".into())];
        changes.extend(fixed());
        let go = self.toolchain.path.as_os_str().as_bytes();
        Configuration::new(name, changes).with("repeat.toolchain", go)
    }
}

/// A go command whose module asks for a later one would become that one.
fn fixed() -> [Change; 1] {
    [Change::Variable("GOTOOLCHAIN".into(), "local".into())]
}

/// Toolchains of different architecture, of which some are translated here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Architecture of the translated ones.
    pub guest: String,
    /// The user has chosen what is built for, by `GOARCH` in the environment or by `go env -w`.
    pub has_target: bool,
}

impl Pair {
    /// What the toolchains have in common with a native and a translated one on a machine of this
    /// architecture; `None` where all are of the same.
    #[must_use]
    pub fn of(toolchains: &[Chosen], host: &str, environment: &Environment) -> Option<Self> {
        let mut archs = toolchains.iter().map(Chosen::arch);
        let first = archs.next()?;
        if archs.all(|arch| arch == first) {
            return None;
        }
        let guest = toolchains
            .iter()
            .map(Chosen::arch)
            .find(|arch| *arch != host)?;
        let set = |name| environment.get(name).is_some_and(|value| !value.is_empty());
        let crosses = |chosen: &Chosen| {
            chosen.toolchain.variable("GOARCH") != chosen.toolchain.variable("GOHOSTARCH")
        };
        Some(Self {
            guest: guest.to_owned(),
            has_target: set("GOARCH") || toolchains.iter().any(crosses),
        })
    }
}

/// What fixes the target of a build, so that toolchains of any architecture build the same bytes:
/// the architecture, no C compiler, and no paths of the toolchain in what is built.
#[must_use]
pub fn target(arch: &str) -> Vec<Change> {
    let variable =
        |name: &str, value: &str| Change::Variable(name.to_owned(), OsString::from(value));
    vec![
        variable("GOARCH", arch),
        variable("CGO_ENABLED", "0"),
        Change::GoFlag(OsStr::new("-trimpath").to_owned()),
    ]
}
