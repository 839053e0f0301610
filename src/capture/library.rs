//! A library that programs of all users are to load: its bytes in, a file out that they can read, whatever the umask
//! is and whoever has written it before.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Writes a library, unless it is there. Folders that are missing are made.
///
/// # Errors
///
/// When one of that cannot be written, or belongs to somebody else who lets nobody read it.
pub(super) fn install(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidFilename)?;
    let missing = folder.ancestors().take_while(|folder| !folder.exists());
    let missing: Vec<&Path> = missing.collect();
    fs::create_dir_all(folder)?;
    for folder in missing.into_iter().chain([folder]) {
        open_to_all(folder)?;
    }
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return open_to_all(path);
    }
    // Whoever looks meanwhile finds the whole of it, or none.
    let half = path.with_extension(std::process::id().to_string());
    fs::write(&half, bytes)?;
    open_to_all(&half)?;
    fs::rename(&half, path)
}

/// Lets everybody read it, and go into it.
fn open_to_all(path: &Path) -> io::Result<()> {
    const ALL: u32 = 0o555;
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & ALL == ALL {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode & 0o7777 | ALL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_can_load_it() {
        let root = tempfile::tempdir().expect("a folder");
        let set = |path: &Path, mode| {
            fs::set_permissions(path, Permissions::from_mode(mode)).expect("set");
        };
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        let folder = root.path().join("cache/gotrace");
        let path = folder.join("lib.dylib");
        install(&path, b"one").expect("installed");
        assert_eq!(fs::read(&path).expect("there"), b"one");
        // As a umask of 077 has left them.
        set(&folder, 0o700);
        set(&path, 0o600);
        install(&path, b"one").expect("installed again");
        assert_eq!((mode(&folder), mode(&path)), (0o755, 0o755));
        install(&path, b"two").expect("replaced");
        assert_eq!(fs::read(&path).expect("there"), b"two");
        assert_eq!(mode(&path) & 0o555, 0o555);
        let names = fs::read_dir(&folder).expect("there").count();
        assert_eq!(names, 1, "no half of it is left");
    }

    #[test]
    fn what_lies_above_stays_as_it_is() {
        let root = tempfile::tempdir().expect("a folder");
        let before = fs::metadata(root.path()).expect("there").permissions();
        install(&root.path().join("lib/lib.so"), b"").expect("installed");
        let after = fs::metadata(root.path()).expect("there").permissions();
        assert_eq!(before, after, "a folder that was there");
    }
}
