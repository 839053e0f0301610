//! Go toolchains as folders: what lies in a GOROOT, where there are some on a machine, and copies
//! that are signed anew. In: paths; out: facts, or a folder. Nothing of what is found is run.

mod contents;
mod copy;
mod places;
mod program;
mod settings;

pub use contents::{Contents, Difference};
pub use copy::{CopyError, Preparation, Rewrite, SignedFile};
pub use places::{Found, Place, Surroundings, search};
pub use program::{Format, Program, Signed, SliceOfProgram};
pub(super) use settings::user_file;
pub use settings::{Side, SideError};

use crate::binary::go::BuildInfo;
use crate::binary::macho::{MachO, Slices};
use crate::environment::{host, translator};
use std::fs;
use std::path::{Path, PathBuf};

/// Folders of a GOROOT that hold what is run: whatever else there is, is read by the go command.
const RUN: [&str; 2] = ["bin", "pkg"];

/// How a program would run on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Runs {
    /// On the processor itself.
    Natively,
    /// By a translator of this name.
    Translated(String),
    /// Not at all: it is for another system, or nothing translates it.
    NotHere,
}

/// A Go toolchain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Goroot {
    /// Where it is, without links.
    pub root: PathBuf,
    /// `go1.27.3`: the first line of `VERSION`, else what the go command was built by; empty where
    /// neither tells it.
    pub version: String,
    /// The go command first, then the others of `bin`, then the tools.
    pub programs: Vec<Program>,
}

impl Goroot {
    /// Whether a folder looks like one: it has a go command, and tools or sources.
    #[must_use]
    pub fn is_one(folder: &Path) -> bool {
        folder.join("bin/go").is_file()
            && (folder.join("pkg/tool").is_dir() || folder.join("src/runtime").is_dir())
    }

    /// The folder of the toolchain of a go command, links followed; `None` where it lies in none.
    #[must_use]
    pub fn of_command(go: &Path) -> Option<PathBuf> {
        let real = fs::canonicalize(go).ok()?;
        let root = real.parent()?.parent()?;
        Self::is_one(root).then(|| root.to_owned())
    }

    /// Reads what is there. Programs that cannot be read are among the others, with why.
    #[must_use]
    pub fn read(root: &Path) -> Self {
        let root = fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
        let mut programs: Vec<Program> = program_paths(&root)
            .into_iter()
            .map(|path| Program::read(&root, path))
            .collect();
        programs.sort_by_key(|program| {
            let tool = !program.path.starts_with("bin");
            (
                tool,
                program.path != Path::new("bin/go"),
                program.path.clone(),
            )
        });
        let stated = fs::read_to_string(root.join("VERSION")).unwrap_or_default();
        let stated = stated.lines().next().unwrap_or_default().trim();
        let version = match stated {
            "" => built_by(&root.join("bin/go")).unwrap_or_default(),
            stated => stated.to_owned(),
        };
        Self {
            root,
            version,
            programs,
        }
    }

    /// The go command.
    #[must_use]
    pub fn go(&self) -> Option<&Program> {
        let mut programs = self.programs.iter();
        programs.find(|program| program.path == Path::new("bin/go"))
    }

    /// How its go command would run on this machine.
    #[must_use]
    pub fn runs(&self) -> Runs {
        let go = self.go().map(|go| runs(go, &self.root.join("bin/go")));
        go.unwrap_or(Runs::NotHere)
    }

    /// Programs of `pkg/tool`.
    pub fn tools(&self) -> impl Iterator<Item = &Program> {
        let programs = self.programs.iter();
        programs.filter(|program| program.path.starts_with("pkg/tool"))
    }
}

/// A toolchain of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// How it was found, the first way first.
    pub places: Vec<Place>,
    /// What is in it. Of a go command on `PATH` that lies in none, it alone is known, and stands
    /// where the folder would.
    pub goroot: Goroot,
    /// How its go command would run here.
    pub runs: Runs,
}

/// Finds the toolchains of a machine, and reads what is in them.
#[must_use]
pub fn list(around: &Surroundings) -> Vec<Listed> {
    let listed = search(around).into_iter().map(|found| {
        let goroot = match (&found.root, found.places.first()) {
            (Some(root), _) => Goroot::read(root),
            (None, Some(Place::Path { go, .. })) => alone(go),
            (None, _) => Goroot::default(),
        };
        let runs = match (&found.root, goroot.go()) {
            (None, Some(go)) => runs(go, &goroot.root),
            _ => goroot.runs(),
        };
        Listed {
            places: found.places,
            goroot,
            runs,
        }
    });
    listed.collect()
}

/// A go command without a toolchain around it.
fn alone(go: &Path) -> Goroot {
    let format = Program::read(Path::new("/"), go.to_owned()).format;
    Goroot {
        root: go.to_owned(),
        version: built_by(go).unwrap_or_default(),
        programs: vec![Program {
            path: PathBuf::from("bin/go"),
            format,
        }],
    }
}

fn runs(program: &Program, path: &Path) -> Runs {
    let native = program.archs().contains(&host::ARCH);
    match (&program.format, std::env::consts::OS) {
        (Format::MachO(_), "macos") | (Format::Elf { .. }, "linux") => {
            match translator::of_executable(path) {
                name if !name.is_empty() => Runs::Translated(name),
                _ if native => Runs::Natively,
                _ => Runs::NotHere,
            }
        }
        // A script runs whatever it runs.
        (Format::Other, _) => Runs::Natively,
        _ => Runs::NotHere,
    }
}

/// The files of `bin` and of `pkg/tool/OS_ARCH`.
fn program_paths(root: &Path) -> Vec<PathBuf> {
    let files = |folder: &Path| {
        let entries = fs::read_dir(root.join(folder)).into_iter().flatten();
        let files = entries.flatten().filter(|entry| entry.path().is_file());
        let files = files.map(|entry| folder.join(entry.file_name()));
        files.collect::<Vec<PathBuf>>()
    };
    let mut found = files(Path::new("bin"));
    let tools = Path::new("pkg/tool");
    for folder in fs::read_dir(root.join(tools))
        .into_iter()
        .flatten()
        .flatten()
    {
        found.extend(files(&tools.join(folder.file_name())));
    }
    found
}

/// The version of Go that a program says it was built by, which for the go command is its own.
fn built_by(program: &Path) -> Option<String> {
    let data = fs::read(program).ok()?;
    let info = if Slices::begins(&data) {
        let slices = Slices::of(&data).ok()?;
        BuildInfo::of(&MachO::parse(slices.slices.first()?).ok()?)
    } else {
        BuildInfo::of(&crate::binary::elf::Elf::parse(&data).ok()?)
    };
    Some(info.ok()?.go_version)
}
