//! A process that this thread traces: its stops, and its mask of signals, for which there is no safe wrapper.

use crate::trace::Pid;
use std::ffi::{c_int, c_long, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::ptr;

/// Why a traced process stands still: `ptrace(2)`, "Stopped states".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::capture::linux) enum Stop {
    /// It runs another program.
    Exec,
    /// It begins a system call, or ends one.
    Call,
    /// A signal is about to be delivered.
    Signal(c_int),
    /// It was stopped by this signal, as it would be if nobody traced it.
    Group(c_int),
    /// It goes on from such a stop, or stands still for another reason.
    Other,
}

/// Bit of the signal of a stop at a system call (`PTRACE_O_TRACESYSGOOD`).
const CALL: c_int = 0x80;

impl Stop {
    /// That of the status that `waitid` has.
    const fn of(status: c_int) -> Self {
        let signal = status & 0xff;
        match status >> 8 {
            0 if signal == libc::SIGTRAP | CALL => Self::Call,
            0 => Self::Signal(signal),
            libc::PTRACE_EVENT_EXEC => Self::Exec,
            libc::PTRACE_EVENT_STOP if signal != libc::SIGTRAP => Self::Group(signal),
            _ => Self::Other,
        }
    }
}

/// Waits until a process stops; none where it has ended, which whoever waits for it next is told.
pub(in crate::capture::linux) fn wait(pid: Pid) -> io::Result<Option<Stop>> {
    let flags = libc::WEXITED | libc::WSTOPPED | libc::WNOWAIT | libc::__WALL;
    loop {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: `info` is a local that outlives the call.
        let result = unsafe { libc::waitid(libc::P_PID, pid.0, info.as_mut_ptr(), flags) };
        if result == 0 {
            // SAFETY: zeroed memory is a valid siginfo_t, and the call has filled it.
            let info = unsafe { info.assume_init() };
            // SAFETY: what is told of a child has a status.
            let status = unsafe { info.si_status() };
            let stops = info.si_code == libc::CLD_TRAPPED;
            return Ok(stops.then(|| Stop::of(status)));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Signals that a process does not get: those that the kernel knows, 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::capture::linux) struct Mask(u64);

impl Mask {
    /// All that can be held back.
    pub(in crate::capture::linux) const ALL: Self = Self(u64::MAX);

    /// That of a stopped process.
    pub(in crate::capture::linux) fn of(pid: Pid) -> io::Result<Self> {
        let mut mask = 0_u64;
        request(libc::PTRACE_GETSIGMASK, pid, &mut mask)?;
        Ok(Self(mask))
    }

    /// Becomes that of a stopped process.
    pub(in crate::capture::linux) fn put(self, pid: Pid) -> io::Result<()> {
        let mut mask = self.0;
        request(libc::PTRACE_SETSIGMASK, pid, &mut mask)
    }
}

/// A request about the mask, which takes its size for an address (Linux 3.11).
fn request(what: libc::c_uint, pid: Pid, mask: &mut u64) -> io::Result<()> {
    let size = ptr::without_provenance_mut::<c_void>(size_of::<u64>());
    // SAFETY: the kernel reads or writes as many bytes as it is told, which are those of `mask`.
    done(unsafe { libc::ptrace(what as _, pid.0.cast_signed(), size, ptr::from_mut(mask)) })
}

/// Lets a stopped process go on, to which a signal is delivered unless it is 0; where it stopped to get one, this is in
/// its place.
pub(in crate::capture::linux) fn go_on(pid: Pid, signal: c_int) -> io::Result<()> {
    resume(libc::PTRACE_CONT, pid, signal)
}

/// Lets a stopped process go on to where it next calls the system, or such a call ends. No signal is delivered.
pub(in crate::capture::linux) fn go_on_to_call(pid: Pid) -> io::Result<()> {
    resume(libc::PTRACE_SYSCALL, pid, 0)
}

fn resume(how: libc::c_uint, pid: Pid, signal: c_int) -> io::Result<()> {
    let signal = ptr::without_provenance_mut::<c_void>(signal.unsigned_abs() as usize);
    let (pid, none) = (pid.0.cast_signed(), ptr::null_mut::<c_void>());
    // SAFETY: takes no pointer: the last argument is a number.
    done(unsafe { libc::ptrace(how as _, pid, none, signal) })
}

/// Has a process stay stopped that a signal has stopped, until another one lets it go on.
pub(in crate::capture::linux) fn stay(pid: Pid) -> io::Result<()> {
    let (pid, none) = (pid.0.cast_signed(), ptr::null_mut::<c_void>());
    // SAFETY: takes no pointer.
    done(unsafe { libc::ptrace(libc::PTRACE_LISTEN as _, pid, none, none) })
}

fn done(result: c_long) -> io::Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `ptrace(2)` has them.
    #[test]
    fn stops_are_told_apart() {
        for (status, stop) in [
            (libc::SIGTRAP | libc::PTRACE_EVENT_EXEC << 8, Stop::Exec),
            (libc::SIGTRAP | 0x80, Stop::Call),
            (libc::SIGTRAP, Stop::Signal(libc::SIGTRAP)),
            (libc::SIGINT, Stop::Signal(libc::SIGINT)),
            // The last of the real-time signals.
            (64, Stop::Signal(64)),
            (
                libc::SIGTSTP | libc::PTRACE_EVENT_STOP << 8,
                Stop::Group(libc::SIGTSTP),
            ),
            (libc::SIGTRAP | libc::PTRACE_EVENT_STOP << 8, Stop::Other),
            (libc::SIGTRAP | libc::PTRACE_EVENT_FORK << 8, Stop::Other),
        ] {
            assert_eq!(Stop::of(status), stop, "{status:x}");
        }
    }
}
