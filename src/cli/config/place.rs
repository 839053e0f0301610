//! Where files of settings lie, and what kind of file is read: a folder in, paths and texts out.

use super::Owner;
use super::file::FileError;
use crate::cli::trace_operand::users_folder;
use std::ffi::OsString;
use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// What a file of settings is called.
pub(super) const NAME: &str = "gotrace.toml";

/// More is no file of settings.
const LONGEST: u64 = 64 << 10;

/// What the root of a repository holds: of Git, Mercurial, Subversion, Jujutsu, Bazaar and Fossil,
/// those that the go command knows and Jujutsu.
const ROOTS: [&str; 7] = [
    ".git",
    ".hg",
    ".svn",
    ".jj",
    ".bzr",
    ".fslckout",
    "_FOSSIL_",
];

/// What the root of a workspace or of a module holds.
const MODULES: [&str; 2] = ["go.work", "go.mod"];

/// The user's file: `$XDG_CONFIG_HOME/gotrace/gotrace.toml`, on macOS in the folder that applications
/// have there. As the XDG base directory specification has it, a relative path does not count.
pub(super) fn of_user(
    os: &str,
    config: Option<OsString>,
    home: Option<OsString>,
) -> Option<PathBuf> {
    Some(users_folder(os, config, home, ".config")?.join(NAME))
}

/// The repository's file: the nearest one from `folder` up to the root of the repository that it is
/// in; without a repository to that of the workspace or the module; without one in `folder` alone.
pub(super) fn of_repository(folder: &Path) -> Option<PathBuf> {
    let root = root(folder);
    let within = folder
        .ancestors()
        .take_while(|above| above.starts_with(root));
    let mut files = within.map(|folder| folder.join(NAME));
    files.find(|path| fs::symlink_metadata(path).is_ok())
}

fn root(folder: &Path) -> &Path {
    let nearest_with = |names: &[&str]| {
        let has = |folder: &Path, name: &str| fs::symlink_metadata(folder.join(name)).is_ok();
        let mut above = folder.ancestors();
        above.find(|folder| names.iter().any(|name| has(folder, name)))
    };
    let of_module = || MODULES.iter().find_map(|name| nearest_with(&[name]));
    nearest_with(&ROOTS).or_else(of_module).unwrap_or(folder)
}

/// The text of a file, if it is there.
///
/// A repository's file is itself a plain file: through a link it would be any file of the machine,
/// with a line of it in a message. The user's file may be a link, as those are that a program keeps
/// elsewhere; but under sudo what root reads for users is theirs.
///
/// # Errors
///
/// When it is none of that, is too long, or is not in UTF-8.
pub(super) fn text(
    path: &Path,
    owner: Owner,
    invoker: Option<u32>,
) -> Result<Option<String>, FileError> {
    let error = |what: String| FileError {
        path: path.to_owned(),
        line: None,
        what,
    };
    let bytes = match bytes(path, owner, invoker) {
        Ok(bytes) => bytes,
        Err(Unread::Missing) => return Ok(None),
        Err(Unread::Refused(what)) => return Err(error(what)),
        Err(Unread::Failed(source)) => return Err(error(format!("cannot read: {source}"))),
    };
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(wrong) => {
            let before = wrong
                .as_bytes()
                .iter()
                .take(wrong.utf8_error().valid_up_to());
            let line = 1 + before.filter(|byte| **byte == b'\n').count();
            Err(FileError {
                line: Some(line),
                ..error("expected text in UTF-8, found something else".to_owned())
            })
        }
    }
}

/// Why there are no bytes.
enum Unread {
    Missing,
    Refused(String),
    Failed(io::Error),
}

fn bytes(path: &Path, owner: Owner, invoker: Option<u32>) -> Result<Vec<u8>, Unread> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Unread::Missing,
        _ => Unread::Failed(error),
    };
    let (found, links) = match owner {
        Owner::Repository => (fs::symlink_metadata(path), libc::O_NOFOLLOW),
        Owner::User => (fs::metadata(path), 0),
    };
    let found = found.map_err(|error| match (owner, error.kind()) {
        // A home that is somebody else's, as services and containers have: nobody's wishes are in there.
        (Owner::User, io::ErrorKind::PermissionDenied) => Unread::Missing,
        _ => failed(error),
    })?;
    // A device may act on being opened, and to open a pipe is to wait.
    may_be_read(&found, owner, invoker)?;
    let mut options = OpenOptions::new();
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY | links;
    let file = options.read(true).custom_flags(flags).open(path);
    let file = file.map_err(failed)?;
    may_be_read(&file.metadata().map_err(failed)?, owner, invoker)?;
    let mut bytes = Vec::new();
    let read = file.take(LONGEST + 1).read_to_end(&mut bytes);
    match read.map_err(failed)? as u64 > LONGEST {
        true => Err(Unread::Refused(format!(
            "expected at most {LONGEST} bytes, found more"
        ))),
        false => Ok(bytes),
    }
}

fn may_be_read(found: &Metadata, owner: Owner, invoker: Option<u32>) -> Result<(), Unread> {
    let kind = found.file_type();
    let what = match (kind.is_symlink(), kind.is_dir()) {
        (true, _) => "a link",
        (false, true) => "a folder",
        (false, false) => "a pipe or a device",
    };
    if !kind.is_file() {
        return Err(Unread::Refused(format!(
            "expected a plain file, found {what}"
        )));
    }
    match invoker {
        Some(uid) if owner == Owner::User && found.uid() != uid => Err(Unread::Refused(format!(
            "expected a file of user {uid}, who called sudo, found one of {}",
            found.uid()
        ))),
        _ => Ok(()),
    }
}
