//! The waist of the house: what a trace is, in memory and on disk.
//!
//! Everything left of here (`capture`, `import`) makes traces, everything right of here reads
//! them. This room knows no operating system, no binary format and no viewer.
//!
//! - [`Trace`] holds a whole trace but its samples, which stream from the file block by block;
//! - [`mod@file`] reads, writes and recovers the file of `docs/trace-format.md`;
//! - the other modules are the records of the model.

mod action;
mod address;
mod call;
mod clock;
mod context;
pub mod file;
mod ids;
mod image;
mod linking;
mod process;
mod stack;
mod strings;
mod symbol;

pub use action::{Action, Imports};
pub use address::{Avma, ImageOffset};
pub use call::{
    Argument, ArgumentKind, CallEdge, CallEvent, CallTreeRow, PhaseLasts, PhaseMark, Probe,
    ProbeDropped, StackOwner,
};
pub use clock::{ClockAnchor, Nanos};
pub use context::{
    BlindSpot, COUNT_NS, Counter, Ending, Finding, Host, IMPORTED, Loss, NOT_FOR_TIMING, Setting,
    Severity, Toolchain,
};
pub use ids::{
    FrameId, FunctionId, Goid, ImageId, Pid, ProbeId, ProcessId, StackId, StringId, Tid,
};
pub use image::{Image, ImageKind, Mapping, Unmapping};
pub use linking::{
    BindHow, BindKind, Binding, ImageNeeds, Import, ImportKind, Interpreter, LinkCause, Linking,
    Load, LoadOrigin, Offer, RelocationCounts, Search, SearchOutcome, Segment, Unload,
};
pub use process::{Arch, Exec, Exit, ExitStatus, Process, ProcessorCounts, Thread, Usage};
pub use stack::{
    Frame, FramePlace, FrameRole, ProfileSample, Sample, SampleKind, SamplePlace, Stacks,
};
pub use strings::Strings;
pub use symbol::{FrameSymbol, Function, Location, MadeFrom, Unnamed};

/// One low-volume record, as the recorder writes it and the reader finds it.
///
/// Samples, function calls, call trees and bindings are not here: they have paths of their own, in columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A program began. Its `exit` is not stored here.
    ProcessStarted(Process),
    /// A program ended.
    ProcessEnded(ProcessId, Exit),
    /// A thread, written when it ends or at the end of the recording.
    Thread(Thread),
    /// An executable range was mapped.
    Mapping(Mapping),
    /// One is mapped no longer.
    Unmapping(Unmapping),
    /// What the processor counted of a program.
    ProcessorCounts(ProcessId, ProcessorCounts),
    /// A stack of a tool's own profile.
    Profile(ProfileSample),
    /// A node of an action graph.
    Action(Action),
    /// An importcfg.
    Imports(Imports),
    /// The machine.
    Host(Host),
    /// A toolchain.
    Toolchain(Toolchain),
    /// A setting.
    Setting(Setting),
    /// Something found of the machine's Go.
    Finding(Finding),
    /// Events that were lost.
    Loss(Loss),
    /// What could not be seen.
    BlindSpot(BlindSpot),
    /// A function is watched.
    Probe(Probe),
    /// A function is no longer watched.
    ProbeDropped(ProbeDropped),
    /// A value over time.
    Counter(Counter),
    /// The end of the recording.
    Ending(Ending),
    /// An image came into a program.
    Load(Load),
    /// An image left a program.
    Unload(Unload),
    /// A time in which images were relocated.
    Linking(Linking),
    /// A place where a library was looked for.
    Search(Search),
    /// The loader that a program asks for.
    Interpreter(Interpreter),
    /// What an image's file asks of the loader.
    ImageNeeds(ImageNeeds),
}

/// A whole trace but its samples, calls, call trees and bindings, which are read from the file as they are walked.
///
/// Every table is ordered by its id. Ids found in a file are checked when it is read: an id in
/// a record of this value has a row in its table.
#[derive(Debug, Default)]
pub struct Trace {
    /// Ties trace time to the wall clock.
    pub anchor: ClockAnchor,
    /// The machine.
    pub host: Host,
    /// Go toolchains that the command used, the first one found by the command's own PATH.
    pub toolchains: Vec<Toolchain>,
    /// How it was recorded.
    pub settings: Vec<Setting>,
    /// What was found of the machine's Go when it began.
    pub findings: Vec<Finding>,
    /// All strings.
    pub strings: Strings,
    /// All programs, [`Process::own`] ones included.
    pub processes: Vec<Process>,
    /// Threads whose end was seen.
    pub threads: Vec<Thread>,
    /// Files whose code was mapped.
    pub images: Vec<Image>,
    /// Where they were mapped.
    pub mappings: Vec<Mapping>,
    /// Where they are not any more.
    pub unmappings: Vec<Unmapping>,
    /// Distinct code addresses.
    pub frames: Vec<Frame>,
    /// Distinct stacks.
    pub stacks: Stacks,
    /// Named functions.
    pub functions: Vec<Function>,
    /// Names of frames, one for each frame, in the order of [`FrameId`].
    pub symbols: Vec<Result<Vec<Location>, Unnamed>>,
    /// Stacks of tools' own profiles.
    pub profiles: Vec<ProfileSample>,
    /// Nodes of action graphs.
    pub actions: Vec<Action>,
    /// Direct dependencies of compiles and links.
    pub imports: Vec<Imports>,
    /// Functions that were watched, in the order of [`ProbeId`].
    pub probes: Vec<Probe>,
    /// Those that were given up while the command ran.
    pub dropped_probes: Vec<ProbeDropped>,
    /// Images that dynamic loaders loaded, in the order of recording.
    pub loads: Vec<Load>,
    /// And those that left again.
    pub unloads: Vec<Unload>,
    /// When images were relocated.
    pub linkings: Vec<Linking>,
    /// Where libraries were looked for.
    pub searches: Vec<Search>,
    /// Which dynamic loader each program asks for, where that is known.
    pub interpreters: Vec<Interpreter>,
    /// What the files of images ask of the loader.
    pub needs: Vec<ImageNeeds>,
    /// Values over time.
    pub counters: Vec<Counter>,
    /// What was lost.
    pub losses: Vec<Loss>,
    /// What could not be seen.
    pub blind_spots: Vec<BlindSpot>,
    /// How the recording ended; `None` when its recorder was killed.
    pub ending: Option<Ending>,
    /// What was wrong with the file, if anything.
    pub integrity: file::Integrity,
    samples: file::SampleBlocks,
    calls: file::CallBlocks,
    call_trees: file::CallTreeBlocks,
    bindings: file::BindingBlocks,
}

impl Trace {
    /// Walks all samples, a block at a time, in the order of recording (by time within a thread).
    ///
    /// # Errors
    ///
    /// A block that cannot be read or decoded is an error of its own; the walk can go on.
    pub fn samples(&self) -> impl Iterator<Item = Result<file::SampleBlock, file::Error>> + '_ {
        self.samples.iter()
    }

    /// Calls `each` with what [`Self::samples`] gives; while it is at one block, the next is read and unpacked.
    ///
    /// # Errors
    ///
    /// The first one of `each`, which ends the walk.
    pub fn walk_samples<E>(
        &self,
        each: impl FnMut(Result<file::SampleBlock, file::Error>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.samples.walk(each)
    }

    /// Calls `find` with what [`Self::samples`] gives, and `each` with whatever that hands on, in its order; while the
    /// one works, so does the other.
    pub fn walk_found_samples<T: Send>(
        &self,
        find: impl FnMut(Result<file::SampleBlock, file::Error>, &mut dyn FnMut(T)) + Send,
        each: impl FnMut(T),
    ) {
        self.samples.walk_found(find, each);
    }

    /// Number of samples, known without reading them.
    #[must_use]
    pub fn sample_count(&self) -> u64 {
        self.samples.count()
    }

    /// Adds samples that live in memory: for imports, and for tests of what reads traces.
    pub fn push_samples(&mut self, samples: &[Sample]) {
        self.samples.push(file::SampleBlock::from(samples));
    }

    /// Walks all function entries and exits, a block at a time, in the order of time.
    ///
    /// # Errors
    ///
    /// A block that cannot be read or decoded is an error of its own; the walk can go on.
    pub fn calls(&self) -> impl Iterator<Item = Result<file::CallBlock, file::Error>> + '_ {
        self.calls.iter()
    }

    /// Number of function entries and exits, known without reading them.
    #[must_use]
    pub fn call_count(&self) -> u64 {
        self.calls.count()
    }

    /// Adds function entries and exits that live in memory, as [`Self::push_samples`] does.
    pub fn push_calls(&mut self, events: &[CallEvent]) {
        self.calls.push(file::CallBlock::from(events));
    }

    /// Walks all call trees, a block at a time. Trees of one process may come in several blocks: what
    /// has an equal path in two is to be added up.
    ///
    /// # Errors
    ///
    /// A block that cannot be read or decoded is an error of its own; the walk can go on.
    pub fn call_trees(
        &self,
    ) -> impl Iterator<Item = Result<file::CallTreeBlock, file::Error>> + '_ {
        self.call_trees.iter()
    }

    /// Number of rows of call trees, known without reading them.
    #[must_use]
    pub fn call_tree_count(&self) -> u64 {
        self.call_trees.count()
    }

    /// Adds call trees that live in memory, as [`Self::push_samples`] does: rows in preorder, the
    /// first of level 0, and each at most one level below the one before.
    pub fn push_call_trees(&mut self, rows: &[CallTreeRow]) {
        self.call_trees.push(file::CallTreeBlock::from(rows));
    }

    /// Walks all bindings, a block at a time, in the order of recording.
    ///
    /// # Errors
    ///
    /// A block that cannot be read or decoded is an error of its own; the walk can go on.
    pub fn bindings(&self) -> impl Iterator<Item = Result<file::BindingBlock, file::Error>> + '_ {
        self.bindings.iter()
    }

    /// Number of bindings, known without reading them.
    #[must_use]
    pub fn binding_count(&self) -> u64 {
        self.bindings.count()
    }

    /// Adds bindings that live in memory, as [`Self::push_samples`] does.
    pub fn push_bindings(&mut self, bindings: &[Binding]) {
        self.bindings.push(file::BindingBlock::from(bindings));
    }

    /// Looks a probe up.
    #[must_use]
    pub fn probe(&self, id: ProbeId) -> Option<&Probe> {
        self.probes.get(id.index())
    }

    /// A string as text; bytes that are not UTF-8 are shown as replacement characters.
    #[must_use]
    pub fn text(&self, id: StringId) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self.strings.get(id))
    }

    /// Looks a process up.
    #[must_use]
    pub fn process(&self, id: ProcessId) -> Option<&Process> {
        self.processes.get(id.index())
    }

    /// The names of a frame, innermost first, or why it has none.
    ///
    /// # Errors
    ///
    /// Why the frame has no name.
    pub fn symbol(&self, frame: FrameId) -> Result<&[Location], Unnamed> {
        match self.symbols.get(frame.index()) {
            Some(Ok(locations)) => Ok(locations),
            Some(Err(why)) => Err(*why),
            None => Err(Unnamed::NotLookedUp),
        }
    }

    /// What it was imported from, where gotrace did not record it itself.
    #[must_use]
    pub fn imported(&self) -> Option<std::borrow::Cow<'_, str>> {
        self.setting(IMPORTED)
    }

    /// Its stacks were imported as counts: they have neither a time nor a program.
    #[must_use]
    pub fn holds_counts(&self) -> bool {
        self.setting(COUNT_NS).is_some()
    }

    /// What one count of its stacks stands for: a nanosecond, unless they were imported as counts.
    #[must_use]
    pub fn count(&self) -> Nanos {
        let told = self.setting(COUNT_NS).and_then(|nanos| nanos.parse().ok());
        Nanos(told.unwrap_or(1).max(1))
    }

    /// The value of the first setting of that name.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<std::borrow::Cow<'_, str>> {
        let is = |setting: &&Setting| self.strings.get(setting.key) == key.as_bytes();
        let setting = self.settings.iter().find(is)?;
        Some(self.text(setting.value))
    }

    /// When the traced command ended; where that is not recorded, the last moment that the trace
    /// knows of.
    #[must_use]
    pub fn command_end(&self) -> Nanos {
        self.ending
            .map_or_else(|| self.end(), |ending| ending.command_end)
    }

    /// The last moment that the trace knows of.
    #[must_use]
    pub fn end(&self) -> Nanos {
        let ended = self.ending.map_or(Nanos::ZERO, |ending| ending.command_end);
        let exits = self.processes.iter().map(|p| p.end_or(p.exec_at)).max();
        ended
            .max(exits.unwrap_or(Nanos::ZERO))
            .max(self.samples.last_time())
            .max(self.calls.last_time())
            .max(self.call_trees.last_time())
            .max(self.bindings.last_time())
    }
}
