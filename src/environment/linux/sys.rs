//! File capabilities, which are an extended attribute; groups of users.
#![expect(unsafe_code, reason = "setxattr has no safe wrapper here")]

use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use nix::unistd::Gid;

/// The groups of a user, `primary` among them.
pub(in crate::environment) fn groups(user: &CStr, primary: u32) -> io::Result<Vec<u32>> {
    let groups = nix::unistd::getgrouplist(user, Gid::from_raw(primary))?;
    Ok(groups.into_iter().map(Gid::as_raw).collect())
}

/// `struct vfs_cap_data` of version 2, `include/uapi/linux/capability.h`: u32 version and flags,
/// then twice (low and high half) u32 permitted, u32 inheritable. Effective at once, permitted:
/// `CAP_PERFMON` (38) and `CAP_BPF` (39).
const CAPABILITIES: [u32; 5] = [0x0200_0001, 0, 0, 1 << (38 - 32) | 1 << (39 - 32), 0];

/// Gives an executable the capabilities to load BPF programs and open perf events.
pub(in crate::environment) fn set_capabilities(path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let value: Vec<u8> = CAPABILITIES
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect();
    // SAFETY: both strings end with a zero byte, and `value` is valid for its length.
    let outcome = unsafe {
        libc::setxattr(
            path.as_ptr(),
            c"security.capability".as_ptr(),
            value.as_ptr().cast(),
            value.len(),
            0,
        )
    };
    match outcome {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
