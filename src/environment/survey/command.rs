//! The command that is to be run: which file, and what that is.

use super::executable::Executable;
use super::{Format, Surroundings, find};
use crate::binary::elf::Elf;
use crate::environment::{toolchain, translator};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Larger files are not read whole.
const LARGEST: u64 = 256 << 20;

/// What a command would run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// As it was given.
    pub name: String,
    /// The file that it leads to.
    pub found: Option<PathBuf>,
    /// A file of that name that is there and cannot be executed.
    pub not_executable: Option<PathBuf>,
    /// It is the path of a folder.
    pub is_folder: bool,
    /// What that file is; of a script, the program that runs it.
    pub executable: Executable,
    /// The script, where it is one.
    pub script: Option<PathBuf>,
    /// The program that the script's first line names is not there.
    pub no_interpreter: Option<String>,
    /// The dynamic loader that the file names, and that is not there.
    pub no_loader: Option<String>,
    /// Who translates it.
    pub translator: String,
    /// The file's bytes, for whoever judges them.
    pub bytes: FileBytes,
}

/// The bytes of a file. Not shown when a value is printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FileBytes(pub Vec<u8>);

impl std::fmt::Debug for FileBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Program {
    pub(super) fn of(name: &OsStr, surroundings: &Surroundings) -> Self {
        let found = find(name, surroundings);
        let candidates = toolchain::candidates(name, surroundings.path()).into_iter();
        let mut candidates = candidates.map(|path| surroundings.folder.join(path));
        let mut program = Self {
            name: name.to_string_lossy().into_owned(),
            not_executable: candidates
                .find(|path| path.is_file())
                .filter(|_| found.is_none()),
            is_folder: Path::new(name).components().count() > 1
                && surroundings.folder.join(name).is_dir(),
            found,
            ..Self::default()
        };
        let Some(found) = program.found.clone() else {
            return program;
        };
        program.executable = Executable::at(&found);
        if let Format::Script(words) = program.executable.head.format.clone() {
            program.script = Some(program.executable.path.clone());
            program.follow(&words, surroundings);
        }
        let path = &program.executable.path;
        program.translator = translator::of_executable(path);
        let small = fs::metadata(path).is_ok_and(|found| found.len() <= LARGEST);
        if small && program.executable.head.format != Format::Other {
            program.bytes = FileBytes(fs::read(path).unwrap_or_default());
        }
        // A translator looks for the loader in a root of its own, too.
        if program.translator.is_empty() {
            program.no_loader = no_loader(&program.bytes.0);
        }
        program
    }

    /// A script is run by the program of its first line; by the one that `env` finds where that is
    /// `env`.
    fn follow(&mut self, words: &[String], surroundings: &Surroundings) {
        let Some(first) = words.first() else { return };
        let by_env = Path::new(first).file_name() == Some(OsStr::new("env"));
        let named = words
            .iter()
            .skip(1)
            .find(|word| !word.starts_with('-') && !word.contains('='));
        let interpreter = match (by_env, named) {
            (true, Some(named)) => find(OsStr::new(named), surroundings),
            _ => Some(PathBuf::from(first)).filter(|path| path.is_file()),
        };
        match interpreter {
            Some(path) => self.executable = Executable::at(&path),
            None => self.no_interpreter = Some(named.filter(|_| by_env).unwrap_or(first).clone()),
        }
    }

    /// Whether it is a go command, by its name.
    #[must_use]
    pub fn is_go(&self) -> bool {
        Path::new(&self.name).file_name() == Some(OsStr::new("go"))
    }
}

/// The dynamic loader of an ELF file, where that is not there: what runs the file is then told
/// that the file itself is not.
fn no_loader(bytes: &[u8]) -> Option<String> {
    let loader = Elf::parse(bytes).ok()?.interpreter?;
    let missing = !Path::new(OsStr::from_bytes(loader)).exists();
    missing.then(|| String::from_utf8_lossy(loader).into_owned())
}
