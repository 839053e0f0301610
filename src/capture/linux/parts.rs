//! Which of the functions that are asked for are watched by whom: copies tell of theirs, and the kernel's probes watch
//! the rest.

use crate::capture::stand_in::StandIns;
use rustc_hash::FxHashSet;
use std::path::Path;
use std::sync::Arc;

/// What a file is to whoever watches functions beside copies.
#[derive(Clone, Debug)]
pub(in crate::capture) enum Part {
    /// A program that runs as it is.
    Itself,
    /// One in whose place its copy runs.
    Original,
    /// The copy.
    Copy(Rest),
}

/// What a copy does not tell of.
#[derive(Clone, Debug)]
pub(in crate::capture) struct Rest {
    /// The path of its original.
    pub(in crate::capture::linux) original: Vec<u8>,
    /// Addresses of the functions that are asked for, do not tell, and may be watched otherwise.
    pub(in crate::capture::linux) functions: Arc<FxHashSet<u64>>,
}

/// Who knows what copies tell of.
pub(in crate::capture) trait Parts: StandIns {
    /// What the file at a path is.
    fn part(&self, path: &Path) -> Part;
}
