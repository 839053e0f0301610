//! Calls that were added up while they were recorded: rows of a trace in, the whole tree of one program after the
//! other out.
//!
//! A program has its calls here or as events, and of one that has both only what is here counts: what marks phases
//! is recorded as an event as well.

use super::Walked;
use super::short::{self, Lengths, LongPaths, Merged, PathChoice};
use crate::analyze::portable::portable;
use crate::analyze::profile::Weight;
use crate::analyze::{Analysis, Filter};
use crate::trace::{
    CallTreeRow, Nanos, ProbeId, Process, ProcessId, StringId, file::CallTreeBlock,
};
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::hash::BuildHasher as _;

/// All calls of a function of one program that had the same callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallSum {
    /// Position of its caller in [`ProgramTree::sums`], where it has one; that is before its own.
    pub caller: Option<u32>,
    /// Which function.
    pub probe: ProbeId,
    /// How many: 0 where it only leads to others.
    pub calls: u64,
    /// Of these, how many ended without an exit that was seen.
    pub no_exit: u64,
    /// Time of all of them.
    pub total: Nanos,
    /// Without that in what they called.
    pub own: Nanos,
    /// A call of the same function is around them.
    pub recursive: bool,
}

/// What the calls of a function came to in one program, whoever made them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FunctionSum {
    /// Calls, recursive ones included.
    pub calls: u64,
    /// Of these, how many ended without an exit that was seen.
    pub no_exit: u64,
    /// Time in calls that are not within a call of the same function.
    pub total: Nanos,
    /// Time without that in other recorded calls.
    pub own: Nanos,
}

/// All calls of one program, added up by who made them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramTree<'a> {
    /// Which.
    pub process: &'a Process,
    /// By their callers, each behind its own.
    pub sums: Vec<CallSum>,
    /// Paths that were merged below these, see [`Trees::walk_longer`].
    pub merged_paths: u64,
    /// Of each sum what was merged below it, where anything was.
    merged: Vec<Weight>,
    /// By probe: whether its calls pass the filter.
    passes: &'a [bool],
}

impl ProgramTree<'_> {
    /// Whether the calls of a function pass the filter. What they call, and what calls them, is asked for itself.
    #[must_use]
    pub fn passes(&self, sum: &CallSum) -> bool {
        passes(self.passes, sum)
    }

    /// The calls below the sum of this position that have none of their own: as samples their number, as time that
    /// which they took.
    #[must_use]
    pub fn merged(&self, at: usize) -> Option<Weight> {
        let merged = self.merged.get(at).copied();
        merged.filter(|merged| merged.samples > 0)
    }

    /// What passes, by function, in the order of their numbers.
    #[must_use]
    pub fn functions(&self) -> Vec<(ProbeId, FunctionSum)> {
        let mut functions: FxHashMap<ProbeId, FunctionSum> = FxHashMap::default();
        for sum in self.sums.iter().filter(|sum| self.passes(sum)) {
            let function = functions.entry(sum.probe).or_default();
            function.calls = function.calls.saturating_add(sum.calls);
            function.no_exit = function.no_exit.saturating_add(sum.no_exit);
            function.own += sum.own;
            if !sum.recursive {
                function.total += sum.total;
            }
        }
        let mut functions: Vec<_> = functions.into_iter().collect();
        functions.sort_unstable_by_key(|(probe, _)| *probe);
        functions
    }
}

/// Whether the calls of a function pass, by what passes of all probes.
fn passes(passes: &[bool], sum: &CallSum) -> bool {
    sum.calls > 0 && passes.get(sum.probe.index()) == Some(&true)
}

/// Which programs of a trace have trees, and which of them pass a filter.
#[derive(Debug)]
pub struct Trees<'a> {
    analysis: &'a Analysis<'a>,
    /// By process: its tree.
    of: Vec<Tree>,
    /// By probe: whether its calls pass.
    passes: Vec<bool>,
    /// Of the rows that pass: one or more for each path.
    lengths: Lengths,
    cut: u64,
}

/// Which sums of programs stay.
enum Stay<'a> {
    All,
    From(Nanos),
    /// Those of these paths, by the hashes of functions' names.
    Among(&'a LongPaths, Vec<u64>),
}

impl Stay<'_> {
    /// Of each sum of a program whether it stays; `None` where all do.
    fn of(&self, sums: &[CallSum]) -> Option<Vec<bool>> {
        match self {
            Self::All | Self::From(Nanos::ZERO) => None,
            Self::From(least) => {
                let longest = short::longest(sums).into_iter();
                Some(longest.map(|longest| longest >= *least).collect())
            }
            Self::Among(long, names) => Some(long.hold(sums, names)),
        }
    }
}

/// What a filter has to do with a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Taken,
    /// It lies in part within the time range that was asked for.
    Cut,
    NotTaken,
}

impl Choice {
    fn of(analysis: &Analysis<'_>, filter: &Filter, process: &Process) -> Self {
        let (from, to) = (filter.from.unwrap_or_default(), filter.to);
        let end = process.end_or(analysis.end);
        let is_whole = from <= process.start && to.is_none_or(|to| end <= to);
        let is_outside = end <= from || to.is_some_and(|to| to <= process.start);
        match filter.takes_process(&analysis.roles, process) {
            true if is_whole => Self::Taken,
            true if !is_outside => Self::Cut,
            _ => Self::NotTaken,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Tree {
    #[default]
    None,
    /// It does not pass the filter.
    LeftOut,
    /// It is whole with this block of the trace.
    Shown { last_block: usize },
}

impl<'a> Trees<'a> {
    /// Reads all call trees once. Of a time range the trees of programs pass that began and ended in it: what was
    /// added up cannot be cut.
    #[must_use]
    pub fn of(analysis: &'a Analysis<'a>, filter: &Filter) -> Self {
        let trace = analysis.trace;
        let probes = trace.probes.iter();
        let mut trees = Self {
            analysis,
            of: vec![Tree::None; trace.processes.len()],
            passes: probes
                .map(|probe| !filter.named || probe.set == StringId::EMPTY)
                .collect(),
            lengths: Lengths::default(),
            cut: 0,
        };
        if trace.call_tree_count() == 0 {
            return trees;
        }
        let mut choices = vec![Choice::NotTaken; trace.processes.len()];
        for process in &trace.processes {
            if let Some(choice) = choices.get_mut(process.id.index()) {
                *choice = Choice::of(analysis, filter, process);
            }
        }
        for (block, rows) in trace.call_trees().enumerate() {
            for row in rows.iter().flat_map(CallTreeBlock::iter) {
                let is_taken = choices.get(row.process.index()) == Some(&Choice::Taken);
                // Of what only leads to others there are many rows.
                let passes = trees.passes.get(row.probe.index()) == Some(&true);
                if is_taken && passes && row.calls > 0 {
                    trees.lengths.add(row.total);
                }
                if let (0, Some(tree)) = (row.level, trees.of.get_mut(row.process.index())) {
                    *tree = match is_taken {
                        true => Tree::Shown { last_block: block },
                        false => Tree::LeftOut,
                    };
                }
            }
        }
        let of_choices = trees.of.iter().zip(&choices);
        let cut = of_choices.filter(|of| *of == (&Tree::LeftOut, &Choice::Cut));
        trees.cut = cut.count() as u64;
        trees
    }

    /// Whether a program's calls were added up: then its events are not to be.
    #[must_use]
    pub fn has(&self, process: ProcessId) -> bool {
        let tree = self.of.get(process.index());
        tree.is_some_and(|tree| *tree != Tree::None)
    }

    /// How many programs have trees that pass.
    #[must_use]
    pub fn shown(&self) -> u64 {
        let shown = self
            .of
            .iter()
            .filter(|tree| matches!(tree, Tree::Shown { .. }));
        shown.count() as u64
    }

    /// How many programs are left out, for they lie in part within the time range that was asked for.
    #[must_use]
    pub const fn cut(&self) -> u64 {
        self.cut
    }

    /// Reads all call trees once more, and hands each over when the last of its blocks is read: no more is held than
    /// the trees that have begun by then.
    pub fn walk(&self, each: impl FnMut(&ProgramTree<'_>)) -> Walked {
        self.walk_those(&Stay::All, each)
    }

    /// The same with the sums that stay, and those that lead to them: others are merged below what called them. Tells
    /// which they are.
    pub fn walk_longer(
        &self,
        stay: PathChoice<'_>,
        mut each: impl FnMut(&ProgramTree<'_>),
    ) -> (Walked, Merged) {
        let (stay, below) = match stay {
            PathChoice::All => (Stay::All, Nanos::ZERO),
            PathChoice::Longest(most) => {
                let least = self.lengths.least(most);
                (Stay::From(least), least)
            }
            PathChoice::Among(long) => (Stay::Among(long, self.names()), long.below),
        };
        let mut merged = Merged { below, paths: 0 };
        let walked = self.walk_those(&stay, |tree| {
            merged.paths = merged.paths.saturating_add(tree.merged_paths);
            each(tree);
        });
        match merged.paths {
            0 => (walked, Merged::default()),
            _ => (walked, merged),
        }
    }

    /// Adds the longest paths to those of other runs, about so many.
    pub fn find_long(&self, most: u64, long: &mut LongPaths) {
        let (least, names) = (self.lengths.least(most), self.names());
        self.walk(|tree| long.add(&tree.sums, &names, least));
    }

    /// By probe: a hash of its function's name, which is the same for all architectures.
    fn names(&self) -> Vec<u64> {
        let trace = self.analysis.trace;
        let names = trace.probes.iter().map(|probe| trace.text(probe.function));
        names
            .map(|name| FxBuildHasher.hash_one(portable(&name)))
            .collect()
    }

    fn walk_those(&self, stay: &Stay<'_>, mut each: impl FnMut(&ProgramTree<'_>)) -> Walked {
        let mut walked = Walked {
            cut: self.cut,
            ..Walked::default()
        };
        let trace = self.analysis.trace;
        if trace.call_tree_count() == 0 {
            return walked;
        }
        let mut growing: FxHashMap<ProcessId, Growing> = FxHashMap::default();
        for (block, rows) in trace.call_trees().enumerate() {
            let Ok(rows) = rows else {
                walked.unreadable_blocks += 1;
                continue;
            };
            self.grow(&rows, &mut growing);
            let is_whole = |process: &ProcessId| {
                self.of.get(process.index()) == Some(&Tree::Shown { last_block: block })
            };
            let mut whole: Vec<ProcessId> = growing.keys().copied().filter(is_whole).collect();
            whole.sort_unstable();
            for id in whole {
                if let (Some(tree), Some(process)) = (growing.remove(&id), trace.process(id)) {
                    let sums = tree.finish();
                    let calls = sums.iter().map(|sum| sum.calls);
                    walked.entries = calls.fold(walked.entries, u64::saturating_add);
                    walked.added_up += 1;
                    each(&self.longer(process, sums, stay));
                }
            }
        }
        walked
    }

    /// The tree of a program without what does not stay.
    fn longer<'p>(
        &'p self,
        process: &'p Process,
        mut sums: Vec<CallSum>,
        stay: &Stay<'_>,
    ) -> ProgramTree<'p> {
        let (merged_paths, merged) = match stay.of(&sums) {
            None => (0, Vec::new()),
            Some(stay) => short::merge(&mut sums, &stay, |sum| passes(&self.passes, sum)),
        };
        ProgramTree {
            process,
            merged_paths,
            sums,
            merged,
            passes: &self.passes,
        }
    }

    fn grow(&self, rows: &CallTreeBlock, growing: &mut FxHashMap<ProcessId, Growing>) {
        let mut path = Path::of(self.passes.len());
        let mut tree = None;
        for row in rows.iter() {
            if row.level == 0 {
                let is_shown = matches!(self.of.get(row.process.index()), Some(Tree::Shown { .. }));
                tree = is_shown.then(|| growing.entry(row.process).or_default());
            }
            if let Some(tree) = &mut tree {
                path.leave(row.level as usize);
                let sum = tree.add(&path, &row);
                path.enter(sum, row.probe);
            }
        }
    }
}

/// Where a walk through rows is.
struct Path {
    /// Position and function of each caller, the outermost first.
    callers: Vec<(u32, ProbeId)>,
    /// By probe: how many of the callers are its calls.
    around: Vec<u32>,
}

impl Path {
    fn of(probes: usize) -> Self {
        Self {
            callers: Vec::new(),
            around: vec![0; probes],
        }
    }

    fn leave(&mut self, level: usize) {
        while self.callers.len() > level {
            let left = self.callers.pop();
            let around = left.and_then(|(_, probe)| self.around.get_mut(probe.index()));
            if let Some(around) = around {
                *around = around.saturating_sub(1);
            }
        }
    }

    fn enter(&mut self, sum: u32, probe: ProbeId) {
        self.callers.push((sum, probe));
        if let Some(around) = self.around.get_mut(probe.index()) {
            *around = around.saturating_add(1);
        }
    }
}

/// A tree of which blocks are still to come.
#[derive(Default)]
struct Growing {
    sums: Vec<CallSum>,
    /// By caller, [`NO_CALLER`] for none, and function.
    places: FxHashMap<(u32, ProbeId), u32>,
}

const NO_CALLER: u32 = u32::MAX;

impl Growing {
    /// Adds a row below a path; returns its place.
    fn add(&mut self, path: &Path, row: &CallTreeRow) -> u32 {
        let caller = path.callers.last().map(|(sum, _)| *sum);
        let next = u32::try_from(self.sums.len()).unwrap_or(NO_CALLER);
        let key = (caller.unwrap_or(NO_CALLER), row.probe);
        let place = *self.places.entry(key).or_insert(next);
        if place == next {
            let around = path.around.get(row.probe.index());
            self.sums.push(CallSum {
                caller,
                probe: row.probe,
                calls: 0,
                no_exit: 0,
                total: Nanos::ZERO,
                own: Nanos::ZERO,
                recursive: around.is_some_and(|around| *around > 0),
            });
        }
        if let Some(sum) = self.sums.get_mut(place as usize) {
            sum.calls = sum.calls.saturating_add(row.calls);
            sum.no_exit = sum.no_exit.saturating_add(row.open);
            sum.total += row.total;
        }
        place
    }

    /// Calls nest, so what a caller's callees took is a part of its own total; where it is not, for part of the
    /// caller was lost, nothing is left for itself.
    fn finish(self) -> Vec<CallSum> {
        let mut sums = self.sums;
        let mut inner = vec![Nanos::ZERO; sums.len()];
        for at in (0..sums.len()).rev() {
            let sum = &mut sums[at];
            sum.own = sum.total - inner[at];
            if let Some(of_caller) = sum.caller.and_then(|at| inner.get_mut(at as usize)) {
                *of_caller += sum.total;
            }
        }
        sums
    }
}
