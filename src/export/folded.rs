//! Folded stacks: a call tree in, one line for each path out, as flamegraph tools read them.
//!
//! A line is the names of a path, outermost first, between semicolons, then a space and the
//! time in nanoseconds that was spent at its end; of stacks that were imported as counts, the count. Lines come in the order of the tree. Names
//! may hold what the format uses itself (`;` stands in the types of generic Go functions), so
//! a semicolon becomes a comma, and a line break or another control character a space.

use crate::analyze::{CallTree, Name};
use crate::trace::Nanos;
use std::io::{self, Write};

/// Writes the paths of `tree` with their own weights, in units of `count`
/// ([`Trace::count`](crate::trace::Trace::count)).
///
/// # Errors
///
/// When `out` cannot be written.
pub fn write(tree: &CallTree, count: Nanos, out: &mut impl Write) -> io::Result<()> {
    let mut line = String::new();
    for (path, weight) in tree.folded() {
        line.clear();
        for name in path {
            if !line.is_empty() {
                line.push(';');
            }
            push_name(&mut line, name);
        }
        if line.is_empty() {
            line.push_str("[no stack]");
        }
        writeln!(out, "{line} {}", weight.time.0 / count.0.max(1))?;
    }
    Ok(())
}

fn push_name(line: &mut String, name: &Name) {
    if name.is_empty() {
        line.push_str("[no name]");
    }
    line.extend(name.chars().map(|letter| match letter {
        ';' => ',',
        letter if letter.is_control() => ' ',
        letter => letter,
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyze::call_tree::{Node, NodeKind};
    use crate::analyze::profile::Weight;

    fn node(kind: NodeKind, parent: u32, name: u32, own: u64) -> Node {
        let own = Weight {
            time: Nanos(own),
            samples: u64::from(own > 0),
        };
        Node {
            kind,
            parent,
            name,
            own,
            total: Weight::default(),
        }
    }

    #[test]
    fn names_cannot_break_the_format() {
        let names = [
            "",
            "main.main",
            "m.F[struct { A int; B int }]",
            "a\nb 7",
            "",
        ];
        let tree = CallTree {
            nodes: vec![
                node(NodeKind::Root, 0, 0, 5),
                node(NodeKind::Function, 0, 1, 0),
                node(NodeKind::Function, 1, 2, 10),
                node(NodeKind::Unnamed, 2, 3, 20),
                node(NodeKind::Function, 3, 4, 40),
            ],
            names: names.map(Name::from).to_vec(),
            ..CallTree::default()
        };
        let mut written = Vec::new();
        write(&tree, Nanos(1), &mut written).unwrap();
        let generic = "main.main;m.F[struct { A int, B int }]";
        assert_eq!(
            String::from_utf8(written).unwrap(),
            format!(
                "[no stack] 5\n{generic} 10\n{generic};a b 7 20\n{generic};a b 7;[no name] 40\n"
            )
        );
    }
}
