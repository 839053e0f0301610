//! Where time went by stack: as a tree, function by function, and around one function.

use super::kin::Kin;
use super::subject::{About, BAR, Heading, Rank, Subject};
use crate::analyze::call_tree::{Node, NodeKind};
use crate::analyze::profile::Weight;
use crate::analyze::{CallTree, Name, Profile};
use crate::render::text::{Cell, Page, Tone};
use crate::render::units::{self, Scale};
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::rc::Rc;

/// Stacks, merged.
#[derive(Debug)]
pub(super) struct Stacks {
    pub(super) tree: CallTree,
    pub(super) title: String,
    /// What is counted besides time: samples, stacks, calls.
    pub(super) counted: &'static str,
    /// Why there may be none.
    pub(super) nothing: String,
    scale: Scale,
}

impl Stacks {
    pub(super) fn of(
        tree: CallTree,
        title: String,
        counted: &'static str,
        nothing: String,
    ) -> Self {
        Self {
            scale: Scale::of(tree.total().time),
            tree,
            title,
            counted,
            nothing,
        }
    }

    /// Positions in the tree count its root, rows do not.
    fn node(&self, row: u32) -> Option<&Node> {
        self.tree.nodes.get(row as usize + 1)
    }

    /// The name of a row; empty for none.
    pub(super) fn name(&self, row: u32) -> &str {
        self.node(row).map_or("", |node| self.tree.name(node))
    }

    pub(super) fn total(&self, row: u32) -> Weight {
        self.node(row)
            .map_or_else(Weight::default, |node| node.total)
    }

    pub(super) fn own(&self, row: u32) -> Weight {
        self.node(row).map_or_else(Weight::default, |node| node.own)
    }

    pub(super) fn kind(&self, row: u32) -> NodeKind {
        self.node(row).map_or(NodeKind::Root, |node| node.kind)
    }

    /// Which row is below which.
    pub(super) fn kin(&self) -> Kin {
        let nodes = self.tree.nodes.iter().skip(1);
        Kin::of(nodes.map(|node| node.parent.checked_sub(1)).collect())
    }
}

/// The stacks as a tree, callers above.
pub(super) struct Tree(pub(super) Rc<Stacks>);

impl Subject for Tree {
    fn title(&self) -> String {
        self.0.title.clone()
    }

    fn headings(&self) -> Vec<Heading> {
        vec![
            Heading::name("function"),
            Heading::number("total", 0),
            Heading::number("share", 2),
            Heading::number("own", 0),
            Heading::number(self.0.counted, 3),
            Heading::word("", 4),
        ]
    }

    fn kin(&self) -> Kin {
        self.0.kin()
    }

    fn cells(&self, row: u32, page: &Page) -> Vec<Cell> {
        let Stacks { tree, scale, .. } = &*self.0;
        let (total, own) = (self.0.total(row), self.0.own(row));
        let share = total.share(tree.total());
        let tone = match self.0.kind(row) {
            NodeKind::Group => Tone::Strong,
            NodeKind::Unnamed | NodeKind::Inlined => Tone::Dim,
            NodeKind::Root | NodeKind::Function => Tone::Plain,
        };
        vec![
            Cell::toned(self.0.name(row), tone),
            scale.write(total.time).into(),
            units::percent(share).into(),
            scale.write(own.time).into(),
            units::count(total.samples).into(),
            page.bar(share, BAR).into(),
        ]
    }

    fn text(&self, row: u32) -> Cow<'_, str> {
        self.0.name(row).into()
    }

    fn rank(&self, column: usize, row: u32) -> Rank {
        match column {
            0 => Rank::Text(self.0.name(row).into()),
            3 => Rank::Number(self.0.own(row).time.0),
            4 => Rank::Number(self.0.total(row).samples),
            _ => Rank::Number(self.0.total(row).time.0),
        }
    }

    fn about(&self, row: u32) -> About {
        let is_group = matches!(self.0.kind(row), NodeKind::Group | NodeKind::Root);
        About {
            function: (!is_group).then(|| self.0.name(row).into()),
            ..About::default()
        }
    }

    fn nothing(&self) -> String {
        self.0.nothing.clone()
    }
}

/// Functions, by samples that they are the innermost of.
pub(super) struct Functions {
    pub(super) profile: Profile,
    pub(super) title: String,
    pub(super) nothing: String,
    own: Scale,
    total: Scale,
}

impl Functions {
    pub(super) fn of(profile: Profile, title: String, nothing: String) -> Self {
        let rows = &profile.functions;
        Self {
            own: Scale::of_all(rows.iter().map(|row| row.own.time)),
            total: Scale::of_all(rows.iter().map(|row| row.total.time)),
            profile,
            title,
            nothing,
        }
    }
}

impl Subject for Functions {
    fn title(&self) -> String {
        self.title.clone()
    }

    fn headings(&self) -> Vec<Heading> {
        vec![
            Heading::name("function"),
            Heading::number("own", 0),
            Heading::number("share", 2),
            Heading::number("total", 0),
            Heading::number("share", 3),
            Heading::word("", 4),
        ]
    }

    fn kin(&self) -> Kin {
        Kin::flat(self.profile.functions.len())
    }

    fn cells(&self, row: u32, page: &Page) -> Vec<Cell> {
        let Some(row) = self.profile.functions.get(row as usize) else {
            return Vec::new();
        };
        let share = row.own.share(self.profile.total);
        vec![
            (*row.name).into(),
            self.own.write(row.own.time).into(),
            units::percent(share).into(),
            self.total.write(row.total.time).into(),
            units::percent(row.total.share(self.profile.total)).into(),
            page.bar(share, BAR).into(),
        ]
    }

    fn text(&self, row: u32) -> Cow<'_, str> {
        let row = self.profile.functions.get(row as usize);
        row.map_or("", |row| &row.name).into()
    }

    fn rank(&self, column: usize, row: u32) -> Rank {
        let Some(row) = self.profile.functions.get(row as usize) else {
            return Rank::Number(0);
        };
        match column {
            0 => Rank::Text(row.name.clone()),
            3 | 4 => Rank::Number(row.total.time.0),
            _ => Rank::Number(row.own.time.0),
        }
    }

    fn about(&self, row: u32) -> About {
        let row = self.profile.functions.get(row as usize);
        About {
            function: row.map(|row| row.name.clone()),
            ..About::default()
        }
    }

    fn nothing(&self) -> String {
        self.nothing.clone()
    }
}

/// How a function of a list stands to the one that the list is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Caller,
    Itself,
    Callee,
}

/// A function, who called it, and what it called.
pub(super) struct Around {
    stacks: Rc<Stacks>,
    function: Name,
    rows: Vec<(Side, Name, Weight)>,
}

impl Around {
    /// Looks through all stacks once. What passes through a call of the function is counted once for each caller and
    /// each callee, however often the function is in it: as callers stand those of its outermost calls.
    pub(super) fn of(stacks: Rc<Stacks>, function: Name) -> Self {
        let nodes = &stacks.tree.nodes;
        let kin = Kin::of(
            (0..)
                .zip(nodes)
                .map(|(at, node)| (at > 0).then_some(node.parent))
                .collect(),
        );
        let name = |at: u32| nodes.get(at as usize).map_or(0, |node| node.name);
        let wanted = stacks.tree.names.iter().position(|name| *name == function);
        let wanted = wanted.and_then(|at| u32::try_from(at).ok());
        let mut itself = Weight::default();
        let mut callers: FxHashMap<u32, Weight> = FxHashMap::default();
        let mut callees: FxHashMap<u32, Weight> = FxHashMap::default();
        // How many calls of the function, and of each callee by it, are around the node.
        let mut within = 0_u32;
        let mut called: FxHashMap<u32, u32> = FxHashMap::default();
        let mut steps = vec![(0_u32, false)];
        while let Some((at, leaves)) = steps.pop() {
            let Some(node) = nodes.get(at as usize) else {
                continue;
            };
            let is_it = at > 0 && Some(node.name) == wanted;
            let is_callee = at > 0 && node.parent > 0 && Some(name(node.parent)) == wanted;
            if leaves {
                within -= u32::from(is_it);
                if let (true, Some(count)) = (is_callee, called.get_mut(&node.name)) {
                    *count -= 1;
                }
                continue;
            }
            if is_callee {
                let count = called.entry(node.name).or_default();
                if *count == 0 {
                    *callees.entry(node.name).or_default() += node.total;
                }
                *count += 1;
            }
            if is_it {
                if within == 0 {
                    itself += node.total;
                    *callers.entry(name(node.parent)).or_default() += node.total;
                }
                within += 1;
            }
            steps.push((at, true));
            steps.extend(kin.below(Some(at)).iter().map(|&below| (below, false)));
        }
        let named = |side: Side, of: FxHashMap<u32, Weight>| {
            let names = &stacks.tree.names;
            let mut rows: Vec<_> = of
                .into_iter()
                .map(|(name, weight)| {
                    let name = names.get(name as usize).filter(|name| !name.is_empty());
                    let name = name
                        .cloned()
                        .unwrap_or_else(|| "(nothing around it)".into());
                    (side, name, weight)
                })
                .collect();
            rows.sort_unstable_by(|a, b| (b.2.time, &a.1).cmp(&(a.2.time, &b.1)));
            rows
        };
        let mut rows = named(Side::Caller, callers);
        rows.push((Side::Itself, function.clone(), itself));
        rows.extend(named(Side::Callee, callees));
        Self {
            stacks,
            function,
            rows,
        }
    }

    /// The row of the function itself.
    pub(super) fn middle(&self) -> u32 {
        let mut rows = (0..).zip(&self.rows);
        let found = rows.find(|(_, (side, ..))| *side == Side::Itself);
        found.map_or(0, |(row, _)| row)
    }
}

impl Subject for Around {
    fn title(&self) -> String {
        format!("callers and callees of {}", self.function)
    }

    fn headings(&self) -> Vec<Heading> {
        vec![
            Heading::word("side", 0),
            Heading::name("function"),
            Heading::number("time", 0),
            Heading::number("share", 2),
            Heading::number(self.stacks.counted, 3),
            Heading::word("", 4),
        ]
    }

    fn kin(&self) -> Kin {
        Kin::flat(self.rows.len())
    }

    fn cells(&self, row: u32, page: &Page) -> Vec<Cell> {
        let Some((side, name, weight)) = self.rows.get(row as usize) else {
            return Vec::new();
        };
        let (words, tone) = match side {
            Side::Caller => ("caller", Tone::Plain),
            Side::Itself => ("itself", Tone::Strong),
            Side::Callee => ("callee", Tone::Plain),
        };
        let share = weight.share(self.stacks.tree.total());
        vec![
            words.into(),
            Cell::toned(&**name, tone),
            self.stacks.scale.write(weight.time).into(),
            units::percent(share).into(),
            units::count(weight.samples).into(),
            page.bar(share, BAR).into(),
        ]
    }

    fn text(&self, row: u32) -> Cow<'_, str> {
        let row = self.rows.get(row as usize);
        row.map_or("", |(_, name, _)| name).into()
    }

    fn rank(&self, column: usize, row: u32) -> Rank {
        let Some((_, name, weight)) = self.rows.get(row as usize) else {
            return Rank::Number(0);
        };
        match column {
            // Rows come by side, and by time within.
            0 => Rank::Number(row.into()),
            1 => Rank::Text(name.clone()),
            4 => Rank::Number(weight.samples),
            _ => Rank::Number(weight.time.0),
        }
    }

    fn about(&self, row: u32) -> About {
        let row = self.rows.get(row as usize);
        About {
            function: row.map(|(_, name, _)| name.clone()),
            ..About::default()
        }
    }

    fn nothing(&self) -> String {
        self.stacks.nothing.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Nanos;

    fn weight(samples: u64) -> Weight {
        Weight {
            time: Nanos(samples),
            samples,
        }
    }

    /// A tree of nodes: parent, name, own samples.
    fn stacks(nodes: &[(u32, u32, u64)], names: &[&str]) -> Rc<Stacks> {
        let mut nodes: Vec<Node> = nodes
            .iter()
            .enumerate()
            .map(|(at, &(parent, name, own))| Node {
                kind: if at == 0 {
                    NodeKind::Root
                } else {
                    NodeKind::Function
                },
                parent,
                name,
                own: weight(own),
                total: weight(own),
            })
            .collect();
        for at in (1..nodes.len()).rev() {
            let (total, parent) = (nodes[at].total, nodes[at].parent);
            nodes[parent as usize].total += total;
        }
        let tree = CallTree {
            nodes,
            names: names.iter().map(|&name| Name::from(name)).collect(),
            ..CallTree::default()
        };
        let nothing = String::new();
        Rc::new(Stacks::of(tree, "stacks".to_owned(), "samples", nothing))
    }

    #[test]
    fn what_recurs_is_counted_once_for_each_caller_and_callee() {
        // main 1 > f 2 > g 4 > f 8 > g 16; main > g 32 > f 64; f 128 without a caller.
        let nodes = [
            (0, 0, 0),
            (0, 1, 1),
            (1, 2, 2),
            (2, 3, 4),
            (3, 2, 8),
            (4, 3, 16),
            (1, 3, 32),
            (6, 2, 64),
            (0, 2, 128),
        ];
        let stacks = stacks(&nodes, &["", "main", "f", "g"]);
        let around = Around::of(stacks, "f".into());
        let rows: Vec<_> = around
            .rows
            .iter()
            .map(|(side, name, weight)| (*side, &**name, weight.samples))
            .collect();
        assert_eq!(
            rows,
            [
                (Side::Caller, "(nothing around it)", 128),
                (Side::Caller, "g", 64),
                // Its call of f is the outermost: all below is its own.
                (Side::Caller, "main", 2 + 4 + 8 + 16),
                (Side::Itself, "f", 128 + 64 + 30),
                // The call of g within another one of the same edge is in that one.
                (Side::Callee, "g", 4 + 8 + 16),
            ]
        );
        assert_eq!(around.middle(), 3);
    }

    #[test]
    fn a_function_that_is_in_no_stack_has_neither() {
        let stacks = stacks(&[(0, 0, 0), (0, 1, 5)], &["", "main"]);
        let around = Around::of(stacks, "f".into());
        assert_eq!(around.rows, [(Side::Itself, "f".into(), weight(0))]);
    }
}
