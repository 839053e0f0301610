//! Processes as `proc_pidinfo` and `sysctl` show them: all to root, to others those of one's own.

use std::path::Path;

use super::sys::{self, Flavor};
use crate::capture::alive::Alive;
use crate::capture::decode::darwin_process::{
    PROCESS_INFO_BYTES, ProcessArguments, ProcessInfo, State, WORKING_DIRECTORY_BYTES,
    working_directory,
};
use crate::capture::{Executed, Monotonic};
use crate::environment::translator::ROSETTA_2;
use crate::trace::{Nanos, Pid, Usage};

/// Whether programs that are to start stopped do (`POSIX_SPAWN_START_SUSPENDED`).
pub(in crate::capture) const STARTS_STOPPED: bool = true;

/// Looks at a process.
pub(in crate::capture) fn alive(pid: Pid) -> Option<Alive> {
    let info = info(pid)?;
    Some(Alive {
        parent: info.parent,
        start: since_start(info.started_unix),
        usage: sys::task(pid).map(|task| Usage {
            user: task.user,
            system: task.system,
            ..Usage::default()
        }),
        is_stopped: info.state == State::Stopped,
        has_ended: info.state == State::Ended,
    })
}

/// What the kernel says of a process.
pub(super) fn info(pid: Pid) -> Option<ProcessInfo> {
    ProcessInfo::read(&sys::process_info(
        pid,
        Flavor::Process,
        PROCESS_INFO_BYTES,
    )?)
}

/// A moment of the wall clock on the monotonic one: how long ago it was, before now.
fn since_start(unix: Nanos) -> Monotonic {
    let now = crate::capture::sys::anchor();
    let ago = now.unix_ns.saturating_sub(unix.0);
    Monotonic(now.monotonic_ns.saturating_sub(ago))
}

/// The children of a process.
pub(in crate::capture) fn children(pid: Pid) -> Vec<Pid> {
    sys::children(pid)
}

/// What a process is called.
pub(in crate::capture) fn name(pid: Pid) -> String {
    let name = info(pid).map(|info| info.name).unwrap_or_default();
    String::from_utf8_lossy(&name).into_owned()
}

/// Whether some process has this path in its environment: that is not asked here, and may be.
pub(in crate::capture) const fn somebody_is_told(_path: &Path) -> bool {
    true
}

/// What a process runs.
pub(in crate::capture) fn program(pid: Pid) -> Executed {
    let arguments = sys::arguments(pid).and_then(|bytes| ProcessArguments::read(&bytes));
    let ProcessArguments { path, argv } = arguments.unwrap_or_default();
    let folder = sys::process_info(pid, Flavor::WorkingDirectory, WORKING_DIRECTORY_BYTES);
    let folder = folder.as_deref().and_then(working_directory);
    let translated = info(pid).is_some_and(|info| info.translated);
    Executed {
        argv,
        // The path that exec was given may be relative, or a link.
        exe: sys::path(pid).unwrap_or(path),
        cwd: folder.unwrap_or_default().to_vec(),
        translator: if translated { ROSETTA_2 } else { "" }.into(),
        ..Executed::default()
    }
}

/// The largest resident set of this process: what getrusage(2) has is that of this program alone.
pub(in crate::capture) fn own_max_rss() -> Option<u64> {
    None
}

/// The peak cannot be reset here.
pub(in crate::capture) fn forget_max_rss() {}

/// The resident set of this process now, in bytes.
pub(in crate::capture) fn own_rss() -> Option<u64> {
    Some(sys::task(Pid(std::process::id()))?.resident_bytes)
}
