//! What is asked of the kernel of a Mac about programs whose tasks gotrace has. Tests are that kernel on any system.

use std::fmt::Debug;
use std::ops::Range;

use super::counters::Counters;
use super::thread::Position;
use crate::capture::decode::darwin_process::ProcessInfo;
use crate::capture::decode::image_infos::DyldInfo;
use crate::capture::decode::memory::ReadMemory;
use crate::capture::decode::rosetta::registers::Registers;
use crate::capture::{Executed, Monotonic};
use crate::trace::Pid;

/// A machine.
pub trait System {
    /// A process, as Mach has it.
    type Task: Task;

    /// The time.
    fn now(&self) -> Monotonic;
    /// What a process is; `None` where there is none of that number.
    fn process(&self, pid: Pid) -> Option<ProcessInfo>;
    /// What a process has used; `None` where it is not told, or not any more.
    fn counters(&self, pid: Pid) -> Option<Counters>;
    /// What a process runs.
    fn executed(&self, pid: Pid, now: Monotonic) -> Executed;
    /// What a program's file holds; nothing where it cannot be read.
    fn file(&self, path: &[u8]) -> Vec<u8>;
}

/// A task.
pub trait Task: ReadMemory + Debug {
    /// A thread of it.
    type Thread: Thread + Debug;
    /// The task stands still as long as this lives.
    type Suspended;

    /// Where dyld keeps its list of images.
    fn dyld_info(&self) -> Option<DyldInfo>;
    /// Its threads; `None` where the task is gone.
    fn threads(&self) -> Option<Vec<Self::Thread>>;
    /// Has it stand still; `None` where it is gone.
    fn suspend(&self) -> Option<Self::Suspended>;
    /// The region that has an address, and the tag of what it is for.
    fn region(&self, address: u64) -> Option<(Range<u64>, u32)>;
}

/// A thread.
pub trait Thread {
    /// What it is called here: the same as long as this value lives.
    fn port(&self) -> u32;
    /// What it has used: `THREAD_EXTENDED_INFO`; `None` where it is gone.
    fn info(&self) -> Option<Vec<u8>>;
    /// The number that the system knows it by.
    fn number(&self) -> Option<u64>;
    /// Its registers.
    fn state(&self) -> Option<ThreadState>;
}

/// Registers of a thread, as the kernel of a machine gives them.
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
#[derive(Clone, Debug)]
pub enum ThreadState {
    /// Of Apple Silicon, for programs that are translated, too.
    Arm64(Registers),
    /// Of Intel.
    Amd64(Position),
}
