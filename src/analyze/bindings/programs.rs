//! Programs: how each is linked, what it loaded and bound, and where its loader looked.

use super::count::Counted;
use super::{Cost, Counts, Takes};
use crate::analyze::{Analysis, Name};
use crate::trace::{Interpreter, Nanos, Pid, ProcessId, SearchOutcome, StringId, Trace};
use rustc_hash::{FxHashMap, FxHashSet};
use std::cmp::Reverse;

/// How a program is linked, and whether that was watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Linked {
    /// By a loader that was watched.
    Dynamic,
    /// There is nothing to bind.
    Static,
    /// By a loader that was not watched, for this reason.
    Unwatched(Name),
    /// That is not known.
    #[default]
    Unknown,
}

impl Linked {
    /// In a few words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Dynamic => String::new(),
            Self::Static => "static: nothing to bind".to_owned(),
            Self::Unwatched(why) => format!("not watched: {why}"),
            Self::Unknown => "not watched".to_owned(),
        }
    }
}

/// One program.
#[derive(Clone, Debug, PartialEq)]
pub struct ProgramRow {
    /// Which.
    pub process: ProcessId,
    /// Its number in the system.
    pub pid: Pid,
    /// Which tool it is.
    pub tool: Name,
    /// For which package it works.
    pub package: Option<Name>,
    /// How it is linked.
    pub linked: Linked,
    /// Images that it loaded.
    pub loads: u64,
    /// Images that left it again.
    pub unloads: u64,
    /// Binds in it.
    pub counts: Counts,
    /// What relocating took.
    pub cost: Cost,
    /// CPU time of all that it did, where its end was seen.
    pub cpu: Option<Nanos>,
    /// Places where a library was looked for and was not.
    pub misses: u64,
}

/// A place where libraries were looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchRow {
    /// The path that was tried.
    pub path: Name,
    /// What sent loaders there; empty where that is not told.
    pub rule: Name,
    /// How often nothing was there.
    pub missed: u64,
    /// How often a library was found there.
    pub found: u64,
    /// How often what was there could not be taken.
    pub refused: u64,
    /// Programs whose loader looked there.
    pub processes: u64,
}

pub(super) fn of(
    analysis: &Analysis<'_>,
    takes: &Takes,
    counted: &Counted,
    costs: &FxHashMap<ProcessId, Cost>,
) -> Vec<ProgramRow> {
    let trace = analysis.trace;
    let of_load = trace.loads.iter();
    let loads = sums(of_load.map(|load| (load.process, load.time, 1)), takes);
    let of_unload = trace.unloads.iter();
    let unloads = sums(of_unload.map(|one| (one.process, one.time, 1)), takes);
    let missed = trace.searches.iter();
    let missed = missed.filter(|search| search.outcome == SearchOutcome::Missed);
    let misses = sums(missed.map(|one| (one.process, one.time, one.count)), takes);
    // What was loaded before a time range tells of a program in it, too, how it is linked.
    let linked_ever: FxHashSet<ProcessId> = trace.loads.iter().map(|load| load.process).collect();
    let mut interpreters: FxHashMap<ProcessId, &Interpreter> = FxHashMap::default();
    for interpreter in &trace.interpreters {
        interpreters.insert(interpreter.process, interpreter);
    }
    let of = |sums: &FxHashMap<ProcessId, u64>, id| sums.get(&id).copied().unwrap_or(0);
    let mut rows: Vec<ProgramRow> = analysis
        .roles
        .iter()
        .filter(|(id, _)| takes.process(*id))
        .filter_map(|(process, role)| {
            let found = trace.process(process)?;
            if !takes.ran(found) {
                return None;
            }
            Some(ProgramRow {
                process,
                pid: found.pid,
                tool: Name::from(role.tool.name()),
                package: role.package.clone(),
                linked: linked(
                    trace,
                    interpreters.get(&process).copied(),
                    linked_ever.contains(&process),
                ),
                loads: of(&loads, process),
                unloads: of(&unloads, process),
                counts: counted
                    .by_process
                    .get(&process)
                    .copied()
                    .unwrap_or_default(),
                cost: costs.get(&process).copied().unwrap_or_default(),
                cpu: found.exit.map(|exit| exit.usage.cpu()),
                misses: of(&misses, process),
            })
        })
        .collect();
    rows.sort_by_key(|row| Reverse((row.cost.cpu, row.counts.total(), row.loads)));
    rows
}

/// What is counted of each program that is asked for.
fn sums(
    what: impl Iterator<Item = (ProcessId, Nanos, u64)>,
    takes: &Takes,
) -> FxHashMap<ProcessId, u64> {
    let mut sums = FxHashMap::default();
    for (process, _, count) in what.filter(|(process, time, _)| takes.at(*process, *time)) {
        *sums.entry(process).or_default() += count;
    }
    sums
}

fn linked(trace: &Trace, interpreter: Option<&Interpreter>, loads: bool) -> Linked {
    if loads {
        return Linked::Dynamic;
    }
    match interpreter {
        None => Linked::Unknown,
        Some(told) if told.unwatched != StringId::EMPTY => {
            Linked::Unwatched(Name::from(trace.strings.get(told.unwatched)))
        }
        Some(told) if told.path == StringId::EMPTY => Linked::Static,
        Some(_) => Linked::Unknown,
    }
}

/// Where libraries were looked for, by path and rule.
pub(super) fn searches(trace: &Trace, takes: &Takes) -> Vec<SearchRow> {
    let mut places: FxHashMap<(StringId, StringId), (SearchRow, FxHashSet<ProcessId>)> =
        FxHashMap::default();
    let searches = trace.searches.iter();
    for search in searches.filter(|search| takes.at(search.process, search.time)) {
        let (row, processes) = places.entry((search.path, search.rule)).or_default();
        let count = match search.outcome {
            SearchOutcome::Missed => &mut row.missed,
            SearchOutcome::Found => &mut row.found,
            SearchOutcome::Refused => &mut row.refused,
        };
        *count += search.count;
        processes.insert(search.process);
    }
    let mut rows: Vec<SearchRow> = places
        .into_iter()
        .map(|((path, rule), (row, processes))| SearchRow {
            path: Name::from(trace.strings.get(path)),
            rule: Name::from(trace.strings.get(rule)),
            processes: processes.len() as u64,
            ..row
        })
        .collect();
    rows.sort_by(|a, b| {
        let order = |row: &SearchRow| Reverse((row.missed + row.refused, row.found));
        let names = |row: &SearchRow| (row.path.clone(), row.rule.clone());
        order(a)
            .cmp(&order(b))
            .then_with(|| names(a).cmp(&names(b)))
    });
    rows
}
