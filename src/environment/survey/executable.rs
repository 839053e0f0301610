//! A file that is to be run.

use crate::environment::head::Head;
use std::path::{Path, PathBuf};

/// A file that is to be run, and what its first bytes say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Executable {
    /// Links are resolved.
    pub path: PathBuf,
    /// What it begins with.
    pub head: Head,
}

impl Executable {
    /// Reads the head of a file.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self {
            path: std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()),
            head: Head::at(path),
        }
    }
}
