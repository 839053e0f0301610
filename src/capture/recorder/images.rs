//! Files whose code ran: tells which they are, and opens those that may be gone before their
//! symbols can be read.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashSet;

use crate::binary::elf::Elf;
use crate::capture::plain_file;
use crate::trace::ImageId;

/// Files held open at most: `go run` and `go test` make one each for a package.
const MOST: usize = 64;

/// How much of a file is read for its build id: Go's linker puts it right behind the headers.
const HEAD: u64 = 16 << 10;

/// The build id of a file: the linker's, or where it left none, Go's; empty where there is neither.
/// Until 1.23 Go's linker leaves no other than Go's, which the kernel does not read.
pub(super) fn build_id(path: &[u8]) -> Vec<u8> {
    let path = Path::new(OsStr::from_bytes(path));
    // What cannot be read, has no build id.
    let head = plain_file::head(path, HEAD).unwrap_or_default();
    let elf = Elf::parse(&head).ok();
    let id = elf
        .as_ref()
        .and_then(|elf| elf.build_id().or_else(|| elf.go_build_id()));
    id.unwrap_or_default().to_vec()
}

/// Tells whether a path still leads to the same file.
pub(super) type Stamp = Option<[i128; 4]>;

/// The stamp of the file that a path leads to now; none where there is none.
pub(super) fn stamp(path: &Path) -> Stamp {
    let found = fs::metadata(path).ok()?;
    Some([
        i128::from(found.dev()),
        i128::from(found.ino()),
        i128::from(found.size()),
        i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec()),
    ])
}

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
        let path = Path::new(OsStr::from_bytes(path));
        if !self.temporary.iter().any(|folder| path.starts_with(folder)) {
            return;
        }
        // Files opened by Rust's standard library are closed on exec.
        if let Ok(file) = plain_file::open(path) {
            self.files.push((image, file));
        }
    }

    /// The files that are held.
    pub(super) fn into_files(self) -> Vec<(ImageId, File)> {
        self.files
    }
}
