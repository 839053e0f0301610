//! Files as memory: the one place where a file is mapped.

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Deref;
use std::path::Path;

/// No more is read, in bytes, of what cannot be mapped: a pipe may never end.
const MOST_COPIED: u64 = 1 << 30;

/// An image's bytes.
#[derive(Debug)]
pub enum Contents {
    /// Of a file: only the pages that are looked at take memory, and only while this lives.
    Mapped(memmap2::Mmap),
    /// Copied from what has no file.
    Copied(Vec<u8>),
}

impl Contents {
    /// Maps the whole file at a path.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, and as [`Self::map`].
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::map(&File::open(path)?)
    }

    /// Maps a whole file, or reads what can be read but once.
    ///
    /// # Errors
    ///
    /// When it cannot be mapped or read, or more than 1 GiB is to be read.
    pub fn of(file: File) -> io::Result<Self> {
        if file.metadata()?.is_file() {
            return Self::map(&file);
        }
        let mut bytes = Vec::new();
        file.take(MOST_COPIED + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MOST_COPIED {
            let error = format!("expected at most {MOST_COPIED} bytes, found more");
            return Err(io::Error::other(error));
        }
        Ok(Self::Copied(bytes))
    }

    /// Maps a whole file.
    ///
    /// # Errors
    ///
    /// When it is no regular file, or cannot be mapped.
    #[expect(unsafe_code, reason = "mapping a file is unsafe: see SAFETY")]
    pub fn map(file: &File) -> io::Result<Self> {
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        // SAFETY: the bytes may change under us when somebody writes to the file. They are only
        // ever read as untrusted bytes by `binary`, which checks each read. Should the file be cut
        // short while it is read, the process ends by SIGBUS: executables are replaced by
        // linkers, not cut. Names of a run are looked up when the command has ended, and its trace is
        // on disk.
        unsafe { memmap2::Mmap::map(file) }.map(Self::Mapped)
    }
}

impl Deref for Contents {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Copied(bytes) => bytes,
        }
    }
}
