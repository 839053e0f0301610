//! Where Go toolchains are found on a machine. Nothing that is found is run.

use super::Goroot;
use super::settings::{assignments, user_file};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Prefixes of Homebrew: Apple Silicon, Intel, Linux.
const HOMEBREW: [&str; 3] = ["opt/homebrew", "usr/local", "home/linuxbrew/.linuxbrew"];
/// Where packages of Debian and others put it, and `MacPorts`.
const PACKAGES: [&str; 4] = ["usr/lib", "usr/lib64", "opt/local/lib", "snap/go"];

/// How a toolchain was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// By `PATH`; the first of these is the one that runs.
    Path {
        /// As it is called there.
        go: PathBuf,
        /// It is the first.
        first: bool,
    },
    /// By the variable `GOROOT`.
    Goroot,
    /// By the variable `GOTOOLCHAIN`, in the module cache: go commands of other versions start it.
    Toolchain,
    /// Where Go's own packages for macOS and its instructions for Linux put it.
    Official,
    /// In `~/sdk`, where `golang.org/dl` puts it.
    Sdk,
    /// In the module cache: a go command fetched it.
    ModuleCache,
    /// From Homebrew.
    Homebrew,
    /// From a package of the system.
    Package,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The toolchain's folder; `None` for a go command on `PATH` that lies in none.
    pub root: Option<PathBuf>,
    /// How, the first way first.
    pub places: Vec<Place>,
}

/// Where to look.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// `PATH`.
    pub path: OsString,
    /// The user's folder.
    pub home: Option<PathBuf>,
    /// `GOROOT`.
    pub goroot: Option<PathBuf>,
    /// Where modules are cached.
    pub modules: Option<PathBuf>,
    /// `GOTOOLCHAIN`, where it names a version: `go1.26.1`.
    pub toolchain: Option<String>,
    /// What stands before the paths of the system: `/`.
    pub system: PathBuf,
}

impl Surroundings {
    /// Those of a process; `variable` looks its environment up.
    #[must_use]
    pub fn of(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let home = set("HOME").map(PathBuf::from);
        let text = |name: &str| set(name)?.into_string().ok();
        let written = user_file(&text).and_then(|file| fs::read_to_string(file).ok());
        let written = assignments(&written.unwrap_or_default());
        let setting = |name: &str| set(name).or_else(|| written.get(name).map(OsString::from));
        let gopath = setting("GOPATH").and_then(|path| {
            let first = path.as_bytes().split(|&byte| byte == b':').next()?;
            Some(PathBuf::from(OsStr::from_bytes(first)))
        });
        let gopath = gopath.or_else(|| Some(home.as_ref()?.join("go")));
        let modules = setting("GOMODCACHE").map(PathBuf::from);
        let toolchain = setting("GOTOOLCHAIN").and_then(|name| {
            let name = name.to_str()?.split('+').next()?.to_owned();
            name.starts_with("go").then_some(name)
        });
        Self {
            path: set("PATH").unwrap_or_default(),
            goroot: set("GOROOT").map(PathBuf::from),
            modules: modules.or_else(|| Some(gopath?.join("pkg/mod"))),
            toolchain,
            home,
            system: PathBuf::from("/"),
        }
    }
}

/// The toolchains that are found, each once, however many ways lead to it: those of `PATH` first.
#[must_use]
pub fn search(around: &Surroundings) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let mut add = |root: Option<PathBuf>, place: Place| {
        let known = found
            .iter_mut()
            .find(|one| root.is_some() && one.root == root);
        match known {
            Some(known) if known.places.contains(&place) => {}
            Some(known) => known.places.push(place),
            None => found.push(Found {
                root,
                places: vec![place],
            }),
        }
    };
    let mut first = true;
    for go in on_path(&around.path) {
        let root = Goroot::of_command(&go);
        add(root, Place::Path { go, first });
        first = false;
    }
    let mut folder = |folder: &Path, place: Place| {
        if Goroot::is_one(folder) {
            add(fs::canonicalize(folder).ok(), place);
        }
    };
    if let Some(goroot) = &around.goroot {
        folder(goroot, Place::Goroot);
    }
    folder(&around.system.join("usr/local/go"), Place::Official);
    if let Some(home) = &around.home {
        for sdk in entries(&home.join("sdk"), "go") {
            folder(&sdk, Place::Sdk);
        }
    }
    if let Some(modules) = &around.modules {
        for toolchain in entries(&modules.join("golang.org"), "toolchain@") {
            let name = toolchain.file_name().and_then(OsStr::to_str);
            // toolchain@v0.0.1-go1.26.1.darwin-arm64
            let version = name.and_then(|name| Some(name.split_once('-')?.1.rsplit_once('.')?.0));
            if version.is_some() && version == around.toolchain.as_deref() {
                folder(&toolchain, Place::Toolchain);
            }
            folder(&toolchain, Place::ModuleCache);
        }
    }
    for prefix in HOMEBREW {
        let prefix = around.system.join(prefix);
        for formula in entries(&prefix.join("opt"), "go") {
            folder(&formula.join("libexec"), Place::Homebrew);
        }
        for formula in entries(&prefix.join("Cellar"), "go") {
            for version in entries(&formula, "") {
                folder(&version.join("libexec"), Place::Homebrew);
            }
        }
    }
    for prefix in PACKAGES {
        // A snap is at snap/go/NUMBER, and at snap/go/current.
        let begins = if prefix.ends_with("/go") { "" } else { "go" };
        for package in entries(&around.system.join(prefix), begins) {
            folder(&package, Place::Package);
        }
    }
    found
}

/// Go commands on a `PATH`, in its order; an empty entry is the working directory.
fn on_path(path: &OsStr) -> Vec<PathBuf> {
    let candidates = crate::environment::toolchain::candidates(OsStr::new("go"), path);
    let mut seen = Vec::new();
    for go in candidates {
        let alone = crate::environment::toolchain::find_on_path(go.as_os_str(), OsStr::new(""));
        if alone.is_some() && !seen.contains(&go) {
            seen.push(go);
        }
    }
    seen
}

/// What a folder holds whose name begins so, sorted.
fn entries(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let read = fs::read_dir(folder).into_iter().flatten().flatten();
    let begins = |entry: &fs::DirEntry| entry.file_name().as_bytes().starts_with(prefix.as_bytes());
    let mut found: Vec<PathBuf> = read.filter(begins).map(|entry| entry.path()).collect();
    found.sort();
    found
}
