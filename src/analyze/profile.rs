//! Where CPU time (or waiting) went, by function, image, package and tool.

use super::{Analysis, Filter, Name, Tool};
use crate::trace::{
    Avma, FrameId, FramePlace, Nanos, Process, ProcessId, StackId, StringId, Trace, Unnamed,
};
use rustc_hash::FxHashMap;
use std::borrow::Cow;

/// A number of samples and the time that they stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// Time.
    pub time: Nanos,
    /// Samples.
    pub samples: u64,
}

impl Weight {
    /// This weight's part of the `whole`'s time, 0 to 1.
    #[must_use]
    pub fn share(self, whole: Self) -> f64 {
        if whole.time == Nanos::ZERO {
            0.0
        } else {
            self.time.0 as f64 / whole.time.0 as f64
        }
    }
}

impl std::ops::AddAssign for Weight {
    fn add_assign(&mut self, other: Self) {
        self.time += other.time;
        self.samples = self.samples.saturating_add(other.samples);
    }
}

/// A function's part in the samples. Inlined functions count as functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionRow {
    /// Name.
    pub name: Name,
    /// Source file, or empty.
    pub file: Name,
    /// Samples in which it was the innermost function.
    pub own: Weight,
    /// Samples in which it was anywhere on the stack, each counted once.
    pub total: Weight,
}

/// Samples of one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<K> {
    /// What it is about.
    pub key: K,
    /// Samples whose innermost frame (image), or whose program (package, tool) it is.
    pub own: Weight,
}

/// How many stacks reach their root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roots {
    /// Samples of programs that are `compile`, those with truncated stacks included.
    pub samples: u64,
    /// Those whose outermost function is a root of Go stacks (`runtime.goexit`,
    /// `runtime.mstart`, `runtime.rt0_go`, ...).
    pub reached: u64,
}

/// Where the time of the samples that pass a filter went.
///
/// The `own` weights of `functions` and the weights of `unnamed` together are `total`; so are
/// those of `images`, of `packages` and of `tools`, each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// All samples.
    pub total: Weight,
    /// By function, by own time, largest first.
    pub functions: Vec<FunctionRow>,
    /// By the path of the image that the innermost frame lies in; `[kernel]`, `[unmapped]` and
    /// `[truncated]` stand for frames in none.
    pub images: Vec<Row<Name>>,
    /// By the package that the program worked for.
    pub packages: Vec<Row<Option<Name>>>,
    /// By tool.
    pub tools: Vec<Row<Tool>>,
    /// Samples whose innermost frame has no name, by reason.
    pub unnamed: Vec<Row<Unnamed>>,
    /// Samples whose stack could not be followed to its root.
    pub truncated: Weight,
    /// How many stacks of compilers reach their root.
    pub roots: Roots,
    /// The stacks came from the tools' own profiles.
    pub from_profiles: bool,
    /// Blocks of samples that could not be read.
    pub unreadable_blocks: u64,
}

impl Profile {
    /// Reads all samples once. Memory is bounded by the trace's tables of stacks and functions.
    #[must_use]
    pub fn of(analysis: &Analysis<'_>, filter: &Filter) -> Self {
        let trace = analysis.trace;
        let mut tally = Tally::of(analysis);
        let walked = filter.walk(analysis, |process, stack, weight, _| {
            tally.add(process, stack, weight);
        });
        let mut profile = Self {
            from_profiles: walked.from_profiles,
            unreadable_blocks: walked.unreadable_blocks,
            ..Self::default()
        };
        tally.rank_processes(analysis, &mut profile);
        tally.judge_roots(trace, &mut profile);
        tally.rank_innermost(trace, &mut profile);
        let functions = Functions::keyed(trace, |name, file| (Cow::Borrowed(name), file));
        profile.functions = functions.rank(trace, &tally.stacks);
        profile
    }
}

/// Sums of samples by stack and by process.
struct Tally {
    stacks: Vec<Weight>,
    /// Samples of compilers, by stack.
    compilers: Vec<u64>,
    processes: Vec<Weight>,
    is_compiler: Vec<bool>,
}

impl Tally {
    fn of(analysis: &Analysis<'_>) -> Self {
        let trace = analysis.trace;
        let tool = |process: &Process| Some(&analysis.roles.get(process.id)?.tool);
        Self {
            stacks: vec![Weight::default(); trace.stacks.len()],
            compilers: vec![0; trace.stacks.len()],
            processes: vec![Weight::default(); trace.processes.len()],
            is_compiler: trace
                .processes
                .iter()
                .map(|process| tool(process) == Some(&Tool::Compile))
                .collect(),
        }
    }

    fn add(&mut self, process: ProcessId, stack: StackId, weight: Weight) {
        if let Some(sum) = self.processes.get_mut(process.index()) {
            *sum += weight;
        }
        if let Some(sum) = self.stacks.get_mut(stack.index()) {
            *sum += weight;
        }
        if let (Some(true), Some(count)) = (
            self.is_compiler.get(process.index()),
            self.compilers.get_mut(stack.index()),
        ) {
            *count += weight.samples;
        }
    }

    fn rank_processes(&self, analysis: &Analysis<'_>, profile: &mut Profile) {
        let mut packages: FxHashMap<Option<Name>, Weight> = FxHashMap::default();
        let mut tools: FxHashMap<Tool, Weight> = FxHashMap::default();
        for (id, role) in analysis.roles.iter() {
            match self.processes.get(id.index()) {
                Some(&weight) if weight.samples > 0 => {
                    profile.total += weight;
                    *packages.entry(role.package.clone()).or_default() += weight;
                    *tools.entry(role.tool.clone()).or_default() += weight;
                }
                _ => {}
            }
        }
        profile.packages = rows(packages);
        profile.tools = rows(tools);
    }

    /// Looks at the outermost frame of each stack.
    fn judge_roots(&self, trace: &Trace, profile: &mut Profile) {
        let mut outermost: Vec<Option<FrameId>> = vec![None; self.stacks.len()];
        for (index, id) in ids(&self.stacks) {
            // Callers stand before their callees in the table.
            if let Some((callers, frame)) = trace.stacks.node(id) {
                outermost[index] = outermost[callers.index()].or(Some(frame));
            }
        }
        for ((frame, weight), &compilers) in outermost.iter().zip(&self.stacks).zip(&self.compilers)
        {
            let cut = frame.is_none_or(|frame| place(trace, frame) == FramePlace::Truncated);
            if cut {
                profile.truncated += *weight;
            }
            profile.roots.samples += compilers;
            if compilers > 0 && !cut && frame.is_some_and(|frame| is_root(trace, frame)) {
                profile.roots.reached += compilers;
            }
        }
    }

    /// Looks at the innermost frame of each stack.
    fn rank_innermost(&self, trace: &Trace, profile: &mut Profile) {
        let mut images: FxHashMap<&[u8], Weight> = FxHashMap::default();
        let mut unnamed: FxHashMap<Unnamed, Weight> = FxHashMap::default();
        for (index, id) in ids(&self.stacks) {
            let weight = self.stacks[index];
            if weight.samples == 0 {
                continue;
            }
            let frame = trace.stacks.node(id).map(|(_, frame)| frame);
            let place = frame.map_or(FramePlace::Truncated, |frame| place(trace, frame));
            *images.entry(image_path(trace, place)).or_default() += weight;
            let why = match frame.map(|frame| trace.symbol(frame)) {
                Some(Ok([_, ..])) => continue,
                Some(Ok([])) => Unnamed::NoSymbol,
                Some(Err(why)) => why,
                None => Unnamed::Truncated,
            };
            *unnamed.entry(why).or_default() += weight;
        }
        let images = images
            .into_iter()
            .map(|(path, own)| (Name::from(path), own));
        profile.images = rows(images);
        profile.unnamed = rows(unnamed);
    }
}

fn ids<T>(stacks: &[T]) -> impl Iterator<Item = (usize, StackId)> + use<T> {
    (0..stacks.len()).zip((0..).map(StackId))
}

pub(super) fn place(trace: &Trace, frame: FrameId) -> FramePlace {
    trace
        .frames
        .get(frame.index())
        .map_or(FramePlace::Unmapped(Avma(0)), |frame| frame.place)
}

/// The path of the image that a place lies in, or what stands for none.
pub(super) fn image_path(trace: &Trace, place: FramePlace) -> &[u8] {
    match place {
        FramePlace::Image(image, _) => match trace.images.get(image.index()) {
            Some(image) if image.path != StringId::EMPTY => trace.strings.get(image.path),
            _ => b"[anonymous]",
        },
        FramePlace::Unmapped(_) => b"[unmapped]",
        FramePlace::Kernel(_) => b"[kernel]",
        FramePlace::Truncated => b"[truncated]",
    }
}

/// Functions at the root of Go's stacks: goroutines, the scheduler's own stacks, the start of
/// the program.
fn is_root(trace: &Trace, frame: FrameId) -> bool {
    let Ok([.., outermost]) = trace.symbol(frame) else {
        return false;
    };
    let Some(function) = trace.functions.get(outermost.function.index()) else {
        return false;
    };
    let name = trace.strings.get(function.name);
    let name = name.strip_suffix(b".abi0").unwrap_or(name);
    matches!(
        name,
        b"runtime.goexit" | b"runtime.mstart" | b"runtime.rt0_go"
    ) || name.starts_with(b"_rt0_")
}

fn rows<K: Ord>(sums: impl IntoIterator<Item = (K, Weight)>) -> Vec<Row<K>> {
    let rows = sums.into_iter().map(|(key, own)| Row { key, own });
    let mut rows: Vec<Row<K>> = rows.collect();
    rows.sort_unstable_by(|a, b| {
        let time = b.own.time.cmp(&a.own.time);
        time.then_with(|| a.key.cmp(&b.key))
    });
    rows
}

/// Functions of the same name and file as one, whatever their ids.
#[derive(Clone)]
pub(super) struct Functions {
    /// The row of each function.
    row_of: Vec<usize>,
    rows: Vec<FunctionRow>,
}

impl Functions {
    /// `key` makes a function's name and file what rows are told apart by.
    pub(super) fn keyed<'t>(
        trace: &'t Trace,
        key: impl Fn(&'t [u8], &'t [u8]) -> (Cow<'t, [u8]>, &'t [u8]),
    ) -> Self {
        let mut known: FxHashMap<(Cow<'_, [u8]>, &[u8]), usize> = FxHashMap::default();
        let mut functions = Self {
            row_of: Vec::with_capacity(trace.functions.len()),
            rows: Vec::new(),
        };
        for function in &trace.functions {
            let (name, file) = (function.name, function.file);
            let key = key(trace.strings.get(name), trace.strings.get(file));
            let rows = &mut functions.rows;
            let row = *known.entry(key).or_insert_with_key(|(name, file)| {
                rows.push(FunctionRow {
                    name: Name::from(&**name),
                    file: Name::from(*file),
                    own: Weight::default(),
                    total: Weight::default(),
                });
                rows.len() - 1
            });
            functions.row_of.push(row);
        }
        functions
    }

    /// Rows of a frame's functions, innermost first.
    fn of_frame<'a>(
        &'a self,
        trace: &'a Trace,
        frame: FrameId,
    ) -> impl Iterator<Item = usize> + 'a {
        let names = trace.symbol(frame).unwrap_or_default();
        names
            .iter()
            .filter_map(|location| self.row_of.get(location.function.index()).copied())
    }

    /// Walks the tree of stacks from its root and gives each function the samples at and
    /// above it, the outermost of its frames only.
    pub(super) fn rank(mut self, trace: &Trace, own: &[Weight]) -> Vec<FunctionRow> {
        let tree = StackTree::of(trace, own);
        let mut on_path = vec![0_u32; self.rows.len()];
        let mut steps = vec![Step::Enter(StackId::EMPTY)];
        while let Some(step) = steps.pop() {
            let (Step::Enter(id) | Step::Leave(id)) = step;
            let frame = trace.stacks.node(id).map(|(_, frame)| frame);
            let rows = frame.map_or_else(Vec::new, |frame| self.of_frame(trace, frame).collect());
            match step {
                Step::Leave(_) => rows.iter().for_each(|&row| on_path[row] -= 1),
                Step::Enter(_) => {
                    for &row in &rows {
                        if on_path[row] == 0 {
                            self.rows[row].total += tree.totals[id.index()];
                        }
                        on_path[row] += 1;
                    }
                    if let Some(&innermost) = rows.first() {
                        self.rows[innermost].own += own[id.index()];
                    }
                    steps.push(Step::Leave(id));
                    let called = tree.called_by(id).iter().copied();
                    steps.extend(called.map(Step::Enter));
                }
            }
        }
        self.rows.retain(|row| row.total.samples > 0);
        self.rows.sort_unstable_by(|a, b| {
            let order = |row: &FunctionRow| (row.own.time, row.total.time);
            let names = || (&a.name, &a.file).cmp(&(&b.name, &b.file));
            order(b).cmp(&order(a)).then_with(names)
        });
        self.rows
    }
}

enum Step {
    Enter(StackId),
    Leave(StackId),
}

/// The stacks that were seen, from callers to callees.
struct StackTree {
    /// Samples of a stack and of all that grow from it.
    totals: Vec<Weight>,
    starts: Vec<usize>,
    called: Vec<StackId>,
}

impl StackTree {
    fn of(trace: &Trace, own: &[Weight]) -> Self {
        let mut totals = own.to_vec();
        let mut starts = vec![0; own.len() + 1];
        let callers = |id: StackId| trace.stacks.node(id).map(|(callers, _)| callers.index());
        for (index, id) in ids(own).collect::<Vec<_>>().into_iter().rev() {
            if let Some(callers) = callers(id).filter(|_| totals[index].samples > 0) {
                let weight = totals[index];
                totals[callers] += weight;
                starts[callers + 1] += 1;
            }
        }
        for index in 1..starts.len() {
            starts[index] += starts[index - 1];
        }
        let mut next = starts.clone();
        let mut called = vec![StackId::EMPTY; starts.last().copied().unwrap_or(0)];
        for (index, id) in ids(own) {
            if let Some(callers) = callers(id).filter(|_| totals[index].samples > 0) {
                called[next[callers]] = id;
                next[callers] += 1;
            }
        }
        Self {
            totals,
            starts,
            called,
        }
    }

    fn called_by(&self, id: StackId) -> &[StackId] {
        match (self.starts.get(id.index()), self.starts.get(id.index() + 1)) {
            (Some(&from), Some(&to)) => self.called.get(from..to).unwrap_or_default(),
            _ => &[],
        }
    }
}
