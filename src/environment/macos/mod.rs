//! Facts of a Mac that need a call.
#![cfg(target_os = "macos")]

pub(super) mod sys;
