//! Stacks merged by path of functions, with what each program spent in each and when: so much that any part of a
//! trace can be merged anew by whoever has it, and never more than is asked for.
//!
//! Samples of a program that share a path and a step of time are one cell. Once there are more cells than may be,
//! the step doubles until they are few enough; paths that little was spent in end in one that says so. No time is
//! lost by either.

mod cells;
mod fold;
mod grow;
mod samples;

use super::calls::{self, CallEnd, Merged, ProgramTree, Trees, Walked};
use super::profile::{self, Weight};
use super::{Analysis, Filter, Name, PhaseIndex, filter};
use crate::trace::{Nanos, ProbeId, ProcessId, SampleKind, StackId, Trace};
use cells::{Cells, Owners, Spent};
use grow::Growth;
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
    /// Paths that are left out; of calls that were merged, each program's for itself.
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
        let mut owners = Owners::default();
        let mut images = Images::of(analysis.trace);
        let mut samples = Samples {
            analysis,
            phases,
            growth: &mut growth,
            images: &mut images,
            owners: &mut owners,
        };
        let unread_samples = samples.add_to(&mut cells);
        for stack in &analysis.trace.profiles {
            if analysis.roles.get(stack.process).is_some() {
                let path = growth.of_stack(stack.stack);
                let place = Place {
                    image: images.of_stack(stack.stack),
                    ..Place::default()
                };
                let owner = owners.id((Kind::Profile, stack.process, place));
                cells.add(
                    (owner, path),
                    once((Nanos::ZERO, Nanos::ZERO), stack.weight),
                );
            }
        }
        let (walked, merged) = add_calls(analysis, &mut growth, &mut owners, &mut cells);
        let unread = unread_samples + walked.unreadable_blocks;
        if let Some(base) = base {
            add_base(base, &mut growth, &mut owners, &mut cells);
        }
        let mut paths = fold::finish(growth, &owners, cells, limits, unread);
        paths.images = images.names;
        paths.added_up = walked.added_up;
        let merged = usize::try_from(merged.paths).unwrap_or(usize::MAX);
        paths.folded = paths.folded.saturating_add(merged);
        paths
    }
}

/// One sample or call.
fn once((from, to): (Nanos, Nanos), time: Nanos) -> Spent {
    let weight = Weight { time, samples: 1 };
    Spent { from, to, weight }
}

/// A position that is small enough to be told: what comes behind 65,536 phases or images has none.
fn short(position: Option<usize>) -> Option<u16> {
    position.and_then(|position| u16::try_from(position).ok())
}

/// What cannot be read of it, comparisons tell.
fn add_base<'t>(
    base: &Analysis<'t>,
    growth: &mut Growth<'t>,
    owners: &mut Owners,
    cells: &mut Cells,
) {
    growth.turn_to(base.trace);
    filter::walk(base.trace, |sample| {
        if sample.kind == SampleKind::OnCpu && base.roles.get(sample.process).is_some() {
            let path = growth.of_stack(sample.stack);
            let owner = owners.id((Kind::Base, sample.process, Place::default()));
            cells.add(
                (owner, path),
                once((Nanos::ZERO, Nanos::ZERO), sample.weight),
            );
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

fn add_calls(
    analysis: &Analysis<'_>,
    growth: &mut Growth<'_>,
    owners: &mut Owners,
    cells: &mut Cells,
) -> (Walked, Merged) {
    let functions = growth.of_probes(analysis.trace);
    let function = |probe: ProbeId| functions.get(probe.index()).copied().unwrap_or_default();
    let filter = Filter::default();
    let trees = Trees::of(analysis, &filter);
    let (added_up, merged) =
        trees.walk_longer(calls::PathChoice::Longest(calls::MOST_PATHS), |tree| {
            let owner = owners.id((Kind::Call, tree.process.id, Place::default()));
            add_tree(analysis, tree, owner, function, growth, cells);
        });
    let walked = calls::walk_beside(&trees, analysis, &filter, |call, callers| {
        let around = callers.iter().map(|open| open.probe);
        let path = around.chain([call.probe]).fold(ROOT, |path, probe| {
            growth.child(path, function(probe), 0, false)
        });
        let time = match call.how {
            CallEnd::Instant => Nanos::ZERO,
            _ => call.own(),
        };
        let owner = owners.id((Kind::Call, call.process, Place::default()));
        cells.add((owner, path), once((call.begin, call.end), time));
    });
    (added_up.and(walked), merged)
}

/// Of calls that were added up it is known that they lay within the life of their program.
fn add_tree(
    analysis: &Analysis<'_>,
    tree: &ProgramTree<'_>,
    owner: u32,
    function: impl Fn(ProbeId) -> u32,
    growth: &mut Growth<'_>,
    cells: &mut Cells,
) {
    let process = tree.process;
    let (from, to) = (process.start, process.end_or(analysis.end));
    let mut paths: Vec<u32> = Vec::with_capacity(tree.sums.len());
    let mut add = |path: u32, weight| cells.add((owner, path), Spent { from, to, weight });
    for (at, sum) in tree.sums.iter().enumerate() {
        let caller = sum.caller.and_then(|at| paths.get(at as usize));
        let caller = caller.copied().unwrap_or(ROOT);
        let path = growth.child(caller, function(sum.probe), 0, false);
        paths.push(path);
        if sum.calls > 0 {
            let (time, samples) = (sum.own, sum.calls);
            add(path, Weight { time, samples });
        }
        if let Some(shorter) = tree.merged(at) {
            let unnamed = growth.unnamed(calls::SHORTER.as_bytes());
            add(growth.child(path, unnamed, 0, false), shorter);
        }
    }
}

/// The path of no function.
const ROOT: u32 = 0;
