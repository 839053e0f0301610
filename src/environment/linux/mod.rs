//! Facts of a Linux machine: what its kernel can do, and what we may do with it.
#![cfg(target_os = "linux")]

pub mod rights;
pub(super) mod sys;
