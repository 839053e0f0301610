//! A folder for a while: the build cache of one run, what is built for several, scripts.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::environment::invoker::Invoker;

/// The folder; it goes when this value does.
#[derive(Debug)]
pub struct PrivateFolder {
    path: PathBuf,
}

impl PrivateFolder {
    /// Makes an empty one for some purpose below `temporary`, which nobody else may read; that of the
    /// user who called sudo, if one did.
    ///
    /// # Errors
    ///
    /// When it cannot be made there.
    pub fn create(purpose: &str, temporary: &Path, invoker: Option<&Invoker>) -> io::Result<Self> {
        let mut builder = DirBuilder::new();
        builder.mode(0o700);
        for attempt in 0..1_000 {
            let name = format!("gotrace-{purpose}-{}-{attempt}", std::process::id());
            let path = std::path::absolute(temporary.join(name))?;
            match builder.create(&path) {
                Ok(()) => {
                    let folder = Self { path };
                    if let Some(invoker) = invoker {
                        let (uid, gid) = (Some(invoker.uid), Some(invoker.gid));
                        std::os::unix::fs::lchown(&folder.path, uid, gid)?;
                    }
                    return Ok(folder);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Removes it, and all that is in it.
    ///
    /// # Errors
    ///
    /// When something of it cannot be removed. The rest of it is then still there.
    pub fn remove(self) -> io::Result<()> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        // Whoever wants to know has called `remove`, after which it is gone, or cannot be removed.
        drop(fs::remove_dir_all(&self.path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_folder_is_empty_private_and_gone_in_the_end() {
        let folder = tempfile::tempdir().expect("folder");
        let one = PrivateFolder::create("series", folder.path(), None).expect("made");
        let other = PrivateFolder::create("series", folder.path(), None).expect("made");
        assert_ne!(one.path(), other.path());
        let mode = fs::metadata(one.path())
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
        fs::create_dir(one.path().join("00")).expect("made");
        fs::write(one.path().join("00/x"), "x").expect("written");
        drop((one, other));
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 0);
        assert!(PrivateFolder::create("series", Path::new("/nowhere"), None).is_err());
    }
}
