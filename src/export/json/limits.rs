//! The `build` object: what limited the longest build, key by key as `docs/json-schema.md` has it.

use crate::analyze::{Limits, build};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Build<'a> {
    build: usize,
    command: &'a str,
    wall_ns: u64,
    slots: u32,
    cpu_ns: u64,
    cpu_per_wall: f64,
    actions_per_wall: f64,
    peak: u32,
    slot_wait_ns: u64,
    idle_ns: u64,
    longest_chain_ns: u64,
    load: Load,
    what_if: Vec<WhatIf<'a>>,
    tests: Vec<Test<'a>>,
}

#[derive(Serialize)]
struct Load {
    wall_ns: u64,
    children_ns: u64,
    cpu_ns: Option<u64>,
    waiting_ns: u64,
    fetch_count: u64,
}

#[derive(Serialize)]
struct WhatIf<'a> {
    package: &'a str,
    running_ns: u64,
    wall_ns: u64,
    saved_ns: u64,
}

#[derive(Serialize)]
struct Test<'a> {
    package: &'a str,
    compile_ns: u64,
    link_ns: u64,
    run_ns: u64,
    cpu_ns: u64,
}

impl<'a> Build<'a> {
    pub(super) fn of(limits: &'a Limits) -> Self {
        let parallelism = &limits.parallelism;
        Self {
            build: limits.build,
            command: &limits.command,
            wall_ns: limits.wall.0,
            slots: limits.slots,
            cpu_ns: parallelism.cpu.0,
            cpu_per_wall: parallelism.cpu_per_wall,
            actions_per_wall: parallelism.actions_per_wall,
            peak: parallelism.peak,
            slot_wait_ns: parallelism.slot_wait.0,
            idle_ns: parallelism.idle.0,
            longest_chain_ns: limits.longest_chain.0,
            load: Load::of(&limits.load),
            what_if: limits.what_if.iter().map(WhatIf::of).collect(),
            tests: limits.tests.iter().map(Test::of).collect(),
        }
    }
}

impl Load {
    fn of(load: &build::Load) -> Self {
        Self {
            wall_ns: load.wall.0,
            children_ns: load.children.0,
            cpu_ns: load.cpu.map(|cpu| cpu.0),
            waiting_ns: load.waiting.0,
            fetch_count: load.fetch_samples,
        }
    }
}

impl<'a> WhatIf<'a> {
    fn of(what_if: &'a build::WhatIf) -> Self {
        Self {
            package: &what_if.package,
            running_ns: what_if.running.0,
            wall_ns: what_if.wall.0,
            saved_ns: what_if.saved.0,
        }
    }
}

impl<'a> Test<'a> {
    fn of(test: &'a build::TestRun) -> Self {
        Self {
            package: &test.package,
            compile_ns: test.compile.0,
            link_ns: test.link.0,
            run_ns: test.run.0,
            cpu_ns: test.run_cpu.0,
        }
    }
}
