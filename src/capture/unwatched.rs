//! A command that is run as the watched one would be, and not watched: what has to be built before a
//! series, for example.
//!
//! Ctrl-C reaches it, although the signals are held back from gotrace meanwhile.

use std::ffi::OsString;
use std::io;

use super::recorder::exit_status;
use super::supervise::{self, Signals};
use super::system::process;
use super::{Environment, launch, sys};
use crate::environment::invoker::Invoker;
use crate::trace::{ExitStatus, Pid};

/// Runs a command with this environment to its end, as the user who called sudo where one did.
/// Returns how it ended, and `None` where it was told to end, by Ctrl-C for example.
///
/// # Errors
///
/// When it cannot be started, or waited for.
pub fn run(
    command: &[OsString],
    environment: &Environment,
    invoker: Option<&Invoker>,
    signals: &Signals,
) -> io::Result<Option<ExitStatus>> {
    let helpers = process::children(Pid(std::process::id()));
    let program = launch::program(command, environment, invoker)?;
    let child = sys::fork_held(&program, signals.before())?;
    let root = child.pid;
    if let Err(error) = child.release() {
        // What could not become the program has ended.
        drop(sys::wait(root, true));
        return Err(error);
    }
    let end = supervise::until_end(root, &helpers)?;
    Ok((!end.interrupted).then(|| exit_status(end.wait_status)))
}
