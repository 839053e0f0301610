//! Which of the functions that are asked for are watched by whom: copies tell of theirs, and the kernel's probes watch
//! the rest.

use crate::trace::Pid;
use rustc_hash::FxHashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a file is to whoever watches functions beside copies.
#[derive(Clone, Debug)]
pub enum Part {
    /// A program that runs as it is.
    Itself,
    /// One in whose place its copy runs.
    Original,
    /// The copy.
    Copy(Rest),
}

/// What a copy does not tell of.
#[derive(Clone, Debug)]
pub struct Rest {
    /// The path of its original.
    pub(in crate::capture::linux) original: Vec<u8>,
    /// Its size: what lies behind that in the copy are trampolines.
    pub(in crate::capture::linux) bytes: u64,
    /// Addresses of the functions that are asked for, do not tell, and may be watched otherwise.
    pub(in crate::capture::linux) functions: Arc<FxHashSet<u64>>,
}

/// Who knows what copies tell of.
pub trait Parts: Send + Sync + std::fmt::Debug {
    /// The copy that runs in a program's place, if it has one by now.
    fn copy(&self, program: &Path) -> Option<PathBuf>;
    /// Whether a process that runs an original tells of its calls, for its copy is put over that.
    fn tells(&self, pid: Pid) -> bool;
    /// What the file at a path is.
    fn part(&self, path: &Path) -> Part;
}
