//! A side of a comparison: one trace, or the traces of a folder, which are repeats of one run.

use super::trace_operand::{self, EXTENSION};
use crate::trace::Trace;
use anyhow::{Context as _, bail};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// The traces of a side, in the order of their names.
#[derive(Clone, Debug)]
pub(super) struct TraceGroup {
    paths: Vec<PathBuf>,
}

impl TraceGroup {
    /// The trace at `path`, or all that lie in the folder at `path`; folders in it are not looked
    /// into.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read, or holds no trace.
    pub(super) fn at(path: &Path) -> anyhow::Result<Self> {
        if !path.is_dir() {
            let paths = vec![path.to_owned()];
            return Ok(Self { paths });
        }
        let cannot = || format!("{}: cannot read the folder", path.display());
        let mut paths = Vec::new();
        for entry in fs::read_dir(path).with_context(cannot)? {
            let file = entry.with_context(cannot)?.path();
            if file.extension() == Some(OsStr::new(EXTENSION)) && file.is_file() {
                paths.push(file);
            }
        }
        if paths.is_empty() {
            bail!(
                "{}: no *.{EXTENSION} in this folder, expected the traces of repeated runs",
                path.display()
            );
        }
        paths.sort_unstable();
        Ok(Self { paths })
    }

    /// Opens one trace after the other, so that no more than one is held.
    pub(super) fn open(&self) -> impl Iterator<Item = anyhow::Result<Trace>> + '_ {
        self.paths.iter().map(|path| trace_operand::open(path))
    }
}
