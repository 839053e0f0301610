//! What kind of program a process is, told from its arguments and its executable.

use super::Name;
use crate::trace::{Process, Trace};

/// A kind of program that takes part in builds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tool {
    /// The go command.
    Go,
    /// `cmd/compile`.
    Compile,
    /// `cmd/asm`.
    Asm,
    /// `cmd/cgo`.
    Cgo,
    /// `cmd/link`.
    Link,
    /// `cmd/vet`, or what `-vettool` named.
    Vet,
    /// `cmd/cover`.
    Cover,
    /// `cmd/pack`.
    Pack,
    /// `cmd/buildid`.
    BuildId,
    /// Another program of the toolchain's tool folder.
    GoTool(Name),
    /// A C or C++ compiler driver: gcc, g++, clang, cc, ...
    Cc,
    /// The C compiler proper (`cc1`).
    Cc1,
    /// The C++ compiler proper (`cc1plus`).
    Cc1plus,
    /// The system's assembler.
    As,
    /// gcc's wrapper of the linker.
    Collect2,
    /// The system's linker: ld, gold, lld, mold.
    Ld,
    /// Link-time optimisation: `lto1`, `lto-wrapper`.
    Lto,
    /// `pkg-config`.
    PkgConfig,
    /// git and other version control.
    Git,
    /// A test binary.
    TestBinary,
    /// A program that `go run` built and ran.
    Program,
    /// A command that `go generate` ran.
    Generate,
    /// A shell.
    Shell,
    /// make.
    Make,
    /// Any other program, by the name of its file.
    Other(Name),
}

impl Tool {
    /// Tells it from what the process ran.
    #[must_use]
    pub fn of(trace: &Trace, process: &Process) -> Self {
        let path = trace.strings.get(process.exec.exe);
        let base = path.rsplit(|&b| b == b'/').next().unwrap_or(path);
        Self::Other(Name::from(base))
    }

    /// Short name for tables (`compile`, `gcc/clang`, `test binary`, or the program's own).
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Go => "go",
            Self::Compile => "compile",
            Self::Asm => "asm",
            Self::Cgo => "cgo",
            Self::Link => "link",
            Self::Vet => "vet",
            Self::Cover => "cover",
            Self::Pack => "pack",
            Self::BuildId => "buildid",
            Self::Cc => "cc",
            Self::Cc1 => "cc1",
            Self::Cc1plus => "cc1plus",
            Self::As => "as",
            Self::Collect2 => "collect2",
            Self::Ld => "ld",
            Self::Lto => "lto",
            Self::PkgConfig => "pkg-config",
            Self::Git => "git",
            Self::TestBinary => "test binary",
            Self::Program => "program",
            Self::Generate => "generate",
            Self::Shell => "shell",
            Self::Make => "make",
            Self::GoTool(name) | Self::Other(name) => name,
        }
    }
}
