//! Stacks merged by path of functions, with what each program spent in each and when: so much that any part of a
//! trace can be merged anew by whoever has it, and never more than is asked for.
//!
//! Samples of a program that share a path and a step of time are one cell. Once there are more cells than may be,
//! the step doubles until they are few enough; paths that little was spent in end in one that says so. No time is
//! lost by either.

mod fold;
mod grow;

use super::calls::{self, CallEnd};
use super::profile::Weight;
use super::{Analysis, Filter, Name, filter};
use crate::trace::{Nanos, ProcessId, SampleKind};
use grow::Growth;
use rustc_hash::FxHashMap;

/// What the time of a cell is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A thread ran: samples.
    Running,
    /// A thread waited: samples.
    Waiting,
    /// A watched function was under way, without the watched functions that it called.
    Call,
    /// A tool ran, by its own profile, which knows no times.
    Profile,
}

impl Kind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Running, Self::Waiting, Self::Call, Self::Profile];
}

/// What stands in a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Function {
    /// Its name, or why there is none.
    pub name: Name,
    /// Source file, or empty.
    pub file: Name,
    /// Whether it has a name.
    pub named: bool,
}

/// A function, called by the functions of the path before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// Position of its caller's path; the root's is its own.
    pub parent: u32,
    /// Position of its function; that of the root is 0, and has no meaning.
    pub function: u32,
    /// The line in the function's file that all stacks agree on, or 0.
    pub line: u32,
    /// It was always inlined into its caller.
    pub inlined: bool,
}

/// What a program spent in a path, without what the path calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// What that is.
    pub kind: Kind,
    /// Which program.
    pub process: ProcessId,
    /// Position of the path.
    pub path: u32,
    /// Not before this; of a single sample of a running thread, its time.
    pub from: Nanos,
    /// Not after this.
    pub to: Nanos,
    /// How much, of how many samples or calls.
    pub weight: Weight,
}

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Paths.
    pub paths: usize,
    /// Cells.
    pub cells: usize,
}

/// All stacks of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// What occurs in paths.
    pub functions: Vec<Function>,
    /// The root stands first, and each path directly before those that it begins.
    pub paths: Vec<Path>,
    /// By kind, program, time and path.
    pub cells: Vec<Cell>,
    /// What lies in one step of this length is merged; zero where nothing had to be.
    pub step: Nanos,
    /// Paths that are left out.
    pub folded: usize,
    /// Blocks of samples or calls that could not be read.
    pub unreadable_blocks: u64,
}

impl Paths {
    /// Reads all samples and all calls once. Memory is bounded by the limits and by the distinct paths.
    #[must_use]
    pub fn of(analysis: &Analysis<'_>, limits: Limits) -> Self {
        let mut growth = Growth::of(analysis.trace);
        let mut cells = Cells::of_at_most(limits.cells);
        let unread_samples = filter::walk(analysis.trace, |sample| {
            let kind = match sample.kind {
                SampleKind::OnCpu => Kind::Running,
                SampleKind::OffCpu => Kind::Waiting,
            };
            let from = match kind {
                Kind::Waiting => sample.time.since(sample.weight),
                _ => sample.time,
            };
            if analysis.roles.get(sample.process).is_some() {
                let path = growth.of_stack(sample.stack);
                let weight = Weight {
                    time: sample.weight,
                    samples: 1,
                };
                cells.add((kind, sample.process, path), (from, sample.time), weight);
            }
        });
        for stack in &analysis.trace.profiles {
            if analysis.roles.get(stack.process).is_some() {
                let path = growth.of_stack(stack.stack);
                let weight = Weight {
                    time: stack.weight,
                    samples: 1,
                };
                let key = (Kind::Profile, stack.process, path);
                cells.add(key, (Nanos::ZERO, Nanos::ZERO), weight);
            }
        }
        let unread_calls = add_calls(analysis, &mut growth, &mut cells);
        fold::finish(growth, cells, limits, unread_samples + unread_calls)
    }
}

/// Returns how many blocks could not be read.
fn add_calls(analysis: &Analysis<'_>, growth: &mut Growth<'_>, cells: &mut Cells) -> u64 {
    let functions = growth.of_probes(analysis.trace);
    let walked = calls::walk(analysis, &Filter::default(), |call, callers| {
        let around = callers.iter().map(|open| open.probe);
        let path = around.chain([call.probe]).fold(ROOT, |path, probe| {
            let function = functions.get(probe.index()).copied();
            growth.child(path, function.unwrap_or_default(), 0, false)
        });
        let time = match call.how {
            CallEnd::Instant => Nanos::ZERO,
            _ => call.own(),
        };
        let key = (Kind::Call, call.process, path);
        cells.add(key, (call.begin, call.end), Weight { time, samples: 1 });
    });
    walked.unreadable_blocks
}

/// The path of no function.
const ROOT: u32 = 0;

/// Whose a cell is.
type Key = (Kind, ProcessId, u32);

/// Time within which samples are merged, when they first have to be.
const FIRST_STEP: Nanos = Nanos(1_000_000);

/// Cells as they come, never many more than may stay.
struct Cells {
    most: usize,
    /// By whose they are, and the number of the step that they end in.
    of: FxHashMap<(Key, u64), Spent>,
    step: Nanos,
    end: Nanos,
}

#[derive(Clone, Copy)]
struct Spent {
    from: Nanos,
    to: Nanos,
    weight: Weight,
}

impl Cells {
    fn of_at_most(most: usize) -> Self {
        Self {
            most,
            of: FxHashMap::default(),
            step: Nanos::ZERO,
            end: Nanos::ZERO,
        }
    }

    fn add(&mut self, key: Key, (from, to): (Nanos, Nanos), weight: Weight) {
        self.end = self.end.max(to);
        self.put(key, Spent { from, to, weight });
        if self.of.len() > self.most.saturating_mul(2) {
            self.coarsen();
        }
    }

    fn put(&mut self, key: Key, spent: Spent) {
        let step = spent.to.0 / self.step.0.max(1);
        let known = self.of.entry((key, step)).or_insert(Spent {
            weight: Weight::default(),
            ..spent
        });
        known.from = known.from.min(spent.from);
        known.to = known.to.max(spent.to);
        known.weight += spent.weight;
    }

    /// Doubles the step until there are few enough, or one step is all of the time.
    fn coarsen(&mut self) {
        while self.of.len() > self.most && self.step <= self.end {
            self.step = Nanos(self.step.0.saturating_mul(2)).max(FIRST_STEP);
            self.move_to(|path| path);
        }
    }

    /// Gives each cell its path anew.
    fn move_to(&mut self, path: impl Fn(u32) -> u32) {
        let before = std::mem::take(&mut self.of);
        for (((kind, process, at), _), spent) in before {
            self.put((kind, process, path(at)), spent);
        }
    }
}
