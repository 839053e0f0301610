//! What the user hands in to be read: a path in, an open file or its bytes out.
//!
//! A device may never end, and opening it may do something: it is refused. A pipe is read, and may
//! not end either: never more of it is kept, or waited for, than was agreed.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

/// Opens a plain file or a pipe.
///
/// # Errors
///
/// When it cannot be opened, or is something else.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let kind = fs::metadata(path)?.file_type();
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !kind.is_file() && !kind.is_fifo() {
        return Err(io::Error::other(
            "expected a file or a pipe, found a device",
        ));
    }
    File::open(path)
}

/// A text of at most `most` bytes.
///
/// # Errors
///
/// As [`open`], and when it is longer or is not in UTF-8.
pub(super) fn text(path: &Path, most: u64) -> io::Result<String> {
    let mut text = String::new();
    let read = open(path)?.take(most + 1).read_to_string(&mut text)?;
    match read as u64 > most {
        true => Err(too_long(most)),
        false => Ok(text),
    }
}

/// The last `keep` bytes, or as many as there are, and how many came before them.
///
/// # Errors
///
/// When reading fails, or there are more than `most` bytes.
pub(super) fn end(mut from: impl Read, keep: usize, most: u64) -> io::Result<(Vec<u8>, u64)> {
    let mut kept = Vec::new();
    let mut left_out = 0_u64;
    loop {
        let read = from.by_ref().take(keep as u64).read_to_end(&mut kept)?;
        let beyond = kept.len().saturating_sub(keep);
        kept.drain(..beyond);
        left_out += beyond as u64;
        if read < keep {
            return Ok((kept, left_out));
        }
        if left_out + kept.len() as u64 > most {
            return Err(too_long(most));
        }
    }
}

fn too_long(most: u64) -> io::Error {
    io::Error::other(format!("expected at most {most} bytes, found more"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_ends_is_refused() {
        let error = open(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected a file or a pipe, found a device"
        );
        let error = end(io::repeat(0), 4, 10).unwrap_err();
        assert_eq!(error.to_string(), "expected at most 10 bytes, found more");
    }

    #[test]
    fn the_end_is_kept() {
        let of = |keep| end(&b"0123456789"[..], keep, 10).unwrap();
        assert_eq!(of(20), (b"0123456789".to_vec(), 0));
        assert_eq!(of(10), (b"0123456789".to_vec(), 0));
        assert_eq!(of(4), (b"6789".to_vec(), 6));
        assert_eq!(of(5), (b"56789".to_vec(), 5));
    }

    #[test]
    fn a_text_has_a_longest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "12345").unwrap();
        assert_eq!(text(&path, 5).unwrap(), "12345");
        assert!(text(&path, 4).is_err());
        assert!(text(folder.path(), 4).is_err());
    }
}
