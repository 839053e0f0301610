//! Programs that two backends tell of, where none sees them all: which of them is told twice.

use rustc_hash::FxHashMap;

use crate::capture::{Executed, Monotonic, ToolRun};
use crate::trace::Pid;

/// What is known of processes that run.
#[derive(Debug, Default)]
pub(super) struct Discovered {
    /// The executable that a process was found to run.
    programs: FxHashMap<Pid, Vec<u8>>,
    /// The go command behind each shim.
    shims: FxHashMap<Pid, Pid>,
    /// From when to when shims have said that processes ran a tool.
    tools: FxHashMap<Pid, (Monotonic, Monotonic)>,
}

impl Discovered {
    /// A process was found to run a program.
    pub(super) fn add(&mut self, executed: &Executed) {
        self.programs.insert(executed.pid, executed.exe.clone());
    }

    /// Whether a process was found to run a program, and still does.
    pub(super) fn runs(&self, pid: Pid) -> bool {
        self.programs.contains_key(&pid)
    }

    /// Whether it is this one; or this one has run already, and its shim has said all of it.
    pub(super) fn is(&self, executed: &Executed) -> bool {
        let found = self.programs.get(&executed.pid);
        let tool = self.tools.get(&executed.pid);
        found.is_some_and(|exe| *exe == executed.exe)
            || tool.is_some_and(|(from, to)| (from..=to).contains(&&executed.time))
    }

    /// A process ended.
    pub(super) fn ended(&mut self, pid: Pid) {
        self.programs.remove(&pid);
    }

    /// A shim is about to start a tool.
    pub(super) fn shim(&mut self, shim: Pid, go: Pid) {
        self.shims.insert(shim, go);
    }

    /// A shim's tool has ended.
    pub(super) fn tool_ran(&mut self, run: &ToolRun) {
        self.shims.remove(&run.shim);
        let executed = &run.executed;
        self.tools.insert(executed.pid, (executed.time, run.end));
    }

    /// The go command that started a shim, or the process itself where it is none.
    pub(super) fn go_command(&self, pid: Pid) -> Pid {
        self.shims.get(&pid).copied().unwrap_or(pid)
    }
}
