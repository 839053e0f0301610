//! Folders that a build writes to: whether it can, and how much room there is.

use crate::environment::invoker::Invoker;
use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// A folder that is written to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// It is there; else it will be made.
    pub exists: bool,
    /// Why it cannot be written to, or not be made.
    pub refusal: Option<String>,
    /// Room that is left there in bytes.
    pub free_bytes: Option<u64>,
    /// Programs in it cannot be run.
    pub without_programs: bool,
}

impl Folder {
    /// Looks at it, for the user who called sudo where there is one.
    #[must_use]
    pub fn of(path: &Path, invoker: Option<&Invoker>) -> Self {
        let there = path
            .ancestors()
            .find(|above| fs::symlink_metadata(above).is_ok());
        let there = there.unwrap_or(path);
        let space = statvfs(there).ok().and_then(|space| {
            // Both have other widths on other systems.
            let blocks = u128::from(space.blocks_available());
            // A file system without blocks is none that keeps files.
            if space.blocks() == 0 {
                return None;
            }
            u64::try_from(blocks * u128::from(space.fragment_size())).ok()
        });
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let real = fs::canonicalize(there).unwrap_or_else(|_| there.to_owned());
        Self {
            path: path.to_owned(),
            exists: path.is_dir(),
            refusal: refusal(there, invoker),
            free_bytes: space,
            without_programs: is_noexec(&mounts, &real),
        }
    }
}

/// Whether the file system of a path is mounted so that programs in it cannot be run; `mounts` is
/// the text of `/proc/self/mounts`.
fn is_noexec(mounts: &str, path: &Path) -> bool {
    let points = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let point = Path::new(words.nth(1)?);
        let options = words.nth(1)?;
        path.starts_with(point)
            .then_some((point.components().count(), options))
    });
    // Of two that are mounted at one place the later one is seen.
    let innermost = points.max_by_key(|(depth, _)| *depth);
    innermost.is_some_and(|(_, options)| options.split(',').any(|option| option == "noexec"))
}

/// Why the user cannot make files in a folder that is there.
pub(super) fn refusal(folder: &Path, invoker: Option<&Invoker>) -> Option<String> {
    let named = folder.display();
    let found = match fs::metadata(folder) {
        Ok(found) => found,
        Err(error) => return Some(format!("{named}: {error}")),
    };
    if !found.is_dir() {
        return Some(format!("{named}: not a folder"));
    }
    if let Err(error) = access(folder, AccessFlags::W_OK | AccessFlags::X_OK) {
        return Some(format!("{named}: {}{}", error.desc(), owner(&found)));
    }
    let forbidden = invoker.is_some_and(|invoker| !may_write(&found, invoker));
    forbidden.then(|| format!("{named}: Permission denied{}", owner(&found)))
}

fn owner(found: &Metadata) -> String {
    format!(
        ", it belongs to user {} with mode {:o}",
        found.uid(),
        found.mode() & 0o7777
    )
}

/// By the bits of the mode, for a user who is not this process's.
fn may_write(found: &Metadata, invoker: &Invoker) -> bool {
    let shift = if found.uid() == invoker.uid {
        6
    } else if found.gid() == invoker.gid || invoker.groups.contains(&found.gid()) {
        3
    } else {
        0
    };
    found.mode() >> shift & 0o3 == 0o3
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_folder_that_is_not_there_is_judged_by_the_one_above() {
        let above = tempfile::tempdir().expect("folder");
        let folder = Folder::of(&above.path().join("a/b"), None);
        assert!(!folder.exists && folder.refusal.is_none(), "{folder:?}");
        assert!(folder.free_bytes.is_some_and(|free| free > 0));
        fs::write(above.path().join("file"), "").expect("written");
        let within = Folder::of(&above.path().join("file/b"), None);
        assert!(
            within
                .refusal
                .is_some_and(|why| why.ends_with("file: not a folder"))
        );
    }

    #[test]
    fn the_innermost_mount_says_whether_programs_run() {
        let mounts = "/dev/vda / ext4 rw,noexec 0 0\ntmpfs /tmp tmpfs rw,nosuid 0 0\ntmpfs /tmp/a tmpfs rw 0 0\ntmpfs /tmp/a tmpfs rw,noexec,mode=700 0 0\n";
        for (path, expected) in [
            ("/home", true),
            ("/tmp", false),
            ("/tmp/ab", false),
            ("/tmp/a/b", true),
        ] {
            assert_eq!(is_noexec(mounts, Path::new(path)), expected, "{path}");
        }
        assert!(!is_noexec("", Path::new("/")));
    }

    #[test]
    fn the_mode_decides_for_another_user() {
        let folder = tempfile::tempdir().expect("folder");
        let invoker = |uid, gid, groups: &[u32]| Invoker {
            name: OsString::from("someone"),
            uid,
            gid,
            groups: groups.to_vec(),
            home: PathBuf::from("/"),
            shell: PathBuf::from("/bin/sh"),
        };
        let found = fs::metadata(folder.path()).expect("facts");
        let (own, group) = (found.uid(), found.gid());
        let other = invoker(own + 1, group + 1, &[]);
        for (mode, who, may) in [
            (0o700, invoker(own, group, &[]), true),
            (0o700, other.clone(), false),
            (0o770, invoker(own + 1, group + 1, &[group]), true),
            (0o772, other.clone(), false),
            (0o773, other, true),
            (0o077, invoker(own, group, &[]), false),
        ] {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).expect("set");
            let found = fs::metadata(folder.path()).expect("facts");
            assert_eq!(may_write(&found, &who), may, "{mode:o} {who:?}");
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).expect("set");
    }
}
