//! Copies on the disk: made once, found by what they are made of.
//!
//! ```text
//! FOLDER/copies/KEY/NAME     NAME is the original's own, by which programs know what they are
//! ```
//!
//! A copy appears under its name when it is whole, whoever else makes the same one at that time. What lies in a folder
//! that others can write to is not used.

use crate::binary::trampoline::Copied;
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::Uid;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What all copies may take on the disk; the ones that were not used for longest go first.
const MOST_BYTES: u64 = 1 << 30;
/// Bytes of a block as `stat` counts them.
const BLOCK: u64 = 512;
/// Others may not write.
const WRITABLE: u32 = 0o022;

/// A folder of copies.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    /// Mode of what is made: for its owner alone, or where root makes it for somebody else, for all to run.
    mode: u32,
}

impl Cache {
    /// Makes the folder in `caches`, or takes what is there; `others` than its owner run the copies.
    pub(super) fn open(caches: &Path, others: bool) -> io::Result<Self> {
        let mode = if others { 0o755 } else { 0o700 };
        let folder = caches.join("copies");
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(mode).create(&folder)?;
        own(&folder)?;
        let flags = statvfs(&folder)?.flags();
        if flags.contains(FsFlags::ST_NOEXEC) {
            let error = format!(
                "{}: nothing can be run from where it lies (noexec)",
                folder.display()
            );
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, error));
        }
        Ok(Self { folder, mode })
    }

    /// The copy of this key, if it is there.
    pub(super) fn find(&self, key: &str, name: &OsStr) -> Option<PathBuf> {
        let folder = self.folder.join(key);
        own(&folder).ok()?;
        let file = folder.join(name);
        own(&file).ok()?;
        // When it was used last.
        let used = File::open(&folder).and_then(|folder| folder.set_modified(SystemTime::now()));
        used.ok().map(|()| file)
    }

    /// Keeps a copy.
    pub(super) fn keep(&self, key: &str, name: &OsStr, copied: &Copied) -> io::Result<PathBuf> {
        let made = self.folder.join(format!(".{key}.{}", std::process::id()));
        let kept = self.folder.join(key);
        drop(fs::remove_dir_all(&made));
        let written = self.write(&made, name, copied);
        // Somebody else may have been quicker, with the same bytes.
        let moved = written.and_then(|()| fs::rename(&made, &kept));
        if let Err(error) = moved {
            drop(fs::remove_dir_all(&made));
            return self.find(key, name).ok_or(error);
        }
        self.make_room(&kept);
        Ok(kept.join(name))
    }

    fn write(&self, folder: &Path, name: &OsStr, copied: &Copied) -> io::Result<()> {
        DirBuilder::new().mode(self.mode).create(folder)?;
        let file = File::create_new(folder.join(name))?;
        file.write_all_at(&copied.original, 0)?;
        file.write_all_at(&copied.beside, copied.beside_at)?;
        file.set_permissions(Permissions::from_mode(self.mode))?;
        file.sync_data()
    }

    /// Takes away what was not used for longest, where all of it is too much.
    fn make_room(&self, newest: &Path) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut copies: Vec<(SystemTime, u64, PathBuf)> = entries
            .filter_map(|entry| {
                let used = entry.metadata().ok()?.modified().ok()?;
                let files = fs::read_dir(entry.path()).ok()?.flatten();
                let bytes = files.filter_map(|file| Some(file.metadata().ok()?.blocks() * BLOCK));
                Some((used, bytes.sum(), entry.path()))
            })
            .collect();
        copies.sort_unstable();
        let mut all: u64 = copies.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, bytes, path) in copies {
            if all <= MOST_BYTES {
                break;
            }
            // A program that runs from it goes on; one that is about to, runs its original.
            if path != newest && fs::remove_dir_all(&path).is_ok() {
                all -= bytes;
            }
        }
    }
}

/// Refuses what is another user's, or can be written to by others.
fn own(path: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    let us = Uid::effective().as_raw();
    let refused = |expected: String, found: String| {
        let path = path.display();
        let error = format!("{path}: expected {expected}, found {found}");
        Err(io::Error::new(io::ErrorKind::PermissionDenied, error))
    };
    if found.uid() != us {
        return refused(
            format!("a file of user {us}"),
            format!("one of {}", found.uid()),
        );
    }
    if found.is_symlink() || found.mode() & WRITABLE != 0 {
        let mode = found.mode() & 0o7777;
        return refused(
            "what others cannot write to".to_owned(),
            format!("mode {mode:o}"),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(byte: u8) -> Copied {
        Copied {
            original: vec![byte; 3],
            beside: vec![9; 2],
            beside_at: 0x1000,
        }
    }

    #[test]
    fn a_copy_is_found_again_under_its_own_name() {
        let caches = tempfile::tempdir().unwrap();
        let cache = Cache::open(caches.path(), false).unwrap();
        let name = OsStr::new("compile");
        assert_eq!(cache.find("key", name), None);
        let kept = cache.keep("key", name, &copied(1)).unwrap();
        assert_eq!(cache.find("key", name).as_ref(), Some(&kept));
        assert_eq!(kept.file_name(), Some(name));
        let bytes = fs::read(&kept).unwrap();
        assert_eq!((bytes.len(), &bytes[..3]), (0x1002, &[1; 3][..]));
        assert_eq!(bytes[0x1000..], [9, 9]);
        assert_eq!(fs::metadata(&kept).unwrap().mode() & 0o777, 0o700);
        // The first one stays.
        assert_eq!(cache.keep("key", name, &copied(2)).unwrap(), kept);
        assert_eq!(fs::read(&kept).unwrap()[0], 1);
        let left: Vec<_> = fs::read_dir(caches.path().join("copies"))
            .unwrap()
            .collect();
        assert_eq!(left.len(), 1);
    }

    #[test]
    fn what_others_can_write_to_is_not_used() {
        let caches = tempfile::tempdir().unwrap();
        let cache = Cache::open(caches.path(), false).unwrap();
        let kept = cache.keep("key", OsStr::new("go"), &copied(1)).unwrap();
        fs::set_permissions(&kept, Permissions::from_mode(0o722)).unwrap();
        assert_eq!(cache.find("key", OsStr::new("go")), None);
        let folder = caches.path().join("copies");
        fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
        let error = Cache::open(caches.path(), false).unwrap_err().to_string();
        assert!(error.contains("found mode 777"), "{error}");
    }
}
