//! Facts of the Go build, as the go command and its files state them.

use super::{Nanos, ProcessId, StringId};

/// One node of the action graph that a go command wrote (`-debug-actiongraph`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Action {
    /// Which graph of this trace: a trace of several go commands holds several.
    pub graph: u32,
    /// The go command that wrote it, where it could be told.
    pub go: Option<ProcessId>,
    /// The node's number in its graph.
    pub number: u32,
    /// What it does, as cmd/go says it: `build`, `link`, `cgo run`, `build check cache`, ...
    pub mode: StringId,
    /// Import path, or empty.
    pub package: StringId,
    /// Output file that the action makes, or empty.
    pub target: StringId,
    /// Directory under `$WORK` where it works (`/tmp/go-build123/b042/`), or empty.
    pub objdir: StringId,
    /// It or something that it needs failed.
    pub failed: bool,
    /// Numbers of the actions that must be done before, in the same graph.
    pub deps: Vec<u32>,
    /// When all of them were done.
    pub ready: Option<Nanos>,
    /// When it began.
    pub start: Option<Nanos>,
    /// When it was done.
    pub done: Option<Nanos>,
    /// cmd/go's `NeedBuild`. Go 1.27 sets it for cached packages too: only `commands` tell.
    pub need_build: bool,
    /// Hash of the inputs.
    pub action_id: StringId,
    /// Hash of inputs and output, as cmd/go writes it into the file.
    pub build_id: StringId,
    /// The commands it ran, as cmd/go prints them. Already redacted.
    pub commands: Vec<StringId>,
}

/// The direct dependencies of one compile or link, read from its importcfg at exec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imports {
    /// The tool that was given the importcfg.
    pub process: ProcessId,
    /// Import paths of its `packagefile` lines.
    pub packages: Vec<StringId>,
}
