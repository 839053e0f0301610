//! Folders of one run: made with it, removed with it, and swept up where a recorder that was killed
//! has left them.
//!
//! In each lies a file that its recorder has locked (flock(2)). The kernel gives the lock up when the
//! recorder ends, however it ends: so no process id has to be compared, which may be another's by now,
//! or count in another namespace.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::system::process;

/// Memory without a disk, where there is such: what is written there costs nothing when it is forgotten.
pub(super) const MEMORY: &str = "/dev/shm";
/// How names of such folders begin.
pub(super) const PREFIX: &str = "gotrace-";
/// The file whose lock tells that the recorder lives.
const LOCK: &str = "recorder";

/// The folder; it goes when this value does.
#[derive(Debug)]
pub(super) struct RunFolder {
    path: PathBuf,
    keep: bool,
    /// Until then it is locked.
    _lock: File,
}

impl RunFolder {
    /// Makes it, for its user alone.
    ///
    /// # Errors
    ///
    /// When there is something of that name, or it cannot be made.
    pub(super) fn create(path: PathBuf) -> io::Result<Self> {
        DirBuilder::new().mode(0o700).create(&path)?;
        // Nobody finds it before it is locked.
        let unseen = path.join("new");
        let lock = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&unseen)?;
        lock.try_lock()?;
        fs::rename(&unseen, path.join(LOCK))?;
        Ok(Self {
            path,
            keep: false,
            _lock: lock,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves it where it is, for processes that live on; it is swept when they are gone, too.
    pub(super) fn keep(&mut self) {
        self.keep = true;
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        if !self.keep {
            // What cannot be removed harms nobody, and there is nobody to tell.
            drop(fs::remove_dir_all(&self.path));
        }
    }
}

/// Removes the folders in these places whose recorders, run by this user, are dead, but for those that
/// some process still has in its environment: commands outlive their recorder.
pub(super) fn sweep(places: &[&Path]) {
    for place in places {
        let entries = fs::read_dir(place).into_iter().flatten().flatten();
        let ours =
            entries.filter(|entry| entry.file_name().as_bytes().starts_with(PREFIX.as_bytes()));
        for path in ours.map(|entry| entry.path()) {
            let abandoned = abandoned(&path);
            if abandoned.is_some() && !process::somebody_is_told(&path) {
                // Links in it are removed, not followed.
                drop(fs::remove_dir_all(&path));
            }
        }
    }
}

/// The lock of a folder whose recorder is dead: nobody else sweeps it meanwhile.
fn abandoned(folder: &Path) -> Option<File> {
    if !fs::symlink_metadata(folder).ok()?.is_dir() {
        return None;
    }
    let mut options = OpenOptions::new();
    options.read(true);
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let lock = options.open(folder.join(LOCK)).ok()?;
    let found = lock.metadata().ok()?;
    let own = found.is_file() && found.uid() == nix::unistd::geteuid().as_raw();
    (own && lock.try_lock().is_ok()).then_some(lock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_dead_recorder_left_is_swept() {
        let below = tempfile::tempdir().expect("folder");
        let at = |name: &str| below.path().join(name);
        let alive = RunFolder::create(at("gotrace-1-0")).expect("made");
        let mut left = RunFolder::create(at("gotrace-2-0")).expect("made");
        fs::create_dir(left.path().join("graphs")).expect("made");
        std::os::unix::fs::symlink(alive.path(), left.path().join("link")).expect("made");
        left.keep();
        drop(left);
        // What only looks like one: no lock, another name, a link, a lock that is a link.
        fs::create_dir(at("gotrace-3-0")).expect("made");
        fs::create_dir(at("other")).expect("made");
        fs::write(at("other").join(LOCK), "").expect("written");
        std::os::unix::fs::symlink(at("other"), at("gotrace-4-0")).expect("made");
        fs::create_dir(at("gotrace-5-0")).expect("made");
        let lock = at("gotrace-5-0").join(LOCK);
        std::os::unix::fs::symlink(at("other").join(LOCK), lock).expect("made");
        sweep(&[below.path(), &at("nothing")]);
        let there = fs::read_dir(below.path()).expect("there").flatten();
        let mut there: Vec<_> = there.map(|entry| entry.file_name()).collect();
        there.sort();
        let kept = [
            "gotrace-1-0",
            "gotrace-3-0",
            "gotrace-4-0",
            "gotrace-5-0",
            "other",
        ];
        assert_eq!(there, kept);
        let path = alive.path().to_owned();
        drop(alive);
        assert!(!path.exists());
    }

    #[test]
    fn a_folder_is_made_once() {
        let below = tempfile::tempdir().expect("folder");
        let path = below.path().join("gotrace-1-0");
        let _first = RunFolder::create(path.clone()).expect("made");
        let error = RunFolder::create(path).expect_err("there is one");
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    }
}
