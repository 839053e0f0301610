//! Calls one by one in, what is kept of them out: a tree of their sums, the long ones, those within others.
//!
//! Of each goroutine the calls are known that are open: an entry ends those that lie as deep or deeper and begins its
//! own, an exit ends those that lie deeper and then its own. What a panic takes away shows in the next event.
//!
//! What comes in is in runs, each of one goroutine, or of one thread's own stack. Runs of one stack come in the order
//! of their time; those of others may have any order within a round, at whose end [`Sieve::settle`] is called.

mod bounds;
mod run;
mod tree;
mod window;

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "of small numbers, written here"
)]
mod tests;

use super::trampoline::{Writer, Written};
use crate::capture::probes::{CallMode, Keep};
use crate::trace::{CallEdge, CallTreeRow, Nanos, Pid, ProbeId, Tid};
pub use bounds::{bounds, unmet};
use run::Run;
use rustc_hash::FxHashMap;
use tree::{ROOT, Tree};
use window::Window;

/// Nodes of a program's tree at most, but for those that open calls need: then what has ended is written down, and the
/// tree begins anew. So it stays in the caches, where the compiler's calls, of which one in six has callers as none
/// before it had, take half of the time; a tree of a million nodes has an eighth less rows in all.
const NODES: usize = 1 << 16;
/// Nodes at most of all programs together.
const ALL_NODES: usize = 1 << 20;
/// Open calls at most, of all programs together.
const FRAMES: usize = 1 << 22;
/// Levels of a tree at most: what lies deeper is part of its callers.
const LEVELS: u32 = 1 << 15;
/// Stacks of a program from which on those are forgotten on which nothing is open.
const STACKS: usize = 1 << 12;

/// What is to be known of a function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits(u8);

impl Traits {
    /// Its first argument is recorded.
    pub const ARGUMENT: Self = Self(1);
    /// It marks a phase: its calls are told one by one in any case.
    pub const MARKS: Self = Self(2);
    /// Its exits are not watched: a call is over at once.
    pub const INSTANT: Self = Self(4);
    /// Calls inside of it are meant.
    pub const INSIDE: Self = Self(8);
    /// Calls from its entry on are meant,
    pub const FROM: Self = Self(16);
    /// and calls until its exit.
    pub const TO: Self = Self(32);

    /// More is to be done for its calls than to add them up.
    const APART: Self = Self(1 | 2 | 4);

    /// Both, where `is` holds.
    #[must_use]
    pub const fn with(self, other: Self, is: bool) -> Self {
        if is { Self(self.0 | other.0) } else { self }
    }

    /// Whether it has one of others.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// The functions of a program, by their numbers in its records.
#[derive(Clone, Debug, Default)]
pub struct Functions {
    /// The probe of the first one; the others follow.
    pub first: ProbeId,
    /// What is to be known of each.
    pub traits: Vec<Traits>,
}

/// An entry or an exit that is kept as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Reading of the processor's counter.
    pub ticks: u64,
    /// In which process.
    pub pid: Pid,
    /// On which thread.
    pub tid: Tid,
    /// On which goroutine; 0 on the stack of a thread.
    pub goroutine: u64,
    /// At which probe.
    pub probe: ProbeId,
    /// Entered or left.
    pub edge: CallEdge,
    /// As [`crate::trace::CallEvent::depth`].
    pub depth: u32,
    /// First argument, where it is recorded.
    pub argument: Option<u64>,
}

/// The tree of a program, or of what has ended of it since the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grown {
    /// The process.
    pub pid: Pid,
    /// Reading of the counter at the first event.
    pub from: u64,
    /// At the last one.
    pub to: u64,
    /// Without their process.
    pub rows: Vec<CallTreeRow>,
}

/// Calls that could not be paired as they should.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unpaired {
    /// Exits of calls whose entry was not there.
    pub orphans: u64,
    /// Calls that lie below more levels than a tree has: they are part of their callers.
    pub deep: u64,
    /// Calls while more were open than can be followed.
    pub beyond: u64,
}

/// What the sieve does, as [`CallMode`] says it.
#[derive(Clone, Copy, Debug)]
struct Options {
    keep: Keep,
    /// In ticks: as long as calls have to be.
    threshold: u64,
    depth: u32,
    inside: bool,
    between: bool,
}

impl Options {
    fn adds_all(&self) -> bool {
        self.keep == Keep::Sums && self.depth == u32::MAX && !self.inside && !self.between
    }
}

/// A call that is open.
#[derive(Clone, Copy, Debug)]
struct Frame {
    begin: u64,
    /// First argument, where it is recorded.
    argument: Option<u64>,
    depth: u32,
    probe: u32,
    tid: Tid,
    /// Its node, or that of the nearest caller that has one.
    node: u32,
    /// How many calls are kept from the stack's end to here.
    level: u32,
    /// It is in a function inside of which calls are meant.
    inside: bool,
    kept: bool,
    /// Its entry has been told.
    told: bool,
}

#[derive(Debug)]
struct Stack {
    frames: Vec<Frame>,
    goroutine: u64,
}

#[derive(Debug, Default)]
struct Program {
    stacks: FxHashMap<u64, Stack>,
    tree: Tree,
    /// With how many nodes the tree began, for what was open.
    begun_with: usize,
    /// Readings of the counter at the first and at the last event of the tree.
    span: Option<(u64, u64)>,
    window: Window,
}

impl Program {
    /// Ends all that is open, at this reading.
    fn end(&mut self, pid: Pid, ticks: u64, state: &mut State) {
        let stacks = std::mem::take(&mut self.stacks);
        for mut stack in stacks.into_values() {
            let writer = Writer {
                pid,
                tid: Tid(0),
                copy: 0,
            };
            let mut run = Run {
                state: &mut *state,
                tree: &mut self.tree,
                window: &self.window,
                stack: &mut stack,
                functions: &Functions::default(),
                writer: &writer,
            };
            while run.close(ticks, None) {}
        }
    }

    /// What has ended; trees go on with what is open.
    fn grown(&mut self, pid: Pid, ns_per_tick: f64) -> Option<Grown> {
        let (from, to) = self.span.take()?;
        let rows = self.tree.rows(|ticks| in_ns(ticks, ns_per_tick));
        self.tree.clear();
        for stack in self.stacks.values_mut() {
            let mut node = ROOT;
            for frame in &mut stack.frames {
                if frame.node != ROOT && frame.kept {
                    node = self.tree.child(node, frame.probe);
                }
                frame.node = node;
            }
        }
        self.begun_with = self.tree.len();
        (!rows.is_empty()).then_some(Grown {
            pid,
            from,
            to,
            rows,
        })
    }
}

/// What all programs have in common.
#[derive(Debug)]
struct State {
    options: Options,
    /// What waits to be handed on.
    told: Vec<Told>,
    frames: usize,
    unpaired: Unpaired,
}

/// Takes calls, and keeps what is asked for.
#[derive(Debug)]
pub struct Sieve {
    programs: FxHashMap<(Pid, u64), Program>,
    state: State,
    longer: Nanos,
    ns_per_tick: f64,
    /// Nodes of all programs.
    nodes: usize,
    /// Nodes from which on a program's tree begins anew,
    most: usize,
    /// and from which on all do.
    most_of_all: usize,
    grown: Vec<Grown>,
}

impl Sieve {
    /// One that keeps what a mode says.
    #[must_use]
    pub fn new(mode: &CallMode) -> Self {
        let longer = match mode.keep {
            Keep::Longer(time) => time,
            Keep::Each | Keep::Sums => Nanos::ZERO,
        };
        Self {
            programs: FxHashMap::default(),
            state: State {
                options: Options {
                    keep: mode.keep,
                    threshold: longer.0,
                    depth: mode.depth.unwrap_or(u32::MAX),
                    inside: mode.inside.is_some(),
                    between: mode.between.is_some(),
                },
                told: Vec::new(),
                frames: 0,
                unpaired: Unpaired::default(),
            },
            longer,
            ns_per_tick: 1.0,
            nodes: 0,
            most: NODES,
            most_of_all: ALL_NODES,
            grown: Vec::new(),
        }
    }

    /// How long calls have to be to be kept, where that counts.
    #[must_use]
    pub const fn longer(&self) -> Nanos {
        self.longer
    }

    /// How long a tick takes, as far as that is known by now.
    pub fn pace(&mut self, ns_per_tick: f64) {
        if ns_per_tick > 0.0 {
            self.ns_per_tick = ns_per_tick;
            self.state.options.threshold = in_ticks(self.longer, ns_per_tick);
        }
    }

    /// Whether [`Self::turn`] is to be told of what turns recording on and off, before the runs that it
    /// is in are taken.
    #[must_use]
    pub const fn has_turns(&self) -> bool {
        self.state.options.between
    }

    /// A record of the runs that come, which may turn recording on or off in its program.
    pub fn turn(&mut self, writer: &Writer, functions: &Functions, written: &Written) {
        let traits = functions.traits.get(written.function as usize);
        let traits = traits.copied().unwrap_or_default();
        let opens = match written.edge {
            CallEdge::Entry if traits.has(Traits::FROM) => true,
            CallEdge::Exit | CallEdge::TailJump if traits.has(Traits::TO) => false,
            _ => return,
        };
        let program = self.programs.entry((writer.pid, writer.copy)).or_default();
        program.window.turn(written.ticks, opens);
    }

    /// Records of one goroutine, one after the other.
    pub fn take(
        &mut self,
        writer: &Writer,
        functions: &Functions,
        mut records: impl Iterator<Item = Written>,
    ) {
        let Some(first) = records.next() else { return };
        let (goroutine, from) = (first.goroutine, first.ticks);
        if !self.programs.contains_key(&(writer.pid, writer.copy)) {
            // A process runs one program at a time.
            self.end(writer.pid, from);
        }
        let program = self.programs.entry((writer.pid, writer.copy)).or_default();
        program.window.sort();
        let nodes = program.tree.len();
        // Goroutines are never that many, nor threads of that number.
        let owner = match goroutine {
            0 => u64::from(writer.tid.0) | 1 << 63,
            goroutine => goroutine,
        };
        let adds_all = self.state.options.adds_all();
        let mut run = Run {
            state: &mut self.state,
            tree: &mut program.tree,
            window: &program.window,
            stack: program.stacks.entry(owner).or_insert_with(|| Stack {
                frames: Vec::new(),
                goroutine,
            }),
            functions,
            writer,
        };
        let to = match adds_all {
            true => run.take::<true>(first, records),
            false => run.take::<false>(first, records),
        };
        let (first, last) = program.span.unwrap_or((from, to));
        program.span = Some((first.min(from), last.max(to)));
        // What is open takes nodes, too.
        if program.tree.len() > self.most.max(program.begun_with.saturating_mul(2)) {
            self.grown
                .extend(program.grown(writer.pid, self.ns_per_tick));
        }
        let others = self.nodes.saturating_sub(nodes);
        self.nodes = others.saturating_add(program.tree.len());
        if self.nodes > self.most_of_all {
            self.begin_anew();
        }
    }

    /// A process has ended, at this reading or after its last record.
    pub fn end(&mut self, pid: Pid, ticks: u64) {
        let keys = self.programs.keys().filter(|(of, _)| *of == pid);
        for key in keys.copied().collect::<Vec<_>>() {
            let Some(mut program) = self.programs.remove(&key) else {
                continue;
            };
            self.nodes = self.nodes.saturating_sub(program.tree.len());
            let (first, last) = program.span.unwrap_or((ticks, ticks));
            let last = last.max(ticks);
            program.span = Some((first, last));
            program.end(pid, last, &mut self.state);
            self.grown.extend(program.grown(pid, self.ns_per_tick));
        }
    }

    /// A round is over whose records came before this reading: what is to be told of it, in the order of time.
    pub fn settle(&mut self, until: u64) -> Vec<Told> {
        let limit = match self.state.options.keep {
            Keep::Longer(_) => until.saturating_sub(self.state.options.threshold),
            Keep::Each | Keep::Sums => until,
        };
        for ((pid, _), program) in &mut self.programs {
            program.window.settle();
            if matches!(self.state.options.keep, Keep::Longer(_)) {
                tell_long(*pid, program, limit, &mut self.state.told);
            }
            if program.stacks.len() > STACKS {
                program.stacks.retain(|_, stack| !stack.frames.is_empty());
            }
        }
        let told = &mut self.state.told;
        told.sort_by_key(|told| told.ticks);
        let due = told.partition_point(|told| told.ticks <= limit);
        told.drain(..due).collect()
    }

    /// All processes end with the recording, at this reading.
    pub fn finish(&mut self, ticks: u64) {
        let pids: Vec<Pid> = self.programs.keys().map(|(pid, _)| *pid).collect();
        for pid in pids {
            self.end(pid, ticks);
        }
    }

    /// Trees that are to be written down.
    pub fn grown(&mut self) -> Vec<Grown> {
        std::mem::take(&mut self.grown)
    }

    /// What could not be paired since the last time.
    pub fn unpaired(&mut self) -> Unpaired {
        std::mem::take(&mut self.state.unpaired)
    }

    /// Memory is bounded: what has ended is written down.
    fn begin_anew(&mut self) {
        self.nodes = 0;
        for ((pid, _), program) in &mut self.programs {
            self.grown.extend(program.grown(*pid, self.ns_per_tick));
            self.nodes = self.nodes.saturating_add(program.tree.len());
        }
        self.most_of_all = ALL_NODES.max(self.nodes.saturating_mul(2));
    }
}

/// Tells of entries that lie before a reading, of calls that are long by now.
fn tell_long(pid: Pid, program: &mut Program, limit: u64, told: &mut Vec<Told>) {
    for stack in program.stacks.values_mut() {
        let open = stack.frames.iter_mut();
        for frame in open.take_while(|frame| frame.begin <= limit) {
            if frame.kept && !frame.told {
                frame.told = true;
                told.push(frame.entry(pid, stack.goroutine));
            }
        }
    }
}

impl Frame {
    fn entry(&self, pid: Pid, goroutine: u64) -> Told {
        Told {
            ticks: self.begin,
            pid,
            tid: self.tid,
            goroutine,
            probe: ProbeId(self.probe),
            edge: CallEdge::Entry,
            depth: self.depth,
            argument: self.argument,
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "to some parts in 2^53, which no clock keeps"
)]
fn in_ns(ticks: u64, ns_per_tick: f64) -> Nanos {
    Nanos((ticks as f64 * ns_per_tick) as u64)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "to some parts in 2^53, which no clock keeps"
)]
fn in_ticks(time: Nanos, ns_per_tick: f64) -> u64 {
    (time.0 as f64 / ns_per_tick) as u64
}
