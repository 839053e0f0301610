//! Names of frames, as stored in the trace at the end of a run.

use super::{FrameId, FramePlace, FunctionId, StringId};
use std::fmt;

/// A named function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Function {
    /// Name as a developer of its language writes it (`net/http.(*Server).Serve`).
    pub name: StringId,
    /// Source file, or empty.
    pub file: StringId,
}

/// One function at one line: a frame has several where calls were inlined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Location {
    /// Function.
    pub function: FunctionId,
    /// Line of the call or of the instruction, 0 where not known.
    pub line: u32,
}

/// What is known of one frame's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameSymbol {
    /// Which frame.
    pub frame: FrameId,
    /// Its functions, innermost (inlined) first, or why there are none.
    pub names: Result<Vec<Location>, Unnamed>,
}

/// What code was made from while a program ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MadeFrom {
    /// The code there, of the program that a translator runs.
    Code(FramePlace),
    /// A function of this name.
    Function(Vec<u8>),
}

/// Why a frame has no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Unnamed {
    /// No name was looked up yet.
    NotLookedUp = 0,
    /// No mapping of the process covers the address.
    Unmapped = 1,
    /// The image's file is gone or cannot be read.
    FileGone = 2,
    /// The file at the image's path is another one now: its build id differs.
    FileChanged = 3,
    /// The file has no symbols of any kind.
    Stripped = 4,
    /// The file has symbols, but none covers the address.
    NoSymbol = 5,
    /// The file is damaged or of a format that is not read.
    BadFile = 6,
    /// Code made at run time, without a map of names.
    Jit = 7,
    /// Translated code, without a map of names.
    Translated = 8,
    /// Code of the kernel, whose names were not to be had.
    Kernel = 9,
    /// The stack could not be followed beyond this frame.
    Truncated = 10,
    /// No slice of the file, or more than one, is for the architecture that ran, and no UUID tells which.
    WrongSlice = 11,
    /// It is in dyld's shared cache alone, which is not here, or is another one.
    SharedCache = 12,
}

impl Unnamed {
    /// Every reason, in the order of its number.
    pub const ALL: [Self; 13] = [
        Self::NotLookedUp,
        Self::Unmapped,
        Self::FileGone,
        Self::FileChanged,
        Self::Stripped,
        Self::NoSymbol,
        Self::BadFile,
        Self::Jit,
        Self::Translated,
        Self::Kernel,
        Self::Truncated,
        Self::WrongSlice,
        Self::SharedCache,
    ];

    /// A few words for tables and flamegraphs.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NotLookedUp => "not looked up",
            Self::Unmapped => "unmapped",
            Self::FileGone => "file gone",
            Self::FileChanged => "file changed",
            Self::Stripped => "stripped",
            Self::NoSymbol => "no symbol",
            Self::BadFile => "unreadable file",
            Self::Jit => "JIT",
            Self::Translated => "translated code",
            Self::Kernel => "kernel",
            Self::Truncated => "truncated",
            Self::WrongSlice => "no such slice",
            Self::SharedCache => "shared cache",
        }
    }
}

impl fmt::Display for Unnamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}
