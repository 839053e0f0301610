//! What a build left behind: the files that go commands put into place, and their hashes.
//!
//! They are read when the command has ended, so that the hash is that of what is there then. A
//! file that is gone, or is none (`-o /dev/null`), has no hash.

use std::io::{self, Read as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::plain_file;
use super::recorder::Built;
use crate::trace::file::Writer;
use crate::trace::{BlindSpot, Nanos, Record, Setting};

/// Before the name of the file, in the key of a setting.
const KEY: &str = "output.sha256.";

/// Bytes that are read at most, of all files together: some seconds' work.
const MOST_BYTES: u64 = 2 << 30;

/// Why a cold run did not link.
const UP_TO_DATE: &str =
    "its file was there and up to date; go links none of those, with an empty cache either";

/// How what a build left is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// The user who called sudo. The build has named the files: only their own are read for them.
    pub(super) owner: Option<u32>,
    /// The build cache was empty, and everything was to be built.
    pub(super) cold: bool,
}

impl Look {
    /// Records that say what each of the files holds: settings whose key is `output.sha256.` and
    /// the file's name as the go command had it; and which of them were not built, though they
    /// should have been.
    pub(super) fn records(&self, writer: &mut Writer, at: Nanos, built: &[Built]) -> Vec<Record> {
        let mut left = MOST_BYTES;
        let mut records = Vec::new();
        for Built { name, path, .. } in built {
            match sha256(path, self.owner, &mut left) {
                Ok(hash) => records.push(Record::Setting(Setting {
                    key: writer.string(format!("{KEY}{name}").as_bytes()),
                    value: writer.string(hash.as_bytes()),
                    source: writer.string(b"gotrace"),
                })),
                Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                    records.push(Record::BlindSpot(BlindSpot {
                        time: at,
                        what: writer.string(format!("the hash of {name}").as_bytes()),
                        why: writer.string(b"what was built has more than 2 GiB"),
                    }));
                }
                Err(_) => {}
            }
        }
        for name in self.not_linked(built) {
            records.push(Record::BlindSpot(BlindSpot {
                time: at,
                what: writer.string(format!("the link of {name}").as_bytes()),
                why: writer.string(UP_TO_DATE.as_bytes()),
            }));
        }
        records
    }

    /// Names of the programs that were up to date where everything was to be built.
    pub(super) fn not_linked(&self, built: &[Built]) -> Vec<String> {
        let up_to_date = built.iter().filter(|built| self.cold && built.up_to_date);
        up_to_date.map(|built| built.name.clone()).collect()
    }
}

/// The hash of a plain file in hexadecimal; what was read is taken from `left`.
fn sha256(path: &Path, owner: Option<u32>, left: &mut u64) -> io::Result<String> {
    let mut file = match owner {
        Some(owner) => plain_file::open_of(path, owner)?,
        None => plain_file::open(path)?,
    };
    let mut hash = Sha256::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        let count = match file.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            count => count?,
        };
        if count == 0 {
            break;
        }
        *left = left
            .checked_sub(count as u64)
            .ok_or(io::ErrorKind::FileTooLarge)?;
        hash.update(piece.get(..count).unwrap_or_default());
    }
    let bytes = hash.finalize();
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_sha256sum() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("file");
        // FIPS 180-2, B.1 and B.3: "abc", and a million times "a".
        let million = "a".repeat(1_000_000);
        for (text, hash) in [
            (
                "abc",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
            (
                million.as_str(),
                "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
            ),
        ] {
            std::fs::write(&path, text).expect("written");
            let mut left = 1_000_000;
            assert_eq!(sha256(&path, None, &mut left).expect("read"), hash);
            assert_eq!(left, 1_000_000 - text.len() as u64);
        }
        let error = sha256(&path, None, &mut 999_999).expect_err("too large");
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert!(sha256(Path::new("/dev/null"), None, &mut 9).is_err());
    }
}
