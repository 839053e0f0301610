//! The library for `DYLD_INSERT_LIBRARIES`, unpacked.
//!
//! It stays where it is when the run is over: a program that is told of a library which is gone is ended by dyld, and
//! what a command has started may live on and start others.

use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::capture::library;

const LIBRARY: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/probes/prebuilt/macos/libgotrace-preload.dylib"
));

/// Writes the library into a folder, under a name that its contents have alone.
pub(super) fn unpack(folder: Option<&Path>) -> io::Result<PathBuf> {
    let folder = folder.ok_or(io::ErrorKind::NotFound)?;
    let digest = Sha256::digest(LIBRARY);
    let name: String = digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let path = folder.join(format!("libgotrace-preload-{name}.dylib"));
    // dyld takes a colon for the end of a path.
    if path.as_os_str().as_bytes().contains(&b':') {
        return Err(io::ErrorKind::InvalidFilename.into());
    }
    library::install(&path, LIBRARY)?;
    Ok(path)
}
