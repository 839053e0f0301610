//! Calls merged by their callers.

use super::statistics::Names;
use super::{CallEnd, walk};
use crate::analyze::call_tree::{Groups, Growth, NodeKind, Options};
use crate::analyze::profile::Weight;
use crate::analyze::{Analysis, CallTree};
use crate::trace::{Nanos, ProbeId};
use rustc_hash::FxHashMap;

/// All calls that pass the options' filter, merged by path of functions: as weight the time
/// without recorded calls that were made, as samples the number of calls. Memory is bounded by
/// the number of distinct paths.
#[must_use]
pub fn tree(analysis: &Analysis<'_>, options: &Options) -> CallTree {
    let names = Names::of(analysis);
    let groups = Groups::of(analysis, options.grouping);
    let mut weights: FxHashMap<(u32, Vec<ProbeId>), Weight> = FxHashMap::default();
    let walked = walk(analysis, &options.filter, |call, callers| {
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
    let mut growth = Growth::of(analysis.trace);
    for ((group, path), weight) in weights {
        let mut node = groups.below(&mut growth, options.grouping, group);
        for probe in path {
            node = growth.child(node, NodeKind::Function, names.function(probe));
        }
        growth.add(node, weight);
    }
    growth.into_tree(walked.unreadable_blocks)
}
