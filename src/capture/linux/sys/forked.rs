//! Whether a forked child finds memory empty that its parent has marked so.

use std::io;
use std::ptr;

/// Asks the kernel for memory that a forked child finds empty (`MADV_WIPEONFORK`, Linux 4.14), as copies of programs do
/// before they begin.
///
/// # Errors
///
/// When there is no such memory: a copy would have no ring.
pub(in crate::capture::linux) fn wipes_on_fork() -> io::Result<()> {
    let length = super::page_size();
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping at an address of the kernel's choice touches no other memory.
    let memory = unsafe { libc::mmap(ptr::null_mut(), length, libc::PROT_READ, flags, -1, 0) };
    if memory == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the mapping is ours alone, and nothing is in it.
    let wipes = match unsafe { libc::madvise(memory, length, libc::MADV_WIPEONFORK) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    };
    // SAFETY: nobody else knows of the mapping.
    unsafe { libc::munmap(memory, length) };
    wipes
}

#[cfg(test)]
mod tests {
    #[test]
    fn kernels_that_load_bpf_programs_have_it() {
        super::wipes_on_fork().unwrap();
    }
}
