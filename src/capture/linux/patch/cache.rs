//! Copies on the disk: made once, found by what they are made of.
//!
//! ```text
//! FOLDER/copies/KEY/NAME        NAME is the original's own, by which programs know what they are
//!                   .account    what there is to know of it
//! ```
//!
//! A copy appears under its name when it is whole, whoever else makes the same one at that time. What lies in a folder
//! that others can write to is not used.

use super::account::{Account, Written};
use crate::binary::trampoline::Copied;
use crate::capture::plain_file;
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
const ACCOUNT: &str = ".account";
/// What is known of a copy takes less: that of all functions of the largest program of Go is 5 MiB.
const LONGEST: u64 = 64 << 20;
/// Others may not write.
const WRITABLE: u32 = 0o022;

/// A folder of copies.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    /// Mode of what is made: for its owner alone, or where root makes it for somebody else, for all to run.
    mode: u32,
}

/// What is kept of a program.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) account: Account,
    /// None where no function of it can tell.
    pub(super) copy: Option<PathBuf>,
}

impl Cache {
    /// Makes the folder in `caches`, or takes what is there; `others` than its owner run the copies.
    pub(super) fn open(caches: &Path, others: bool) -> io::Result<Self> {
        let mode = if others { 0o755 } else { 0o700 };
        let folder = caches.join("copies");
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(mode).create(&folder)?;
        own(&folder)?;
        // The kernel names what runs by where it is.
        let folder = folder.canonicalize()?;
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

    /// Where copies lie.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is kept under this key, if it is there, and is what was put there.
    pub(super) fn find(&self, key: &str, name: &OsStr) -> Option<Kept> {
        let folder = self.folder.join(key);
        own(&folder).ok()?;
        let file = folder.join(ACCOUNT);
        own(&file).ok()?;
        let account = plain_file::read(&file, LONGEST).ok()?;
        let account = Account::decode(&account)?;
        let copy = match account.copy {
            Some(written) => {
                let file = folder.join(name);
                own(&file).ok()?;
                let found = fs::symlink_metadata(&file).ok()?;
                (Written::of(&found) == written).then_some(Some(file))?
            }
            None => None,
        };
        // When it was used last.
        let used = File::open(&folder).and_then(|folder| folder.set_modified(SystemTime::now()));
        used.ok().map(|()| Kept { account, copy })
    }

    /// Keeps a copy, and what there is to know of it; or of a program without one, what there is to know.
    pub(super) fn keep(
        &self,
        key: &str,
        name: &OsStr,
        mut account: Account,
        copied: Option<&Copied>,
    ) -> io::Result<Kept> {
        let made = self.folder.join(format!(".{key}.{}", std::process::id()));
        let kept = self.folder.join(key);
        drop(fs::remove_dir_all(&made));
        let written = self.write(&made, name, &mut account, copied);
        let moved = written.and_then(|()| fs::rename(&made, &kept));
        let moved = moved.or_else(|error| {
            // Somebody else may have been quicker, with the same bytes. What is damaged is put away.
            if self.find(key, name).is_some() {
                fs::remove_dir_all(&made)
            } else {
                fs::remove_dir_all(&kept).map_err(|_gone| error)?;
                fs::rename(&made, &kept)
            }
        });
        if let Err(error) = moved {
            drop(fs::remove_dir_all(&made));
            return Err(error);
        }
        self.make_room(&kept);
        let copy = copied.map(|_| kept.join(name));
        Ok(Kept { account, copy })
    }

    fn write(
        &self,
        folder: &Path,
        name: &OsStr,
        account: &mut Account,
        copied: Option<&Copied>,
    ) -> io::Result<()> {
        DirBuilder::new().mode(self.mode).create(folder)?;
        if let Some(copied) = copied {
            let file = File::create_new(folder.join(name))?;
            file.write_all_at(&copied.original, 0)?;
            file.write_all_at(&copied.beside, copied.beside_at)?;
            file.set_permissions(Permissions::from_mode(self.mode))?;
            file.sync_data()?;
            account.copy = Some(Written::of(&file.metadata()?));
        }
        let file = File::create_new(folder.join(ACCOUNT))?;
        file.write_all_at(&account.encode()?, 0)?;
        file.set_permissions(Permissions::from_mode(self.mode & 0o666))
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
pub(super) fn own(path: &Path) -> io::Result<()> {
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
    use super::super::account::Function;
    use super::*;

    fn copied(byte: u8) -> Copied {
        Copied {
            original: vec![byte; 3],
            beside: vec![9; 2],
            beside_at: 0x1000,
        }
    }

    fn account(name: &str) -> Account {
        Account {
            functions: vec![Function {
                name: name.to_owned(),
                ..Function::default()
            }],
            ..Account::default()
        }
    }

    #[test]
    fn a_copy_is_found_again_under_its_own_name() {
        let caches = tempfile::tempdir().unwrap();
        let cache = Cache::open(caches.path(), false).unwrap();
        let name = OsStr::new("compile");
        assert!(cache.find("key", name).is_none());
        let kept = cache.keep("key", name, account("f"), Some(&copied(1)));
        let copy = kept.unwrap().copy.unwrap();
        let found = cache.find("key", name).unwrap();
        assert_eq!(found.copy.as_ref(), Some(&copy));
        assert_eq!(found.account.functions, account("f").functions);
        assert_eq!(copy.file_name(), Some(name));
        let bytes = fs::read(&copy).unwrap();
        assert_eq!((bytes.len(), &bytes[..3]), (0x1002, &[1; 3][..]));
        assert_eq!(bytes[0x1000..], [9, 9]);
        assert_eq!(fs::metadata(&copy).unwrap().mode() & 0o777, 0o700);
        // The first one stays.
        let second = cache.keep("key", name, account("f"), Some(&copied(2)));
        assert_eq!(second.unwrap().copy, Some(copy.clone()));
        assert_eq!(fs::read(&copy).unwrap()[0], 1);
        let left: Vec<_> = fs::read_dir(caches.path().join("copies"))
            .unwrap()
            .collect();
        assert_eq!(left.len(), 1);
    }

    #[test]
    fn of_a_program_without_a_copy_that_is_kept() {
        let caches = tempfile::tempdir().unwrap();
        let cache = Cache::open(caches.path(), false).unwrap();
        let name = OsStr::new("asm");
        assert_eq!(
            cache.keep("key", name, account("f"), None).unwrap().copy,
            None
        );
        let found = cache.find("key", name).unwrap();
        assert_eq!((found.account, found.copy), (account("f"), None));
    }

    #[test]
    fn what_is_not_what_was_written_is_made_anew() {
        let caches = tempfile::tempdir().unwrap();
        let cache = Cache::open(caches.path(), false).unwrap();
        let name = OsStr::new("go");
        let keep = || {
            let kept = cache.keep("key", name, account("f"), Some(&copied(1)));
            let copy = kept.unwrap().copy.unwrap();
            assert_eq!(cache.find("key", name).unwrap().copy.as_ref(), Some(&copy));
            assert_eq!(fs::read(&copy).unwrap()[0], 1);
            copy
        };
        let copy = keep();
        File::options()
            .write(true)
            .open(&copy)
            .unwrap()
            .set_len(1)
            .unwrap();
        assert!(cache.find("key", name).is_none());
        let copy = keep();
        let bytes = fs::read(&copy).unwrap();
        fs::remove_file(&copy).unwrap();
        fs::write(&copy, bytes).unwrap();
        fs::set_permissions(&copy, Permissions::from_mode(0o700)).unwrap();
        assert!(cache.find("key", name).is_none());
        let account = keep().with_file_name(ACCOUNT);
        let mut bytes = fs::read(&account).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&account, bytes).unwrap();
        assert!(cache.find("key", name).is_none());
        keep();
    }

    #[test]
    fn what_others_can_write_to_is_not_used() {
        let caches = tempfile::tempdir().unwrap();
        let cache = Cache::open(caches.path(), false).unwrap();
        let name = OsStr::new("go");
        let kept = cache.keep("key", name, account("f"), Some(&copied(1)));
        let copy = kept.unwrap().copy.unwrap();
        let account = copy.with_file_name(ACCOUNT);
        for file in [&copy, &account] {
            let mode = fs::metadata(file).unwrap().permissions();
            fs::set_permissions(file, Permissions::from_mode(0o722)).unwrap();
            assert!(cache.find("key", name).is_none(), "{}", file.display());
            fs::set_permissions(file, mode).unwrap();
            assert!(cache.find("key", name).is_some());
        }
        let folder = caches.path().join("copies");
        fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
        let error = Cache::open(caches.path(), false).unwrap_err().to_string();
        assert!(error.contains("found mode 777"), "{error}");
    }
}
