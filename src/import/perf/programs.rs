//! Forks, names, mappings and ends in, programs out.
//!
//! A program of gotrace's model begins with an exec. perf.data tells of forks, of the names that
//! threads take, with a mark on those that an exec gave, and of the end of each thread. What was there
//! before the recording, perf tells of as well, with the time zero: it gets a row when it is sampled.

use super::space::{Range, Space};
use crate::trace::{Exec, Exit, ExitStatus, Nanos, Pid, Process, ProcessId, StringId, Usage};
use rustc_hash::FxHashMap;

/// Mappings at most, of all processes that run: a fork has those of its parent.
const MOST_RANGES: usize = 1 << 22;

/// All programs, and which of them runs under which pid.
#[derive(Debug, Default)]
pub(super) struct Programs {
    rows: Vec<Process>,
    used: Vec<Usage>,
    live: FxHashMap<u32, Live>,
    threads: FxHashMap<u32, Thread>,
    ranges: usize,
    /// Mappings that were not kept: there were too many.
    pub(super) dropped_ranges: u64,
}

/// A process that runs.
#[derive(Debug, Default)]
struct Live {
    /// Its program; until it calls exec, that of its parent.
    row: Option<ProcessId>,
    /// It was forked by its row's program, and has called no exec yet.
    is_fork: bool,
    parent: Option<ProcessId>,
    start: Nanos,
    name: StringId,
    /// The executable is still to be mapped: the first file that is.
    awaits_executable: bool,
    exe: StringId,
    threads: u32,
    space: Space,
}

/// A thread that runs.
#[derive(Clone, Copy, Debug, Default)]
struct Thread {
    start: Nanos,
    name: StringId,
    cpu: Nanos,
}

/// A program and its mappings that are to be written now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) process: ProcessId,
    pub(super) ranges: Vec<Range>,
}

impl Programs {
    /// A process or a thread began; without a time, before the recording.
    pub(super) fn forked(&mut self, at: Option<Nanos>, pid: u32, parent: u32, tid: u32) {
        let time = at.unwrap_or_default();
        let mut thread = Thread {
            start: time,
            ..Thread::default()
        };
        if pid == parent {
            let live = self.live.entry(pid).or_default();
            live.threads = live.threads.saturating_add(1);
            thread.name = live.name;
        } else {
            self.end(time, pid);
            let above = self.live.get(&parent);
            let row = above.and_then(|above| above.row);
            let mut child = Live {
                parent: row,
                start: time,
                threads: 1,
                ..Live::default()
            };
            // What perf tells of what was there before, is no fork that may yet call exec.
            if let Some(above) = above.filter(|_| at.is_some()) {
                child.row = row;
                child.is_fork = true;
                child.name = above.name;
                child.exe = above.exe;
                let ranges = self.ranges.saturating_add(above.space.len());
                if ranges <= MOST_RANGES {
                    child.space = above.space.clone();
                    self.ranges = ranges;
                } else {
                    let dropped = above.space.len() as u64;
                    self.dropped_ranges = self.dropped_ranges.saturating_add(dropped);
                }
            }
            thread.name = child.name;
            if child.is_fork
                && let Some(used) = row.and_then(|row| self.used.get_mut(row.index()))
            {
                used.forks_folded = used.forks_folded.saturating_add(1);
            }
            self.live.insert(pid, child);
        }
        self.threads.insert(tid, thread);
    }

    /// A thread took a name, or a program; without a time, before the recording.
    pub(super) fn named(
        &mut self,
        at: Option<Nanos>,
        (pid, tid): (u32, u32),
        name: StringId,
        exec: bool,
    ) {
        let thread = self.threads.entry(tid).or_default();
        thread.name = name;
        if let (true, Some(time)) = (exec, at) {
            self.executed(time, pid, name);
            return;
        }
        let live = self.live.entry(pid).or_insert_with(|| Live {
            threads: 1,
            ..Live::default()
        });
        if pid == tid && live.row.is_none() {
            live.name = name;
            live.awaits_executable = true;
        }
    }

    fn executed(&mut self, time: Nanos, pid: u32, name: StringId) {
        let old = self.remove(pid).unwrap_or_default();
        let predecessor = old.row.filter(|_| !old.is_fork);
        if let Some(used) = old
            .row
            .filter(|_| old.is_fork)
            .and_then(|row| self.used.get_mut(row.index()))
        {
            used.forks_folded = used.forks_folded.saturating_sub(1);
        }
        if let Some(row) = predecessor {
            self.close(row, time, ExitStatus::Replaced);
        }
        let start = if predecessor.is_some() {
            time
        } else {
            old.start
        };
        let live = Live {
            parent: old.parent,
            start,
            name,
            awaits_executable: true,
            threads: 1,
            ..Live::default()
        };
        let row = self.add(pid, &live, predecessor, time);
        self.live.insert(pid, Live { row, ..live });
    }

    fn add(
        &mut self,
        pid: u32,
        live: &Live,
        predecessor: Option<ProcessId>,
        exec_at: Nanos,
    ) -> Option<ProcessId> {
        let id = ProcessId(u32::try_from(self.rows.len()).ok()?);
        self.rows.push(Process {
            id,
            pid: Pid(pid),
            parent: live.parent,
            predecessor,
            start: live.start,
            exec_at,
            exec: Exec {
                argv: vec![live.name],
                exe: live.exe,
                ..Exec::default()
            },
            ..Process::default()
        });
        self.used.push(Usage::default());
        Some(id)
    }

    /// Code was mapped. The program that it is to be written for, if that has a row already.
    pub(super) fn mapped(
        &mut self,
        pid: u32,
        range: Range,
        file: Option<StringId>,
    ) -> Option<ProcessId> {
        let live = self.live.entry(pid).or_default();
        if self.ranges >= MOST_RANGES {
            self.dropped_ranges = self.dropped_ranges.saturating_add(1);
            return live.row;
        }
        let before = live.space.len();
        live.space.map(range);
        let after = live.space.len();
        self.ranges = self.ranges.saturating_add(after).saturating_sub(before);
        if let Some(path) = file.filter(|_| live.awaits_executable) {
            live.awaits_executable = false;
            live.exe = path;
            if let Some(row) = live.row.and_then(|row| self.rows.get_mut(row.index())) {
                row.exec.exe = path;
            }
        }
        live.row
    }

    /// The program that was sampled, whose row may be made only now: then its mappings are yet to be
    /// written.
    pub(super) fn sampled(&mut self, pid: u32) -> Option<(ProcessId, Option<Shown>)> {
        let live = self.live.entry(pid).or_default();
        if let Some(row) = live.row {
            return Some((row, None));
        }
        let live = std::mem::take(live);
        let row = self.add(pid, &live, None, live.start)?;
        let shown = Shown {
            process: row,
            ranges: live.space.ranges().collect(),
        };
        let row = Some(row);
        self.live.insert(pid, Live { row, ..live });
        Some((shown.process, Some(shown)))
    }

    /// What is mapped in a process.
    pub(super) fn space(&self, pid: u32) -> Option<&Space> {
        self.live.get(&pid).map(|live| &live.space)
    }

    /// Adds CPU time.
    pub(super) fn used(&mut self, row: ProcessId, tid: u32, time: Nanos, in_kernel: bool) {
        let used = self.used.get_mut(row.index());
        let of_row = used.map(|used| match in_kernel {
            true => &mut used.system,
            false => &mut used.user,
        });
        let of_thread = self.threads.get_mut(&tid).map(|thread| &mut thread.cpu);
        for sum in [of_row, of_thread].into_iter().flatten() {
            sum.0 = sum.0.saturating_add(time.0);
        }
    }

    /// A thread ended: what is known of it.
    pub(super) fn ended(
        &mut self,
        time: Nanos,
        pid: u32,
        tid: u32,
    ) -> Option<crate::trace::Thread> {
        let thread = self.threads.remove(&tid);
        let live = self.live.get_mut(&pid)?;
        live.threads = live.threads.saturating_sub(1);
        let (row, is_last) = (live.row, live.threads == 0);
        if is_last {
            self.end(time, pid);
        }
        let thread = thread.unwrap_or_default();
        Some(crate::trace::Thread {
            process: row?,
            tid: crate::trace::Tid(tid),
            start: thread.start,
            end: Some(time),
            name: thread.name,
            cpu: thread.cpu,
            runqueue: Nanos::ZERO,
        })
    }

    fn remove(&mut self, pid: u32) -> Option<Live> {
        let live = self.live.remove(&pid)?;
        self.ranges = self.ranges.saturating_sub(live.space.len());
        Some(live)
    }

    /// A process ended, or its pid is another one's now.
    fn end(&mut self, time: Nanos, pid: u32) {
        if let Some(live) = self.remove(pid)
            && let Some(row) = live.row.filter(|_| !live.is_fork)
        {
            self.close(row, time, ExitStatus::Unknown);
        }
    }

    fn close(&mut self, row: ProcessId, at: Nanos, status: ExitStatus) {
        if let Some(process) = self.rows.get_mut(row.index()) {
            let usage = Usage::default();
            process.exit = Some(Exit { at, status, usage });
        }
    }

    /// All rows, what they used added to those that ended; the others at the end of the recording, by
    /// which nobody saw them end.
    pub(super) fn into_rows(self) -> impl Iterator<Item = (Process, Option<Exit>)> {
        let rows = self.rows.into_iter().zip(self.used);
        rows.map(|(mut process, usage)| {
            let exit = process.exit.take().map(|exit| Exit { usage, ..exit });
            (process, exit)
        })
    }
}
