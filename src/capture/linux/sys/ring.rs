//! The file in memory that is the ring of trampolines on Linux.

use super::owned;
use crate::capture::sys::ring::{Patience, SharedRing};
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

/// What the ring is called among the mappings of a process.
pub(in crate::capture::linux) const RING_NAME: &CStr = c"gotrace-ring";

/// Makes a ring of so many chunks in memory, [`SharedRing::new`], and the file that programs map.
pub(in crate::capture::linux) fn in_memory(
    chunks: usize,
    patience: Patience,
) -> io::Result<(OwnedFd, SharedRing)> {
    // SAFETY: the name ends with a zero byte, and is read by this call alone.
    let file = owned(unsafe {
        libc::memfd_create(
            RING_NAME.as_ptr(),
            libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING,
        )
    })?;
    let ring = SharedRing::new(file.as_fd(), chunks, patience)?;
    // Who cuts a file short that others have mapped kills them.
    let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    Ok((file, ring))
}
