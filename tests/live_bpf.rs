//! The `bpf` backend on the running kernel, against independent counts: of strace, of `wait4`,
//! of the traced programs themselves.
#![cfg(target_os = "linux")]

#[cfg(test)]
#[path = "live_bpf/calls.rs"]
mod calls;
#[cfg(test)]
#[path = "live_bpf/command.rs"]
mod command;
#[cfg(test)]
#[path = "live_bpf/emulated.rs"]
mod emulated;
#[cfg(test)]
#[path = "live_bpf/emulated_compile.rs"]
mod emulated_compile;
#[cfg(test)]
#[path = "live_bpf/goroutines.rs"]
mod goroutines;
#[cfg(test)]
#[path = "live_bpf/processes.rs"]
mod processes;
#[cfg(test)]
#[path = "live_bpf/qemu.rs"]
mod qemu;
#[cfg(test)]
#[path = "live_bpf/rights.rs"]
mod rights;
#[cfg(test)]
#[path = "live_bpf/sets.rs"]
mod sets;
#[cfg(test)]
#[path = "live_bpf/stacks.rs"]
mod stacks;
