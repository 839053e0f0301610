//! Calls of libproc, sysctl and signals. In: numbers of processes; out: the bytes that the kernel
//! filled in, which [`crate::capture::decode::darwin_process`] reads.
#![expect(
    unsafe_code,
    reason = "libproc, sysctl and sigpending have no safe wrapper; each block says why it is sound"
)]

pub(in crate::capture) mod ports;
mod spawn;
pub(in crate::capture) mod task;

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::ptr;

use mach2::mach_time::{self, mach_timebase_info};

use crate::capture::decode::darwin_process::{TASK_INFO_BYTES, TaskInfo, Timebase};
use crate::capture::sys;
use crate::trace::Pid;
pub(in crate::capture) use spawn::Start;

/// What `proc_pidinfo` is asked for, `bsd/sys/proc_info.h`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Flavor {
    /// `PROC_PIDTBSDINFO`.
    Process = 3,
    /// `PROC_PIDTASKINFO`.
    Task = 4,
    /// `PROC_PIDVNODEPATHINFO`.
    WorkingDirectory = 9,
}

/// `PROC_PIDPATHINFO_MAXSIZE`: four times the longest path.
const LONGEST_PATH: usize = 4_096;

/// Asks for `length` bytes about a process; `None` where it is gone, or none of ours.
pub(super) fn process_info(pid: Pid, flavor: Flavor, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0_u8; length];
    let size = c_int::try_from(length).ok()?;
    let pid = c_int::try_from(pid.0).ok()?;
    // SAFETY: the call writes at most `size` bytes, which the buffer has.
    let filled =
        unsafe { libc::proc_pidinfo(pid, flavor as c_int, 0, bytes.as_mut_ptr().cast(), size) };
    bytes.truncate(usize::try_from(filled).ok().filter(|&filled| filled > 0)?);
    Some(bytes)
}

/// What a process and its threads have used.
pub(super) fn task(pid: Pid) -> Option<TaskInfo> {
    let bytes = process_info(pid, Flavor::Task, TASK_INFO_BYTES)?;
    TaskInfo::read(&bytes, timebase()?)
}

/// How long a tick of the clock is.
pub(super) fn timebase() -> Option<Timebase> {
    let mut found = mach_timebase_info { numer: 0, denom: 0 };
    // SAFETY: `found` is a local that outlives the call.
    let failed = unsafe { mach_time::mach_timebase_info(&raw mut found) };
    (failed == 0).then(|| Timebase::new(found.numer, found.denom))?
}

/// How long a tick of the machine's timer is. What `mach_timebase_info` tells a translated process is that of an Intel
/// Mac; this is the timer's own frequency for all (psutil, pull request #2728).
pub(super) fn timer() -> Option<Timebase> {
    const NS_PER_S: u32 = 1_000_000_000;
    let mut hertz = 0_u64;
    let mut size = size_of::<u64>();
    // SAFETY: the name ends with a zero byte; the value is a local of the length that is given.
    let failed = unsafe {
        libc::sysctlbyname(
            c"hw.tbfrequency".as_ptr(),
            (&raw mut hertz).cast(),
            &raw mut size,
            ptr::null_mut(),
            0,
        )
    };
    // A number of half the size fills the lower half: all Macs are little-endian.
    let hertz = u32::try_from(hertz).ok().filter(|_| failed == 0)?;
    Timebase::new(NS_PER_S, hertz)
}

/// Nanoseconds since the Mac was switched on, without those in which it slept: `mach_absolute_time`.
pub(super) fn awake() -> u64 {
    sys::clock(libc::CLOCK_UPTIME_RAW)
}

/// And with them: `mach_continuous_time`.
pub(super) fn switched_on() -> u64 {
    sys::clock(libc::CLOCK_MONOTONIC_RAW)
}

/// The path of what a process runs.
pub(super) fn path(pid: Pid) -> Option<Vec<u8>> {
    let mut bytes = vec![0_u8; LONGEST_PATH];
    let pid = c_int::try_from(pid.0).ok()?;
    let size = u32::try_from(bytes.len()).ok()?;
    // SAFETY: the call writes at most `size` bytes, which the buffer has.
    let length = unsafe { libc::proc_pidpath(pid, bytes.as_mut_ptr().cast(), size) };
    bytes.truncate(usize::try_from(length).ok().filter(|&length| length > 0)?);
    Some(bytes)
}

/// The children of a process.
pub(super) fn children(pid: Pid) -> Vec<Pid> {
    let Ok(parent) = libc::pid_t::try_from(pid.0) else {
        return Vec::new();
    };
    let mut found = vec![0_i32; 64];
    loop {
        let size = c_int::try_from(size_of_val(&*found)).unwrap_or(c_int::MAX);
        // SAFETY: the call writes at most `size` bytes, which the buffer has.
        let count = unsafe { libc::proc_listchildpids(parent, found.as_mut_ptr().cast(), size) };
        let count = usize::try_from(count).unwrap_or_default();
        if count < found.len() {
            found.truncate(count);
            let pids = found.into_iter().filter_map(|pid| u32::try_from(pid).ok());
            return pids.filter(|&pid| pid != 0).map(Pid).collect();
        }
        // A buffer that is full may have been too small.
        found.resize(found.len().saturating_mul(2), 0);
    }
}

/// What a process was started with: the buffer of `KERN_PROCARGS2`.
pub(super) fn arguments(pid: Pid) -> Option<Vec<u8>> {
    let mut largest: c_int = 0;
    let mut size = size_of::<c_int>();
    let mut name = [libc::CTL_KERN, libc::KERN_ARGMAX];
    // SAFETY: name and value are locals of the lengths that are given.
    let failed = unsafe {
        libc::sysctl(
            name.as_mut_ptr(),
            2,
            (&raw mut largest).cast(),
            &raw mut size,
            ptr::null_mut(),
            0,
        )
    };
    let largest = usize::try_from(largest).ok().filter(|_| failed == 0)?;
    let mut bytes = vec![0_u8; largest];
    let mut size = bytes.len();
    let mut name = [
        libc::CTL_KERN,
        libc::KERN_PROCARGS2,
        c_int::try_from(pid.0).ok()?,
    ];
    // SAFETY: the call writes at most `size` bytes, which the buffer has.
    let failed = unsafe {
        libc::sysctl(
            name.as_mut_ptr(),
            3,
            bytes.as_mut_ptr().cast(),
            &raw mut size,
            ptr::null_mut(),
            0,
        )
    };
    bytes.truncate(size);
    (failed == 0).then_some(bytes)
}

/// Takes one of `signals`, which must be blocked, if one waits for this process or thread.
pub(super) fn take_pending(signals: &[c_int]) -> Option<c_int> {
    let mut pending = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: fills the set that it is given.
    let failed = unsafe { libc::sigpending(pending.as_mut_ptr()) };
    // SAFETY: zeroed memory is an empty set, and the call may have filled it.
    let pending = unsafe { pending.assume_init() };
    // SAFETY: the set is initialised.
    let waits = |&&signal: &&c_int| unsafe { libc::sigismember(&raw const pending, signal) } == 1;
    let &signal = signals.iter().find(waits).filter(|_| failed == 0)?;
    let mut wanted = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: initialises the set that it is given.
    unsafe { libc::sigemptyset(wanted.as_mut_ptr()) };
    // SAFETY: initialised by the call above.
    let mut wanted = unsafe { wanted.assume_init() };
    // SAFETY: the set is initialised; the number is one that the kernel has just told.
    unsafe { libc::sigaddset(&raw mut wanted, signal) };
    let mut taken = 0;
    // SAFETY: set and number are locals; the signal is blocked and waits, so the call returns.
    let failed = unsafe { libc::sigwait(&raw const wanted, &raw mut taken) };
    (failed == 0).then_some(taken)
}
