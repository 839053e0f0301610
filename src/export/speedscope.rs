//! speedscope's file format (JSON), for speedscope.app and whatever else reads it.
//!
//! A call tree that is grouped by tool comes in; each tool is a profile, that of the most time first (all is
//! one, where no tools are known), with a sample for each path. Weights are nanoseconds; of stacks that were imported as counts, counts.
//! Paths come in the order of the tree: what began when is not in such a file.

use crate::analyze::CallTree;
use crate::analyze::call_tree::{Node, NodeKind};
use crate::trace::Nanos;
use serde::Serialize;
use std::cmp::Reverse;
use std::io::{self, Write};

/// Where the format is described; readers know it by that.
const SCHEMA: &str = "https://www.speedscope.app/file-format-schema.json";
/// Frame of samples without a stack. Frames have the positions of the tree's names, of which the
/// first is its root's.
const NO_STACK: u32 = 0;

/// Of a file without profiles speedscope shows nothing at all.
const NO_SAMPLES: &str = "\n{\"type\":\"sampled\",\"name\":\"no samples\",\"unit\":\"nanoseconds\",\
    \"startValue\":0,\"endValue\":0,\"samples\":[],\"weights\":[]}";

#[derive(Serialize)]
struct Frame<'t> {
    name: &'t str,
}

/// A node below the root, and those that grow from it: they stand together. Or the root, and so all of them.
struct Tool<'t> {
    nodes: &'t [Node],
    /// Where they stand in the tree.
    first: usize,
    name: &'t str,
}

/// What weights are written in.
#[derive(Clone, Copy)]
struct Unit {
    /// As the format calls it.
    name: &'static str,
    /// What one of it is in the tree.
    one: u64,
}

impl Unit {
    fn of(count: Option<Nanos>) -> Self {
        match count {
            Some(count) => Self {
                name: "none",
                one: count.0.max(1),
            },
            None => Self {
                name: "nanoseconds",
                one: 1,
            },
        }
    }

    const fn of_time(self, time: Nanos) -> u64 {
        time.0 / self.one
    }
}

/// Writes `tree` as a file that bears `name`. Where its weights were imported as counts, `count` says what
/// one of them is ([`Trace::count`](crate::trace::Trace::count)).
///
/// # Errors
///
/// When `out` cannot be written.
pub fn write(
    tree: &CallTree,
    name: &str,
    count: Option<Nanos>,
    out: &mut impl Write,
) -> io::Result<()> {
    let unit = Unit::of(count);
    write!(
        out,
        "{{\"$schema\":\"{SCHEMA}\",\n\"exporter\":\"gotrace\",\n\"name\":"
    )?;
    serde_json::to_writer(&mut *out, name)?;
    out.write_all(b",\n\"shared\":{\"frames\":[")?;
    let names = tree.names.iter().map(|name| &**name);
    let frames = ["[no stack]"].into_iter().chain(names.skip(1));
    put_all(frames.map(|name| Frame { name }), out)?;
    out.write_all(b"]},\n\"profiles\":[")?;
    let tools = tools(tree, name);
    if tools.is_empty() {
        out.write_all(NO_SAMPLES.as_bytes())?;
    }
    for (position, tool) in tools.iter().enumerate() {
        out.write_all(if position > 0 { b"," } else { b"" })?;
        put_tool(tree, tool, unit, out)?;
    }
    out.write_all(b"]}\n")
}

/// The tools of a tree, that of the most time first.
fn tools<'t>(tree: &'t CallTree, name: &'t str) -> Vec<Tool<'t>> {
    let nodes = tree.nodes.get(1..).unwrap_or_default();
    if nodes
        .first()
        .is_some_and(|node| node.kind != NodeKind::Group)
    {
        return vec![Tool {
            nodes: &tree.nodes,
            first: 0,
            name,
        }];
    }
    let mut first = 1;
    let mut tools: Vec<_> = nodes
        .chunk_by(|_, next| next.parent != 0)
        .map(|nodes| {
            let name = nodes.first().map_or("", |node| tree.name(node));
            let tool = Tool { nodes, first, name };
            first += nodes.len();
            tool
        })
        .collect();
    tools.sort_by_key(|tool| Reverse(tool.nodes.first().map(|node| node.total.time)));
    tools
}

fn put_tool(tree: &CallTree, tool: &Tool<'_>, unit: Unit, out: &mut impl Write) -> io::Result<()> {
    let Some(whole) = tool.nodes.first() else {
        return Ok(());
    };
    out.write_all(b"\n{\"type\":\"sampled\",\"name\":")?;
    serde_json::to_writer(&mut *out, tool.name)?;
    write!(
        out,
        ",\"unit\":\"{}\",\"startValue\":0,\"endValue\":{},\n\"samples\":[",
        unit.name,
        unit.of_time(whole.total.time)
    )?;
    let nodes = || (tool.first..).zip(tool.nodes);
    let sampled = || nodes().filter(|(_, node)| node.own.samples > 0);
    put_all(sampled().map(|(at, _)| path(tree, tool, at)), out)?;
    out.write_all(b"],\n\"weights\":[")?;
    put_all(sampled().map(|(_, node)| unit.of_time(node.own.time)), out)?;
    out.write_all(b"]}")
}

/// Frames from the tool to the node that stands there.
fn path(tree: &CallTree, tool: &Tool<'_>, mut at: usize) -> Vec<u32> {
    let mut path = Vec::new();
    while at != tool.first {
        let Some(node) = tree.nodes.get(at) else {
            break;
        };
        path.push(node.name);
        at = node.parent as usize;
    }
    path.reverse();
    if path.is_empty() {
        path.push(NO_STACK);
    }
    path
}

/// Writes the elements of a list, which are made as they are written.
fn put_all<T: Serialize>(all: impl Iterator<Item = T>, out: &mut impl Write) -> io::Result<()> {
    for (position, element) in all.enumerate() {
        out.write_all(if position > 0 { b",\n" } else { b"\n" })?;
        serde_json::to_writer(&mut *out, &element)?;
    }
    Ok(())
}
