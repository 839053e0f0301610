//! Calls merged by their callers.

use super::statistics::Names;
use super::{CallEnd, PathChoice, ProgramTree, SHORTER, Trees, Walked, walk_beside};
use crate::analyze::call_tree::{Groups, Growth, NodeKind, Options};
use crate::analyze::profile::Weight;
use crate::analyze::{Analysis, CallTree, Name};
use crate::trace::{Nanos, ProbeId};
use rustc_hash::FxHashMap;

/// All calls that pass the options' filter, merged by path of functions: as weight the time
/// without recorded calls that were made, as samples the number of calls. Memory is bounded by
/// the number of distinct paths: of calls that were added up as they were recorded those that `stay`, and below them
/// [`SHORTER`] calls.
#[must_use]
pub fn tree(
    analysis: &Analysis<'_>,
    options: &Options,
    stay: PathChoice<'_>,
) -> (CallTree, Walked) {
    let names = Names::of(analysis);
    let groups = Groups::of(analysis, options.grouping);
    let mut growth = Growth::of(analysis.trace);
    let mut positions = vec![None; analysis.trace.probes.len()];
    let trees = Trees::of(analysis, &options.filter);
    let (added_up, merged) = trees.walk_longer(stay, |tree| {
        let leads = leads_to_shown(tree);
        if !leads.contains(&true) {
            return;
        }
        let group = groups.of_process(tree.process.id);
        let below = groups.below(&mut growth, options.grouping, group);
        let mut nodes: Vec<u32> = Vec::with_capacity(tree.sums.len());
        for (at, (sum, leads)) in tree.sums.iter().zip(leads).enumerate() {
            let caller = sum.caller.and_then(|at| nodes.get(at as usize));
            let caller = caller.copied().unwrap_or(below);
            let node = match positions.get_mut(sum.probe.index()) {
                Some(name) if leads => {
                    let name = name.get_or_insert_with(|| growth.name(names.function(sum.probe)));
                    growth.child_of(caller, NodeKind::Function, *name)
                }
                _ => caller,
            };
            if tree.passes(sum) {
                let (time, samples) = (sum.own, sum.calls);
                growth.add(node, Weight { time, samples });
            }
            if let Some(shorter) = tree.merged(at) {
                let node = growth.child(node, NodeKind::Unnamed, Name::from(SHORTER));
                growth.add(node, shorter);
            }
            nodes.push(node);
        }
    });
    let mut weights: FxHashMap<(u32, Vec<ProbeId>), Weight> = FxHashMap::default();
    let walked = walk_beside(&trees, analysis, &options.filter, |call, callers| {
        let path = callers.iter().map(|open| open.probe);
        let path: Vec<ProbeId> = path.chain([call.probe]).collect();
        let time = match call.how {
            CallEnd::Instant => Nanos::ZERO,
            _ => call.own(),
        };
        let group = groups.of_process(call.process);
        let weight = Weight { time, samples: 1 };
        *weights.entry((group, path)).or_default() += weight;
    });
    for ((group, path), weight) in weights {
        let mut node = groups.below(&mut growth, options.grouping, group);
        for probe in path {
            node = growth.child(node, NodeKind::Function, names.function(probe));
        }
        growth.add(node, weight);
    }
    let walked = added_up.and(walked);
    let tree = CallTree {
        merged,
        ..growth.into_tree(walked.unreadable_blocks)
    };
    (tree, walked)
}

/// Of each sum, whether it passes the filter, or leads to one that does.
fn leads_to_shown(tree: &ProgramTree<'_>) -> Vec<bool> {
    let sums = tree.sums.iter().enumerate();
    let mut leads: Vec<bool> = sums
        .map(|(at, sum)| tree.passes(sum) || tree.merged(at).is_some())
        .collect();
    for (at, sum) in tree.sums.iter().enumerate().rev() {
        if let (true, Some(caller)) = (leads[at], sum.caller) {
            leads[caller as usize] = true;
        }
    }
    leads
}
