//! An executable that is signed anew so that it may take the tasks of other programs, and back.
//!
//! In: the executable. Out: the steps in words, and then the same steps done. The file is made beside its
//! place and takes it by one rename: the kernel keeps what it knows of a signature with the file, and ends
//! programs whose file is written to.

use super::signing::{Signer, SigningError};
use crate::binary::macho::signature::{DEBUGGER, Signature};
use crate::binary::macho::{MachO, Slices};
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, lchown};
use std::path::{Path, PathBuf};

/// An executable, and who signs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entitled {
    /// The executable.
    pub path: PathBuf,
    /// Who signs it.
    pub signer: Signer,
}

/// Why it could not be signed anew. The executable is then as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EntitledError {
    /// It cannot be signed.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// What was signed does not have the entitlement, or has it still.
    #[error("{}: expected a signature {with} {DEBUGGER}, found one {without}", path.display())]
    Otherwise {
        /// The executable.
        path: PathBuf,
        /// `with` or `without`.
        with: &'static str,
        /// The other of the two.
        without: &'static str,
    },
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

fn step(path: &Path, step: &'static str) -> impl FnOnce(io::Error) -> EntitledError {
    let path = path.to_owned();
    move |source| EntitledError::Step { path, step, source }
}

impl Entitled {
    /// What [`Self::apply`] does, a line a step.
    #[must_use]
    pub fn steps(&self) -> Vec<String> {
        self.words(&format!(", ad hoc, with the entitlement {DEBUGGER}"))
    }

    /// What [`Self::undo`] does, a line a step.
    #[must_use]
    pub fn undo_steps(&self) -> Vec<String> {
        self.words(", ad hoc, without entitlements")
    }

    fn words(&self, how: &str) -> Vec<String> {
        let (partial, path) = (self.partial(), self.path.display());
        vec![
            format!("copy {path} to {}", partial.display()),
            format!("sign the copy by {}{how}", self.signer.name()),
            format!("put it into the place of {path}"),
        ]
    }

    /// Signs it with the entitlement.
    ///
    /// # Errors
    ///
    /// When a step fails.
    pub fn apply(&self) -> Result<(), EntitledError> {
        self.replace(&[DEBUGGER.to_owned()])
    }

    /// Signs it without.
    ///
    /// # Errors
    ///
    /// When a step fails.
    pub fn undo(&self) -> Result<(), EntitledError> {
        self.replace(&[])
    }

    fn partial(&self) -> PathBuf {
        self.path.with_added_extension("partial")
    }

    fn replace(&self, entitlements: &[String]) -> Result<(), EntitledError> {
        let partial = self.partial();
        drop(fs::remove_file(&partial));
        let outcome = self.made(&partial, entitlements).and_then(|()| {
            fs::rename(&partial, &self.path).map_err(step(&self.path, "be put into place"))
        });
        if outcome.is_err() {
            drop(fs::remove_file(&partial));
        }
        outcome
    }

    fn made(&self, partial: &Path, entitlements: &[String]) -> Result<(), EntitledError> {
        let found = fs::metadata(&self.path).map_err(step(&self.path, "be read"))?;
        fs::copy(&self.path, partial).map_err(step(partial, "be made"))?;
        let signed = self.signer.sign(partial, "gotrace", entitlements);
        signed.map_err(|error| error.of(&self.path))?;
        let data = fs::read(partial).map_err(step(partial, "be read"))?;
        let wanted = !entitlements.is_empty();
        if may_take_tasks(&data) != wanted {
            let [with, without] = match wanted {
                true => ["with", "without"],
                false => ["without", "with"],
            };
            return Err(EntitledError::Otherwise {
                path: self.path.clone(),
                with,
                without,
            });
        }
        lchown(partial, Some(found.uid()), Some(found.gid()))
            .map_err(step(partial, "be given its owner"))?;
        fs::set_permissions(partial, found.permissions())
            .map_err(step(partial, "be given its mode"))
    }
}

/// Whether each slice of an executable is entitled to the tasks of others.
#[must_use]
pub fn may_take_tasks(data: &[u8]) -> bool {
    let Ok(slices) = Slices::of(data) else {
        return false;
    };
    !slices.slices.is_empty()
        && slices.slices.iter().all(|slice| {
            let image = MachO::parse(slice).ok();
            let signature = image.and_then(|image| Signature::of(&image).ok().flatten());
            signature.is_some_and(|signature| {
                let mut keys = signature.entitlements().into_iter();
                keys.any(|one| one.key == DEBUGGER && one.value == "true")
            })
        })
}
