//! A copy of a program that runs in its place, and what it inherits for that.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The numbers at which a copy looks for its descriptor: the first that is free, and that the user's limit leaves.
pub(super) const NUMBERS: [u32; 3] = [1_000, 240, 60];

/// What runs in a program's place.
#[derive(Clone, Debug)]
pub struct StandIn {
    /// The copy.
    pub program: PathBuf,
    /// What it is to find at one of the numbers it looks at.
    pub descriptor: Arc<OwnedFd>,
}

impl StandIn {
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Who knows which programs have a stand-in.
pub(super) trait StandIns: Send + Sync + std::fmt::Debug {
    /// That of a program, if it has one.
    fn of(&self, program: &Path) -> Option<StandIn>;
}
