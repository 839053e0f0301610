//! Why a build or a program failed: its output and what its files hold in, diagnoses out.
//!
//! 1. [`Log::read`] finds the messages, and the link lines before them.
//! 2. [`inquiries`] says what is to be asked of the files of each link line; whoever reads files
//!    gives [`Answers`]: with [`crate::environment::link`], and with [`Program::of`] for programs.
//! 3. [`diagnose`] lays the two side by side: who needs what, which file has it for which
//!    architecture, and what would help.
//!
//! A [`Diagnosis`] is what one action of the user mends: symbols that one library has are one.

mod compiling;
mod consequence;
mod inquiry;
mod known;
mod library;
mod log;
mod package_config;
mod program;
mod running;
mod spelling;
mod undefined;

pub use super::inspect::Level;
pub use inquiry::{Here, Inquiry, inquiries};
pub use log::{Link, Log, Problem, What};
pub use program::Program;

use crate::binary::linkable::{Arch, Kind};
use crate::environment::link::{GoFiles, HeaderFolder, Input, LibraryFolder, Needs, Survey};
use std::path::PathBuf;

/// What is the matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A library that has the symbols is not on the link line.
    NotLinked,
    /// A library is there for other architectures alone.
    WrongSlice,
    /// Libraries are there for the architecture, and the symbols are not in them.
    SymbolAbsent,
    /// The archive that has them comes before what needs them.
    Order,
    /// A library has them for itself alone.
    Hidden,
    /// One side was declared as C, the other one as C++.
    Spelling,
    /// The files of the line have them now: the log is of other files.
    Present,
    /// Nothing that was looked at has them.
    Unknown,
    /// A library of the line was not found.
    LibraryMissing,
    /// A function of Go is declared, and nowhere written.
    GoBodyMissing,
    /// There is no C compiler.
    CompilerMissing,
    /// The C compiler is one for another system or processor.
    OtherTarget,
    /// There is no pkg-config.
    PkgConfigMissing,
    /// pkg-config does not know a library.
    PackageMissing,
    /// pkg-config knows another version of a library.
    PackageVersion,
    /// A header was not found.
    HeaderMissing,
    /// A package needs cgo, which is off.
    CgoOff,
    /// All files of a package are for other targets.
    FilesExcluded,
    /// The loader did not find a library.
    NotLoaded,
    /// The loader found a library that it cannot load.
    LibraryBroken,
    /// The library that the loader found lacks a symbol.
    NotBound,
    /// The library that the loader found lacks a version of its symbols.
    VersionAbsent,
    /// The kernel killed a program for its signature.
    KilledSignature,
    /// The kernel killed a program for want of memory.
    KilledMemory,
    /// A program was killed, and nothing tells by whom.
    Killed,
    /// A program is for another processor.
    WrongCpu,
    /// A file is no program of this system.
    WrongFormat,
    /// Rosetta failed.
    Translator,
}

impl Cause {
    /// What it is called: letters and dashes.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::NotLinked => "not-linked",
            Self::WrongSlice => "wrong-slice",
            Self::SymbolAbsent => "symbol-absent",
            Self::Order => "link-order",
            Self::Hidden => "symbol-hidden",
            Self::Spelling => "c-or-cpp",
            Self::Present => "symbol-present",
            Self::Unknown => "unknown",
            Self::LibraryMissing => "library-missing",
            Self::GoBodyMissing => "go-body-missing",
            Self::CompilerMissing => "compiler-missing",
            Self::OtherTarget => "compiler-other-target",
            Self::PkgConfigMissing => "pkg-config-missing",
            Self::PackageMissing => "package-missing",
            Self::PackageVersion => "package-version",
            Self::HeaderMissing => "header-missing",
            Self::CgoOff => "cgo-off",
            Self::FilesExcluded => "files-excluded",
            Self::NotLoaded => "library-not-loaded",
            Self::LibraryBroken => "library-broken",
            Self::NotBound => "symbol-not-bound",
            Self::VersionAbsent => "version-absent",
            Self::KilledSignature => "killed-signature",
            Self::KilledMemory => "killed-memory",
            Self::Killed => "killed",
            Self::WrongCpu => "wrong-cpu",
            Self::WrongFormat => "wrong-format",
            Self::Translator => "translator",
        }
    }
}

/// A symbol that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// As the linker writes it.
    pub symbol: String,
    /// What the source calls it, where that is another name: `C.deflate`, `frob::close(long)`.
    pub source: Option<String>,
    /// Who needs it, as the source calls it where that is known.
    pub users: Vec<String>,
}

/// What was seen in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// The file.
    pub path: PathBuf,
    /// What it is; none where it was not read.
    pub kind: Option<Kind>,
    /// The architectures that it is for.
    pub archs: Vec<Arch>,
    /// Those of them for which it has all the symbols.
    pub has: Vec<Arch>,
    /// What else it has of the first symbol: another spelling.
    pub spelled: Option<String>,
    /// As it is on the link line; none where it is not.
    pub input: Option<Input>,
    /// Why it was not read.
    pub unread: Option<String>,
}

impl Witness {
    /// A file of which only this is known.
    fn named(path: &str, archs: Vec<Arch>, input: Option<Input>) -> Self {
        Self {
            path: path.into(),
            kind: None,
            archs,
            has: Vec::new(),
            spelled: None,
            input,
            unread: None,
        }
    }
}

/// What helps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Flags for the linker: `-L/opt/x/lib -lz`.
    Flags(String),
    /// Flags for the C compiler: `-I/usr/include/libxml2`.
    CompilerFlags(String),
    /// Take another C compiler.
    Compiler {
        /// What to set `CC` to.
        command: String,
        /// Debian's package that has it, where it is known.
        package: Option<&'static str>,
    },
    /// Turn cgo on.
    WithCgo,
    /// Build without cgo.
    WithoutCgo,
    /// Build for another architecture.
    BuildFor(Arch),
    /// Build for this system, in Go's words, and architecture.
    BuildForSystem(&'static str, Arch),
    /// Get a library for an architecture.
    Obtain {
        /// File name.
        library: String,
        /// Architecture.
        arch: Arch,
        /// The command that does it, where one is known.
        command: Option<String>,
    },
    /// Put a library behind what needs it.
    MoveBehind(String),
    /// Declare with `extern "C"`.
    ExternC(String),
    /// Install what has the files for linking.
    Install {
        /// What is missing.
        library: String,
        /// Debian's package, where it is known.
        package: Option<&'static str>,
    },
    /// Use a version of the library that has the symbols.
    OtherVersion(String),
    /// Write the function, or take its declaration away.
    WriteBody(String),
    /// A command.
    Run(String),
    /// Set a variable of the environment.
    Set {
        /// Which one.
        variable: &'static str,
        /// To what.
        value: String,
    },
    /// Have the link line in the log.
    ShowLinkLine,
    /// Use a Go toolchain for the machine's own processor.
    NativeToolchain,
    /// Build one thing at a time.
    FewerAtOnce,
    /// Give the linker the SDK of macOS, which has a library.
    GiveSdk(String),
    /// Have a folder searched before another one, or that one not at all.
    SearchFirst {
        /// Where the right file is.
        folder: PathBuf,
        /// Where the wrong one is.
        before: PathBuf,
    },
    /// Look with `gotrace inspect --check`.
    Inspect(String),
}

/// What is wrong, how that is known, and what helps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// How bad it is.
    pub level: Level,
    /// What is the matter.
    pub cause: Cause,
    /// Lines of the log, from 1, at most some.
    pub lines: Vec<usize>,
    /// The package that was being built.
    pub package: Option<String>,
    /// The architecture that was linked or run for.
    pub arch: Option<Arch>,
    /// Symbols that are missing.
    pub symbols: Vec<Missing>,
    /// What it is about, where that is no symbol: a library, a program.
    pub subject: Option<String>,
    /// What the files tell.
    pub witnesses: Vec<Witness>,
    /// What else is known.
    pub notes: Vec<Note>,
    /// What helps, the surest first.
    pub remedies: Vec<Remedy>,
}

/// What else is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A folder of the line is not there.
    NoFolder(PathBuf),
    /// There was no link line in the log.
    NoLinkLine,
    /// No SDK was found, so that the libraries of macOS were not looked into.
    NoSdk,
    /// The library is known by the names of its symbols; no file of it was found here.
    ByName(&'static str),
    /// The linker passed the file over; it was not read, and that it has the symbols is a guess.
    ByMessage,
    /// Two files are found by this flag, and the linker takes the first.
    TakenFirst(String),
    /// The message that says so.
    Message(String),
    /// Where in the source.
    At(String),
    /// A file, and the line that says for what it is.
    Constraint(String, String),
    /// A file that its name may keep out.
    ByItsName(String),
    /// A library hides the symbol from programs for this version of macOS, and for no other.
    WithheldSince(String),
    /// That symbols are missing for want of a library is likely, and not known.
    SymbolsLikely,
    /// Homebrew's folders hold libraries for one architecture each.
    Homebrew,
    /// How many files elsewhere were looked through, and how many were not.
    LookedThrough(usize, usize),
    /// A rule of macOS is broken, with what follows.
    Broken(String, &'static str),
    /// A place where the loader looked, and why it was not taken.
    Tried(String, String),
    /// Signals make Rosetta fail; a known issue.
    RosettaSignals,
    /// A package of Go's for the other calling convention.
    OtherAbi,
    /// The file begins so, which no program does.
    Begins(String),
    /// A library that asks for the one that is missing.
    RequiredBy(String),
    /// The version that is asked for, and the one that is there.
    Version(String, String),
    /// A folder that compilers for this machine look in without being told.
    SearchedAnyway(PathBuf),
    /// A library is needed, and was not found where loaders look.
    NotFound(String),
    /// The kernel killed so many programs for want of memory while the command ran.
    MemoryKills(u64),
    /// Who sends SIGKILL.
    Senders,
    /// A program of this format and architecture, on a machine of this architecture.
    OtherMachine(String, Arch),
}

impl Diagnosis {
    fn new(level: Level, cause: Cause, problem: &Problem) -> Self {
        Self {
            level,
            cause,
            lines: Some(problem.at).filter(|&at| at > 0).into_iter().collect(),
            package: problem.package.clone(),
            arch: None,
            symbols: Vec::new(),
            subject: None,
            witnesses: Vec::new(),
            notes: Vec::new(),
            remedies: Vec::new(),
        }
    }
}

/// What was found of all that a log leads to.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Of each inquiry.
    pub surveys: Vec<Survey>,
    /// The programs that the log names, as far as they could be read.
    pub programs: Vec<Program>,
    /// The folders that have each header that was not found.
    pub headers: Vec<(String, Vec<HeaderFolder>)>,
    /// The folders that have the file of each library that pkg-config does not know.
    pub packages: Vec<(String, Vec<PathBuf>)>,
    /// The folders that have each library that a loader did not find.
    pub libraries: Vec<(String, Vec<LibraryFolder>)>,
    /// What each file needs that names a symbol which was not found.
    pub needs: Vec<Needs>,
    /// The versions that libraries define which lack one.
    pub versions: Vec<(String, Vec<String>)>,
    /// How many programs the kernel killed for want of memory while the command ran, where that is known.
    pub memory_kills: u64,
    /// The files of folders of which none was built.
    pub folders: Vec<(String, GoFiles)>,
}

/// Judges a log, with the answers to its inquiries.
#[must_use]
pub fn diagnose(
    log: &Log,
    inquiries: &[Inquiry],
    answers: &Answers,
    here: &Here,
) -> Vec<Diagnosis> {
    let mut found = Vec::new();
    let mut blamed: Vec<String> = Vec::new();
    for (inquiry, survey) in inquiries.iter().zip(&answers.surveys) {
        let about = inquiry::About {
            log,
            inquiry,
            survey,
        };
        let symbols = undefined::judge(&about, &mut blamed);
        let mut libraries = library::judge(&about);
        found.extend(consequence::fold(&mut libraries, symbols));
        found.extend(libraries);
    }
    found.extend(library::wrong_files(
        log,
        inquiries,
        &answers.programs,
        &blamed,
        here,
    ));
    let problems = log.problems.iter();
    found.extend(problems.filter_map(|problem| {
        compiling::judge(problem, answers, here)
            .or_else(|| package_config::judge(problem, answers, here))
    }));
    found.extend(running::judge(log, answers, here));
    for diagnosis in &mut found {
        say_once(&mut diagnosis.notes);
    }
    // The order of the log is the order in which things went wrong.
    found.sort_by_key(|diagnosis| {
        (
            diagnosis.level == Level::Warning,
            diagnosis.lines.first().copied(),
        )
    });
    found
}

/// Folders may stand on a line more than once, and each time there is the same to say.
fn say_once(notes: &mut Vec<Note>) {
    let mut said: Vec<Note> = Vec::new();
    for note in notes.drain(..) {
        if !said.contains(&note) {
            said.push(note);
        }
    }
    *notes = said;
}
