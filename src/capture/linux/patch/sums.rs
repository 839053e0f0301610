//! SHA-256 of files, each computed once.
//!
//! ```text
//! FOLDER/sums/KEY     the digest of the file with this device, inode, size and times, in hexadecimal
//! ```
//!
//! Whoever changes a file gives it another time of change, which nobody can set. Only of one that changed just now it
//! is not sure that no change follows within the same moment, or that memory that is mapped is written to still: that
//! is not kept.

use super::cache;
use nix::sys::stat::Mode;
use sha2::{Digest as _, Sha256};
use std::fs::{self, DirBuilder, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The kernel writes back what was written to mapped memory within 30 seconds (`vm.dirty_expire_centisecs`).
const SETTLED_S: i64 = 60;
/// Sums that are kept at most.
const MOST: usize = 1_000;

/// Tells a file from what is written in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileKey([i64; 7]);

impl FileKey {
    pub(super) fn of(found: &Metadata) -> Self {
        let [device, inode, size] = [found.dev(), found.ino(), found.size()].map(u64::cast_signed);
        Self([
            device,
            inode,
            size,
            found.ctime(),
            found.ctime_nsec(),
            found.mtime(),
            found.mtime_nsec(),
        ])
    }

    fn name(&self) -> String {
        let bytes = self.0.map(i64::to_le_bytes);
        hexadecimal(Sha256::digest(bytes.as_flattened()).get(..16))
    }

    fn is_settled(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok();
        let now = now.and_then(|now| i64::try_from(now.as_secs()).ok());
        let [.., changed, _, _, _] = self.0;
        now.is_some_and(|now| changed.saturating_add(SETTLED_S) < now)
    }
}

/// A folder of sums. Without one, all are computed.
#[derive(Debug)]
pub(super) struct Sums(Option<PathBuf>);

impl Sums {
    /// Makes the folder in `caches`, or takes what is there.
    pub(super) fn open(caches: &Path) -> Self {
        let folder = caches.join("sums");
        let mut builder = DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(&folder);
        let own = made.and_then(|()| cache::own(&folder));
        Self(own.ok().map(|()| folder))
    }

    /// The sum of a file, where it is kept.
    pub(super) fn find(&self, key: &FileKey) -> Option<String> {
        let file = self.0.as_ref()?.join(key.name());
        cache::own(&file).ok()?;
        let text = fs::read_to_string(file).ok()?;
        (text.len() == 64).then_some(text)
    }

    /// Keeps a sum that was computed of all bytes of the file that this key is of before and after.
    pub(super) fn keep(&self, key: &FileKey, sum: &str) {
        let Some(folder) = self.0.as_ref().filter(|_| key.is_settled()) else {
            return;
        };
        // What cannot be kept is computed again.
        drop(keep(folder, &key.name(), sum));
    }
}

fn keep(folder: &Path, name: &str, sum: &str) -> io::Result<()> {
    if fs::read_dir(folder)?.count() >= MOST {
        for entry in fs::read_dir(folder)?.flatten() {
            fs::remove_file(entry.path())?;
        }
    }
    let written = folder.join(format!(".{name}.{}", std::process::id()));
    let mut options = OpenOptions::new();
    let mode = (Mode::S_IRUSR | Mode::S_IWUSR).bits();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&written)?;
    file.write_all(sum.as_bytes())?;
    fs::rename(written, folder.join(name))
}

/// The sum of some bytes.
pub(super) fn sum(bytes: &[u8]) -> String {
    hexadecimal(Some(&Sha256::digest(bytes)))
}

pub(super) fn hexadecimal(bytes: Option<&[u8]>) -> String {
    let bytes = bytes.unwrap_or_default().iter();
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn sums_are_kept_of_files_that_have_settled() {
        let caches = tempfile::tempdir().unwrap();
        let sums = Sums::open(caches.path());
        let mut key = FileKey::of(&File::open("/proc/self/exe").unwrap().metadata().unwrap());
        // 1 January 2020.
        key.0[3] = 1_577_836_800;
        // As sha256sum has it.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sum(b"abc"), abc);
        assert_eq!(sums.find(&key), None);
        sums.keep(&key, abc);
        assert_eq!(sums.find(&key).as_deref(), Some(abc));
        assert_eq!(Sums::open(caches.path()).find(&key).as_deref(), Some(abc));
        for at in 0..7 {
            let mut other = key;
            other.0[at] += 1;
            assert_eq!(sums.find(&other), None, "{at}");
        }
        let file = tempfile::tempfile().unwrap();
        let now = FileKey::of(&file.metadata().unwrap());
        sums.keep(&now, abc);
        assert_eq!(sums.find(&now), None);
    }

    #[test]
    fn what_others_can_write_to_is_not_believed() {
        use std::os::unix::fs::PermissionsExt as _;
        let caches = tempfile::tempdir().unwrap();
        let folder = caches.path().join("sums");
        drop(Sums::open(caches.path()));
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        let sums = Sums::open(caches.path());
        sums.keep(&FileKey([0; 7]), &sum(b""));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }
}
