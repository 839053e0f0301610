//! Nodes of a tree that grows, found by their parent and what they are.
//!
//! Of trees with a million nodes looking one up is waiting for memory. Most nodes have one child, which stands in a list;
//! only the others are hashed, and of them no more than the number: what a node is of stands in the node, which is read
//! next anyway.

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;
use std::hash::BuildHasher as _;

/// A node's parent, and what tells it from that one's other children.
pub(super) type Edge = (u32, u32);

/// No node.
const NONE: u32 = u32::MAX;

/// All nodes but the root.
#[derive(Debug, Default)]
pub(super) struct Children {
    /// By parent: the child that came first; for parents behind the last one that has a child there is no entry.
    first: Vec<u32>,
    others: HashTable<u32>,
}

impl Children {
    /// The node at the end of an edge. Where there is none it is to be `next`, which is returned: the caller adds it.
    /// `edge_of` is asked for the edges of nodes that were returned before.
    pub(super) fn get_or_add(
        &mut self,
        edge: Edge,
        next: u32,
        edge_of: impl Fn(u32) -> Edge,
    ) -> u32 {
        let parent = edge.0 as usize;
        if parent >= self.first.len() {
            self.first.resize(parent + 1, NONE);
        }
        match self.first[parent] {
            NONE => {
                self.first[parent] = next;
                return next;
            }
            first if edge_of(first) == edge => return first,
            _ => {}
        }
        let hash = |edge: Edge| FxBuildHasher.hash_one(edge);
        let is_it = |node: &u32| edge_of(*node) == edge;
        let rehash = |node: &u32| hash(edge_of(*node));
        let entry = self.others.entry(hash(edge), is_it, rehash);
        *entry.or_insert(next).get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// As an ordered map has them. Whichever nodes the edges are of: a parent may come behind its children.
        #[test]
        fn each_edge_leads_to_one_node(edges in proptest::collection::vec((0_u32..20, 0_u32..20), 0..400)) {
            let mut children = Children::default();
            let mut nodes: Vec<Edge> = vec![(0, 0)];
            let mut known: BTreeMap<Edge, u32> = BTreeMap::new();
            for edge in edges {
                let next = u32::try_from(nodes.len()).unwrap();
                let found = children.get_or_add(edge, next, |node| nodes[node as usize]);
                prop_assert_eq!(found, *known.entry(edge).or_insert(next));
                if found == next {
                    nodes.push(edge);
                }
            }
        }
    }
}
