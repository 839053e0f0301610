//! Stays by the command until it ends: passes signals on, stops and goes on with it.

use std::ffi::c_int;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::alive::Alive;
use super::own_children;
use super::sys::{self, Arrived, Change, Sender};
use super::system::process;
use crate::trace::{Pid, Usage};

/// Signals that are waited for. Those of a terminal reach the command by themselves, for it is
/// in gotrace's own process group; gotrace must only not die of them before it has ended.
const SIGNALS: [c_int; 8] = [
    libc::SIGCHLD,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGTSTP,
    libc::SIGUSR1,
    libc::SIGUSR2,
];

/// Those of them that tell a program to end.
const ENDING: [c_int; 4] = [libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGHUP];

/// Signals held back from gotrace's threads for as long as this value lives.
pub(super) struct Held {
    before: libc::sigset_t,
}

impl Held {
    /// Blocks the signals in this thread and those that it will start.
    pub(super) fn new() -> Self {
        sys::settle_dispositions();
        Self {
            before: sys::block_signals(&SIGNALS),
        }
    }

    /// The mask that the command is to have.
    pub(super) const fn before(&self) -> &libc::sigset_t {
        &self.before
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // What came for the command, Ctrl-C first of all, is not meant for what comes after.
        while sys::next_signal(&SIGNALS, Some(0)).is_some() {}
        sys::restore_signals(&self.before);
    }
}

/// Signals held back from gotrace, shared by the sessions of a series: what comes between two of
/// them is neither lost nor the end of gotrace.
#[derive(Clone)]
pub struct Signals(Arc<Held>);

impl std::fmt::Debug for Signals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signals")
    }
}

impl Signals {
    /// Holds them back from this thread and those that it will start, until the last clone is
    /// dropped.
    #[must_use]
    pub fn hold() -> Self {
        Self(Arc::new(Held::new()))
    }

    /// The mask that a command is to have.
    pub(super) fn before(&self) -> &libc::sigset_t {
        self.0.before()
    }

    /// Whether a signal that tells to end has come while no command ran. It is taken.
    #[must_use]
    pub fn told_to_end(&self) -> bool {
        sys::next_signal(&ENDING, Some(0)).is_some()
    }
}

/// How often is looked for descendants that are left.
const LONG: Duration = Duration::from_secs(1);

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// As `wait` reports it.
    pub(super) wait_status: i32,
    /// What it used, with all descendants that were waited for.
    pub(super) usage: Usage,
    /// It had been told to end, by Ctrl-C for example, and so perhaps its descendants, too.
    pub(super) interrupted: bool,
}

/// Waits until `root` has ended.
pub(super) fn until_end(root: Pid, helpers: &[Pid]) -> io::Result<End> {
    let mut interrupted = false;
    loop {
        reap_orphans(root, helpers);
        match sys::wait(root, false)? {
            Some(Change::Ended(wait_status, usage)) => {
                // The signal that it ended of may be here, too, and not be taken yet.
                interrupted |= sys::next_signal(&ENDING, Some(0)).is_some();
                return Ok(End {
                    wait_status,
                    usage,
                    interrupted,
                });
            }
            Some(Change::Stopped(signal)) => stop_with(root, signal),
            None => {
                if let Some(arrived) = sys::next_signal(&SIGNALS, None) {
                    interrupted |= ENDING.contains(&arrived.signal);
                    pass_on(root, arrived);
                }
            }
        }
    }
}

/// Waits until no descendant of the command is left, or `patience` is.
pub(super) fn until_alone(root: Pid, helpers: &[Pid], patience: Option<Duration>) {
    let begun = Instant::now();
    loop {
        reap_orphans(root, helpers);
        if others(helpers).is_empty() {
            return;
        }
        let left = patience.map_or(LONG, |patience| patience.saturating_sub(begun.elapsed()));
        if left.is_zero() {
            return;
        }
        let left = u32::try_from(left.min(LONG).as_millis()).unwrap_or_default();
        match sys::next_signal(&SIGNALS, Some(left.max(1))) {
            // The command is gone: who asks gotrace to end now means gotrace.
            Some(arrived) if arrived.signal != libc::SIGCHLD => return,
            _ => {}
        }
    }
}

fn pass_on(root: Pid, arrived: Arrived) {
    // A signal without a sender came from the terminal, to the whole group; one from the
    // command itself went to the group, too, for the command does not know of gotrace.
    let alone = match arrived.sender {
        Sender::System => false,
        Sender::Process(sender) => sender != root,
        Sender::Unknown => true,
    };
    if alone && arrived.signal != libc::SIGCHLD {
        sys::send(root, arrived.signal);
    }
}

/// Stops as the command has stopped, so that the shell takes the terminal back; goes on when
/// gotrace is continued, and the command with it.
fn stop_with(root: Pid, signal: c_int) {
    // Without a terminal nobody would continue gotrace when only the command is.
    if signal == libc::SIGSTOP && File::open("/dev/tty").is_err() {
        return;
    }
    sys::stop_self();
    if Alive::of(root).is_none_or(|root| root.is_stopped) {
        sys::send(root, libc::SIGCONT);
    }
}

/// Waits for adopted descendants that have ended, as init would have done.
fn reap_orphans(root: Pid, helpers: &[Pid]) {
    for child in others(helpers) {
        if child != root && sys::has_ended(child) {
            // It has ended; whoever else has waited for it meanwhile is welcome to.
            drop(sys::wait(child, false));
        }
    }
}

/// Children that are neither helpers nor gotrace's own otherwise.
fn others(helpers: &[Pid]) -> Vec<Pid> {
    let mut others = process::children(Pid(std::process::id()));
    others.retain(|child| !helpers.contains(child) && !own_children::contain(*child));
    others
}

/// What still runs of the command: process ids and names of all descendants of gotrace but its
/// helpers.
pub(super) fn descendants(helpers: &[Pid]) -> Vec<(Pid, String)> {
    let mut found = Vec::new();
    let mut next = others(helpers);
    while let Some(pid) = next.pop() {
        if Alive::of(pid).is_none_or(|process| process.has_ended) {
            continue;
        }
        found.push((pid, process::name(pid)));
        next.extend(process::children(pid));
    }
    found.sort_unstable_by_key(|(pid, _)| *pid);
    found
}
