//! Files that somebody else names: a path in, an open plain file or its contents out.
//!
//! What the traced command names may be a pipe, which to open is to wait, or a device that never
//! ends. Nobody waits for those here, and nobody reads more than was agreed.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::sys;

/// Opens a plain file.
///
/// # Errors
///
/// When it cannot be opened, or is not a plain file.
pub(super) fn open(path: &Path) -> io::Result<File> {
    // A device may act on being opened.
    if !std::fs::metadata(path)?.is_file() {
        return Err(not_plain());
    }
    let mut options = OpenOptions::new();
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = options.read(true).custom_flags(flags).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(not_plain()),
    }
}

/// Opens a plain file that belongs to a user, who is not the one that gotrace runs as: root does not
/// read for them what they may not read themselves, wherever a link leads to.
///
/// # Errors
///
/// When it cannot be opened, is not a plain file, or is somebody else's.
pub(super) fn open_of(path: &Path, owner: u32) -> io::Result<File> {
    sys::open_if(
        path,
        &|found| match (found.is_file(), found.uid() == owner) {
            (true, true) => Ok(()),
            (true, false) => {
                let error = format!(
                    "expected a file of user {owner}, found one of {}",
                    found.uid()
                );
                Err(io::Error::new(io::ErrorKind::PermissionDenied, error))
            }
            (false, _) => Err(not_plain()),
        },
    )
}

/// The contents of a plain file of less than `limit` bytes.
///
/// # Errors
///
/// As [`open`], and when there are more bytes.
pub(super) fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let contents = head(path, limit)?;
    if contents.len() as u64 == limit {
        let error = format!("expected less than {limit} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, error));
    }
    Ok(contents)
}

/// The first bytes of a plain file, `most` or as many as there are.
///
/// # Errors
///
/// As [`open`].
pub(super) fn head(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut contents = Vec::new();
    open(path)?.take(most).read_to_end(&mut contents)?;
    Ok(contents)
}

fn not_plain() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "not a plain file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_plain_file_is_not_waited_for() {
        let folder = tempfile::tempdir().expect("folder");
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("made");
        for path in [&pipe, Path::new("/dev/zero"), folder.path()] {
            assert_eq!(
                open(path).expect_err("no file").to_string(),
                "not a plain file"
            );
        }
    }

    #[test]
    fn a_file_of_somebody_else_is_not_read() {
        let folder = tempfile::tempdir().expect("folder");
        let (mine, link) = (folder.path().join("mine"), folder.path().join("link"));
        std::fs::write(&mine, "12345").expect("written");
        std::os::unix::fs::symlink(&mine, &link).expect("made");
        let own = nix::unistd::getuid().as_raw();
        for path in [&mine, &link] {
            let mut text = String::new();
            let mut file = open_of(path, own).expect("opened");
            file.read_to_string(&mut text).expect("read");
            assert_eq!(text, "12345");
            let error = open_of(path, own + 1).expect_err("somebody else's");
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        }
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("made");
        for path in [&pipe, Path::new("/dev/zero"), folder.path()] {
            let error = open_of(path, own).expect_err("no file");
            assert_eq!(error.to_string(), "not a plain file");
        }
        assert!(open_of(&folder.path().join("none"), own).is_err());
    }

    #[test]
    fn no_more_is_read_than_was_agreed() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("file");
        std::fs::write(&path, b"12345").expect("written");
        assert_eq!(read(&path, 6).expect("read"), b"12345");
        assert!(read(&path, 5).is_err());
        assert_eq!(head(&path, 2).expect("read"), b"12");
    }
}
