//! Who called whom, how often and for how long.

use crate::trace::{CallTreeRow, Nanos, ProbeId};
use hashbrown::HashTable;
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::hash::BuildHasher as _;

/// No node.
pub(super) const NONE: u32 = u32::MAX;
/// What stands above the calls that nobody made.
pub(super) const ROOT: u32 = 0;

/// The calls of one function that had the same callers. Half of a line of the cache: of large trees each call reads two.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
struct Node {
    parent: u32,
    probe: u32,
    /// The child that was called first when it was called last,
    first: u32,
    /// and what its caller called next after it. Programs do the same over and over: this finds most children
    /// without looking them up.
    next: u32,
    calls: u64,
    total: u64,
}

impl Node {
    const fn of(parent: u32, probe: u32) -> Self {
        Self {
            parent,
            probe,
            first: NONE,
            next: NONE,
            calls: 0,
            total: 0,
        }
    }
}

/// The calls of one program.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    /// All nodes but the root, by caller and function. What they are of stands in the node, which is read next anyway:
    /// of large trees every line of the cache that is not touched counts.
    children: HashTable<u32>,
    /// Nodes with calls that ended without an exit, and how many: few have any.
    open: FxHashMap<u32, u64>,
}

impl Default for Tree {
    fn default() -> Self {
        Self {
            nodes: vec![Node::of(NONE, NONE)],
            children: HashTable::new(),
            open: FxHashMap::default(),
        }
    }
}

impl Tree {
    /// How many nodes there are below the root.
    pub(super) const fn len(&self) -> usize {
        self.nodes.len().saturating_sub(1)
    }

    /// The node of a function called by another one's, which called `before` last, or [`NONE`].
    #[inline]
    pub(super) fn child(&mut self, parent: u32, before: u32, probe: u32) -> u32 {
        let (at, is_first) = if before == NONE {
            (parent, true)
        } else {
            (before, false)
        };
        let hint = self
            .node(at)
            .map_or(NONE, |node| if is_first { node.first } else { node.next });
        if let Some(node) = self.node(hint)
            && node.probe == probe
            && node.parent == parent
        {
            return hint;
        }
        let found = self.find(parent, probe);
        if let Some(node) = self.nodes.get_mut(at as usize) {
            if is_first {
                node.first = found;
            } else {
                node.next = found;
            }
        }
        found
    }

    fn find(&mut self, parent: u32, probe: u32) -> u32 {
        let Self {
            nodes, children, ..
        } = self;
        let of = |at: &u32| {
            let node = nodes.get(*at as usize);
            node.map_or((NONE, NONE), |node| (node.parent, node.probe))
        };
        let hash = |of: (u32, u32)| FxBuildHasher.hash_one(of);
        let wanted = (parent, probe);
        let key = hash(wanted);
        if let Some(found) = children.find(key, |at| of(at) == wanted) {
            return *found;
        }
        // There are never more than are allowed by far.
        let new = u32::try_from(nodes.len()).unwrap_or(ROOT);
        children.insert_unique(key, new, |at| hash(of(at)));
        nodes.push(Node::of(parent, probe));
        new
    }

    fn node(&self, at: u32) -> Option<&Node> {
        self.nodes.get(at as usize)
    }

    /// A call has ended, perhaps without an exit that was seen.
    #[inline]
    pub(super) fn end(&mut self, at: u32, ticks: u64, is_open: bool) {
        if let Some(node) = self.nodes.get_mut(at as usize) {
            node.calls = node.calls.wrapping_add(1);
            node.total = node.total.wrapping_add(ticks);
        }
        if is_open {
            let open = self.open.entry(at).or_default();
            *open = open.wrapping_add(1);
        }
    }

    /// The tree in preorder, without what has no calls and leads to none. Callees come in the order in which they
    /// were called first.
    pub(super) fn rows(&self, length: impl Fn(u64) -> Nanos) -> Vec<CallTreeRow> {
        // A caller has a lower number than what it calls.
        let mut first = vec![NONE; self.nodes.len()];
        let mut next = vec![NONE; self.nodes.len()];
        for (at, node) in self.nodes.iter().enumerate().skip(1).rev() {
            let leads = first.get(at).is_some_and(|child| *child != NONE);
            if node.calls == 0 && !leads {
                continue;
            }
            if let (Some(child), Some(next)) =
                (first.get_mut(node.parent as usize), next.get_mut(at))
            {
                *next = std::mem::replace(child, u32::try_from(at).unwrap_or(NONE));
            }
        }
        let mut rows = Vec::new();
        let mut waiting = vec![(first.first().copied().unwrap_or(NONE), 0_u32)];
        while let Some((at, level)) = waiting.pop() {
            let Some(node) = self.node(at) else { continue };
            rows.push(CallTreeRow {
                level,
                probe: ProbeId(node.probe),
                calls: node.calls,
                open: self.open.get(&at).copied().unwrap_or_default(),
                total: length(node.total),
                ..CallTreeRow::default()
            });
            let of = |list: &[u32]| list.get(at as usize).copied().unwrap_or(NONE);
            waiting.push((of(&next), level));
            waiting.push((of(&first), level.saturating_add(1)));
        }
        rows
    }
}
