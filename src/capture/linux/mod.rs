//! Linux: BPF programs, perf events, and the memory shared with them; processes and files as the
//! kernel shows them. Calls only; what they deliver is read in [`super::decode`].

pub mod audit;
pub mod bpf;
pub(super) mod handed;
pub(super) mod parts;
pub(super) mod patch;
pub(super) mod process;
pub mod qemu;
mod sys;
pub(super) mod watch;

pub(super) use patch::{guest_clock, in_place};
pub(super) use sys::Start;
