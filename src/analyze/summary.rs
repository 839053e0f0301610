//! What is shown after a run, as values.

use super::{
    Analysis, Name,
    build::{Chain, CriticalPath, Load, Parallelism, Segment, TestRun, WhatIf},
    cost::{Cost, CostRow},
    profile::{FunctionRow, Profile, Row, Weight},
};
use crate::trace::{Arch, ExitStatus, Nanos, Unnamed};

/// The toolchain that the command used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolchainFacts {
    /// `go1.27.3`.
    pub version: Name,
    /// Architecture of the go command.
    pub arch: Arch,
    /// Name of the translator that ran it; `None` if native.
    pub translator: Option<Name>,
}

/// A piece of the critical path, named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedSegment {
    /// The segment.
    pub segment: Segment,
    /// `compile runtime`, `waiting for a slot: link m`, `go: load`, `outside of go`.
    pub label: Name,
}

/// Something lost or not seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// What.
    pub what: Name,
    /// Why.
    pub why: Name,
    /// How many; `None` where it was not to be counted.
    pub count: Option<u64>,
}

/// What recording cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tax {
    /// CPU time of gotrace itself while the command ran.
    pub own: Nanos,
    /// CPU time that the kernel spent in gotrace's programs, where known.
    pub kernel: Option<Nanos>,
    /// `(own + kernel) / CPU time of the command`; `None` where that is not known.
    pub share: Option<f64>,
    /// gotrace's largest resident set in bytes.
    pub max_rss_bytes: u64,
}

/// What is shown after a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The traced command line.
    pub command: Name,
    /// How it ended, where that was seen.
    pub status: Option<ExitStatus>,
    /// Toolchains, the command's own first.
    pub toolchains: Vec<ToolchainFacts>,
    /// Architecture of the machine.
    pub host_arch: Arch,
    /// Cores that the command could use.
    pub cores: u32,
    /// Wall time of the command.
    pub wall: Nanos,
    /// What all its programs cost.
    pub total: Cost,
    /// CPU time / wall time: cores kept busy on average.
    pub parallelism: f64,
    /// Number of builds: go commands that built something.
    pub builds: usize,
    /// Actions that were built, over all builds.
    pub built: usize,
    /// Packages that came from the cache, over all builds.
    pub cached: usize,
    /// The critical path through the whole command.
    pub critical_path: CriticalPath,
    /// Its longest segments, longest first.
    pub critical_segments: Vec<NamedSegment>,
    /// The longest chain of the longest build.
    pub longest_chain: Chain,
    /// Parallelism of the longest build.
    pub build_parallelism: Parallelism,
    /// Load phase of the longest build.
    pub load: Load,
    /// What would help most in the longest build.
    pub what_if: Vec<WhatIf>,
    /// Tests that ran, slowest first.
    pub tests: Vec<TestRun>,
    /// Packages that cost most.
    pub packages: Vec<CostRow<Name>>,
    /// Tools that cost most.
    pub tools: Vec<CostRow<Name>>,
    /// All samples.
    pub samples: Weight,
    /// Functions with most own time.
    pub functions: Vec<FunctionRow>,
    /// Samples without a name, by reason.
    pub unnamed: Vec<Row<Unnamed>>,
    /// Samples whose stack could not be followed to its root.
    pub truncated: Weight,
    /// What was lost, not seen, or is wrong with the file.
    pub gaps: Vec<Gap>,
    /// What recording cost; `None` where the recorder was killed.
    pub tax: Option<Tax>,
}

impl Summary {
    /// Gathers it.
    #[must_use]
    pub fn of(analysis: &Analysis<'_>, top: usize) -> Self {
        let profile = Profile::of(analysis, &super::Filter::default());
        let trace = analysis.trace;
        let wall = trace.end();
        Self {
            command: Name::default(),
            status: trace.ending.and_then(|ending| ending.status),
            toolchains: Vec::new(),
            host_arch: trace.host.arch,
            cores: trace.host.cores,
            wall,
            total: analysis.costs().total,
            parallelism: 0.0,
            builds: analysis.builds.builds.len(),
            built: 0,
            cached: 0,
            critical_path: analysis.builds.critical_path.clone(),
            critical_segments: Vec::new(),
            longest_chain: Chain::default(),
            build_parallelism: Parallelism::default(),
            load: Load::default(),
            what_if: Vec::new(),
            tests: Vec::new(),
            packages: Vec::new(),
            tools: Vec::new(),
            samples: profile.total,
            functions: profile.functions.into_iter().take(top).collect(),
            unnamed: profile.unnamed,
            truncated: profile.truncated,
            gaps: Vec::new(),
            tax: None,
        }
    }
}
