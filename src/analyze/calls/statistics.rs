//! Calls added up: by function, and by whom they belong to.

use super::{Call, CallEnd, Durations, FunctionSum, Trees, Walked, walk_beside};
use crate::analyze::{Analysis, Filter, Name};
use crate::trace::{Nanos, ProbeId, ProcessId, StackOwner};
use rustc_hash::FxHashMap;
use std::cmp::Reverse;

/// Who stands beside the function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupBy {
    /// Nobody.
    #[default]
    Function,
    /// The package that the program works for.
    Package,
    /// The program.
    Process,
    /// The goroutine, or the thread's stack.
    Goroutine,
}

impl GroupBy {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Function,
        Self::Package,
        Self::Process,
        Self::Goroutine,
    ];

    /// As on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Package => "package",
            Self::Process => "process",
            Self::Goroutine => "goroutine",
        }
    }
}

/// What the calls of one function came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallRow {
    /// Whose they are; empty by function alone.
    pub group: Name,
    /// The function.
    pub function: Name,
    /// Calls, recursive ones included.
    pub count: u64,
    /// Of these, how many were under way at the end.
    pub open: u64,
    /// How many were left without a return: panics, `runtime.Goexit`.
    pub unwound: u64,
    /// How many were added up as they were recorded: how long single ones took is not known.
    pub added_up: u64,
    /// Of these, how many ended without an exit that was seen: as those that are open or unwound.
    pub no_exit: u64,
    /// Time in calls that are not within a call of the same function.
    pub total: Nanos,
    /// Time without that in other recorded calls.
    pub own: Nanos,
    /// How long single calls took, without those that were added up.
    pub durations: Durations,
    /// Exits were recorded, too, at least of some calls.
    pub timed: bool,
    /// Since when the function was no longer watched, for it cost too much.
    pub given_up: Option<Nanos>,
}

/// All calls that pass a filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// By function, the largest total first; those with entries alone behind, by their count.
    pub rows: Vec<CallRow>,
    /// What the walk came across.
    pub walked: Walked,
}

impl Statistics {
    /// Reads all calls once, and all call trees twice.
    #[must_use]
    pub fn of(analysis: &Analysis<'_>, filter: &Filter, by: GroupBy) -> Self {
        let mut rows: FxHashMap<(Group, Name), CallRow> = FxHashMap::default();
        let names = Names::of(analysis);
        let mut row_of = |group: Group, probe: ProbeId, add: &dyn Fn(&mut CallRow)| {
            let function = names.function(probe);
            let row = rows.entry((group, function.clone()));
            add(row.or_insert_with(|| CallRow {
                function,
                ..CallRow::default()
            }));
        };
        let trees = Trees::of(analysis, filter);
        let added_up = trees.walk(|tree| {
            let group = group_of_tree(by, analysis, tree.process.id);
            for (probe, sum) in tree.functions() {
                let exits = analysis.trace.probe(probe).map_or(0, |probe| probe.exits);
                row_of(group.clone(), probe, &|row| row.add_sum(&sum, exits > 0));
            }
        });
        let walked = walk_beside(&trees, analysis, filter, |call, _| {
            row_of(group(by, analysis, call), call.probe, &|row| row.add(call));
        });
        let dropped = analysis.trace.dropped_probes.iter();
        let given_up: FxHashMap<Name, Nanos> = dropped
            .map(|dropped| (names.function(dropped.probe), dropped.at))
            .collect();
        let mut rows: Vec<CallRow> = rows
            .into_iter()
            .map(|((group, function), row)| CallRow {
                group: names.group(analysis, &group),
                given_up: given_up.get(&function).copied(),
                ..row
            })
            .collect();
        rows.sort_unstable_by(|a, b| {
            let rank = |row: &CallRow| (!row.has_times(), Reverse(row.total), Reverse(row.count));
            let name = |row: &CallRow| (row.group.clone(), row.function.clone());
            rank(a).cmp(&rank(b)).then_with(|| name(a).cmp(&name(b)))
        });
        Self {
            rows,
            walked: added_up.and(walked),
        }
    }
}

impl CallRow {
    /// Exits were recorded, too, at least of some calls.
    #[must_use]
    pub const fn has_times(&self) -> bool {
        self.timed
    }

    /// How long single calls took: of all of them, or it is not known.
    #[must_use]
    pub fn single(&self) -> Option<&Durations> {
        (self.added_up == 0 && !self.durations.is_empty()).then_some(&self.durations)
    }

    fn add_sum(&mut self, sum: &FunctionSum, timed: bool) {
        self.count = self.count.saturating_add(sum.calls);
        self.added_up = self.added_up.saturating_add(sum.calls);
        if timed {
            self.timed = true;
            self.no_exit = self.no_exit.saturating_add(sum.no_exit);
            self.total += sum.total;
            self.own += sum.own;
        }
    }

    fn add(&mut self, call: &Call) {
        self.count = self.count.saturating_add(1);
        match call.how {
            CallEnd::Instant => return,
            CallEnd::Open => self.open += 1,
            CallEnd::Unwound => self.unwound += 1,
            CallEnd::Returned | CallEnd::TailJumped => {}
        }
        if !call.recursive {
            self.total += call.total();
        }
        self.own += call.own();
        self.timed = true;
        self.durations.add(call.total());
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Group {
    None,
    Package(Option<Name>),
    Process(ProcessId),
    Stack(ProcessId, StackOwner, u32),
    /// All stacks of a program whose calls were added up.
    AllStacks(ProcessId),
}

fn group_of_tree(by: GroupBy, analysis: &Analysis<'_>, process: ProcessId) -> Group {
    match by {
        GroupBy::Function => Group::None,
        GroupBy::Package => package_of(analysis, process),
        GroupBy::Process => Group::Process(process),
        GroupBy::Goroutine => Group::AllStacks(process),
    }
}

fn package_of(analysis: &Analysis<'_>, process: ProcessId) -> Group {
    let role = analysis.roles.get(process);
    Group::Package(role.and_then(|role| role.package.clone()))
}

fn group(by: GroupBy, analysis: &Analysis<'_>, call: &Call) -> Group {
    match by {
        GroupBy::Function => Group::None,
        GroupBy::Package => package_of(analysis, call.process),
        GroupBy::Process => Group::Process(call.process),
        GroupBy::Goroutine => {
            let tid = match call.stack {
                StackOwner::Goroutine(_) | StackOwner::Unnumbered(_) => 0,
                _ => call.tid.0,
            };
            Group::Stack(call.process, call.stack, tid)
        }
    }
}

/// Names that are asked for again and again.
pub(super) struct Names {
    functions: Vec<Name>,
}

impl Names {
    pub(super) fn of(analysis: &Analysis<'_>) -> Self {
        let trace = analysis.trace;
        let functions = trace.probes.iter();
        Self {
            functions: functions
                .map(|probe| Name::from(trace.strings.get(probe.function)))
                .collect(),
        }
    }

    pub(super) fn function(&self, probe: ProbeId) -> Name {
        self.functions
            .get(probe.index())
            .cloned()
            .unwrap_or_default()
    }

    fn group(&self, analysis: &Analysis<'_>, group: &Group) -> Name {
        match group {
            Group::None => Name::default(),
            Group::Package(package) => package
                .clone()
                .unwrap_or_else(|| Name::from("(no package)")),
            Group::Process(process) => Name::from(process_name(analysis, *process)),
            Group::Stack(process, owner, tid) => {
                let process = process_name(analysis, *process);
                Name::from(format!("{process} {}", stack_name(*owner, *tid)))
            }
            Group::AllStacks(process) => {
                let process = process_name(analysis, *process);
                Name::from(format!("{process} all goroutines"))
            }
        }
    }
}

/// `compile (4711)`.
pub(super) fn process_name(analysis: &Analysis<'_>, process: ProcessId) -> String {
    let tool = analysis.roles.get(process).map(|role| role.tool.name());
    let pid = analysis.trace.process(process).map(|process| process.pid.0);
    format!("{} ({})", tool.unwrap_or("?"), pid.unwrap_or_default())
}

/// `goroutine 7`, `thread 4712: system stack`.
#[must_use]
pub fn stack_name(owner: StackOwner, tid: u32) -> String {
    match owner {
        StackOwner::Goroutine(goid) => format!("goroutine {goid}"),
        StackOwner::Unnumbered(g) => format!("goroutine at {g:#x}"),
        StackOwner::System(_) => format!("thread {tid}: system stack"),
        StackOwner::Signal => format!("thread {tid}: signal stack"),
        StackOwner::Foreign => format!("thread {tid}"),
        StackOwner::Forked => format!("forked child {tid}"),
    }
}
