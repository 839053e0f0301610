//! The `audit` backend: a library that ld.so loads into each program of the tree tells which images
//! it opens and what it binds.
//!
//! ```text
//! LD_AUDIT=.../$LIB/libgotrace-audit.so      buffers/PID-TIME, a shared file of each process
//!   ld.so of each program ──hooks──► library ──writes──► file ──► reader thread ──► observations
//! ```
//!
//! The library is `probes/audit`, what it writes is read by [`super::super::decode::audit`].

mod buffer;
mod guest;
mod library;
mod process;
mod reader;
#[cfg(test)]
mod tests;
mod trial;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use crossbeam_channel::Sender;

use crate::capture::backend::{self, Running};
use crate::capture::decode::audit::roots;
use crate::capture::linux::watch::FolderWatch;
use crate::capture::run_folder::{self, MEMORY, RunFolder};
use crate::capture::{Backend, Error, Observation};
use crate::environment::Refusal;
use crate::environment::invoker::Invoker;
use crate::trace::Pid;
use reader::Reader;
pub use trial::availability;

/// What helps where programs are in another root.
const INSIDE: &str = "run gotrace inside of it";

/// What the backend is to know.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// A folder of the run that all users of the tree may pass through.
    pub folder: &'a Path,
    /// A name that nobody can guess.
    pub secret: &'a str,
    /// Who runs the command, where that is not who runs gotrace.
    pub invoker: Option<&'a Invoker>,
    /// The `LD_AUDIT` that the command would have.
    pub users: Option<&'a OsStr>,
    /// Another backend tells of processes.
    pub follows_tree: bool,
}

/// Whether what a command starts finds the library.
///
/// # Errors
///
/// When it starts programs in another root.
pub fn reaches(command: &[OsString]) -> Result<(), Refusal> {
    let mut words = command.iter().map(|word| word.as_bytes());
    let path = words.next().unwrap_or_default();
    let name = path.rsplit(|byte| *byte == b'/').next();
    if !roots::leaves_root(name.unwrap_or_default(), words) {
        return Ok(());
    }
    let path = String::from_utf8_lossy(path);
    Err(Refusal {
        reason: format!(
            "what {path} starts is in another root, where the library for LD_AUDIT is not"
        ),
        evidence: format!("the command is {path}"),
        remedy: format!("{INSIDE}, or without --bindings"),
    })
}

/// The backend.
#[derive(Debug)]
pub struct Audit {
    value: OsString,
    /// Processes that live on keep what they have mapped when it goes; new ones find no folder, and stay
    /// silent.
    buffers: RunFolder,
    owners: Vec<u32>,
    follows_tree: bool,
    running: Option<Running>,
}

impl Audit {
    /// Unpacks the libraries.
    ///
    /// # Errors
    ///
    /// When they, or a folder for the buffers, cannot be written.
    pub fn new(options: Options<'_>) -> Result<Self, Refusal> {
        Self::prepare(options).map_err(|error| Refusal {
            reason: "the library for LD_AUDIT cannot be unpacked".to_owned(),
            evidence: format!("{}: {error}", options.folder.display()),
            remedy: "set TMPDIR to a folder that can be written, without colons in its path"
                .to_owned(),
        })
    }

    fn prepare(options: Options<'_>) -> io::Result<Self> {
        let libraries = options.folder.join("audit");
        // ld.so takes a colon for the end of a path.
        if libraries.as_os_str().as_encoded_bytes().contains(&b':') {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        let buffers = make_buffers(&options)?;
        let path = library::unpack(&libraries, buffers.path(), std::process::id())?;
        let mut value = options.users.map(OsStr::to_owned).unwrap_or_default();
        if !value.is_empty() {
            value.push(":");
        }
        value.push(path);
        let own = nix::unistd::getuid().as_raw();
        let invoker = options.invoker.map(|invoker| invoker.uid);
        Ok(Self {
            value,
            buffers,
            owners: [0, own].into_iter().chain(invoker).collect(),
            follows_tree: options.follows_tree,
            running: None,
        })
    }

    /// The buffers that are there, by process, then by time.
    fn files(&self) -> Vec<PathBuf> {
        let names = process::files(self.buffers.path()).into_iter();
        names.map(|name| self.buffers.path().join(name)).collect()
    }
}

/// A folder that the user of the command alone may write into.
fn make_buffers(options: &Options<'_>) -> io::Result<RunFolder> {
    let own = std::process::id();
    let name = format!("{}{own}-{}", run_folder::PREFIX, options.secret);
    let folder = RunFolder::create(Path::new(MEMORY).join(&name))
        .or_else(|_| RunFolder::create(options.folder.join(&name)))?;
    if let Some(invoker) = options.invoker {
        chown(folder.path(), Some(invoker.uid), Some(invoker.gid))?;
    }
    Ok(folder)
}

impl Backend for Audit {
    fn name(&self) -> &'static str {
        "audit"
    }

    fn environment(&self) -> Vec<(OsString, OsString)> {
        vec![("LD_AUDIT".into(), self.value.clone())]
    }

    fn start(&mut self, root: Pid, out: Sender<Observation>) -> Result<(), Error> {
        let target = self.buffers.path().display().to_string();
        let watch = FolderWatch::new(self.buffers.path());
        let mut watch = watch.map_err(|source| Error::Os {
            call: "inotify_add_watch",
            target: target.clone(),
            source,
        })?;
        let mut reader = Reader::new(reader::Plan {
            folder: self.buffers.path().to_owned(),
            owners: self.owners.clone(),
            root,
            follows_tree: self.follows_tree,
            out,
        });
        let run = move |stopped| reader.run(&mut watch, &stopped);
        self.running = Some(backend::spawn("gotrace-audit", &target, run)?);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        backend::join(self.running.take(), "the thread that reads audit buffers")
    }
}
