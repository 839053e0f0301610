//! Calls added up: by function, and by whom they belong to.

use super::{Call, CallEnd, Durations, Walked, walk};
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
    /// Time in calls that are not within a call of the same function.
    pub total: Nanos,
    /// Time without that in other recorded calls.
    pub own: Nanos,
    /// How long single calls took.
    pub durations: Durations,
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
    /// Reads all calls once.
    #[must_use]
    pub fn of(analysis: &Analysis<'_>, filter: &Filter, by: GroupBy) -> Self {
        let mut rows: FxHashMap<(Group, Name), CallRow> = FxHashMap::default();
        let names = Names::of(analysis);
        let walked = walk(analysis, filter, |call, _| {
            let function = names.function(call.probe);
            let group = group(by, analysis, call);
            let row = rows.entry((group, function.clone()));
            let row = row.or_insert_with(|| CallRow {
                function: function.clone(),
                ..CallRow::default()
            });
            row.add(call);
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
        Self { rows, walked }
    }
}

impl CallRow {
    /// Exits were recorded, too, at least of some calls.
    #[must_use]
    pub const fn has_times(&self) -> bool {
        !self.durations.is_empty()
    }

    fn add(&mut self, call: &Call) {
        self.count += 1;
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
        self.durations.add(call.total());
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Group {
    None,
    Package(Option<Name>),
    Process(ProcessId),
    Stack(ProcessId, StackOwner, u32),
}

fn group(by: GroupBy, analysis: &Analysis<'_>, call: &Call) -> Group {
    match by {
        GroupBy::Function => Group::None,
        GroupBy::Package => {
            let role = analysis.roles.get(call.process);
            Group::Package(role.and_then(|role| role.package.clone()))
        }
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
