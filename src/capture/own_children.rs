//! Children of gotrace that are none of the command's: they are no descendants of it that live on,
//! nobody else waits for them, and they end when gotrace does.

use super::sys;
use crate::trace::Pid;
use std::io;
use std::process::{Child, ChildStderr, ChildStdout, Command};
use std::sync::{Mutex, PoisonError};

static OWN: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// A child, which is killed when dropped.
#[derive(Debug)]
pub(super) struct OwnChild(Child);

impl OwnChild {
    /// Starts a program. On Linux it is killed, too, when the thread that calls this ends.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub(super) fn spawn(command: &mut Command) -> io::Result<Self> {
        sys::die_with_us(command);
        // Held until it is entered: whoever sees it among the children before waits for that.
        let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
        let child = Self(command.spawn()?);
        own.push(child.pid());
        Ok(child)
    }

    pub(super) fn pid(&self) -> Pid {
        Pid(self.0.id())
    }

    /// Waits until it ends by itself.
    pub(super) fn wait(mut self) {
        // Whoever else has waited for it is welcome to.
        drop(self.0.wait());
    }

    /// What it prints, where that was asked to be piped: standard output and standard error, once.
    pub(super) fn pipes(&mut self) -> Option<(ChildStdout, ChildStderr)> {
        Some((self.0.stdout.take()?, self.0.stderr.take()?))
    }
}

impl Drop for OwnChild {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
        let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
        own.retain(|pid| *pid != self.pid());
    }
}

/// Whether a child of gotrace is one of these.
pub(super) fn contain(pid: Pid) -> bool {
    let own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    own.contains(&pid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::supervise;
    use crate::capture::system::process;

    #[test]
    fn they_are_no_descendants_of_the_command() {
        let child = OwnChild::spawn(Command::new("sleep").arg("60")).expect("started");
        let pid = child.pid();
        assert!(contain(pid));
        let among = |found: &[Pid]| found.contains(&pid);
        assert!(among(&process::children(Pid(std::process::id()))));
        let descendants = supervise::descendants(&[]).into_iter();
        assert!(!among(&descendants.map(|(pid, _)| pid).collect::<Vec<_>>()));
        drop(child);
        assert!(!contain(pid));
        assert!(!among(&process::children(Pid(std::process::id()))));
    }
}
