//! What the system's own modules offer under one name, and the answer where they do not exist.

#[cfg(target_os = "linux")]
pub(super) use super::linux::sys::{groups, set_capabilities};
#[cfg(target_os = "macos")]
pub(super) use super::macos::sys::{groups, kernel_value};

/// Only macOS has values of its kernel by these names.
#[cfg(not(target_os = "macos"))]
pub(super) fn kernel_value(_name: &std::ffi::CStr) -> Option<Vec<u8>> {
    None
}

/// File capabilities exist on Linux alone.
#[cfg(not(target_os = "linux"))]
pub(super) fn set_capabilities(_path: &std::path::Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}
