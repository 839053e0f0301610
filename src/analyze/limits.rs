//! What limited the longest build, and what would help: how well it used the machine, what came
//! before its first action, which packages it waited for.

use super::{
    Analysis, Name,
    build::{Load, Parallelism, Simulation, TestRun, WhatIf},
};
use crate::trace::Nanos;
use std::cmp::Reverse;

/// Packages whose absence is simulated at most.
const CANDIDATES: usize = 12;

/// What limited a build.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// Position of the build in [`super::Builds::builds`].
    pub build: usize,
    /// Its command line.
    pub command: Name,
    /// From the go command's start to its end.
    pub wall: Nanos,
    /// Actions that the go command can have under way at once.
    pub slots: u32,
    /// How well it used the machine.
    pub parallelism: Parallelism,
    /// Sum of the running times of the longest chain of dependent actions: with any number of
    /// cores, its actions take that.
    pub longest_chain: Nanos,
    /// What the go command did before its first action.
    pub load: Load,
    /// What would help most: the package that would save most first.
    pub what_if: Vec<WhatIf>,
    /// Tests that ran, those of other builds of the trace included, slowest first.
    pub tests: Vec<TestRun>,
}

impl Limits {
    /// Those of the longest build; `None` where no go command was seen. Reads all samples once.
    #[must_use]
    pub fn of(analysis: &Analysis<'_>) -> Option<Self> {
        let mut limits = Self::without_samples(analysis)?;
        limits.load = Load::of_all(analysis).get(limits.build).copied()?;
        Some(limits)
    }

    /// As [`Self::of`], without what samples tell of the time before the first action. Reads none.
    #[must_use]
    pub fn without_samples(analysis: &Analysis<'_>) -> Option<Self> {
        let builds = &analysis.builds.builds;
        let main = analysis.builds.main()?;
        let build = builds.iter().position(|build| std::ptr::eq(build, main))?;
        let mut tests: Vec<TestRun> = builds.iter().flat_map(|b| b.tests.clone()).collect();
        tests.sort_by_key(|test| Reverse(test.run));
        Some(Self {
            build,
            command: main.command.clone(),
            wall: main.wall(),
            slots: main.slots,
            parallelism: main.parallelism,
            longest_chain: main.longest_chain.length,
            load: main.load,
            what_if: Simulation::of(main).best(CANDIDATES),
            tests,
        })
    }
}
