//! A copy of a toolchain whose Mach-O programs are signed anew, for nobody in particular.
//!
//! ```text
//! DIR                       appears whole, by one rename, or not at all
//! .NAME.gotrace-partial/    beside it, while the copy is made
//!     lock                  held by whoever makes it; a folder without one that is held is stale
//!     tree/                 becomes DIR
//! ```
//!
//! A run that fails takes its partial copy away; one that was killed leaves it to the next.

use super::{Goroot, RUN};
use crate::binary::macho::signature::AdHoc;
use crate::environment::signing::{Signer, SigningError};
use std::fs::{self, File, FileTimes, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown, symlink};
use std::path::{Component, Path, PathBuf};

/// Why a copy could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// There is no toolchain.
    #[error("{}: no Go toolchain: expected bin/go, and pkg/tool or src/runtime, in it", path.display())]
    NoToolchain {
        /// Where one was to be.
        path: PathBuf,
    },
    /// Something is where the copy is to be.
    #[error("{}: will not be replaced: expected nothing, or an empty folder", path.display())]
    Exists {
        /// What.
        path: PathBuf,
    },
    /// One lies in the other.
    #[error("{}: a copy cannot lie in what is copied, {}", to.display(), from.display())]
    Within {
        /// The toolchain.
        from: PathBuf,
        /// The copy.
        to: PathBuf,
    },
    /// Another gotrace makes the same copy.
    #[error("{}: another gotrace is making this copy", path.display())]
    Busy {
        /// The partial copy.
        path: PathBuf,
    },
    /// What has the name of a partial copy is none.
    #[error("{}: expected a partial copy of your own, found something else", path.display())]
    Foreign {
        /// What.
        path: PathBuf,
    },
    /// A link leads out of the toolchain, so that the copy would share files with something else.
    #[error("{}: expected a link that stays in the toolchain, found one to {}", link.display(), target.display())]
    LeadsOut {
        /// The link.
        link: PathBuf,
        /// What it says.
        target: PathBuf,
    },
    /// A pipe, a socket, a device.
    #[error("{}: expected a file, a folder or a link", path.display())]
    Special {
        /// What.
        path: PathBuf,
    },
    /// A program cannot be signed.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// A step failed.
    #[error("{}: cannot {step}", path.display())]
    Step {
        /// What it was done to.
        path: PathBuf,
        /// What was to be done.
        step: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// The step that is done to what is copied; all others are done to the copy.
const READING: &str = "be read";

impl CopyError {
    /// Whether it is about the copy that was to be made, and not about what was to be copied.
    #[must_use]
    pub fn is_about_the_target(&self) -> bool {
        match self {
            Self::Exists { .. }
            | Self::Within { .. }
            | Self::Busy { .. }
            | Self::Foreign { .. } => true,
            Self::Step { step, .. } => *step != READING,
            _ => false,
        }
    }
}

impl CopyError {
    /// What the user can do.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoToolchain { .. } => {
                "`go env GOROOT` prints where a go command has its toolchain"
            }
            Self::Exists { .. } => "name another folder with --to, or remove this one",
            Self::Within { .. } => "name a folder elsewhere with --to",
            Self::Busy { .. } => "wait for it to end",
            Self::Foreign { .. } => "look at it and remove it, or name another folder with --to",
            Self::LeadsOut { .. } => "`cp -RL` makes a copy without links, which can be prepared",
            Self::Special { .. } | Self::Signing(_) | Self::Step { .. } => return None,
        })
    }
}

fn step(path: &Path, step: &'static str) -> impl FnOnce(io::Error) -> CopyError {
    let path = path.to_owned();
    move |source| CopyError::Step { path, step, source }
}

/// A program that was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedFile {
    /// Where it is, from the toolchain's folder.
    pub path: PathBuf,
    /// The original.
    pub original: PathBuf,
    /// The signed copy, in the partial one.
    pub signed: PathBuf,
}

/// What is done to the bytes of a program, see [`Preparation::copy`].
pub type Rewrite<'r> = dyn FnMut(&Path, &[u8]) -> Option<Vec<u8>> + 'r;

/// A copy that is being made. Dropped before [`Preparation::finish`], it goes.
#[derive(Debug)]
pub struct Preparation {
    from: PathBuf,
    to: PathBuf,
    partial: PathBuf,
    signer: Signer,
    /// Held until the copy is done, or this process ends.
    _lock: File,
    owner: Option<(u32, u32)>,
    files: usize,
}

impl Drop for Preparation {
    fn drop(&mut self) {
        // Whatever stays is taken away by the next run.
        drop(fs::remove_dir_all(&self.partial));
    }
}

impl Preparation {
    /// Begins a copy of the toolchain `from`, which will be `to`. Files will belong to `owner`
    /// (user and group), or to whoever runs this.
    ///
    /// # Errors
    ///
    /// When `from` is no toolchain, `to` is there already, or the partial copy cannot be made.
    pub fn begin(from: &Path, to: &Path, owner: Option<(u32, u32)>) -> Result<Self, CopyError> {
        let root = fs::canonicalize(from).map_err(step(from, READING))?;
        if !Goroot::is_one(&root) {
            return Err(CopyError::NoToolchain { path: root });
        }
        let exists = || CopyError::Exists {
            path: to.to_owned(),
        };
        let name = to.file_name().ok_or_else(exists)?;
        let parent = match to.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let parent = fs::canonicalize(parent).map_err(step(parent, "make a folder in it"))?;
        let to = parent.join(name);
        match fs::symlink_metadata(&to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Ok(found) if found.is_dir() && is_empty(&to) => {}
            _ => return Err(exists()),
        }
        if to.starts_with(&root) || root.starts_with(&to) {
            return Err(CopyError::Within { from: root, to });
        }
        let mut partial_name = std::ffi::OsString::from(".");
        partial_name.push(name);
        partial_name.push(".gotrace-partial");
        let partial = parent.join(partial_name);
        let lock = claim(&partial)?;
        Ok(Self {
            from: root,
            to,
            partial,
            _lock: lock,
            owner,
            signer: Signer::of_this_system(),
            files: 0,
        })
    }

    /// Where the copy will be.
    #[must_use]
    pub fn destination(&self) -> &Path {
        &self.to
    }

    /// How many files were copied.
    #[must_use]
    pub const fn files(&self) -> usize {
        self.files
    }

    /// Copies everything, and signs the programs among it. `rewrite` is handed each of them, by its path from the
    /// toolchain's folder, before it is signed, and says which bytes it has in the copy; `None`: the same.
    ///
    /// # Errors
    ///
    /// When something cannot be read, written or signed, or leads out of the toolchain.
    pub fn copy(
        &mut self,
        entitlements: &[String],
        rewrite: &mut Rewrite<'_>,
    ) -> Result<Vec<SignedFile>, CopyError> {
        let tree = self.partial.join("tree");
        fs::create_dir(&tree).map_err(step(&tree, "be made"))?;
        let mut signed = Vec::new();
        // Folders get their mode and time when nothing is written into them any more.
        let mut folders = vec![PathBuf::new()];
        let mut next = 0;
        while let Some(folder) = folders.get(next).cloned() {
            next += 1;
            let read = self.from.join(&folder);
            for entry in fs::read_dir(&read).map_err(step(&read, READING))? {
                let entry = entry.map_err(step(&read, READING))?;
                let path = folder.join(entry.file_name());
                let kind = entry.file_type().map_err(step(&entry.path(), READING))?;
                let made = tree.join(&path);
                if kind.is_dir() {
                    fs::create_dir(&made).map_err(step(&made, "be made"))?;
                    folders.push(path);
                } else if kind.is_symlink() {
                    self.link(&path, &made)?;
                } else if kind.is_file() {
                    self.files += 1;
                    signed.extend(self.file(&path, &made, entitlements, rewrite)?);
                } else {
                    return Err(CopyError::Special { path: entry.path() });
                }
            }
        }
        for folder in folders.iter().rev() {
            let original = self.from.join(folder);
            let found = fs::metadata(&original).map_err(step(&original, READING))?;
            // A folder that nobody may write to could not be removed again.
            self.dress(&tree.join(folder), &found, 0o700)?;
        }
        signed.sort_by(|one: &SignedFile, other| one.path.cmp(&other.path));
        Ok(signed)
    }

    /// Links are made to lead to the same place in the copy, whatever way they took.
    fn link(&self, path: &Path, made: &Path) -> Result<(), CopyError> {
        let link = self.from.join(path);
        let leads_out = |target: &Path| CopyError::LeadsOut {
            link: link.clone(),
            target: target.to_owned(),
        };
        let said = fs::read_link(&link).map_err(step(&link, READING))?;
        let target = fs::canonicalize(&link).map_err(|_gone| leads_out(&said))?;
        let inside = target.strip_prefix(&self.from);
        let inside = inside.map_err(|_outside| leads_out(&said))?;
        let depth = path.components().count().saturating_sub(1);
        let mut way: PathBuf = std::iter::repeat_n(Component::ParentDir, depth).collect();
        way.push(inside);
        symlink(&way, made).map_err(step(made, "be made"))?;
        self.give(made)
    }

    fn file(
        &self,
        path: &Path,
        made: &Path,
        entitlements: &[String],
        rewrite: &mut Rewrite<'_>,
    ) -> Result<Option<SignedFile>, CopyError> {
        let original = self.from.join(path);
        let found = fs::metadata(&original).map_err(step(&original, READING))?;
        if RUN.iter().any(|folder| path.starts_with(folder)) {
            let data = fs::read(&original).map_err(step(&original, READING))?;
            if AdHoc::takes(&data) {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let data = rewrite(path, &data).unwrap_or(data);
                fs::write(made, data).map_err(step(made, "be written"))?;
                let signed = self.signer.sign(made, &name, entitlements);
                signed.map_err(|error| error.of(&original))?;
                // Wheels and other archives may have lost that it is to be run.
                let run = (found.mode() & 0o444) >> 2;
                self.dress(made, &found, 0o200 | run)?;
                return Ok(Some(SignedFile {
                    path: path.to_owned(),
                    original,
                    signed: made.to_owned(),
                }));
            }
        }
        fs::copy(&original, made).map_err(step(made, "be written"))?;
        self.dress(made, &found, 0o200)?;
        Ok(None)
    }

    /// Adds a file that the toolchain does not have, which anybody may read.
    ///
    /// # Errors
    ///
    /// When it cannot be written, or is there.
    pub fn add(&mut self, path: &Path, contents: &[u8]) -> Result<(), CopyError> {
        let made = self.partial.join("tree").join(path);
        let folder = made.parent().unwrap_or(&made);
        if !folder.is_dir() {
            fs::create_dir_all(folder).map_err(step(folder, "be made"))?;
            self.give(folder)?;
        }
        let file = File::create_new(&made);
        let written = file.and_then(|mut file| io::Write::write_all(&mut file, contents));
        written.map_err(step(&made, "be written"))?;
        fs::set_permissions(&made, fs::Permissions::from_mode(0o644))
            .map_err(step(&made, "be given its mode"))?;
        self.files += 1;
        self.give(&made)
    }

    /// Gives what was made the mode (and more), the time and the owner that it is to have.
    fn dress(&self, made: &Path, original: &Metadata, more: u32) -> Result<(), CopyError> {
        let mode = original.mode() & 0o777 | more;
        fs::set_permissions(made, fs::Permissions::from_mode(mode))
            .map_err(step(made, "be given its mode"))?;
        let times = || {
            let times = FileTimes::new().set_modified(original.modified()?);
            File::open(made)?.set_times(times)
        };
        times().map_err(step(made, "be given its time"))?;
        self.give(made)
    }

    fn give(&self, made: &Path) -> Result<(), CopyError> {
        match self.owner {
            Some((user, group)) => {
                lchown(made, Some(user), Some(group)).map_err(step(made, "be given its owner"))
            }
            None => Ok(()),
        }
    }

    /// Puts the copy into its place.
    ///
    /// # Errors
    ///
    /// When that cannot be done, or something is there by now.
    pub fn finish(self) -> Result<(), CopyError> {
        // A folder takes the place of an empty one, and of nothing else.
        let renamed = fs::rename(self.partial.join("tree"), &self.to);
        renamed.map_err(step(&self.to, "be put into place"))
    }
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// Makes the folder of a partial copy, in place of one that nobody works on.
fn claim(partial: &Path) -> Result<File, CopyError> {
    let lock = partial.join("lock");
    match fs::create_dir(partial) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let found = fs::symlink_metadata(partial).map_err(step(partial, READING))?;
            let ours = found.uid() == nix::unistd::geteuid().as_raw();
            let locked = fs::symlink_metadata(&lock).is_ok_and(|lock| lock.is_file());
            if !found.is_dir() || !ours || !locked && !is_empty(partial) {
                return Err(CopyError::Foreign {
                    path: partial.to_owned(),
                });
            }
        }
        Err(error) => return Err(step(partial, "be made")(error)),
    }
    let file = File::create(&lock).map_err(step(&lock, "be made"))?;
    if file.try_lock().is_err() {
        return Err(CopyError::Busy {
            path: partial.to_owned(),
        });
    }
    let stale = partial.join("tree");
    match fs::remove_dir_all(&stale) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(step(&stale, "be removed")(error))
        }
        _ => Ok(file),
    }
}
