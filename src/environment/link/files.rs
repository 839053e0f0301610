//! Where files come from: the disk, or a tree below a folder of it.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// No library that is looked into is larger, in bytes: LLVM's are below 200 MB.
const LARGEST: u64 = 1 << 30;

/// Files by absolute path.
pub trait Files {
    /// The bytes of a file.
    ///
    /// # Errors
    ///
    /// Those of the system; files above 1 GiB are refused.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Whether there is a file, and how many bytes it has.
    fn size(&self, path: &Path) -> Option<u64>;

    /// What is in a folder, sorted by name; nothing where there is none.
    fn list(&self, folder: &Path) -> Vec<PathBuf>;

    /// A name that is the same for all paths that lead to a folder.
    fn identity(&self, folder: &Path) -> PathBuf {
        folder.to_owned()
    }
}

/// The files of this machine; with a root those below it, as if it were `/`.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    /// What stands for `/`.
    pub root: Option<PathBuf>,
    /// What relative paths are relative to.
    pub folder: PathBuf,
}

impl Disk {
    fn real(&self, path: &Path) -> PathBuf {
        let path = self.folder.join(path);
        match &self.root {
            // `..` stays below the root.
            Some(root) => {
                let mut real = root.clone();
                let mut depth = 0_usize;
                for part in path.components() {
                    match part {
                        Component::Normal(name) => {
                            real.push(name);
                            depth += 1;
                        }
                        Component::ParentDir if depth > 0 => {
                            real.pop();
                            depth -= 1;
                        }
                        _ => {}
                    }
                }
                real
            }
            None => path,
        }
    }
}

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let real = self.real(path);
        let found = fs::metadata(&real)?;
        if !found.is_file() {
            return Err(io::Error::other("not a plain file"));
        }
        if found.len() > LARGEST {
            return Err(io::Error::other(format!(
                "expected at most {LARGEST} bytes, found {}",
                found.len()
            )));
        }
        fs::read(&real)
    }

    fn size(&self, path: &Path) -> Option<u64> {
        let found = fs::metadata(self.real(path)).ok()?;
        found.is_file().then_some(found.len())
    }

    fn list(&self, folder: &Path) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.real(folder)) else {
            return Vec::new();
        };
        let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
        let mut paths: Vec<PathBuf> = names.map(|name| folder.join(name)).collect();
        paths.sort();
        paths
    }

    fn identity(&self, folder: &Path) -> PathBuf {
        let real = self.real(folder);
        fs::canonicalize(&real).unwrap_or(real)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_not_left() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "1").unwrap();
        fs::create_dir(folder.path().join("b")).unwrap();
        let disk = Disk {
            root: Some(folder.path().to_owned()),
            folder: PathBuf::from("/b"),
        };
        for path in ["/a", "../a", "../../../a", "/b/../a"] {
            assert_eq!(disk.read(Path::new(path)).unwrap(), b"1", "{path}");
        }
        assert_eq!(disk.size(Path::new("/b")), None);
        assert!(disk.read(Path::new("/b")).is_err());
        assert_eq!(
            disk.list(Path::new("/")),
            [Path::new("/a"), Path::new("/b")]
        );
        assert!(disk.list(Path::new("/no")).is_empty());
    }
}
