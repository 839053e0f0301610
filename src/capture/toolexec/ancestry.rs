//! Go commands that shims tell of, and who started them: read from `/proc` while they run.

use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

use crate::capture::{Executed, Monotonic, translated};
use crate::environment::toolchain::executable_arch;
use crate::trace::{Arch, Nanos, Pid, Usage};

/// What `/proc` says of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ancestor {
    /// Who forked it, or adopted it.
    pub(super) parent: Pid,
    /// When it was forked, in clock ticks since the machine started.
    pub(super) start_ticks: u64,
    /// What it used itself, in clock ticks.
    user_ticks: u64,
    system_ticks: u64,
}

/// Clock ticks a second of `/proc/PID/stat`: `USER_HZ`, 100 on every architecture of Go.
const TICKS: u64 = 100;

/// Reads `/proc/PID/stat`, which is there until the process has been waited for.
pub(super) fn stat(pid: Pid) -> Option<Ancestor> {
    parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// ```text
/// pid (name) state ppid pgrp session tty tpgid flags minflt cminflt majflt cmajflt
/// utime stime cutime cstime priority nice threads itrealvalue starttime ...
/// ```
///
/// The name may hold anything, closing parentheses too: fields count from the last one.
fn parse(stat: &[u8]) -> Option<Ancestor> {
    let name_end = stat.iter().rposition(|&byte| byte == b')')?;
    let text = std::str::from_utf8(stat.get(name_end + 1..)?).ok()?;
    let fields: Vec<&str> = text.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Ancestor {
        parent: Pid(u32::try_from(number(1)?).ok()?),
        user_ticks: number(11)?,
        system_ticks: number(12)?,
        start_ticks: number(19)?,
    })
}

impl Ancestor {
    /// What it used itself.
    pub(super) fn usage(&self) -> Usage {
        let nanos = |ticks: u64| Nanos(ticks.saturating_mul(1_000_000_000 / TICKS));
        Usage {
            user: nanos(self.user_ticks),
            system: nanos(self.system_ticks),
            ..Usage::default()
        }
    }

    /// When it was forked, on the monotonic clock; `boot_offset` is how much the clock that
    /// counts from the machine's start is ahead of that one (time in suspend).
    pub(super) fn start(&self, boot_offset: u64) -> Monotonic {
        let since_boot = self.start_ticks.saturating_mul(1_000_000_000 / TICKS);
        Monotonic(since_boot.saturating_sub(boot_offset))
    }
}

/// What a process runs, as far as `/proc` says.
pub(super) fn program(pid: Pid, time: Monotonic) -> Executed {
    let link = |name: &str| {
        let target = fs::read_link(format!("/proc/{pid}/{name}")).unwrap_or_default();
        target.into_os_string().into_vec()
    };
    let exe = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    let mut executed = Executed {
        time,
        pid,
        argv: fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default(),
        exe: link("exe"),
        cwd: link("cwd"),
        arch: arch(&exe),
        ..Executed::default()
    };
    translated::reveal(&mut executed);
    executed
}

/// The architecture of an executable.
pub(super) fn arch(executable: &Path) -> Arch {
    Arch::from_name(executable_arch(executable))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_harms_nothing() {
        let line = b"7 (a) 1 (b) S 42 1 1 0 -1 4 1 2 3 4 15 6 99 98 20 0 1 0 250 1 1";
        let found = parse(line).expect("whole");
        assert_eq!((found.parent, found.start_ticks), (Pid(42), 250));
        assert_eq!(found.usage().user, Nanos(150_000_000));
        assert_eq!(found.start(500_000_000), Monotonic(2_000_000_000));
        assert_eq!(parse(b"7 (a) S 42"), None);
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn this_process_is_found_as_getppid_and_proc_have_it() {
        let own = Pid(std::process::id());
        let found = stat(own).expect("alive");
        assert_eq!(found.parent, Pid(std::os::unix::process::parent_id()));
        let program = program(own, Monotonic(0));
        let exe = std::env::current_exe().expect("known");
        assert_eq!(program.exe, exe.into_os_string().into_vec());
    }
}
