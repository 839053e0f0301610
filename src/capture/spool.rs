//! A private folder for one run: the socket of shims, profiles of tools, action graphs.

use std::fs::{self, Permissions};
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::run_folder::{self, RunFolder};
use crate::environment::invoker::Invoker;

/// Longest path of the folder, so that a socket's name in it fits into `sun_path` (108 bytes).
const LONGEST: usize = 80;

/// The folder; it goes when this value does.
#[derive(Debug)]
pub(super) struct Spool {
    folder: RunFolder,
    /// A name that nobody can guess.
    secret: String,
    invoker: Option<u32>,
}

impl Spool {
    /// Makes the folder below `temporary`, or below `/tmp` where that one cannot be written, or
    /// its path would need quotes inside GOFLAGS or is too long for a socket.
    ///
    /// # Errors
    ///
    /// When it cannot be made in either place.
    pub(super) fn create(temporary: &Path, invoker: Option<&Invoker>) -> io::Result<Self> {
        let plain = |byte: &u8| !byte.is_ascii_whitespace() && !matches!(byte, b'\'' | b'"');
        let bytes = temporary.as_os_str().as_bytes();
        let usable = temporary.is_absolute() && bytes.len() < LONGEST && bytes.iter().all(plain);
        let fallback = Path::new("/tmp");
        let first = if usable { temporary } else { fallback };
        Self::below(first, invoker).or_else(|_| Self::below(fallback, invoker))
    }

    fn below(folder: &Path, invoker: Option<&Invoker>) -> io::Result<Self> {
        let own = std::process::id();
        for attempt in 0..1_000 {
            let path = folder.join(format!("{}{own}-{attempt}", run_folder::PREFIX));
            match RunFolder::create(path) {
                Ok(folder) => {
                    let spool = Self {
                        folder,
                        secret: secret(),
                        invoker: invoker.map(|invoker| invoker.uid),
                    };
                    return spool.fill(invoker);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    fn fill(self, invoker: Option<&Invoker>) -> io::Result<Self> {
        fs::create_dir(self.graphs())?;
        // Go commands that a build runs as another user shall not fail for want of a place: who
        // knows the names may reach and write, nobody may list or take away. The name of the
        // folder of graphs is known to those alone who can read the environment of the build.
        fs::set_permissions(self.graphs(), Permissions::from_mode(0o1733))?;
        fs::set_permissions(self.path(), Permissions::from_mode(0o711))?;
        if let Some(invoker) = invoker {
            for path in [self.path().to_owned(), self.graphs()] {
                std::os::unix::fs::chown(path, Some(invoker.uid), Some(invoker.gid))?;
            }
        }
        Ok(self)
    }

    /// Users whose processes may tell of the build: who runs gotrace, who called sudo, and root.
    #[must_use]
    pub(super) fn users(&self) -> Vec<u32> {
        let own = nix::unistd::getuid().as_raw();
        [0, own].into_iter().chain(self.invoker).collect()
    }

    /// The folder.
    #[must_use]
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A name that nobody can guess.
    #[must_use]
    pub(super) fn secret(&self) -> &str {
        &self.secret
    }

    /// A name for the shims' executable that needs no quotes: `shim::install` has it lead there.
    #[must_use]
    pub(super) fn executable(&self) -> PathBuf {
        self.path().join("gotrace")
    }

    /// Where action graphs are written.
    #[must_use]
    pub(super) fn graphs(&self) -> PathBuf {
        self.path().join(&self.secret)
    }

    /// Leaves the folder where it is: processes live on whose GOFLAGS name it.
    pub(super) fn keep(&mut self) {
        self.folder.keep();
    }
}

/// 128 bits of which nobody knows any: two hashes with keys of their own, drawn at random.
fn secret() -> String {
    let [one, two] = [RandomState::new(), RandomState::new()].map(|keys| keys.hash_one(0));
    format!("{one:016x}{two:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::toolexec::shim;

    #[test]
    fn the_folder_is_private_and_goes_with_its_value() {
        let below = tempfile::tempdir().expect("folder");
        let spool = Spool::create(below.path(), None).expect("made");
        shim::install(&spool.executable(), false).expect("made");
        let path = spool.path().to_owned();
        assert!(path.starts_with(below.path()) && spool.executable().exists());
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o711);
        let graphs = fs::metadata(spool.graphs()).expect("there");
        assert_eq!(graphs.permissions().mode() & 0o7777, 0o1733);
        let other = Spool::create(below.path(), None).expect("made");
        assert_ne!(spool.graphs().file_name(), other.graphs().file_name());
        drop(spool);
        assert!(!path.exists());
    }

    #[test]
    fn a_path_that_needs_quotes_is_not_used() {
        let below = tempfile::Builder::new()
            .prefix("a b")
            .tempdir()
            .expect("folder");
        let spool = Spool::create(below.path(), None).expect("made");
        assert_eq!(spool.path().parent(), Some(Path::new("/tmp")));
    }
}
