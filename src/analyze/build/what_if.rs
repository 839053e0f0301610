//! What would help: the build simulated again with other durations.

use super::{ActionIndex, ActionKind, Build, BuildAction, SegmentKind, gating::Dependents};
use crate::{analyze::Name, trace::Nanos};
use rustc_hash::{FxHashMap, FxHashSet};
use std::{cmp::Reverse, collections::BinaryHeap};

/// What the build would take if one package cost nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhatIf {
    /// Import path.
    pub package: Name,
    /// Running time of its actions in the measured build, lookups in the cache left out.
    pub running: Nanos,
    /// Predicted wall time of the build.
    pub wall: Nanos,
    /// By how much that is less than measured.
    pub saved: Nanos,
}

/// A model of a build: its actions with their running times, on the go command's slots.
///
/// List scheduling: whenever a slot is free, the ready action that began earliest in the
/// measured build takes it; a ready action never waits while a slot is free. With `S` the
/// simulated span of all actions, and `S₀` the one with all actions of the package at zero but its
/// lookups in the cache,
/// `saved = max(S − S₀, 0)` (a slot may always be left idle instead, so nothing gets slower)
/// and `wall = measured wall − saved`: the go command's own time before, after and around the
/// actions stays as it was. Running times are taken as they were measured, though with fewer
/// neighbours an action would run faster.
#[derive(Clone, Debug)]
pub struct Simulation<'b> {
    build: &'b Build,
    dependents: Dependents,
    /// Each action's place in the order of measured starts.
    rank: Vec<u32>,
    /// Running time of each package's actions, and where they stand.
    packages: FxHashMap<Name, (Nanos, Vec<ActionIndex>)>,
    span: Nanos,
}

impl<'b> Simulation<'b> {
    /// Prepares the model of a build and runs it as measured.
    #[must_use]
    pub fn of(build: &'b Build) -> Self {
        let mut by_start: Vec<(Nanos, ActionIndex)> = build
            .indexed()
            .map(|(index, action)| (action.start, index))
            .collect();
        by_start.sort_unstable();
        let mut rank = vec![0; by_start.len()];
        for (place, (_, index)) in (0..).zip(by_start) {
            rank[index.index()] = place;
        }
        let mut packages: FxHashMap<Name, (Nanos, Vec<ActionIndex>)> = FxHashMap::default();
        // Looking into the cache is no work for a package: without the package's code it would still be done.
        let of_package = |action: &BuildAction| {
            !action.package.is_empty() && action.kind != ActionKind::CheckCache
        };
        for (index, action) in build.indexed().filter(|(_, a)| of_package(a)) {
            let (running, actions) = packages.entry(action.package.clone()).or_default();
            *running += action.running();
            actions.push(index);
        }
        let mut simulation = Self {
            build,
            dependents: Dependents::of(&build.actions),
            rank,
            packages,
            span: Nanos::ZERO,
        };
        simulation.span = simulation.run(&[]);
        simulation
    }

    /// The simulated span of all actions with nothing changed; beside the measured one it
    /// tells how good the model is.
    #[must_use]
    pub const fn span(&self) -> Nanos {
        self.span
    }

    /// What if all actions of this package took no time? `None` if it has no action.
    ///
    /// Costs one simulation: O((actions + dependencies) · log actions).
    #[must_use]
    pub fn without(&self, package: &str) -> Option<WhatIf> {
        let (name, (running, actions)) = self.packages.get_key_value(package)?;
        let saved = self.span.since(self.run(actions));
        Some(WhatIf {
            package: name.clone(),
            running: *running,
            wall: self.build.wall().since(saved),
            saved,
        })
    }

    /// The packages that would save most, of at most `candidates` that are simulated: those
    /// on the longest chain or critical path first, then the others, each by running time.
    /// Packages that would save nothing are left out.
    #[must_use]
    pub fn best(&self, candidates: usize) -> Vec<WhatIf> {
        let on_path = self
            .build
            .critical_path
            .segments
            .iter()
            .filter_map(|segment| match segment.kind {
                SegmentKind::Running(index) | SegmentKind::Waiting(index) => Some(index),
                SegmentKind::Load | SegmentKind::GoItself | SegmentKind::Outside => None,
            });
        let gating: FxHashSet<&Name> = on_path
            .chain(self.build.longest_chain.actions.iter().copied())
            .filter_map(|index| Some(&self.build.action(index)?.package))
            .collect();
        let mut ordered: Vec<(bool, Nanos, &Name)> = self
            .packages
            .iter()
            .map(|(name, (running, _))| (gating.contains(name), *running, name))
            .collect();
        ordered.sort_unstable_by(|a, b| b.cmp(a));
        let mut best: Vec<WhatIf> = ordered
            .into_iter()
            .take(candidates)
            .filter_map(|(_, _, name)| self.without(name))
            .filter(|what_if| what_if.saved > Nanos::ZERO)
            .collect();
        best.sort_by(|a, b| (b.saved, &a.package).cmp(&(a.saved, &b.package)));
        best
    }

    /// Runs the model; the actions `free` take no time. Returns when the last one ends.
    fn run(&self, free: &[ActionIndex]) -> Nanos {
        let actions = &self.build.actions;
        let mut lengths: Vec<Nanos> = actions.iter().map(BuildAction::running).collect();
        for index in free {
            lengths[index.index()] = Nanos::ZERO;
        }
        let mut open: Vec<usize> = actions.iter().map(|action| action.deps.len()).collect();
        let mut ready: BinaryHeap<Reverse<(u32, ActionIndex)>> = self
            .build
            .indexed()
            .filter(|(_, action)| action.deps.is_empty())
            .map(|(index, _)| Reverse((self.rank[index.index()], index)))
            .collect();
        let mut running: BinaryHeap<Reverse<(Nanos, ActionIndex)>> = BinaryHeap::new();
        let slots = (self.build.slots as usize).max(1);
        let mut now = Nanos::ZERO;
        loop {
            while running.len() < slots
                && let Some(Reverse((_, index))) = ready.pop()
            {
                running.push(Reverse((now + lengths[index.index()], index)));
            }
            let Some(Reverse((end, done))) = running.pop() else {
                return now;
            };
            now = end;
            for &next in self.dependents.of_action(done) {
                open[next.index()] -= 1;
                if open[next.index()] == 0 {
                    ready.push(Reverse((self.rank[next.index()], next)));
                }
            }
        }
    }
}
