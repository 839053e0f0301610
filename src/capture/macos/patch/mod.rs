//! The `patch` backend on macOS: toolchains whose functions tell of their calls, as `toolchain prepare --instrument` makes
//! them.
//!
//! ```text
//! DIR/pkg/gotrace/functions.json ──► Told: what the numbers in records mean ─────┐
//! DIR/bin/go, its tools: their library maps the file that GOTRACE_RING names ──► Drain ──► the recorder
//! ```
//!
//! The ring is a file in the run's own folder, and goes with that, at the end of the run, or where gotrace was killed when
//! the next one sweeps: who was given its name and runs on meanwhile finds that it is closed, or drops what has no room.

pub(in crate::capture) mod guest_clock;
mod programs;

use crate::capture::Observation;
use crate::capture::backend::{self, Backend, Error, Running};
use crate::capture::instrumented::{RING_VARIABLE, Told, Toolchain};
use crate::capture::probes::{CallMode, Watch};
use crate::capture::ring::{self, Begun, CHUNKS, Drain};
use crate::capture::sys::ring::{Patience, SharedRing};
use crate::capture::toolexec::Held;
use crate::environment::Refusal;
use crate::trace::Pid;
use crossbeam_channel::{Receiver, Sender};
use programs::Prepared;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

const NAME: &str = "patch";
/// The ring's file in the run's folder.
const RING_FILE: &str = "ring";
/// Trampolines call no kernel here: nobody waits.
const NONE: Patience = Patience {
    chunks: CHUNKS,
    sleeps: 0,
    insists: false,
};

/// What the backend is to do.
#[derive(Debug)]
pub(in crate::capture) struct Options<'a> {
    /// Functions to watch.
    pub(in crate::capture) watch: Watch,
    /// Toolchains that the command may run, the likeliest first.
    pub(in crate::capture) goroots: &'a [PathBuf],
    /// The run's own folder.
    pub(in crate::capture) folder: &'a Path,
    /// Whom the command runs as, where that is another user.
    pub(in crate::capture) owner: Option<(u32, u32)>,
    /// Tools that have begun.
    pub(in crate::capture) started: Receiver<Held>,
}

/// The backend.
#[derive(Debug)]
pub(in crate::capture) struct Patch {
    file: PathBuf,
    /// Until there is a thread that empties it.
    ring: Option<(SharedRing, Prepared)>,
    started: Receiver<Held>,
    mode: CallMode,
    /// None where nobody named functions.
    announcement: Option<String>,
    running: Option<Running>,
}

impl Patch {
    /// Finds the toolchain, and makes the ring.
    ///
    /// # Errors
    ///
    /// Why it does not work for this command.
    pub(in crate::capture) fn new(options: Options<'_>) -> Result<Self, Refusal> {
        let toolchain = Toolchain::first_of(options.goroots);
        let toolchain = toolchain.map_err(|why| why.refusal())?;
        let told = Told::of(&toolchain, &options.watch);
        let file = options.folder.join(RING_FILE);
        let ring = make(&file, options.owner).map_err(|error| Refusal {
            reason: "there is no file for records".to_owned(),
            evidence: format!("{}: {error}", file.display()),
            remedy: "set TMPDIR to a folder that has 33 MiB of room".to_owned(),
        })?;
        let is_named = !options.watch.named.is_empty();
        Ok(Self {
            file,
            announcement: is_named.then(|| told.announcement()),
            mode: options.watch.mode.clone(),
            ring: Some((ring, Prepared::new(told, toolchain.root, &options.watch))),
            started: options.started,
            running: None,
        })
    }
}

/// Makes the ring: a file that the command's user has alone, for the library of instrumented programs maps no other.
fn make(path: &Path, owner: Option<(u32, u32)>) -> io::Result<SharedRing> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600);
    let file = options.open(path)?;
    if let Some((user, group)) = owner {
        fchown(&file, Some(user), Some(group))?;
    }
    SharedRing::new(file.as_fd(), CHUNKS, NONE)
}

impl Backend for Patch {
    fn name(&self) -> &'static str {
        NAME
    }

    fn environment(&self) -> Vec<(OsString, OsString)> {
        vec![(RING_VARIABLE.into(), self.file.clone().into_os_string())]
    }

    fn start(&mut self, root: Pid, out: Sender<Observation>) -> Result<(), Error> {
        let Some(shared) = self.ring.take() else {
            return Ok(());
        };
        let of = Begun {
            root,
            given: 0,
            mode: &self.mode,
        };
        let drain = Drain::new(shared, self.started.clone(), out, of);
        self.running = Some(backend::spawn(ring::THREAD, NAME, |stopped| {
            drain.run(&stopped)
        })?);
        Ok(())
    }

    fn announcement(&self) -> Option<&str> {
        self.announcement.as_deref()
    }

    fn finish(&mut self) -> Result<(), Error> {
        backend::join(self.running.take(), "the thread that reads calls")
    }
}
