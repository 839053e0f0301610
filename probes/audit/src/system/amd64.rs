//! Linux on amd64.

use core::arch::asm;
use core::ffi::CStr;

/// `EM_X86_64`.
pub(crate) const MACHINE: u16 = 62;
pub(crate) const VDSO_CLOCK: &CStr = c"__vdso_clock_gettime";
pub(super) const O_LARGEFILE: usize = 0;

pub(super) mod number {
    pub(crate) const CLOSE: usize = 3;
    pub(crate) const MMAP: usize = 9;
    pub(crate) const MADVISE: usize = 28;
    pub(crate) const GETPID: usize = 39;
    pub(crate) const KILL: usize = 62;
    pub(crate) const GETCWD: usize = 79;
    pub(crate) const GETPPID: usize = 110;
    pub(crate) const GETTID: usize = 186;
    pub(crate) const CLOCK_GETTIME: usize = 228;
    pub(crate) const OPENAT: usize = 257;
    pub(crate) const READLINKAT: usize = 267;
    pub(crate) const FALLOCATE: usize = 285;
    pub(crate) const PRLIMIT: usize = 302;
}

/// # Safety
///
/// The arguments are what the call wants.
pub(super) unsafe fn call(number: usize, arguments: [usize; 6]) -> usize {
    let [a, b, c, d, e, f] = arguments;
    let outcome;
    // SAFETY: as this function's.
    unsafe {
        asm!("syscall",
            inlateout("rax") number => outcome,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
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
