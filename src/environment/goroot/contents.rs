//! What a toolchain compiles: the hashes of its standard library's files.

use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Beside `src`, files that builds depend on.
const FILES: [&str; 2] = ["VERSION", "go.env"];

/// The hashes of the files of a standard library.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// SHA-256 of each, by its path from the toolchain's folder.
    pub files: BTreeMap<PathBuf, [u8; 32]>,
}

/// A file that is not the same in two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// From the toolchain's folder.
    pub path: PathBuf,
    /// Its hash in the first, in hexadecimal; `None` where it is missing.
    pub expected: Option<String>,
    /// In the second.
    pub found: Option<String>,
}

impl Contents {
    /// Hashes `src`, `VERSION` and `go.env`.
    ///
    /// # Errors
    ///
    /// When something cannot be read; the path is part of the error.
    pub fn of(root: &Path) -> Result<Self, (PathBuf, io::Error)> {
        let mut contents = Self::default();
        for file in FILES {
            if root.join(file).is_file() {
                contents.add(root, PathBuf::from(file))?;
            }
        }
        let mut folders = vec![PathBuf::from("src")];
        while let Some(folder) = folders.pop() {
            let path = root.join(&folder);
            let unread = |error| (path.clone(), error);
            for entry in fs::read_dir(&path).map_err(unread)? {
                let entry = entry.map_err(unread)?;
                let kind = entry.file_type().map_err(unread)?;
                let path = folder.join(entry.file_name());
                // Debian has its sources elsewhere, behind one link; others may make a circle.
                let through = kind.is_symlink() && entry.path().is_file();
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_file() || through {
                    contents.add(root, path)?;
                }
            }
        }
        Ok(contents)
    }

    fn add(&mut self, root: &Path, path: PathBuf) -> Result<(), (PathBuf, io::Error)> {
        let file = root.join(&path);
        let data = fs::read(&file).map_err(|error| (file, error))?;
        self.files.insert(path, Sha256::digest(&data).into());
        Ok(())
    }

    /// One hash for all, in hexadecimal: of the lines `HASH  PATH` that `sha256sum` prints, in the
    /// order of the paths' bytes.
    #[must_use]
    pub fn hash(&self) -> String {
        let line = |(path, hash): (&PathBuf, &[u8; 32])| {
            let path = path.display().to_string();
            let line = format!("{}  {path}\n", hexadecimal(hash));
            (path, line)
        };
        let mut lines: Vec<(String, String)> = self.files.iter().map(line).collect();
        lines.sort();
        let mut whole = Sha256::new();
        lines.iter().for_each(|(_, line)| whole.update(line));
        hexadecimal(&whole.finalize())
    }

    /// Files that are other ones in `new`, in the order of paths.
    #[must_use]
    pub fn differences(&self, new: &Self) -> Vec<Difference> {
        let shown = |hash: Option<&[u8; 32]>| hash.map(|hash| hexadecimal(hash));
        let both = self.files.keys().chain(new.files.keys());
        let paths: std::collections::BTreeSet<&PathBuf> = both.collect();
        let differs = |path: &&PathBuf| self.files.get(*path) != new.files.get(*path);
        let paths = paths.into_iter().filter(differs);
        paths
            .map(|path| Difference {
                path: path.clone(),
                expected: shown(self.files.get(path)),
                found: shown(new.files.get(path)),
            })
            .collect()
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for byte in bytes {
        // Writing to a string does not fail.
        _ = write!(text, "{byte:02x}");
    }
    text
}
