//! Linux on 32-bit arm, by the calling convention of the EABI.

use core::arch::asm;
use core::ffi::CStr;

/// `EM_ARM`.
pub(crate) const MACHINE: u16 = 40;
pub(crate) const VDSO_CLOCK: &CStr = c"__vdso_clock_gettime64";
pub(super) const O_LARGEFILE: usize = 0o400_000;

pub(super) mod number {
    pub(crate) const CLOSE: usize = 6;
    pub(crate) const GETPID: usize = 20;
    pub(crate) const KILL: usize = 37;
    pub(crate) const GETPPID: usize = 64;
    pub(crate) const GETCWD: usize = 183;
    /// `mmap2`, whose offset counts pages.
    pub(crate) const MMAP: usize = 192;
    pub(crate) const MADVISE: usize = 220;
    pub(crate) const GETTID: usize = 224;
    pub(crate) const CLOCK_GETTIME_32: usize = 263;
    pub(crate) const OPENAT: usize = 322;
    pub(crate) const READLINKAT: usize = 332;
    pub(crate) const FALLOCATE: usize = 352;
    pub(crate) const PRLIMIT: usize = 369;
    pub(crate) const CLOCK_GETTIME: usize = 403;
}

/// # Safety
///
/// The arguments are what the call wants.
pub(super) unsafe fn call(number: usize, arguments: [usize; 6]) -> usize {
    let [a, b, c, d, e, f] = arguments;
    let outcome;
    // SAFETY: as this function's.
    unsafe {
        asm!("svc 0",
            in("r7") number, inlateout("r0") a => outcome,
            in("r1") b, in("r2") c, in("r3") d, in("r4") e, in("r5") f,
            options(nostack));
    }
    outcome
}

/// # Safety
///
/// None is needed: the call touches no memory.
pub(super) unsafe fn allocate(descriptor: usize, bytes: usize) -> usize {
    // SAFETY: as above. Offset and length take two registers each, low one first.
    unsafe { call(number::FALLOCATE, [descriptor, 0, 0, 0, bytes, 0]) }
}
