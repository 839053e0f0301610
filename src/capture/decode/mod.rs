//! Parsers of what backends deliver: bytes in, values out. No input or output of their own, so
//! that every one of them is built and tested on every system.

#![warn(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation
)]

pub mod action_graph;
pub mod arguments;
pub mod audit;
pub mod bpf;
pub mod call_sieve;
pub mod darwin_counter;
pub mod darwin_process;
pub mod dtrace;
pub mod dyld_log;
pub mod frames;
pub mod guest;
pub mod image_infos;
pub mod importcfg;
pub mod mach;
pub mod memory;
pub mod perf_map;
pub mod pprof;
pub mod preload;
pub mod proc_stat;
pub mod qemu;
pub mod rosetta;
pub mod trampoline;
