//! What every way of watching a command has in common.

use super::{Observation, StandIn};
use crate::environment::Refusal;
use crate::trace::Pid;
use crossbeam_channel::Sender;
use std::ffi::OsString;
use std::io::{self, PipeReader, PipeWriter};
use std::path::Path;
use std::thread::JoinHandle;

/// What a backend is asked to record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Samples a second and core; `None` for the backend's default, 0 for none.
    pub rate_hz: Option<u32>,
    /// Stacks of waiting threads, too.
    pub off_cpu: bool,
    /// The tools' own CPU profiles, too.
    pub profile: bool,
    /// These even of tools that Rosetta 2 translates.
    pub profile_translated: bool,
    /// What programs load and bind, too.
    pub bindings: bool,
}

/// A way of watching a command.
///
/// The session calls `environment` before the fork, `start` when the child exists and waits
/// before its exec, and `finish` when the command has ended.
pub trait Backend: Send {
    /// The name that `--backend` knows it by.
    fn name(&self) -> &'static str;

    /// Whether it sees every process of the tree begin and end, so that nobody else need say so.
    fn follows_tree(&self) -> bool {
        false
    }

    /// Variables to add to the command's environment, `GOFLAGS` excepted: see `go_flags`.
    fn environment(&self) -> Vec<(OsString, OsString)> {
        Vec::new()
    }

    /// Flags for the go command (`-toolexec=...`), one flag an entry, not quoted.
    fn go_flags(&self) -> Vec<OsString> {
        Vec::new()
    }

    /// What is to run in the place of the command's program.
    fn stand_in(&self, _program: &Path) -> Option<StandIn> {
        None
    }

    /// Begins to watch the tree of `root`, which has not called exec yet.
    ///
    /// # Errors
    ///
    /// When watching cannot begin; the session goes on without this backend and records why.
    fn start(&mut self, root: Pid, out: Sender<Observation>) -> Result<(), Error>;

    /// Whether the command is to stop before its first instruction, until [`Self::begun`] has returned. Only macOS
    /// can have it so.
    fn wants_stop(&self) -> bool {
        false
    }

    /// Takes hold of the command, which waits before its first instruction; where the system cannot have that,
    /// before its exec. Returns when it may go on.
    ///
    /// # Errors
    ///
    /// When nothing can be watched on this machine; the command is not run.
    fn take_hold(&mut self, _root: Pid) -> Result<(), Error> {
        Ok(())
    }

    /// The command runs its program.
    fn begun(&mut self, _root: Pid) {}

    /// What the user should know of it before the command runs, once it has started.
    fn announcement(&self) -> Option<&str> {
        None
    }

    /// Delivers what is still under way, then stops watching.
    ///
    /// # Errors
    ///
    /// When something that was observed could not be delivered.
    fn finish(&mut self) -> Result<(), Error>;
}

/// A backend's own thread, and what tells it to stop by being closed.
pub(super) type Running = (PipeWriter, JoinHandle<()>);

/// Begins a backend's own thread, which has a name of at most 15 bytes, and is to end when its pipe is closed. `target` is
/// what errors name.
///
/// # Errors
///
/// When the system refuses a pipe or a thread.
pub(super) fn spawn(
    name: &str,
    target: &str,
    work: impl FnOnce(PipeReader) + Send + 'static,
) -> Result<Running, Error> {
    let failed = |call| {
        move |source: io::Error| Error::Os {
            call,
            target: target.to_owned(),
            source,
        }
    };
    let (stopped, stop) = io::pipe().map_err(failed("pipe"))?;
    let thread = std::thread::Builder::new().name(name.to_owned());
    let thread = thread.spawn(move || work(stopped));
    Ok((stop, thread.map_err(failed("clone"))?))
}

/// Ends a backend's own thread, which hears that its pipe is closed, and waits for it. `what` it is, as errors
/// name it.
///
/// # Errors
///
/// When it panicked.
pub(super) fn join(running: Option<Running>, what: &str) -> Result<(), Error> {
    let Some((stop, thread)) = running else {
        return Ok(());
    };
    drop(stop);
    thread.join().map_err(|_panic| Error::Os {
        call: "join",
        target: what.to_owned(),
        source: io::Error::other("it panicked"),
    })
}

/// What can go wrong while capturing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// This machine does not let the backend work.
    #[error("{backend}: {refusal}")]
    Refused {
        /// Which backend.
        backend: &'static str,
        /// Why.
        refusal: Refusal,
    },
    /// A function that was asked for is not there.
    #[error("--probe: {0}")]
    Probes(String),
    /// A call to the operating system failed.
    #[error("{call} failed on {target}")]
    Os {
        /// Which call.
        call: &'static str,
        /// On what: a path, a pid, ...
        target: String,
        /// How.
        #[source]
        source: io::Error,
    },
    /// The trace could not be written.
    #[error("the trace cannot be written")]
    Trace(#[source] crate::trace::file::Error),
}
