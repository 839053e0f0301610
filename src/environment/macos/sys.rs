//! Calls of the C library that have no safe wrapper here. In: names; out: values.
#![expect(
    unsafe_code,
    reason = "getgrouplist and sysctlbyname have no safe wrapper; each block says why it is sound"
)]

use std::ffi::{CStr, c_int};
use std::io;
use std::ptr;

/// A user has no more groups than this: `NGROUPS_MAX` is 16, and directories may add some.
const MOST_GROUPS: usize = 1_024;

/// The groups of a user, `primary` among them.
pub(in crate::environment) fn groups(user: &CStr, primary: u32) -> io::Result<Vec<u32>> {
    let mut found = vec![0; MOST_GROUPS];
    let mut count = MOST_GROUPS as c_int;
    // SAFETY: the call writes at most `count` numbers, which the buffer has; the name ends with a zero.
    let failed = unsafe {
        let primary = primary.cast_signed();
        libc::getgrouplist(user.as_ptr(), primary, found.as_mut_ptr(), &raw mut count)
    };
    if failed != 0 {
        return Err(io::Error::last_os_error());
    }
    found.truncate(usize::try_from(count).unwrap_or_default());
    Ok(found.into_iter().map(c_int::cast_unsigned).collect())
}

/// A value that the kernel has by this name, as its bytes; `None` where there is none.
pub(in crate::environment) fn kernel_value(name: &CStr) -> Option<Vec<u8>> {
    let mut size = 0;
    // SAFETY: without a buffer the call writes the size alone.
    let failed = unsafe {
        libc::sysctlbyname(
            name.as_ptr(),
            ptr::null_mut(),
            &raw mut size,
            ptr::null_mut(),
            0,
        )
    };
    if failed != 0 {
        return None;
    }
    let mut bytes = vec![0_u8; size];
    // SAFETY: the call writes at most `size` bytes, which the buffer has.
    let failed = unsafe {
        libc::sysctlbyname(
            name.as_ptr(),
            bytes.as_mut_ptr().cast(),
            &raw mut size,
            ptr::null_mut(),
            0,
        )
    };
    bytes.truncate(size);
    (failed == 0).then_some(bytes)
}
