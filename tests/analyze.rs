//! Analysis, against values worked out by hand, by another program, and against its laws.

#[cfg(test)]
#[path = "analyze/activity.rs"]
mod activity;
#[cfg(test)]
#[path = "analyze/builder.rs"]
mod builder;
#[cfg(test)]
#[path = "analyze/builds.rs"]
mod builds;
#[cfg(test)]
#[path = "analyze/caches.rs"]
mod caches;
#[cfg(test)]
#[path = "analyze/call_trees.rs"]
mod call_trees;
#[cfg(test)]
#[path = "analyze/calls.rs"]
mod calls;
#[cfg(test)]
#[path = "analyze/compare.rs"]
mod compare;
#[cfg(test)]
#[path = "analyze/experiment.rs"]
mod experiment;
#[cfg(test)]
#[path = "analyze/facts.rs"]
mod facts;
#[cfg(test)]
#[path = "analyze/family.rs"]
mod family;
#[cfg(test)]
#[path = "analyze/gates.rs"]
mod gates;
#[cfg(test)]
#[path = "analyze/goroutines.rs"]
mod goroutines;
#[cfg(test)]
#[path = "analyze/graphs.rs"]
mod graphs;
#[cfg(test)]
#[path = "analyze/laws.rs"]
mod laws;
#[cfg(test)]
#[path = "analyze/linking.rs"]
mod linking;
#[cfg(test)]
#[path = "analyze/lost.rs"]
mod lost;
#[cfg(test)]
#[path = "analyze/outcomes.rs"]
mod outcomes;
#[cfg(test)]
#[path = "analyze/paths.rs"]
mod paths;
#[cfg(test)]
#[path = "analyze/real.rs"]
mod real;
#[cfg(test)]
#[path = "analyze/recorded.rs"]
mod recorded;
#[cfg(test)]
#[path = "analyze/repeats.rs"]
mod repeats;
#[cfg(test)]
#[path = "analyze/roles.rs"]
mod roles;
#[cfg(test)]
#[path = "analyze/scipy.rs"]
mod scipy;
#[cfg(test)]
#[path = "analyze/scopes.rs"]
mod scopes;
#[cfg(test)]
#[path = "analyze/selftest.rs"]
mod selftest;
#[cfg(test)]
#[path = "analyze/slides.rs"]
mod slides;
#[cfg(test)]
#[path = "analyze/stacks.rs"]
mod stacks;
#[cfg(test)]
#[path = "analyze/stages.rs"]
mod stages;
#[cfg(test)]
#[path = "analyze/statistics.rs"]
mod statistics;
#[cfg(test)]
#[path = "analyze/times.rs"]
mod times;
#[cfg(test)]
#[path = "analyze/watched.rs"]
mod watched;
