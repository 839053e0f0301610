//! A side of a comparison: one trace, or the traces of a folder, which are repeats of one run.

use super::output;
use super::status::Work;
use super::trace_operand::{self, EXTENSION};
use crate::analyze::{Analysis, Run};
use crate::trace::Trace;
use anyhow::{Context as _, bail};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// The traces of a side, in the order of their names.
#[derive(Clone, Debug)]
pub(super) struct TraceGroup {
    paths: Vec<PathBuf>,
}

impl TraceGroup {
    /// The traces of all these operands, one after the other, each file once.
    ///
    /// # Errors
    ///
    /// As [`Self::at`].
    pub(super) fn of(operands: &[PathBuf]) -> anyhow::Result<Self> {
        let mut seen = HashSet::new();
        let mut paths = Vec::new();
        for path in operands.iter().map(|operand| Self::at(operand)) {
            for path in path?.paths {
                // What is not there is told when it is opened.
                let file = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
                if seen.insert(file) {
                    paths.push(path);
                } else {
                    let path = path.display();
                    output::note(&format!("{path}: given several times, and counted once"));
                }
            }
        }
        Ok(Self { paths })
    }

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
        let (mut paths, mut folders) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(path).with_context(cannot)? {
            let file = entry.with_context(cannot)?.path();
            if is_trace(&file) {
                paths.push(file);
            } else if holds_traces(&file) {
                folders.push(file);
            }
        }
        if paths.is_empty() {
            let within = match folders.iter().min() {
                Some(folder) => format!("; there are such in {}", folder.display()),
                None => String::new(),
            };
            bail!(
                "{}: no *.{EXTENSION} in this folder, expected the traces of repeated runs{within}",
                path.display()
            );
        }
        paths.sort_unstable();
        Ok(Self { paths })
    }

    /// Opens one trace after the other, so that no more than one is held.
    pub(super) fn open<'g>(
        &'g self,
        work: &'g Work,
    ) -> impl Iterator<Item = anyhow::Result<Trace>> + 'g {
        (1..).zip(&self.paths).map(move |(number, path)| {
            work.comes_to(number, self.paths.len());
            trace_operand::open(path, work)
        })
    }

    /// How many traces these are.
    pub(super) const fn len(&self) -> usize {
        self.paths.len()
    }

    /// Opens those of them that can be opened, one after the other, without a word.
    pub(super) fn glance(&self) -> impl Iterator<Item = Trace> {
        self.paths.iter().filter_map(|path| Trace::open(path).ok())
    }

    /// Reduces one trace after the other to what is compared. Why packages were built is kept of
    /// the first run that ended well.
    ///
    /// # Errors
    ///
    /// When one cannot be read as a trace.
    pub(super) fn runs(&self, work: &Work) -> anyhow::Result<Vec<Run>> {
        let mut runs: Vec<Run> = Vec::new();
        for (trace, path) in self.open(work).zip(&self.paths) {
            let trace = trace?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let run = Run::of(&Analysis::of(&trace), &name);
            let told = runs.iter().any(Run::succeeded);
            runs.push(if told { run.without_inputs() } else { run });
        }
        Ok(runs)
    }
}

fn is_trace(path: &Path) -> bool {
    path.extension() == Some(OsStr::new(EXTENSION)) && path.is_file()
}

fn holds_traces(folder: &Path) -> bool {
    let mut entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.any(|entry| is_trace(&entry.path()))
}
