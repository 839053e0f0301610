//! Linux on i386.

use core::arch::global_asm;
use core::ffi::CStr;

/// `EM_386`.
pub(crate) const MACHINE: u16 = 3;
pub(crate) const VDSO_CLOCK: &CStr = c"__vdso_clock_gettime64";
pub(super) const O_LARGEFILE: usize = 0o100_000;

pub(super) mod number {
    pub(crate) const CLOSE: usize = 6;
    pub(crate) const GETPID: usize = 20;
    pub(crate) const KILL: usize = 37;
    pub(crate) const GETPPID: usize = 64;
    pub(crate) const GETCWD: usize = 183;
    /// `mmap2`, whose offset counts pages.
    pub(crate) const MMAP: usize = 192;
    pub(crate) const MADVISE: usize = 219;
    pub(crate) const GETTID: usize = 224;
    pub(crate) const CLOCK_GETTIME_32: usize = 265;
    pub(crate) const OPENAT: usize = 295;
    pub(crate) const READLINKAT: usize = 305;
    pub(crate) const FALLOCATE: usize = 324;
    pub(crate) const PRLIMIT: usize = 340;
    pub(crate) const CLOCK_GETTIME: usize = 403;
}

// A call takes its arguments in registers that the compiler keeps for itself.
global_asm!(
    ".hidden gotrace_audit_call",
    ".type gotrace_audit_call, @function",
    "gotrace_audit_call:",
    "push ebp",
    "push ebx",
    "push esi",
    "push edi",
    "mov ecx, [esp + 24]",
    "mov eax, [esp + 20]",
    "mov ebx, [ecx]",
    "mov edx, [ecx + 8]",
    "mov esi, [ecx + 12]",
    "mov edi, [ecx + 16]",
    "mov ebp, [ecx + 20]",
    "mov ecx, [ecx + 4]",
    "int 0x80",
    "pop edi",
    "pop esi",
    "pop ebx",
    "pop ebp",
    "ret",
    ".size gotrace_audit_call, . - gotrace_audit_call",
);

unsafe extern "C" {
    fn gotrace_audit_call(number: usize, arguments: *const usize) -> usize;
}

/// # Safety
///
/// The arguments are what the call wants.
pub(super) unsafe fn call(number: usize, arguments: [usize; 6]) -> usize {
    // SAFETY: as this function's.
    unsafe { gotrace_audit_call(number, arguments.as_ptr()) }
}

/// # Safety
///
/// None is needed: the call touches no memory.
pub(super) unsafe fn allocate(descriptor: usize, bytes: usize) -> usize {
    // SAFETY: as above. Offset and length take two registers each, low one first.
    unsafe { call(number::FALLOCATE, [descriptor, 0, 0, 0, bytes, 0]) }
}
