//! Stacks merged by path of functions, with what each program spent in each and when: so much that any part of a
//! trace can be merged anew by whoever has it, and never more than is asked for.
//!
//! Samples of a program that share a path and a step of time are one cell. Once there are more cells than may be,
//! the step doubles until they are few enough; paths that little was spent in end in one that says so. No time is
//! lost by either.

mod fold;
mod grow;
mod samples;

use super::calls::{self, CallEnd, ProgramTree, Trees, Walked};
use super::profile::{self, Weight};
use super::{Analysis, Filter, Name, PhaseIndex, filter};
use crate::trace::{Nanos, ProbeId, ProcessId, SampleKind, StackId, Trace};
use grow::Growth;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use samples::Samples;
use std::hash::{Hash, Hasher};

/// What the time of a cell is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A thread ran: samples.
    Running,
    /// A thread waited: samples.
    Waiting,
    /// A watched function was under way, without the watched functions that it called. What was added up as it was
    /// recorded lies somewhere in the life of its program.
    Call,
    /// A tool ran, by its own profile, which knows no times.
    Profile,
    /// A thread ran in what the trace is compared with: samples. Its programs are those of that trace; without times.
    Base,
}

impl Kind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::Running,
        Self::Waiting,
        Self::Call,
        Self::Profile,
        Self::Base,
    ];
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
    /// Of running threads, by samples or profiles: in what.
    pub place: Place,
    /// Not before this; of a single sample of a running thread, its time.
    pub from: Nanos,
    /// Not after this.
    pub to: Nanos,
    /// How much, of how many samples or calls.
    pub weight: Weight,
}

/// What a running thread was in, beside its functions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Position of the phase in [`PhaseIndex::rows`].
    pub phase: Option<u16>,
    /// Likewise, of that which went on beside it.
    pub beside: Option<u16>,
    /// Position of the innermost frame's image in [`Paths::images`].
    pub image: Option<u16>,
}

/// As one word: it is hashed for each sample.
impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let parts = [self.phase, self.beside, self.image];
        state.write_u64(parts.iter().fold(0, |word, part| {
            word << 17 | part.map_or(0, |part| u64::from(part) + 1)
        }));
    }
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
    /// Images that running threads were in, by path, and `[kernel]` and the like.
    pub images: Vec<Name>,
    /// What lies in one step of this length is merged; zero where nothing had to be.
    pub step: Nanos,
    /// Paths that are left out.
    pub folded: usize,
    /// Programs whose calls were added up as they were recorded: of these it is not known when they were.
    pub added_up: u64,
    /// Blocks of samples or calls that could not be read.
    pub unreadable_blocks: u64,
}

impl Paths {
    /// Reads all samples and all calls once, and all samples of `base`, where there is one: its stacks are paths of
    /// the same functions, whatever their files and architectures. Memory is bounded by the limits and by the
    /// distinct paths.
    #[must_use]
    pub fn of(
        analysis: &Analysis<'_>,
        phases: &PhaseIndex,
        base: Option<&Analysis<'_>>,
        limits: Limits,
    ) -> Self {
        let mut growth = Growth::of(analysis.trace);
        let mut cells = Cells::of_at_most(limits.cells);
        let mut images = Images::of(analysis.trace);
        let mut samples = Samples {
            analysis,
            phases,
            growth: &mut growth,
            images: &mut images,
        };
        let unread_samples = samples.add_to(&mut cells);
        for stack in &analysis.trace.profiles {
            if analysis.roles.get(stack.process).is_some() {
                let path = growth.of_stack(stack.stack);
                let place = Place {
                    image: images.of_stack(stack.stack),
                    ..Place::default()
                };
                let key = (Kind::Profile, stack.process, path, place);
                cells.add(key, (Nanos::ZERO, Nanos::ZERO), once(stack.weight));
            }
        }
        let walked = add_calls(analysis, &mut growth, &mut cells);
        let unread = unread_samples + walked.unreadable_blocks;
        if let Some(base) = base {
            add_base(base, &mut growth, &mut cells);
        }
        let mut paths = fold::finish(growth, cells, limits, unread);
        paths.images = images.names;
        paths.added_up = walked.added_up;
        paths
    }
}

fn once(time: Nanos) -> Weight {
    Weight { time, samples: 1 }
}

/// A position that is small enough to be told: what comes behind 65,536 phases or images has none.
fn short(position: Option<usize>) -> Option<u16> {
    position.and_then(|position| u16::try_from(position).ok())
}

/// What cannot be read of it, comparisons tell.
fn add_base<'t>(base: &Analysis<'t>, growth: &mut Growth<'t>, cells: &mut Cells) {
    growth.turn_to(base.trace);
    filter::walk(base.trace, |sample| {
        if sample.kind == SampleKind::OnCpu && base.roles.get(sample.process).is_some() {
            let path = growth.of_stack(sample.stack);
            let key = (Kind::Base, sample.process, path, Place::default());
            cells.add(key, (Nanos::ZERO, Nanos::ZERO), once(sample.weight));
        }
    });
}

/// The images that samples end in, by name: several files of a trace may have had one path.
struct Images<'t> {
    trace: &'t Trace,
    names: Vec<Name>,
    /// By frame, where it was asked for.
    known: Vec<Option<Option<u16>>>,
}

impl<'t> Images<'t> {
    fn of(trace: &'t Trace) -> Self {
        Self {
            trace,
            names: Vec::new(),
            known: vec![None; trace.frames.len()],
        }
    }

    fn of_stack(&mut self, stack: StackId) -> Option<u16> {
        let (_, frame) = self.trace.stacks.node(stack)?;
        let known = self.known.get_mut(frame.index())?;
        *known.get_or_insert_with(|| {
            let place = profile::place(self.trace, frame);
            let name = Name::from(profile::image_path(self.trace, place));
            let place = self.names.iter().position(|known| *known == name);
            short(place.or_else(|| {
                self.names.push(name);
                Some(self.names.len() - 1)
            }))
        })
    }
}

fn add_calls(analysis: &Analysis<'_>, growth: &mut Growth<'_>, cells: &mut Cells) -> Walked {
    let functions = growth.of_probes(analysis.trace);
    let function = |probe: ProbeId| functions.get(probe.index()).copied().unwrap_or_default();
    let filter = Filter::default();
    let trees = Trees::of(analysis, &filter);
    let added_up = trees.walk(|tree| add_tree(analysis, tree, function, growth, cells));
    let walked = calls::walk_beside(&trees, analysis, &filter, |call, callers| {
        let around = callers.iter().map(|open| open.probe);
        let path = around.chain([call.probe]).fold(ROOT, |path, probe| {
            growth.child(path, function(probe), 0, false)
        });
        let time = match call.how {
            CallEnd::Instant => Nanos::ZERO,
            _ => call.own(),
        };
        let key = (Kind::Call, call.process, path, Place::default());
        cells.add(key, (call.begin, call.end), once(time));
    });
    added_up.and(walked)
}

/// Of calls that were added up it is known that they lay within the life of their program.
fn add_tree(
    analysis: &Analysis<'_>,
    tree: &ProgramTree<'_>,
    function: impl Fn(ProbeId) -> u32,
    growth: &mut Growth<'_>,
    cells: &mut Cells,
) {
    let process = tree.process;
    let life = (process.start, process.end_or(analysis.end));
    let mut paths: Vec<u32> = Vec::with_capacity(tree.sums.len());
    for sum in &tree.sums {
        let caller = sum.caller.and_then(|at| paths.get(at as usize));
        let caller = caller.copied().unwrap_or(ROOT);
        let path = growth.child(caller, function(sum.probe), 0, false);
        paths.push(path);
        if sum.calls > 0 {
            let key = (Kind::Call, process.id, path, Place::default());
            let (time, samples) = (sum.own, sum.calls);
            cells.add(key, life, Weight { time, samples });
        }
    }
}

/// The path of no function.
const ROOT: u32 = 0;

/// Whose a cell is.
type Key = (Kind, ProcessId, u32, Place);

/// Time within which samples are merged, when they first have to be.
const FIRST_STEP: Nanos = Nanos(1_000_000);

/// Cells as they come, never many more than may stay.
struct Cells {
    most: usize,
    /// By whose they are, and the number of the step that they end in.
    of: IndexMap<(Key, u64), Spent, FxBuildHasher>,
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
            of: IndexMap::default(),
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
        let room = IndexMap::with_capacity_and_hasher(self.of.len(), FxBuildHasher);
        let before = std::mem::replace(&mut self.of, room);
        for (((kind, process, at, place), _), spent) in before {
            self.put((kind, process, path(at), place), spent);
        }
    }
}
