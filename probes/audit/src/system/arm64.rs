//! Linux on arm64.

use core::arch::asm;
use core::ffi::CStr;

/// `EM_AARCH64`.
pub(crate) const MACHINE: u16 = 183;
pub(crate) const VDSO_CLOCK: &CStr = c"__kernel_clock_gettime";
pub(super) const O_LARGEFILE: usize = 0;

pub(super) mod number {
    pub(crate) const GETCWD: usize = 17;
    pub(crate) const FALLOCATE: usize = 47;
    pub(crate) const OPENAT: usize = 56;
    pub(crate) const CLOSE: usize = 57;
    pub(crate) const READLINKAT: usize = 78;
    pub(crate) const CLOCK_GETTIME: usize = 113;
    pub(crate) const KILL: usize = 129;
    pub(crate) const GETPID: usize = 172;
    pub(crate) const GETPPID: usize = 173;
    pub(crate) const GETTID: usize = 178;
    pub(crate) const MMAP: usize = 222;
    pub(crate) const MADVISE: usize = 233;
    pub(crate) const PRLIMIT: usize = 261;
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
            in("x8") number, inlateout("x0") a => outcome,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
            options(nostack));
    }
    outcome
}

/// # Safety
///
/// None is needed: the call touches no memory.
pub(super) unsafe fn allocate(descriptor: usize, bytes: usize) -> usize {
    // SAFETY: as above.
    unsafe { call(number::FALLOCATE, [descriptor, 0, 0, bytes, 0, 0]) }
}
