//! The library for `DYLD_INSERT_LIBRARIES`, unpacked.
//!
//! It stays where it is when the run is over: a program that is told of a library which is gone is ended by dyld, and
//! what a command has started may live on and start others.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

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
    if fs::read(&path).is_ok_and(|there| there == LIBRARY) {
        return Ok(path);
    }
    fs::create_dir_all(folder)?;
    // Whoever looks meanwhile finds the whole of it, or none.
    let half = folder.join(format!("libgotrace-preload-{}", std::process::id()));
    fs::write(&half, LIBRARY)?;
    fs::set_permissions(&half, Permissions::from_mode(0o755))?;
    fs::rename(&half, &path)?;
    Ok(path)
}
