//! System calls, made directly: there is no libc here.

use core::ffi::{CStr, c_int};

use crate::abi::Timespec;

#[cfg_attr(target_arch = "x86_64", path = "amd64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "arm64.rs")]
#[cfg_attr(target_arch = "x86", path = "i386.rs")]
#[cfg_attr(target_arch = "arm", path = "arm.rs")]
#[cfg_attr(target_arch = "riscv64", path = "riscv64.rs")]
mod machine;

pub(crate) use machine::{MACHINE, VDSO_CLOCK};
use machine::{call, number};

pub(crate) const CLOCK_MONOTONIC: c_int = 1;
pub(crate) const CLOCK_THREAD_CPUTIME_ID: c_int = 3;

const AT_FDCWD: usize = -100_isize as usize;
const O_RDWR: usize = 2;
const O_CREAT: usize = 0o100;
const O_EXCL: usize = 0o200;
const O_CLOEXEC: usize = 0o2_000_000;
const READ_WRITE: usize = 3;
const MAP_SHARED: usize = 1;
const MAP_PRIVATE: usize = 2;
const MAP_ANONYMOUS: usize = 0x20;
const MADV_WIPEONFORK: usize = 18;
const RLIMIT_FSIZE: usize = 1;
/// The largest page that Linux has anywhere, so that one of this size is a whole number of pages.
const STATE_BYTES: usize = 1 << 16;

/// An error number is between -4095 and -1.
fn done(outcome: usize) -> Option<usize> {
    (outcome <= -4096_isize as usize).then_some(outcome)
}

macro_rules! call {
    ($number:ident) => {
        // SAFETY: the call touches no memory.
        unsafe { call(number::$number, [0; 6]) }
    };
    ($number:ident, $($argument:expr),+) => {{
        let mut arguments = [0; 6];
        for (place, argument) in arguments.iter_mut().zip([$($argument),+]) {
            *place = argument;
        }
        // SAFETY: the memory that is handed over is as large as the call takes it to be.
        unsafe { call(number::$number, arguments) }
    }};
}

pub(crate) fn process_id() -> u32 {
    call!(GETPID) as u32
}

pub(crate) fn parent_id() -> u32 {
    call!(GETPPID) as u32
}

pub(crate) fn thread_id() -> u32 {
    call!(GETTID) as u32
}

/// Whether there is such a process.
pub(crate) fn exists(pid: u32) -> bool {
    const ESRCH: isize = 3;
    call!(KILL, pid as usize, 0) != -ESRCH as usize
}

/// A clock by a system call.
#[cold]
pub(crate) fn read_clock(clock: c_int, time: &mut Timespec) {
    let place = core::ptr::from_mut(time) as usize;
    if done(call!(CLOCK_GETTIME, clock as usize, place)).is_some() {
        return;
    }
    // Before Linux 5.1 there are 32 bits only on a 32-bit machine.
    #[cfg(target_pointer_width = "32")]
    {
        let mut short = [0_i32; 2];
        call!(
            CLOCK_GETTIME_32,
            clock as usize,
            short.as_mut_ptr() as usize
        );
        let [seconds, nanos] = short.map(i64::from);
        *time = Timespec { seconds, nanos };
    }
}

/// Length of the target of a link; 0 if there is none.
pub(crate) fn read_link(link: &CStr, target: &mut [u8]) -> usize {
    let (place, room) = (target.as_mut_ptr() as usize, target.len());
    done(call!(
        READLINKAT,
        AT_FDCWD,
        link.as_ptr() as usize,
        place,
        room
    ))
    .unwrap_or(0)
}

/// Length of the path of the working directory, with its zero byte.
pub(crate) fn working_directory(path: &mut [u8]) -> usize {
    done(call!(GETCWD, path.as_mut_ptr() as usize, path.len())).unwrap_or(0)
}

/// Memory of zero bytes that the kernel empties again in the child of a fork (Linux 4.14; before,
/// and under some emulators, the child shares the buffer of its parent, which works, too).
pub(crate) fn page_emptied_by_fork() -> Option<*mut u8> {
    let page = map(0, STATE_BYTES, MAP_PRIVATE | MAP_ANONYMOUS, usize::MAX)?;
    call!(MADVISE, page as usize, STATE_BYTES, MADV_WIPEONFORK);
    Some(page)
}

fn map(address: usize, bytes: usize, flags: usize, descriptor: usize) -> Option<*mut u8> {
    done(call!(
        MMAP, address, bytes, READ_WRITE, flags, descriptor, 0
    ))
    .map(|place| place as *mut u8)
}

/// An open file, which is closed with this value.
pub(crate) struct File(usize);

/// Makes a new file.
pub(crate) fn create(path: &CStr) -> Option<File> {
    open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC)
}

/// Opens a file to write.
pub(crate) fn reopen(path: &CStr) -> Option<File> {
    open(path, O_RDWR | O_CLOEXEC)
}

fn open(path: &CStr, flags: usize) -> Option<File> {
    let path = path.as_ptr() as usize;
    done(call!(
        OPENAT,
        AT_FDCWD,
        path,
        flags | machine::O_LARGEFILE,
        0o600
    ))
    .map(File)
}

impl File {
    /// Gives the first `bytes` memory, or room on a disk.
    pub(crate) fn allocate(&self, bytes: usize) -> Option<()> {
        let mut limit = [0_u64; 2];
        let place = limit.as_mut_ptr() as usize;
        // A file beyond the limit is answered with a signal that ends the program.
        done(call!(PRLIMIT, 0, RLIMIT_FSIZE, 0, place))?;
        if limit.first().is_none_or(|limit| *limit < bytes as u64) {
            return None;
        }
        // SAFETY: the call touches no memory.
        done(unsafe { machine::allocate(self.0, bytes) }).map(drop)
    }

    /// Maps the first `bytes` of the file to share them.
    pub(crate) fn map(&self, bytes: usize) -> Option<*mut u8> {
        map(0, bytes, MAP_SHARED, self.0)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        call!(CLOSE, self.0);
    }
}
