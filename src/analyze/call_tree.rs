//! Merged call stacks: what flamegraphs and folded files are made of.

use super::by_stack::ByStack;
use super::children::{Children, Edge};
use super::{Analysis, Filter, Name, PhaseIndex, PhaseRow, calls, frame, profile::Weight};
use crate::trace::{FrameId, FunctionId, Nanos, ProcessId, StackId, Trace, Unnamed};
use rustc_hash::FxHashMap;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What stands below all stacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grouping {
    /// Nothing.
    #[default]
    None,
    /// The package of the build that the program worked for.
    Package,
    /// The tool.
    Tool,
    /// The program, as `name (pid)`.
    Process,
    /// The phase of its tool, where that was recorded: `compile: SSA`.
    Phase,
}

/// Which stacks, and how they are grouped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Which samples.
    pub filter: Filter,
    /// What stands below them.
    pub grouping: Grouping,
}

/// What a node of a call tree stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeKind {
    /// The one root, without a name.
    Root,
    /// A package, tool or process, see [`Grouping`].
    Group,
    /// A function.
    Function,
    /// A function that was inlined into the one below it.
    Inlined,
    /// A frame without a name: `[stripped: libfoo.so]`, `[truncated]`.
    Unnamed,
}

/// One node: a function called by the path below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// Its caller's position; the root's is its own.
    pub parent: u32,
    /// Its name: position in [`CallTree::names`].
    pub name: u32,
    /// Samples that end here.
    pub own: Weight,
    /// Samples that pass through here, `own` included.
    pub total: Weight,
}

/// All stacks, merged by path of names. Memory is bounded by the number of distinct paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallTree {
    /// The root stands first, and each node directly before what grows from it, siblings in
    /// the order of their names.
    pub nodes: Vec<Node>,
    /// Names of nodes, each once. The first is empty: the root's.
    pub names: Vec<Name>,
    /// The stacks came from the tools' own profiles.
    pub from_profiles: bool,
    /// Of calls: which were merged, for there were too many paths.
    pub merged: calls::Merged,
    /// Blocks of samples that could not be read.
    pub unreadable_blocks: u64,
}

impl CallTree {
    /// Reads all samples once and merges their stacks.
    #[must_use]
    pub fn of(analysis: &Analysis<'_>, options: &Options) -> Self {
        let grouping = match analysis.trace.holds_counts() {
            true => Grouping::None,
            false => options.grouping,
        };
        let mut groups = Groups::of(analysis, grouping);
        let phases = (grouping == Grouping::Phase).then(|| PhaseIndex::of(analysis));
        let mut weights: ByStack<Weight> = ByStack::of(analysis.trace);
        let walked = options
            .filter
            .walk(analysis, |process, stack, weight, sample| {
                let group = match &phases {
                    Some(phases) => {
                        groups.of_phase(sample.and_then(|sample| phases.of_sample(sample)))
                    }
                    None => groups.of_process(process),
                };
                *weights.of_mut(group, stack) += weight;
            });
        let mut growth = Growth::of(analysis.trace);
        let mut below = FxHashMap::default();
        for (group, stack, weight) in weights.iter() {
            let below = below.entry(group);
            let below = *below.or_insert_with(|| groups.below(&mut growth, grouping, group));
            let node = growth.node_of(group, below, stack);
            growth.add(node, weight);
        }
        Self {
            from_profiles: walked.from_profiles,
            ..growth.into_tree(walked.unreadable_blocks)
        }
    }

    /// All samples.
    #[must_use]
    pub fn total(&self) -> Weight {
        let root = self.nodes.first();
        root.map_or_else(Weight::default, |root| root.total)
    }

    /// A node's name; the root's is empty.
    #[must_use]
    pub fn name(&self, node: &Node) -> &str {
        self.names.get(node.name as usize).map_or("", |name| name)
    }

    /// The `most` nodes below the root that took longest, each behind what it grows from and with its depth, 0 for the
    /// outermost; of siblings that of the longest time first, of equal ones that of more samples.
    pub fn longest(&self, most: usize) -> impl Iterator<Item = (usize, &Node)> {
        let children = self.longest_last();
        let is_taken = self.take_longest(&children, most);
        let mut steps = vec![(ROOT, 0)];
        std::iter::from_fn(move || {
            loop {
                let (at, depth) = steps.pop()?;
                let below = children.of(at).iter();
                let below = below.filter(|&&child| is_taken.get(child as usize) == Some(&true));
                steps.extend(below.map(|&child| (child, depth + 1)));
                if at != ROOT {
                    return Some((depth - 1, self.nodes.get(at as usize)?));
                }
            }
        })
    }

    /// The children of each node, that of the longest time last; of what is equal the first name last.
    fn longest_last(&self) -> ByParent {
        let edges = self.nodes.iter().map(|node| (node.parent, node.name));
        ByParent::sorted(&edges.collect::<Vec<Edge>>(), |node| {
            (self.rank(*node), Reverse(*node))
        })
    }

    fn rank(&self, node: u32) -> (Nanos, u64) {
        let node = self.nodes.get(node as usize);
        node.map_or_else(Default::default, |node| (node.total.time, node.own.samples))
    }

    /// Which nodes took longest: no child takes longer than its parent, so that all that they grow from are among them.
    fn take_longest(&self, children: &ByParent, most: usize) -> Vec<bool> {
        if most >= self.nodes.len() {
            return vec![true; self.nodes.len()];
        }
        let mut is_taken = vec![false; self.nodes.len()];
        let mut waiting = BinaryHeap::from([(self.rank(ROOT), Reverse(ROOT))]);
        // The root is taken first, and is none of them.
        for _ in 0..=most {
            let Some((_, Reverse(node))) = waiting.pop() else {
                break;
            };
            if let Some(taken) = is_taken.get_mut(node as usize) {
                *taken = true;
                let children = children.of(node).iter();
                waiting.extend(children.map(|&child| (self.rank(child), Reverse(child))));
            }
        }
        is_taken
    }

    /// Paths with their own weight, outermost name first, siblings in the order of their names.
    pub fn folded(&self) -> impl Iterator<Item = (Vec<&Name>, Weight)> + '_ {
        self.nodes
            .iter()
            .filter(|node| node.own.samples > 0)
            .map(|node| (self.path(node), node.own))
    }

    fn path<'a>(&'a self, mut node: &'a Node) -> Vec<&'a Name> {
        let mut path = Vec::new();
        while node.kind != NodeKind::Root {
            path.extend(self.names.get(node.name as usize));
            let Some(parent) = self.nodes.get(node.parent as usize) else {
                break;
            };
            node = parent;
        }
        path.reverse();
        path
    }
}

const ROOT: u32 = 0;
/// The group of what is in no phase.
const NO_PHASE: &str = "[no phase]";

/// The groups that stand below the stacks.
pub(super) struct Groups {
    of_process: Vec<u32>,
    names: Vec<Name>,
    known: FxHashMap<Name, u32>,
}

impl Groups {
    pub(super) fn of(analysis: &Analysis<'_>, grouping: Grouping) -> Self {
        let mut groups = Self {
            of_process: vec![0; analysis.trace.processes.len()],
            names: Vec::new(),
            known: FxHashMap::default(),
        };
        if grouping == Grouping::Phase {
            groups.named(Name::from(NO_PHASE));
            return groups;
        }
        for (id, role) in analysis.roles.iter() {
            let name = match grouping {
                Grouping::None | Grouping::Phase => Name::default(),
                Grouping::Tool => Name::from(role.tool.name()),
                Grouping::Package => role
                    .package
                    .clone()
                    .unwrap_or_else(|| Name::from("[no package]")),
                Grouping::Process => {
                    let pid = analysis
                        .trace
                        .process(id)
                        .map_or(0, |process| process.pid.0);
                    Name::from(format!("{} ({pid})", role.tool.name()))
                }
            };
            let group = groups.named(name);
            groups.of_process[id.index()] = group;
        }
        groups
    }

    pub(super) fn of_process(&self, process: ProcessId) -> u32 {
        self.of_process.get(process.index()).copied().unwrap_or(0)
    }

    /// The group with this name.
    fn named(&mut self, name: Name) -> u32 {
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        let group = *self.known.entry(name.clone()).or_insert(next);
        if group == next {
            self.names.push(name);
        }
        group
    }

    fn of_phase(&mut self, phase: Option<&PhaseRow>) -> u32 {
        match phase {
            Some(phase) => self.named(Name::from(format!("{}: {}", phase.track, phase.phase))),
            None => 0,
        }
    }

    /// The node that stands below all stacks of a group.
    pub(super) fn below(&self, growth: &mut Growth<'_>, grouping: Grouping, group: u32) -> u32 {
        let name = self.names.get(group as usize);
        match grouping {
            Grouping::None => ROOT,
            _ => growth.child(ROOT, NodeKind::Group, name.cloned().unwrap_or_default()),
        }
    }
}

/// A tree that grows by stacks, in the order in which they come. What is known of a node lies apart: of a million nodes
/// only the edges are looked up again and again.
pub(super) struct Growth<'t> {
    trace: &'t Trace,
    /// The parent and the name of each node.
    edges: Vec<Edge>,
    kinds: Vec<NodeKind>,
    /// What ends in each node.
    own: Vec<Weight>,
    children: Children,
    names: Vec<Name>,
    name_ids: FxHashMap<Name, u32>,
    /// The node of each stack of each group that came up so far; the root for none.
    stacks: ByStack<u32>,
    /// The name of each function that came up so far: position in `names`.
    functions: FxHashMap<FunctionId, u32>,
}

impl<'t> Growth<'t> {
    pub(super) fn of(trace: &'t Trace) -> Self {
        Self {
            trace,
            edges: vec![(ROOT, 0)],
            kinds: vec![NodeKind::Root],
            own: vec![Weight::default()],
            children: Children::default(),
            names: vec![Name::default()],
            name_ids: FxHashMap::from_iter([(Name::default(), 0)]),
            stacks: ByStack::of(trace),
            functions: FxHashMap::default(),
        }
    }

    pub(super) fn child(&mut self, parent: u32, kind: NodeKind, name: Name) -> u32 {
        let name = self.name(name);
        self.child_of(parent, kind, name)
    }

    /// The position of a name.
    pub(super) fn name(&mut self, name: Name) -> u32 {
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        *self.name_ids.entry(name).or_insert_with_key(|name| {
            self.names.push(name.clone());
            next
        })
    }

    /// The node of the name at this position, below another.
    pub(super) fn child_of(&mut self, parent: u32, kind: NodeKind, name: u32) -> u32 {
        let next = u32::try_from(self.edges.len()).unwrap_or(u32::MAX);
        let (edge, edges) = ((parent, name), &self.edges);
        let node = (self.children).get_or_add(edge, next, |node| edges[node as usize]);
        if node == next {
            self.edges.push(edge);
            self.kinds.push(kind);
            self.own.push(Weight::default());
        }
        // What is once a function of its own is not shown as inlined.
        let known = &mut self.kinds[node as usize];
        *known = kind.min(*known);
        node
    }

    /// The node of a stack; callers that were met before need not be walked again.
    fn node_of(&mut self, group: u32, below: u32, stack: StackId) -> u32 {
        let mut above: Vec<(StackId, FrameId)> = Vec::new();
        let mut at = stack;
        let mut node = loop {
            let known = self.stacks.get(group, at);
            if known != ROOT {
                break known;
            }
            let Some((callers, frame)) = self.trace.stacks.node(at) else {
                break below;
            };
            above.push((at, frame));
            at = callers;
        };
        while let Some((stack, frame)) = above.pop() {
            node = self.frame(node, frame);
            *self.stacks.of_mut(group, stack) = node;
        }
        node
    }

    fn frame(&mut self, mut node: u32, frame: FrameId) -> u32 {
        let trace = self.trace;
        match trace.symbol(frame) {
            Ok(locations @ [.., _]) => {
                for (depth, location) in locations.iter().rev().enumerate() {
                    let kind = match depth {
                        0 => NodeKind::Function,
                        _ => NodeKind::Inlined,
                    };
                    let name = self.function(location.function);
                    node = self.child_of(node, kind, name);
                }
                node
            }
            Ok([]) => self.unnamed(node, frame, Unnamed::NoSymbol),
            Err(why) => self.unnamed(node, frame, why),
        }
    }

    fn function(&mut self, id: FunctionId) -> u32 {
        if let Some(&known) = self.functions.get(&id) {
            return known;
        }
        let function = self.trace.functions.get(id.index());
        let bytes = function.map_or(&[][..], |function| self.trace.strings.get(function.name));
        let name = self.name(Name::from(bytes));
        self.functions.insert(id, name);
        name
    }

    fn unnamed(&mut self, node: u32, frame: FrameId, why: Unnamed) -> u32 {
        let name = frame::unnamed(self.trace, frame, why);
        self.child(node, NodeKind::Unnamed, Name::from(&name[..]))
    }

    /// Adds what ends at a node.
    pub(super) fn add(&mut self, node: u32, weight: Weight) {
        self.own[node as usize] += weight;
    }

    /// The tree that has grown.
    pub(super) fn into_tree(self, unreadable_blocks: u64) -> CallTree {
        let (nodes, names) = self.finish();
        CallTree {
            nodes,
            names,
            unreadable_blocks,
            ..CallTree::default()
        }
    }

    /// Puts the nodes in the order of their names, and adds up their totals.
    fn finish(self) -> (Vec<Node>, Vec<Name>) {
        let children = self.last_name_first();
        let mut nodes: Vec<Node> = Vec::with_capacity(self.edges.len());
        let mut steps = vec![(ROOT, ROOT)];
        while let Some((old, parent)) = steps.pop() {
            let new = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
            let own = self.own[old as usize];
            nodes.push(Node {
                kind: self.kinds[old as usize],
                parent,
                name: self.edges[old as usize].1,
                own,
                total: own,
            });
            steps.extend(children.of(old).iter().map(|&child| (child, new)));
        }
        for index in (1..nodes.len()).rev() {
            let (total, parent) = (nodes[index].total, nodes[index].parent);
            nodes[parent as usize].total += total;
        }
        (nodes, self.names)
    }

    /// The children of each node, the last name first: they are pushed, and popped again.
    fn last_name_first(&self) -> ByParent {
        let mut by_name: Vec<usize> = (0..self.names.len()).collect();
        by_name.sort_unstable_by_key(|&name| &self.names[name]);
        let mut ranks = vec![0_u32; self.names.len()];
        for (rank, name) in (0..).zip(by_name) {
            ranks[name] = rank;
        }
        let last_first = |&child: &u32| {
            let (_, name) = self.edges[child as usize];
            Reverse(ranks[name as usize])
        };
        ByParent::sorted(&self.edges, last_first)
    }
}

/// All nodes but the root, by their parents.
struct ByParent {
    nodes: Vec<u32>,
    /// Where those of each begin, and at last where they end.
    begins: Vec<usize>,
}

impl ByParent {
    /// Counts how many each has, which tells where they stand; then only siblings have to be sorted.
    fn sorted<K: Ord>(edges: &[Edge], key: impl Fn(&u32) -> K) -> Self {
        let mut begins = vec![0; edges.len() + 1];
        for (parent, _) in edges.iter().skip(1) {
            begins[*parent as usize + 1] += 1;
        }
        for at in 1..begins.len() {
            begins[at] += begins[at - 1];
        }
        let mut nodes = vec![ROOT; edges.len().saturating_sub(1)];
        let mut next = begins.clone();
        for (node, (parent, _)) in (0..).zip(edges).skip(1) {
            let place = &mut next[*parent as usize];
            nodes[*place] = node;
            *place += 1;
        }
        for of in begins.windows(2) {
            nodes[of[0]..of[1]].sort_unstable_by_key(&key);
        }
        Self { nodes, begins }
    }

    fn of(&self, parent: u32) -> &[u32] {
        let place = parent as usize;
        let range = self.begins.get(place).zip(self.begins.get(place + 1));
        let found = range.and_then(|(from, to)| self.nodes.get(*from..*to));
        found.unwrap_or_default()
    }
}
