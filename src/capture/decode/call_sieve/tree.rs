//! Who called whom, how often and for how long.

use crate::trace::{CallTreeRow, Nanos, ProbeId};
use hashbrown::HashTable;
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::hash::BuildHasher as _;

/// No node.
const NONE: u32 = u32::MAX;
/// What stands above the calls that nobody made.
pub(super) const ROOT: u32 = 0;

/// Children of a node that are in its list; more are found by hashing. Of the compiler's nodes one in fifty has more.
const LISTED: usize = 8;

/// Places of [`Tree::recent`] at most. Of the compiler's calls seven in eight are found among so many, and of the others
/// most are the first ones of their kind.
const RECENT: usize = 1 << 13;

/// The calls of one function that had the same callers. Half of a line of the cache.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
struct Node {
    probe: u32,
    /// The newest of its children that are listed,
    child: u32,
    /// and the one of its caller's that is a little older than it.
    older: u32,
    calls: u64,
    total: u64,
}

impl Node {
    const fn of(probe: u32, older: u32) -> Self {
        Self {
            probe,
            child: NONE,
            older,
            calls: 0,
            total: 0,
        }
    }
}

/// A node that was found, and as whose child.
#[derive(Clone, Copy, Debug)]
#[repr(align(16))]
struct Found {
    parent: u32,
    probe: u32,
    node: u32,
}

impl Found {
    /// What is asked for by nobody.
    const NOTHING: Self = Self {
        parent: NONE,
        probe: NONE,
        node: ROOT,
    };

    /// Among so many, a power of two, the place of this child.
    #[inline]
    const fn place(parent: u32, probe: u32, among: usize) -> usize {
        // One product where FxHasher takes two, for this is between one call and the next.
        // Knuth's multiplicative hashing: 2^64 by the golden ratio (The Art of Computer Programming, volume 3, 6.4).
        let product = ((parent as u64) << 32 | probe as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (product >> 40) as usize & among.wrapping_sub(1)
    }
}

/// The calls of one program.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    /// Nodes that are in no list, with their callers.
    unlisted: HashTable<(u32, u32)>,
    /// What was found last, each at its [`Found::place`]: a power of two. This is small and stays in the caches, where
    /// the nodes do not, of which those of most calls need not be read before the next call can be looked at.
    recent: Vec<Found>,
    /// Nodes with calls that ended without an exit, and how many: few have any.
    open: FxHashMap<u32, u64>,
}

impl Default for Tree {
    fn default() -> Self {
        Self {
            nodes: vec![Node::of(NONE, NONE)],
            unlisted: HashTable::new(),
            recent: vec![Found::NOTHING; 1 << 6],
            open: FxHashMap::default(),
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
        self.recent.fill(Found::NOTHING);
        self.open.clear();
    }

    /// The node of a function called by another one's.
    #[inline]
    pub(super) fn child(&mut self, parent: u32, probe: u32) -> u32 {
        let place = Found::place(parent, probe, self.recent.len());
        match self.recent.get(place) {
            Some(found) if found.parent == parent && found.probe == probe => found.node,
            _ => self.look_up(parent, probe),
        }
    }

    /// Finds what was not found recently.
    #[inline(never)]
    fn look_up(&mut self, parent: u32, probe: u32) -> u32 {
        let node = self.find(parent, probe);
        let places = self.recent.len();
        if self.nodes.len() > places && places < RECENT {
            self.recent.clear();
            self.recent.resize(places.saturating_mul(2), Found::NOTHING);
        }
        let place = Found::place(parent, probe, self.recent.len());
        if let Some(recent) = self.recent.get_mut(place) {
            *recent = Found {
                parent,
                probe,
                node,
            };
        }
        node
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
        }
        if is_open {
            let open = self.open.entry(at).or_default();
            *open = open.wrapping_add(1);
        }
    }

    /// The tree in preorder, without what has no calls and leads to none. Callees come in the order in which they
    /// were called first.
    pub(super) fn rows(&self, length: impl Fn(u64) -> Nanos) -> Vec<CallTreeRow> {
        let mut unlisted: Vec<(u32, u32)> = self.unlisted.iter().copied().collect();
        unlisted.sort_unstable();
        let mut rows = Vec::with_capacity(self.len());
        let mut waiting = Vec::new();
        self.put_children(ROOT, 0, &unlisted, &mut waiting);
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
            self.put_children(at, level.saturating_add(1), &unlisted, &mut waiting);
        }
        without_idle(&mut rows);
        rows
    }

    /// Puts the children of a node behind what waits to be taken from there: the one that was called first last. Of
    /// those that are in no list there are pairs of callers and children, in order.
    fn put_children(
        &self,
        of: u32,
        level: u32,
        unlisted: &[(u32, u32)],
        waiting: &mut Vec<(u32, u32)>,
    ) {
        let mut at = self.node(of).map_or(NONE, |node| node.child);
        let begun = waiting.len();
        while let Some(node) = self.node(at) {
            waiting.push((at, level));
            at = node.older;
        }
        // Whoever has children in no list has a list that is full.
        if waiting.len().saturating_sub(begun) == LISTED {
            let to = unlisted.partition_point(|(parent, _)| *parent <= of);
            let newest = unlisted.get(..to).unwrap_or_default().iter().rev();
            let newest = newest.take_while(|(parent, _)| *parent == of);
            let listed = waiting.split_off(begun);
            waiting.extend(newest.map(|(_, child)| (*child, level)));
            waiting.extend(listed);
        }
    }
}

/// Leaves out rows of a tree in preorder that have no calls, but for those that lead to others.
fn without_idle(rows: &mut Vec<CallTreeRow>) {
    const IDLE: u32 = u32::MAX;
    // The level of the row behind that stays.
    let mut next = 0;
    for row in rows.iter_mut().rev() {
        if row.calls == 0 && next <= row.level {
            row.level = IDLE;
        } else {
            next = row.level;
        }
    }
    rows.retain(|row| row.level != IDLE);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_functions_one_calls_each_is_one_row_in_the_order_of_the_first_calls() {
        let mut tree = Tree::default();
        let caller = tree.child(ROOT, 7);
        // Each twice, in another order the second time.
        let functions: Vec<u32> = (0..40).map(|at| 100 + (at * 7) % 40).collect();
        for function in functions.iter().chain(functions.iter().rev()) {
            let called = tree.child(caller, *function);
            let below = tree.child(called, 7);
            tree.end(below, 1, false);
            tree.end(called, u64::from(*function), false);
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
    fn calls_are_counted_beyond_what_32_bits_can_count() {
        let mut tree = Tree::default();
        let node = tree.child(ROOT, 3);
        tree.nodes[node as usize].calls = 2 << 32;
        tree.end(node, 1, false);
        assert_eq!(tree.rows(Nanos)[0].calls, (2 << 32) + 1);
        // All of 2^32 and none beyond.
        tree.clear();
        let node = tree.child(ROOT, 3);
        tree.nodes[node as usize].calls = u64::from(u32::MAX);
        tree.end(node, 1, false);
        assert_eq!(tree.rows(Nanos)[0].calls, 1 << 32);
    }
}
