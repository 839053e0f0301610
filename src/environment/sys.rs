//! What the system's own modules offer under one name, and the answer where they do not exist.

#[cfg(target_os = "linux")]
pub(super) use super::linux::sys::set_capabilities;

/// File capabilities exist on Linux alone.
#[cfg(not(target_os = "linux"))]
pub(super) fn set_capabilities(_path: &std::path::Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}
