//! Who called whom, how often and for how long.

use crate::trace::{CallTreeRow, Nanos, ProbeId};
use hashbrown::HashTable;
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::hash::BuildHasher as _;

/// No node.
pub(super) const NONE: u32 = u32::MAX;
/// What stands above the calls that nobody made.
pub(super) const ROOT: u32 = 0;

/// Children of a node that are in its list; more are found by hashing. Of the compiler's nodes one in fifty has more.
const LISTED: usize = 8;

/// The calls of one function that had the same callers. Half of a line of the cache: of large trees each call reads two.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
struct Node {
    probe: u32,
    /// The child that was called first when it was called last,
    first: u32,
    /// and what its caller called next after it. Programs do the same over and over: this finds two of three children
    /// at once.
    next: u32,
    /// The newest of its children that are listed,
    child: u32,
    /// and the one of its caller's that is a little older than it.
    older: u32,
    /// Less what is in [`Tree::more`].
    calls: u32,
    total: u64,
}

impl Node {
    const fn of(probe: u32, older: u32) -> Self {
        Self {
            probe,
            first: NONE,
            next: NONE,
            child: NONE,
            older,
            calls: 0,
            total: 0,
        }
    }
}

/// The calls of one program.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    /// Nodes that are in no list, with their callers.
    unlisted: HashTable<(u32, u32)>,
    /// Nodes with calls that ended without an exit, and how many: few have any.
    open: FxHashMap<u32, u64>,
    /// Calls of nodes beyond what these can count.
    more: FxHashMap<u32, u64>,
}

impl Default for Tree {
    fn default() -> Self {
        Self {
            nodes: vec![Node::of(NONE, NONE)],
            unlisted: HashTable::new(),
            open: FxHashMap::default(),
            more: FxHashMap::default(),
        }
    }
}

/// The number of a node. There are never more than are allowed by far.
fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(ROOT)
}

impl Tree {
    /// How many nodes there are below the root.
    pub(super) const fn len(&self) -> usize {
        self.nodes.len().saturating_sub(1)
    }

    /// Forgets all calls, and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.nodes.clear();
        self.nodes.push(Node::of(NONE, NONE));
        self.unlisted.clear();
        self.open.clear();
        self.more.clear();
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
        // It has the same caller.
        if self.node(hint).is_some_and(|node| node.probe == probe) {
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
        let newest = self.node(parent).map_or(NONE, |node| node.child);
        let mut at = newest;
        for _ in 0..LISTED {
            let Some(node) = self.node(at) else {
                let new = number(self.nodes.len());
                self.nodes.push(Node::of(probe, newest));
                if let Some(parent) = self.nodes.get_mut(parent as usize) {
                    parent.child = new;
                }
                return new;
            };
            if node.probe == probe {
                return at;
            }
            at = node.older;
        }
        self.find_unlisted(parent, probe)
    }

    fn find_unlisted(&mut self, parent: u32, probe: u32) -> u32 {
        let Self {
            nodes, unlisted, ..
        } = self;
        let of = |&(parent, at): &(u32, u32)| {
            let node = nodes.get(at as usize);
            (parent, node.map_or(NONE, |node| node.probe))
        };
        let hash = |of: (u32, u32)| FxBuildHasher.hash_one(of);
        let (wanted, next) = ((parent, probe), number(nodes.len()));
        let entry = unlisted.entry(
            hash(wanted),
            |known| of(known) == wanted,
            |known| hash(of(known)),
        );
        let (_, found) = *entry.or_insert((parent, next)).get();
        if found == next {
            nodes.push(Node::of(probe, NONE));
        }
        found
    }

    #[inline]
    fn node(&self, at: u32) -> Option<&Node> {
        self.nodes.get(at as usize)
    }

    /// A call has ended, perhaps without an exit that was seen.
    #[inline]
    pub(super) fn end(&mut self, at: u32, ticks: u64, is_open: bool) {
        if let Some(node) = self.nodes.get_mut(at as usize) {
            node.total = node.total.wrapping_add(ticks);
            node.calls = node.calls.wrapping_add(1);
            if node.calls == 0 {
                let more = self.more.entry(at).or_default();
                *more = more.wrapping_add(1 << 32);
            }
        }
        if is_open {
            let open = self.open.entry(at).or_default();
            *open = open.wrapping_add(1);
        }
    }

    /// By node, who called it.
    fn parents(&self) -> Vec<u32> {
        let mut parents = vec![NONE; self.nodes.len()];
        let mut set = |child: u32, parent: u32| {
            if let Some(of) = parents.get_mut(child as usize) {
                *of = parent;
            }
        };
        for (parent, node) in (0_u32..).zip(&self.nodes) {
            let mut at = node.child;
            while let Some(child) = self.node(at) {
                set(at, parent);
                at = child.older;
            }
        }
        for (parent, child) in &self.unlisted {
            set(*child, *parent);
        }
        parents
    }

    /// The tree in preorder, without what has no calls and leads to none. Callees come in the order in which they
    /// were called first.
    pub(super) fn rows(&self, length: impl Fn(u64) -> Nanos) -> Vec<CallTreeRow> {
        let parents = self.parents();
        let mut first = vec![NONE; self.nodes.len()];
        let mut next = vec![NONE; self.nodes.len()];
        let calls = |at: usize, node: &Node| {
            let more = u32::try_from(at).ok().and_then(|at| self.more.get(&at));
            u64::from(node.calls).wrapping_add(more.copied().unwrap_or_default())
        };
        // A caller has a lower number than what it calls.
        for ((at, node), parent) in self.nodes.iter().enumerate().zip(parents).skip(1).rev() {
            let leads = first.get(at).is_some_and(|child| *child != NONE);
            if calls(at, node) == 0 && !leads {
                continue;
            }
            if let (Some(child), Some(next)) = (first.get_mut(parent as usize), next.get_mut(at)) {
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
                calls: calls(at as usize, node),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_functions_one_calls_each_is_one_row_in_the_order_of_the_first_calls() {
        let mut tree = Tree::default();
        let caller = tree.child(ROOT, NONE, 7);
        // Each twice, in another order the second time.
        let functions: Vec<u32> = (0..40).map(|at| 100 + (at * 7) % 40).collect();
        let mut before = NONE;
        for function in functions.iter().chain(functions.iter().rev()) {
            before = tree.child(caller, before, *function);
            let below = tree.child(before, NONE, 7);
            tree.end(below, 1, false);
            tree.end(before, u64::from(*function), false);
        }
        tree.end(caller, 10_000, true);
        let rows = tree.rows(Nanos);
        let found: Vec<_> = rows
            .iter()
            .map(|row| (row.level, row.probe.0, row.calls, row.open, row.total.0))
            .collect();
        let mut expected = vec![(0, 7, 1, 1, 10_000)];
        for function in functions {
            expected.push((1, function, 2, 0, 2 * u64::from(function)));
            expected.push((2, 7, 2, 0, 2));
        }
        assert_eq!(found, expected);
        tree.clear();
        assert_eq!(tree.len(), 0);
        assert_eq!(tree.rows(Nanos), []);
    }

    #[test]
    fn calls_are_counted_beyond_what_a_node_can_count() {
        let mut tree = Tree::default();
        let node = tree.child(ROOT, NONE, 3);
        for _ in 0..2 {
            tree.nodes[node as usize].calls = u32::MAX - 1;
            tree.end(node, 1, false);
            tree.end(node, 1, false);
        }
        tree.end(node, 1, false);
        assert_eq!(tree.rows(Nanos)[0].calls, (2 << 32) + 1);
        // All of 2^32 and none beyond.
        tree.clear();
        let node = tree.child(ROOT, NONE, 3);
        tree.nodes[node as usize].calls = u32::MAX;
        tree.end(node, 1, false);
        assert_eq!(tree.rows(Nanos)[0].calls, 1 << 32);
    }
}
