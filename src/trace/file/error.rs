//! What can go wrong with a trace file.

use std::io;
use std::path::PathBuf;

/// An error of a trace file. Displays name the file and never repeat their source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be opened, read or written.
    #[error("{}: cannot {action}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What was tried: `open`, `read`, `write`, ...
        action: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The file has no bytes at all.
    #[error("{}: expected a gotrace trace, found an empty file", path.display())]
    Empty {
        /// Which file.
        path: PathBuf,
    },
    /// The file does not begin as a trace does.
    #[error("{}: not a gotrace trace: expected it to begin with {expected}, found {found}", path.display())]
    NotATrace {
        /// Which file.
        path: PathBuf,
        /// The magic bytes of a trace, in hexadecimal.
        expected: String,
        /// The bytes that are there instead.
        found: String,
    },
    /// The file begins as a trace does, and ends within its header.
    #[error("{}: cut short: expected a header of {expected} bytes, found {found}", path.display())]
    CutHeader {
        /// Which file.
        path: PathBuf,
        /// Length of a header.
        expected: u64,
        /// Length of the file.
        found: u64,
    },
    /// A later gotrace wrote the file.
    #[error(
        "{}: trace format version {found} is newer than version {supported}, which is the newest that this gotrace reads: use a newer gotrace",
        path.display()
    )]
    NewerVersion {
        /// Which file.
        path: PathBuf,
        /// The file's version.
        found: u16,
        /// The newest version that is read.
        supported: u16,
    },
    /// The header names a version that no gotrace ever wrote.
    #[error("{}: damaged header: expected a format version from 1 to {supported}, found {found}", path.display())]
    BadVersion {
        /// Which file.
        path: PathBuf,
        /// The file's version.
        found: u16,
        /// The newest version that is read.
        supported: u16,
    },
    /// A block cannot be decoded.
    #[error("{}: damaged block at offset {offset:#x}: {what}", path.display())]
    DamagedBlock {
        /// Which file.
        path: PathBuf,
        /// Where the block begins.
        offset: u64,
        /// What is wrong with it: expected and found.
        what: String,
    },
    /// A trace would replace a file that is none.
    #[error("{}: will not be replaced: it is there already and is no gotrace trace", path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// Another gotrace is writing the trace that is to be replaced.
    #[error("{}: is being written by another gotrace", path.display())]
    InUse {
        /// Which file.
        path: PathBuf,
    },
    /// A recovered trace would overwrite the one that it is recovered from.
    #[error("{}: is the trace that is to be recovered: name another file for the copy", path.display())]
    SameFile {
        /// Which file.
        path: PathBuf,
    },
}

impl Error {
    /// What is tried with a file that is read; all else is tried with one that is written.
    pub(super) const READING: [&str; 3] = ["open", "read", "read the size of"];

    /// Whether it is about a file that was to be written, and not about one that was read.
    #[must_use]
    pub fn is_about_what_is_written(&self) -> bool {
        match self {
            Self::Io { action, .. } => !Self::READING.contains(action),
            Self::Foreign { .. } | Self::InUse { .. } | Self::SameFile { .. } => true,
            _ => false,
        }
    }
}
