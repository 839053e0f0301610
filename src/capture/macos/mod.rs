//! macOS: processes, files and signals as the kernel shows them. Calls only; what they deliver is
//! read in [`super::decode`].

pub(super) mod handed;
pub(super) mod in_place;
pub(super) mod mach;
pub(super) mod patch;
pub(super) mod process;
pub(super) mod signals;
mod sys;
pub(super) mod watch;

pub(super) use patch::guest_clock;
pub(super) use sys::Start;
