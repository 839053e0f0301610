//! A toolchain whose functions tell of their calls, where it lies: folders in, what is known of its programs out.

use super::{BadFunctions, FUNCTIONS_PATH, LIBRARY_PATH, ToldProgram, programs};
use crate::binary::go::Version;
use crate::capture::{chain, plain_file};
use crate::environment::Refusal;
use std::io;
use std::path::{Path, PathBuf};

/// The largest file of functions that is read: that of all functions of all programs has about 15 MiB.
const LARGEST: u64 = 256 << 20;
/// Bytes of `VERSION` that are read.
const OF_VERSION: u64 = 256;

/// A toolchain whose functions tell of their calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    /// Its folder, links followed.
    pub root: PathBuf,
    /// Its release of Go, where that is known.
    pub version: Option<Version>,
    /// Those of its programs that tell.
    pub programs: Vec<ToldProgram>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoToolchain {
    /// The command is no go command, and none is on its PATH.
    #[error("the command is no go command, and none is found on PATH")]
    NoGo,
    /// It was not prepared for that.
    #[error("{}: it has no {FUNCTIONS_PATH}", root.display())]
    NotInstrumented {
        /// Where it is.
        root: PathBuf,
    },
    /// Nothing would map the ring.
    #[error("{}: it has no {LIBRARY_PATH}, which its programs load", root.display())]
    NoLibrary {
        /// Where it is.
        root: PathBuf,
    },
    /// What its functions tell cannot be read.
    #[error("{}: it cannot be read", path.display())]
    Unread {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not what was written there.
    #[error("{}: it does not say what functions tell", path.display())]
    Bad {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: BadFunctions,
    },
}

impl NoToolchain {
    /// What is missing, and what would help.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        let (reason, from) = match self {
            Self::NoGo => (
                "no toolchain is found whose functions tell of their calls",
                None,
            ),
            Self::NotInstrumented { root } => (
                "the functions of this toolchain do not tell of their calls",
                Some(root),
            ),
            Self::NoLibrary { .. } | Self::Unread { .. } | Self::Bad { .. } => {
                ("this toolchain is not as it was prepared", None)
            }
        };
        let from = from.map_or_else(|| "GOROOT".to_owned(), |root| root.display().to_string());
        Refusal {
            reason: reason.to_owned(),
            evidence: chain(self),
            remedy: format!(
                "gotrace toolchain prepare --from {from} --to DIR --instrument go-build; then run DIR/bin/go"
            ),
        }
    }
}

impl Toolchain {
    /// The first of some toolchains whose functions tell of their calls.
    ///
    /// # Errors
    ///
    /// Why none of them does; of several, why the first does not.
    pub fn first_of(roots: &[PathBuf]) -> Result<Self, NoToolchain> {
        let instrumented = roots.iter().find(|root| root.join(FUNCTIONS_PATH).exists());
        match (instrumented, roots.first()) {
            (Some(root), _) => Self::read(root),
            (None, Some(root)) => Err(NoToolchain::NotInstrumented { root: root.clone() }),
            (None, None) => Err(NoToolchain::NoGo),
        }
    }

    /// Reads that in a folder.
    ///
    /// # Errors
    ///
    /// When something of it is missing, or is not as it was prepared.
    pub fn read(root: &Path) -> Result<Self, NoToolchain> {
        let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        let path = root.join(FUNCTIONS_PATH);
        let file = match plain_file::read(&path, LARGEST) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(NoToolchain::NotInstrumented { root });
            }
            Err(source) => return Err(NoToolchain::Unread { path, source }),
        };
        if !root.join(LIBRARY_PATH).is_file() {
            return Err(NoToolchain::NoLibrary { root });
        }
        let programs = programs(&file).map_err(|source| NoToolchain::Bad { path, source })?;
        let version = plain_file::head(&root.join("VERSION"), OF_VERSION).unwrap_or_default();
        let version = String::from_utf8_lossy(&version);
        let version = version.lines().next().and_then(Version::parse);
        Ok(Self {
            root,
            version,
            programs,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const NONE: &str = r#"{"schema": "gotrace.toolchain-functions/1", "rows": []}"#;

    fn folder(functions: Option<&str>, has_library: bool) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("pkg/gotrace")).unwrap();
        if let Some(functions) = functions {
            fs::write(folder.path().join(FUNCTIONS_PATH), functions).unwrap();
        }
        if has_library {
            fs::write(folder.path().join(LIBRARY_PATH), "").unwrap();
        }
        fs::write(folder.path().join("VERSION"), "go1.27.3\ntime 2026-11-02\n").unwrap();
        folder
    }

    #[test]
    fn the_first_that_tells_is_taken() {
        let (plain, tells) = (folder(None, false), folder(Some(NONE), true));
        let other = folder(Some(NONE), true);
        let roots = [&plain, &tells, &other].map(|folder| folder.path().to_owned());
        let found = Toolchain::first_of(&roots).unwrap();
        assert_eq!(found.root, tells.path().canonicalize().unwrap());
        let version = found.version.unwrap();
        assert_eq!((version.major, version.minor), (1, 27));
        assert!(found.programs.is_empty());
    }

    #[test]
    fn what_is_missing_is_told_with_what_makes_it() {
        let refusal = Toolchain::first_of(&[]).unwrap_err().refusal();
        assert_eq!(
            refusal.remedy,
            "gotrace toolchain prepare --from GOROOT --to DIR --instrument go-build; then run DIR/bin/go"
        );
        let plain = folder(None, true);
        let root = plain.path().display().to_string();
        let refusal = Toolchain::first_of(&[plain.path().to_owned()])
            .unwrap_err()
            .refusal();
        assert_eq!(
            refusal.reason,
            "the functions of this toolchain do not tell of their calls"
        );
        assert_eq!(
            refusal.evidence,
            format!("{root}: it has no pkg/gotrace/functions.json")
        );
        assert!(
            refusal
                .remedy
                .starts_with(&format!("gotrace toolchain prepare --from {root} "))
        );
        for (folder, evidence) in [
            (
                folder(Some(NONE), false),
                "it has no pkg/gotrace/libgotrace-ring.dylib",
            ),
            (
                folder(Some("{}"), true),
                "it does not say what functions tell: expected a JSON object",
            ),
        ] {
            let refusal = Toolchain::read(folder.path()).unwrap_err().refusal();
            assert_eq!(refusal.reason, "this toolchain is not as it was prepared");
            assert!(refusal.evidence.contains(evidence), "{}", refusal.evidence);
        }
        // A folder is no file, and nobody waits for a pipe.
        let odd = folder(None, true);
        fs::create_dir(odd.path().join(FUNCTIONS_PATH)).unwrap();
        assert!(matches!(
            Toolchain::read(odd.path()),
            Err(NoToolchain::Unread { .. })
        ));
    }
}
