//! Files whose code ran: opens those that may be gone before their symbols can be read.

use std::fs::{File, OpenOptions};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashSet;

use crate::trace::ImageId;

/// Files held open at most: `go run` and `go test` make one each for a package.
const MOST: usize = 64;

/// Executables of temporary folders, held open since they were first mapped.
#[derive(Debug, Default)]
pub(super) struct OpenImages {
    temporary: Vec<PathBuf>,
    seen: FxHashSet<ImageId>,
    files: Vec<(ImageId, File)>,
}

impl OpenImages {
    /// Holds files below these folders.
    pub(super) fn below(temporary: Vec<PathBuf>) -> Self {
        Self {
            temporary,
            ..Self::default()
        }
    }

    /// Sees an image mapped from `path`.
    pub(super) fn mapped(&mut self, image: ImageId, path: &[u8]) {
        if !self.seen.insert(image) || self.files.len() >= MOST {
            return;
        }
        let path = Path::new(std::ffi::OsStr::from_bytes(path));
        if !self.temporary.iter().any(|folder| path.starts_with(folder)) {
            return;
        }
        // Files opened by Rust's standard library are closed on exec.
        if let Ok(file) = OpenOptions::new().read(true).open(path) {
            self.files.push((image, file));
        }
    }

    /// The files that are held.
    pub(super) fn into_files(self) -> Vec<(ImageId, File)> {
        self.files
    }
}
