//! Linux: BPF programs, perf events, and the memory shared with them. Calls only; what they
//! deliver is read in [`super::decode`].

pub mod bpf;
pub mod qemu;
mod sys;
