//! The table of processes: forks, execs and exits in, rows of programs out.
//!
//! A row is one program image. A fork has no row until it calls exec; if it never does, what it
//! used is added to the program that forked it.

use rustc_hash::FxHashMap;

use super::space::AddressSpace;
use crate::trace::{Nanos, Pid, ProcessId, Usage};

/// A process that runs, with or without a program of its own.
#[derive(Debug, Default)]
pub(super) struct Live {
    /// Its program, when it has called exec.
    pub(super) row: Option<ProcessId>,
    /// The program that forked it.
    pub(super) owner: Option<ProcessId>,
    /// When it was forked.
    started: Nanos,
    /// What it had used before its program began.
    before: Usage,
    /// What its ended threads have used since its fork.
    threads: Usage,
    /// What forks without a program have used.
    folded: Usage,
    /// What is mapped in it.
    pub(super) space: AddressSpace,
}

/// A program, in the order of [`ProcessId`].
#[derive(Clone, Copy, Debug)]
struct Row {
    parent: Option<ProcessId>,
    predecessor: Option<ProcessId>,
    successor: Option<ProcessId>,
    pid: Pid,
    began: Nanos,
    open: bool,
    /// gotrace's shim: it stands between a go command and its tool, and is nobody's parent.
    own: bool,
}

/// A program that has just begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Begun {
    /// Its row.
    pub(super) row: ProcessId,
    /// The program that forked its process.
    pub(super) parent: Option<ProcessId>,
    /// The program that it replaced, and what that one had used.
    pub(super) replaced: Option<(ProcessId, Usage)>,
    /// When its process was forked; when it replaced another, when that was.
    pub(super) start: Nanos,
}

/// All processes of a recording.
#[derive(Debug, Default)]
pub(super) struct Processes {
    live: FxHashMap<Pid, Live>,
    rows: Vec<Row>,
    /// The last program of processes that are gone: what comes late finds its row here.
    gone: FxHashMap<Pid, ProcessId>,
}

impl Processes {
    /// A process was forked.
    pub(super) fn forked(&mut self, time: Nanos, pid: Pid, parent: Pid) {
        let (owner, space) = match self.live.get(&parent) {
            Some(parent) => {
                let owner = parent.row.or(parent.owner);
                (self.not_own(owner), parent.space.clone())
            }
            None => (None, AddressSpace::default()),
        };
        self.gone.remove(&pid);
        let live = Live {
            owner,
            started: time,
            space,
            ..Live::default()
        };
        self.live.insert(pid, live);
    }

    /// A process began to run a program; `used` is what it had used before.
    pub(super) fn executed(&mut self, time: Nanos, pid: Pid, used: Usage) -> Option<Begun> {
        let row = ProcessId(u32::try_from(self.rows.len()).ok()?);
        let live = self.live.entry(pid).or_insert_with(|| Live {
            started: time,
            ..Live::default()
        });
        live.space.clear();
        let replaced = live.row.map(|old| (old, live.since_program(used)));
        let start = if replaced.is_some() {
            time
        } else {
            live.started
        };
        if let Some((old, _)) = replaced {
            live.before = used;
            live.folded = Usage::default();
            if let Some(old) = self.rows.get_mut(old.index()) {
                old.successor = Some(row);
                old.open = false;
            }
        }
        live.row = Some(row);
        let parent = live.owner;
        self.rows.push(Row {
            parent,
            predecessor: replaced.map(|(old, _)| old),
            successor: None,
            pid,
            began: time,
            open: true,
            own: false,
        });
        Some(Begun {
            row,
            parent,
            replaced,
            start,
        })
    }

    /// A program is gotrace's shim.
    pub(super) fn mark_own(&mut self, row: ProcessId) {
        if let Some(row) = self.rows.get_mut(row.index()) {
            row.own = true;
        }
    }

    /// The program, or where it is a shim, that which started the shim.
    fn not_own(&self, mut program: Option<ProcessId>) -> Option<ProcessId> {
        while let Some(row) = program.and_then(|id| self.rows.get(id.index())) {
            if !row.own {
                break;
            }
            program = row.parent;
        }
        program
    }

    /// Makes a row for a program whose process is not followed.
    pub(super) fn add(
        &mut self,
        time: Nanos,
        pid: Pid,
        parent: Option<ProcessId>,
    ) -> Option<ProcessId> {
        let row = ProcessId(u32::try_from(self.rows.len()).ok()?);
        self.rows.push(Row {
            parent,
            predecessor: None,
            successor: None,
            pid,
            began: time,
            open: false,
            own: false,
        });
        self.gone.insert(pid, row);
        Some(row)
    }

    /// A thread ended, or a part of the use of a process became known.
    pub(super) fn thread_ended(&mut self, pid: Pid, usage: &Usage) {
        if let Some(live) = self.live.get_mut(&pid) {
            live.threads.add(usage);
        }
    }

    /// A process ended. Returns its program, if it had one, and what that used.
    pub(super) fn exited(
        &mut self,
        pid: Pid,
        usage: Usage,
        whole: bool,
    ) -> Option<(ProcessId, Usage)> {
        let live = self.live.remove(&pid)?;
        let mut total = usage;
        if !whole {
            total.add(&live.threads);
        }
        match live.row {
            Some(row) => {
                if let Some(row) = self.rows.get_mut(row.index()) {
                    row.open = false;
                }
                self.remember(pid, row);
                Some((row, live.since_program(total)))
            }
            None => {
                if let Some(owner) = live.owner {
                    self.remember(pid, owner);
                    total.add(&live.folded);
                    total.forks_folded += 1;
                    self.fold(owner, &total);
                }
                None
            }
        }
    }

    fn remember(&mut self, pid: Pid, row: ProcessId) {
        // What comes late comes within a moment: old entries can all go at once.
        if self.gone.len() > 4_096 {
            self.gone.clear();
        }
        self.gone.insert(pid, row);
    }

    /// Adds what a fork without a program used to the nearest program that still runs.
    fn fold(&mut self, owner: ProcessId, usage: &Usage) {
        let mut next = Some(owner);
        while let Some(row) = next.and_then(|id| self.rows.get(id.index())) {
            if let Some(successor) = row.successor {
                next = Some(successor);
            } else if row.open {
                if let Some(live) = self.live.get_mut(&row.pid) {
                    live.folded.add(usage);
                }
                return;
            } else {
                next = row.parent;
            }
        }
    }

    /// The process with this number, while it runs.
    pub(super) fn live(&mut self, pid: Pid) -> Option<&mut Live> {
        self.live.get_mut(&pid)
    }

    /// The program that an event of this process belongs to: its own, or for a fork without one
    /// that which forked it.
    pub(super) fn row(&self, pid: Pid) -> Option<ProcessId> {
        match self.live.get(&pid) {
            Some(live) => live.row.or(live.owner),
            None => self.gone.get(&pid).copied(),
        }
    }

    /// The program that an event of this time belongs to, and the process that it runs in: one
    /// that another program has replaced since is found, too.
    pub(super) fn row_at(&self, pid: Pid, time: Nanos) -> Option<(ProcessId, Pid)> {
        let mut id = self.row(pid)?;
        let mut row = self.rows.get(id.index())?;
        while row.began > time
            && let Some(before) = row.predecessor
        {
            id = before;
            row = self.rows.get(id.index())?;
        }
        Some((id, row.pid))
    }

    /// Whether a process was seen to end, and its number was not given to another since.
    pub(super) fn has_ended(&self, pid: Pid) -> bool {
        !self.live.contains_key(&pid) && self.gone.contains_key(&pid)
    }

    /// Whether a program was not seen to end.
    pub(super) fn is_open(&self, program: ProcessId) -> bool {
        self.rows.get(program.index()).is_some_and(|row| row.open)
    }

    /// Since when a process runs the program that it does, or ran last, where that has a row.
    pub(super) fn runs_since(&self, pid: Pid) -> Option<Nanos> {
        let row = match self.live.get(&pid) {
            Some(live) => live.row?,
            None => *self.gone.get(&pid)?,
        };
        self.rows.get(row.index()).map(|row| row.began)
    }

    /// Whether a process runs a program that has a row.
    pub(super) fn runs(&self, pid: Pid) -> bool {
        self.live.get(&pid).is_some_and(|live| live.row.is_some())
    }
}

impl Live {
    /// What the current program has used, when the process has used `total` since its fork.
    fn since_program(&self, total: Usage) -> Usage {
        let before = &self.before;
        let mut usage = Usage {
            user: total.user - before.user,
            system: total.system - before.system,
            runqueue: total.runqueue - before.runqueue,
            max_rss_bytes: total.max_rss_bytes,
            minor_faults: total.minor_faults.saturating_sub(before.minor_faults),
            major_faults: total.major_faults.saturating_sub(before.major_faults),
            read_bytes: total.read_bytes.saturating_sub(before.read_bytes),
            written_bytes: total.written_bytes.saturating_sub(before.written_bytes),
            voluntary_switches: total
                .voluntary_switches
                .saturating_sub(before.voluntary_switches),
            involuntary_switches: total
                .involuntary_switches
                .saturating_sub(before.involuntary_switches),
            forks_folded: 0,
        };
        usage.add(&self.folded);
        usage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu(millis: u64) -> Usage {
        Usage {
            user: Nanos(millis * 1_000_000),
            ..Usage::default()
        }
    }

    const A: Pid = Pid(10);
    const B: Pid = Pid(11);
    const C: Pid = Pid(12);

    #[test]
    fn a_program_that_is_replaced_keeps_what_it_used() {
        let mut processes = Processes::default();
        processes.forked(Nanos(1), A, Pid(1));
        let first = processes.executed(Nanos(2), A, cpu(1)).expect("row");
        assert_eq!(
            (first.start, first.parent, first.replaced),
            (Nanos(1), None, None)
        );
        processes.thread_ended(A, &cpu(3));
        let second = processes.executed(Nanos(5), A, cpu(10)).expect("row");
        assert_eq!(second.replaced, Some((first.row, cpu(10))));
        assert_eq!(second.start, Nanos(5));
        assert_eq!(
            processes.exited(A, cpu(20), false),
            Some((second.row, cpu(13)))
        );
        assert_eq!(processes.row(A), Some(second.row));
    }

    #[test]
    fn what_comes_late_belongs_to_the_program_of_its_time() {
        let mut processes = Processes::default();
        let first = processes.executed(Nanos(2), A, cpu(0)).expect("row").row;
        let second = processes.executed(Nanos(5), A, cpu(0)).expect("row").row;
        processes.forked(Nanos(6), B, A);
        assert_eq!(processes.row_at(A, Nanos(4)), Some((first, A)));
        assert_eq!(processes.row_at(A, Nanos(5)), Some((second, A)));
        // A fork without a program runs its parent's; nothing is before the first one.
        assert_eq!(processes.row_at(B, Nanos(7)), Some((second, A)));
        assert_eq!(processes.row_at(A, Nanos(1)), Some((first, A)));
        processes.exited(A, cpu(1), true);
        assert_eq!(processes.row_at(A, Nanos(3)), Some((first, A)));
        assert_eq!(processes.row_at(C, Nanos(3)), None);
    }

    #[test]
    fn the_child_of_a_shim_is_a_child_of_the_go_command() {
        let mut processes = Processes::default();
        let go = processes.executed(Nanos(0), A, cpu(0)).expect("row");
        processes.forked(Nanos(1), B, A);
        let shim = processes.executed(Nanos(2), B, cpu(0)).expect("row");
        processes.mark_own(shim.row);
        processes.forked(Nanos(3), C, B);
        let tool = processes.executed(Nanos(4), C, cpu(0)).expect("row");
        assert_eq!((shim.parent, tool.parent), (Some(go.row), Some(go.row)));
    }

    #[test]
    fn forks_without_a_program_are_folded_into_the_nearest_that_runs() {
        let mut processes = Processes::default();
        processes.forked(Nanos(1), A, Pid(1));
        let shell = processes.executed(Nanos(2), A, cpu(0)).expect("row");
        processes.forked(Nanos(3), B, A);
        processes.forked(Nanos(4), C, B);
        assert_eq!(processes.row(C), Some(shell.row));
        assert_eq!(processes.exited(C, cpu(5), true), None);
        assert_eq!(processes.exited(B, cpu(7), true), None);
        let (row, usage) = processes.exited(A, cpu(1), true).expect("a program");
        assert_eq!(
            (row, usage.user, usage.forks_folded),
            (shell.row, cpu(13).user, 2)
        );
    }

    #[test]
    fn a_fork_is_folded_into_the_successor_of_its_parent() {
        let mut processes = Processes::default();
        let first = processes.executed(Nanos(0), A, cpu(0)).expect("row");
        processes.forked(Nanos(1), B, A);
        let second = processes.executed(Nanos(2), A, cpu(0)).expect("row");
        processes.exited(B, cpu(4), true);
        let (row, usage) = processes.exited(A, cpu(0), true).expect("a program");
        assert_eq!((row, usage.user), (second.row, cpu(4).user));
        assert_ne!(row, first.row);
    }

    #[test]
    fn a_child_knows_the_program_that_forked_it() {
        let mut processes = Processes::default();
        let parent = processes.executed(Nanos(0), A, cpu(0)).expect("row");
        processes.forked(Nanos(1), B, A);
        let child = processes.executed(Nanos(2), B, cpu(0)).expect("row");
        assert_eq!((child.parent, child.start), (Some(parent.row), Nanos(1)));
        assert!(processes.runs(B) && !processes.runs(C));
    }
}
