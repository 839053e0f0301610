//! Weighted stacks merged from their roots, heaviest first.

use rustc_hash::FxHashMap;

/// A node of the tree; index 0 is the root, which has no label.
#[derive(Clone, Debug, Default)]
struct Node {
    label: usize,
    own: u64,
    total: u64,
    children: Vec<usize>,
}

/// Stacks merged from their roots.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    edges: FxHashMap<(usize, usize), usize>,
}

impl Tree {
    pub(super) fn new() -> Self {
        Self {
            nodes: vec![Node::default()],
            edges: FxHashMap::default(),
        }
    }

    /// Adds a stack, its labels from the root on.
    pub(super) fn add(&mut self, labels: impl IntoIterator<Item = usize>, weight: u64) {
        let mut at = 0;
        self.weigh(at, weight);
        for label in labels {
            let next = self.nodes.len();
            let child = *self.edges.entry((at, label)).or_insert(next);
            if child == next {
                self.nodes.push(Node {
                    label,
                    ..Node::default()
                });
                if let Some(parent) = self.nodes.get_mut(at) {
                    parent.children.push(child);
                }
            }
            at = child;
            self.weigh(at, weight);
        }
        if let Some(leaf) = self.nodes.get_mut(at) {
            leaf.own = leaf.own.saturating_add(weight);
        }
    }

    fn weigh(&mut self, at: usize, weight: u64) {
        if let Some(node) = self.nodes.get_mut(at) {
            node.total = node.total.saturating_add(weight);
        }
    }

    /// Weight of all stacks.
    #[cfg(test)]
    pub(super) fn total(&self) -> u64 {
        self.nodes.first().map_or(0, |root| root.total)
    }

    /// One line for each stack, `label;label weight`, so that of the children of a node the
    /// heaviest comes first, and what the node itself weighs comes last.
    ///
    /// The stacks may be deeper than this program's own stack: nothing here recurses.
    pub(super) fn folded(&self, labels: &[String]) -> Vec<String> {
        let mut lines = Vec::new();
        let mut path = String::new();
        // A node is met twice: on the way down with the path's length before it, and when all
        // its children are done.
        let mut pending = vec![(0_usize, 0_usize, false)];
        while let Some((at, before, done)) = pending.pop() {
            let Some(node) = self.nodes.get(at) else {
                continue;
            };
            if done {
                if node.own > 0 && !path.is_empty() {
                    lines.push(format!("{path} {}", node.own));
                }
                path.truncate(before);
                continue;
            }
            pending.push((at, path.len(), true));
            if at != 0 {
                if !path.is_empty() {
                    path.push(';');
                }
                path.push_str(labels.get(node.label).map_or("?", String::as_str));
            }
            pending.extend(
                self.lightest_first(node, labels)
                    .map(|child| (child, 0, false)),
            );
        }
        lines
    }

    /// The last to be pushed is the first to be met.
    fn lightest_first(&self, node: &Node, labels: &[String]) -> impl Iterator<Item = usize> {
        let mut children: Vec<_> = node
            .children
            .iter()
            .filter_map(|&child| Some((self.nodes.get(child)?, child)))
            .map(|(node, child)| {
                let label = labels.get(node.label).map_or("", String::as_str);
                (node.total, std::cmp::Reverse(label), child)
            })
            .collect();
        children.sort_unstable();
        children
            .into_iter()
            .map(|(_, _, child)| child)
            .collect::<Vec<_>>()
            .into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Vec<String> {
        ["a", "b", "c", "a.f"].map(str::to_owned).to_vec()
    }

    #[test]
    fn the_heaviest_comes_first_and_the_node_itself_last() {
        let mut tree = Tree::new();
        tree.add([0, 1], 1);
        tree.add([0], 2);
        tree.add([0, 2], 5);
        tree.add([3], 3);
        tree.add([0, 1], 1);
        assert_eq!(tree.total(), 12);
        assert_eq!(tree.folded(&labels()), ["a;c 5", "a;b 2", "a 2", "a.f 3"]);
    }

    #[test]
    fn equals_stand_in_the_order_of_their_names() {
        let mut tree = Tree::new();
        tree.add([2], 1);
        tree.add([1], 1);
        assert_eq!(tree.folded(&labels()), ["b 1", "c 1"]);
    }

    #[test]
    fn a_stack_of_any_depth_is_drawn() {
        let mut tree = Tree::new();
        tree.add(std::iter::repeat_n(0, 200_000), 7);
        let lines = tree.folded(&labels());
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].len(), 2 * 200_000 - 1 + 2);
    }

    #[test]
    fn an_empty_tree_has_no_lines() {
        assert!(Tree::new().folded(&labels()).is_empty());
    }
}
