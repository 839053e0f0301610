//! Processes as `/proc` shows them.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use crate::capture::alive::Alive;
use crate::capture::decode::proc_stat::ProcStat;
use crate::capture::{Executed, Monotonic, sys};
use crate::trace::{Pid, Usage};

/// Whether programs that are to start stopped do; here they are held before their exec instead.
pub(in crate::capture) const STARTS_STOPPED: bool = false;

/// Looks at a process.
pub(in crate::capture) fn alive(pid: Pid) -> Option<Alive> {
    let stat = stat(pid)?;
    Some(Alive {
        parent: stat.parent,
        start: Monotonic(stat.since_boot.0.saturating_sub(sys::suspended().0)),
        usage: Some(Usage {
            user: stat.user,
            system: stat.system,
            ..Usage::default()
        }),
        is_stopped: stat.state == b'T',
        has_ended: matches!(stat.state, b'Z' | b'X'),
    })
}

fn stat(pid: Pid) -> Option<ProcStat> {
    ProcStat::read(&small(pid, "stat").ok()?)
}

/// What the kernel tells a program of itself as it begins.
pub(in crate::capture) fn auxv(pid: Pid) -> io::Result<Vec<u8>> {
    small(pid, "auxv")
}

/// A file of less than a kibibyte. The system says that it is empty: without room beforehand it would be read 32 bytes at
/// first, and so on.
fn small(pid: Pid, name: &str) -> io::Result<Vec<u8>> {
    let mut text = Vec::with_capacity(1 << 10);
    let mut file = File::open(format!("/proc/{pid}/{name}"))?;
    file.read_to_end(&mut text)?;
    Ok(text)
}

/// The children of a process, those of all its threads.
pub(in crate::capture) fn children(pid: Pid) -> Vec<Pid> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten();
    tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|list| {
            let pids = list.split_whitespace().map(str::parse);
            pids.flatten().map(Pid).collect::<Vec<_>>()
        })
        .collect()
}

/// What a process is called.
pub(in crate::capture) fn name(pid: Pid) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm"));
    name.unwrap_or_default().trim_end().to_owned()
}

/// Whether some process has this path in its environment, as far as its user's processes may know.
pub(in crate::capture) fn somebody_is_told(path: &Path) -> bool {
    let mut processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.any(|process| {
        let environment = fs::read(process.path().join("environ")).unwrap_or_default();
        memchr::memmem::find(&environment, path.as_os_str().as_bytes()).is_some()
    })
}

/// What a process runs, as far as its user's processes may know.
pub(in crate::capture) fn program(pid: Pid) -> Executed {
    let link = |name: &str| {
        let target = fs::read_link(format!("/proc/{pid}/{name}")).unwrap_or_default();
        target.into_os_string().into_vec()
    };
    Executed {
        argv: fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default(),
        exe: link("exe"),
        cwd: link("cwd"),
        ..Executed::default()
    }
}

/// The largest resident set of this process, in bytes: `VmHWM`, for what getrusage(2) has counts
/// the program that it was started from, too.
pub(in crate::capture) fn own_max_rss() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let peak = status.lines().find_map(|line| {
        let rest = line.strip_prefix("VmHWM:")?;
        rest.split_whitespace().next()?.parse::<u64>().ok()
    });
    peak.map(|kibibytes| kibibytes.saturating_mul(1_024))
}

/// Lets [`own_max_rss`] begin anew. Where that cannot be had, the peak is that of a whole life.
pub(in crate::capture) fn forget_max_rss() {
    // proc_pid_clear_refs(5): 5 resets the peak.
    drop(fs::write("/proc/self/clear_refs", "5"));
}

/// The resident set of this process now, in bytes: the second number of `/proc/self/statm`, in pages.
pub(in crate::capture) fn own_rss() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    pages.checked_mul(sys::page_bytes().unsigned_abs())
}
