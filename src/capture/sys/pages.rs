//! Memory that several processes share, or a process and its kernel: mapped from a descriptor.

use std::ffi::c_void;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU64;

/// Pages mapped from a descriptor.
#[derive(Debug)]
pub(in crate::capture) struct Pages {
    base: NonNull<u8>,
    pub(in crate::capture) length: usize,
}

// SAFETY: the mapping belongs to this value alone, and no thread-local state hangs on it.
unsafe impl Send for Pages {}

impl Pages {
    pub(in crate::capture) fn map(
        fd: BorrowedFd<'_>,
        length: usize,
        offset: usize,
        write: bool,
    ) -> io::Result<Self> {
        let protection = libc::PROT_READ | if write { libc::PROT_WRITE } else { 0 };
        let offset = libc::off_t::try_from(offset).map_err(io::Error::other)?;
        // SAFETY: a new mapping at an address of the kernel's choice touches no other memory.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                length,
                protection,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                offset,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).ok_or_else(|| io::Error::other("mmap gave null"))?;
        Ok(Self { base, length })
    }

    /// A number that the kernel or we change while the other reads.
    pub(in crate::capture) fn atomic(&self, offset: usize) -> &AtomicU64 {
        debug_assert!(offset.is_multiple_of(8) && offset + 8 <= self.length);
        // SAFETY: callers pass offsets of fields inside the mapping.
        let at = unsafe { self.base.add(offset) };
        // SAFETY: mappings are page-aligned, the offset is a multiple of 8, the memory lives as
        // long as `self`, and both sides use it as an atomic number only.
        unsafe { AtomicU64::from_ptr(at.as_ptr().cast()) }
    }

    /// Where in memory bytes of the mapping lie; none where they are not all within it.
    pub(in crate::capture) fn within(&self, offset: usize, length: usize) -> Option<NonNull<u8>> {
        if offset.checked_add(length)? > self.length {
            return None;
        }
        // SAFETY: within the mapping, as just checked.
        Some(unsafe { self.base.add(offset) })
    }

    /// Numbers side by side, as [`Self::atomic`] gives one; none where they are not all within the mapping.
    pub(in crate::capture) fn atomics(&self, offset: usize, count: usize) -> &[AtomicU64] {
        let length = count.checked_mul(8).filter(|length| *length > 0);
        let within = length.and_then(|length| self.within(offset, length));
        if within.is_none() || !offset.is_multiple_of(8) {
            return &[];
        }
        let first: *const AtomicU64 = self.atomic(offset);
        // SAFETY: all of them are within the mapping, as just checked, which lives as long as `self`; both
        // sides use them as atomic numbers only.
        unsafe { std::slice::from_raw_parts(first, count) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the range was mapped by `map` and is unmapped nowhere else.
        unsafe { libc::munmap(self.base.as_ptr().cast::<c_void>(), self.length) };
    }
}
