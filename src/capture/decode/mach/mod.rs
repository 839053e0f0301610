//! What the kernel of macOS tells of tasks and threads that gotrace has the ports of: what `thread_info`,
//! `thread_get_state`, `proc_pid_rusage` and the task's memory have in, values out, and what is recorded of them. The
//! kernel is a [`system::System`] that is handed in: nothing here calls it.

pub mod account;
pub mod counters;
pub mod ends;
pub mod goroutine;
pub mod images;
pub mod native;
pub mod process;
pub mod program;
pub mod programs;
pub mod schedule;
pub mod system;
pub mod text;
pub mod thread;
pub mod threads;
pub mod translated;
pub mod watched;

use crate::trace::SamplePlace;

/// Where a thread was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    /// User addresses, innermost first: the executing one, then return addresses.
    pub addresses: Vec<u64>,
    /// It goes on beyond its last address.
    pub truncated: bool,
    /// Whose code it ran.
    pub place: SamplePlace,
}
