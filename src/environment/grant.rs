//! The helper executable that may load BPF programs: how it is installed, and removed.
//!
//! In: where it is and who may call it. Out: the steps in words, and then the same steps done.

use super::sys;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

/// Where the helper executable is installed.
pub const HELPER: &str = "/usr/local/libexec/gotrace/gotrace-helper";

/// What a grant consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The executable to copy.
    pub source: PathBuf,
    /// Where to.
    pub destination: PathBuf,
    /// Only members of this group may call it; `None` for everybody.
    pub group: Option<u32>,
}

/// A step could not be done.
#[derive(Debug, thiserror::Error)]
#[error("{path}: cannot {step}")]
pub struct GrantError {
    path: PathBuf,
    step: &'static str,
    #[source]
    source: io::Error,
}

fn step(path: &Path, step: &'static str) -> impl FnOnce(io::Error) -> GrantError {
    let path = path.to_owned();
    move |source| GrantError { path, step, source }
}

impl Grant {
    fn folder(&self) -> &Path {
        self.destination.parent().unwrap_or(Path::new("/"))
    }

    fn mode(&self) -> u32 {
        if self.group.is_some() { 0o750 } else { 0o755 }
    }

    /// What [`Grant::apply`] does, a line a step.
    #[must_use]
    pub fn steps(&self) -> Vec<String> {
        let destination = self.destination.display();
        let who = match self.group {
            Some(group) => format!("callable by group {group}"),
            None => "callable by everybody".to_owned(),
        };
        vec![
            format!(
                "make the folder {} (root's, mode 755)",
                self.folder().display()
            ),
            format!("copy {} to {destination}", self.source.display()),
            format!("make {destination} root's, mode {:o}, {who}", self.mode()),
            format!("give {destination} the capabilities cap_bpf and cap_perfmon"),
        ]
    }

    /// Installs the helper.
    ///
    /// It is made beside its place and gets its capabilities last, so that no other file ever
    /// has them.
    ///
    /// # Errors
    ///
    /// When a step fails; what was made by then is removed.
    pub fn apply(&self) -> Result<(), GrantError> {
        let folder = self.folder();
        fs::create_dir_all(folder).map_err(step(folder, "be made"))?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
            .map_err(step(folder, "be given its mode"))?;
        let partial = self.destination.with_extension("partial");
        drop(fs::remove_file(&partial));
        let outcome = self.fill(&partial).and_then(|()| {
            fs::rename(&partial, &self.destination)
                .map_err(step(&self.destination, "be put into place"))
        });
        if outcome.is_err() {
            drop(fs::remove_file(&partial));
        }
        outcome
    }

    fn fill(&self, partial: &Path) -> Result<(), GrantError> {
        let mut from = fs::File::open(&self.source).map_err(step(&self.source, "be read"))?;
        let mut to = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o700)
            .open(partial)
            .map_err(step(partial, "be made"))?;
        io::copy(&mut from, &mut to).map_err(step(partial, "be written"))?;
        drop(to);
        chown(partial, Some(0), Some(self.group.unwrap_or(0)))
            .map_err(step(partial, "be given its owner"))?;
        fs::set_permissions(partial, fs::Permissions::from_mode(self.mode()))
            .map_err(step(partial, "be given its mode"))?;
        sys::set_capabilities(partial).map_err(step(partial, "be given capabilities"))
    }

    /// What [`Grant::undo`] does, a line a step.
    #[must_use]
    pub fn undo_steps(&self) -> Vec<String> {
        vec![
            format!("remove {}", self.destination.display()),
            format!("remove the folder {}", self.folder().display()),
        ]
    }

    /// Removes the helper, and its folder when nothing else is in it. Nothing there is fine.
    ///
    /// # Errors
    ///
    /// When it is there and cannot be removed.
    pub fn undo(&self) -> Result<(), GrantError> {
        let gone = |outcome: io::Result<()>| match outcome {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        };
        gone(fs::remove_file(&self.destination)).map_err(step(&self.destination, "be removed"))?;
        match gone(fs::remove_dir(self.folder())) {
            Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => {
                Err(step(self.folder(), "be removed")(error))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Grant;
    use std::path::PathBuf;

    fn grant(source: &str, group: Option<u32>) -> Grant {
        Grant {
            source: PathBuf::from(source),
            destination: PathBuf::from("/nonexistent/gotrace/gotrace-helper"),
            group,
        }
    }

    #[test]
    fn steps_name_each_file_owner_mode_and_capability() {
        let steps = grant("/build/gotrace-helper", Some(1000)).steps();
        assert_eq!(
            steps,
            [
                "make the folder /nonexistent/gotrace (root's, mode 755)",
                "copy /build/gotrace-helper to /nonexistent/gotrace/gotrace-helper",
                "make /nonexistent/gotrace/gotrace-helper root's, mode 750, callable by group 1000",
                "give /nonexistent/gotrace/gotrace-helper the capabilities cap_bpf and cap_perfmon",
            ]
        );
        assert!(grant("/x", None).steps()[2].ends_with("mode 755, callable by everybody"));
    }

    #[test]
    fn a_missing_executable_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let grant = Grant {
            source: folder.path().join("missing"),
            destination: folder.path().join("libexec/gotrace-helper"),
            group: None,
        };
        let error = grant.apply().unwrap_err();
        assert!(
            error.to_string().ends_with("missing: cannot be read"),
            "{error}"
        );
        let left = std::fs::read_dir(folder.path().join("libexec"))
            .unwrap()
            .count();
        assert_eq!(left, 0);
    }

    #[test]
    fn undo_takes_away_what_is_there_and_does_not_mind_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let grant = Grant {
            source: PathBuf::new(),
            destination: folder.path().join("libexec/gotrace-helper"),
            group: None,
        };
        grant.undo().unwrap();
        std::fs::create_dir(folder.path().join("libexec")).unwrap();
        std::fs::write(&grant.destination, b"x").unwrap();
        std::fs::write(folder.path().join("libexec/other"), b"y").unwrap();
        grant.undo().unwrap();
        assert!(!grant.destination.exists());
        assert!(folder.path().join("libexec/other").exists(), "not ours");
        std::fs::remove_file(folder.path().join("libexec/other")).unwrap();
        grant.undo().unwrap();
        assert!(!folder.path().join("libexec").exists());
    }
}
