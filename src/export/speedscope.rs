//! speedscope's file format (JSON), for speedscope.app and whatever else reads it.
//!
//! A call tree that is grouped by tool comes in; each tool is a profile, that of the most time first,
//! with a sample for each path. Weights are nanoseconds. Paths come in the order of the tree: what
//! began when is not in such a file.

use crate::analyze::CallTree;
use crate::analyze::call_tree::Node;
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

/// A node below the root, and those that grow from it: they stand together.
struct Tool<'t> {
    nodes: &'t [Node],
    /// Where they stand in the tree.
    first: usize,
}

/// Writes `tree` as a file that bears `name`.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn write(tree: &CallTree, name: &str, out: &mut impl Write) -> io::Result<()> {
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
    let tools = tools(tree);
    if tools.is_empty() {
        out.write_all(NO_SAMPLES.as_bytes())?;
    }
    for (position, tool) in tools.iter().enumerate() {
        out.write_all(if position > 0 { b"," } else { b"" })?;
        put_tool(tree, tool, out)?;
    }
    out.write_all(b"]}\n")
}

/// The tools of a tree, that of the most time first.
fn tools(tree: &CallTree) -> Vec<Tool<'_>> {
    let nodes = tree.nodes.get(1..).unwrap_or_default();
    let mut first = 1;
    let mut tools: Vec<_> = nodes
        .chunk_by(|_, next| next.parent != 0)
        .map(|nodes| {
            let tool = Tool { nodes, first };
            first += nodes.len();
            tool
        })
        .collect();
    tools.sort_by_key(|tool| Reverse(tool.nodes.first().map(|node| node.total.time)));
    tools
}

fn put_tool(tree: &CallTree, tool: &Tool<'_>, out: &mut impl Write) -> io::Result<()> {
    let Some(whole) = tool.nodes.first() else {
        return Ok(());
    };
    out.write_all(b"\n{\"type\":\"sampled\",\"name\":")?;
    serde_json::to_writer(&mut *out, tree.name(whole))?;
    let end = whole.total.time;
    write!(
        out,
        ",\"unit\":\"nanoseconds\",\"startValue\":0,\"endValue\":{},\n\"samples\":[",
        end.0
    )?;
    let sampled = || tool.nodes.iter().filter(|node| node.own.samples > 0);
    put_all(sampled().map(|node| path(tree, tool, node)), out)?;
    out.write_all(b"],\n\"weights\":[")?;
    put_all(sampled().map(|node| node.own.time.0), out)?;
    out.write_all(b"]}")
}

/// Frames from the tool to a node.
fn path(tree: &CallTree, tool: &Tool<'_>, node: &Node) -> Vec<u32> {
    let mut path = Vec::new();
    let mut at = node;
    while at.parent as usize >= tool.first {
        path.push(at.name);
        let Some(caller) = tree.nodes.get(at.parent as usize) else {
            break;
        };
        at = caller;
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
