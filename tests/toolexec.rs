//! The backend `toolexec`: a shim that the go command and its cache do not notice.
#![cfg(unix)]

#[cfg(test)]
#[path = "toolexec/cache.rs"]
mod cache;
#[cfg(test)]
#[path = "toolexec/flags.rs"]
mod flags;
#[cfg(test)]
#[path = "toolexec/shim.rs"]
mod shim;
#[cfg(test)]
#[path = "run/traced.rs"]
mod traced;
