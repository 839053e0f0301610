//! The build graph of each go command: actions, their times, what gates what.
//!
//! Processes with roles and the go commands' action graphs come in; [`Build`]s go out, one for
//! each go command.
//!
//! Times of an action: *ready* when the last of its dependencies was done, *start* when the go
//! command gave it one of its slots (`-p`), *end* when it was done. `start − ready` is the wait
//! for a slot.

mod draft;
mod gating;
mod graph;
mod inferred;
mod load;
mod measure;
mod outcome;
mod path;
mod what_if;

pub(super) use measure::union;
pub use path::{Chain, CriticalPath, Segment, SegmentKind};
pub use what_if::{Simulation, WhatIf};

use super::{Name, Roles};
use crate::trace::{Nanos, ProcessId, Trace};

/// Position of an action in [`Build::actions`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionIndex(pub u32);

impl ActionIndex {
    /// As a position in a slice.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What an action does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ActionKind {
    /// Compiles a package: compile, asm, cover, and before Go 1.25 cgo with its C compilers.
    Compile,
    /// Looks whether a package has to be compiled at all.
    CheckCache,
    /// A step of cgo: run, compile of its C files, collect.
    Cgo,
    /// Links a program or a test binary.
    Link,
    /// Vets a package.
    Vet,
    /// Runs a test binary.
    TestRun,
    /// Runs what `go run` built.
    Run,
    /// Copies a result to where it belongs.
    Install,
    /// Runs a command of `go generate`.
    Generate,
    /// Only ties others together.
    Bookkeeping,
    /// Anything else, see [`BuildAction::mode`].
    Other,
}

impl ActionKind {
    /// One word for tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Compile => "compile",
            Self::CheckCache => "check cache",
            Self::Cgo => "cgo",
            Self::Link => "link",
            Self::Vet => "vet",
            Self::TestRun => "test run",
            Self::Run => "run",
            Self::Install => "install",
            Self::Generate => "generate",
            Self::Bookkeeping => "bookkeeping",
            Self::Other => "other",
        }
    }
}

/// Whether an action had work to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It ran commands, or did its own kind of work.
    Built,
    /// Its result was in the cache.
    Cached,
    /// The last program that the go command ran for it failed.
    Failed,
    /// Something that it needs failed, so it was never begun.
    Blocked,
    /// It was never begun: the build ended before.
    NotReached,
}

impl Outcome {
    /// One or two words for tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Built => "built",
            Self::Cached => "cached",
            Self::Failed => "failed",
            Self::Blocked => "blocked",
            Self::NotReached => "not reached",
        }
    }
}

/// One step of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildAction {
    /// What it does.
    pub kind: ActionKind,
    /// As cmd/go calls it (`build`, `cgo compile x.c`); without a graph, the kind's name.
    pub mode: Name,
    /// Import path, or empty.
    pub package: Name,
    /// Whether there was work to do.
    pub outcome: Outcome,
    /// What must be done before.
    pub deps: Vec<ActionIndex>,
    /// When the last of `deps` was done.
    pub ready: Nanos,
    /// When it began.
    pub start: Nanos,
    /// When it was done.
    pub end: Nanos,
    /// The programs it ran, their children included, by start.
    pub processes: Vec<ProcessId>,
    /// CPU time of those programs.
    pub cpu: Nanos,
    /// Time that those programs' threads waited for a core.
    pub runqueue: Nanos,
    /// Number of working actions (see [`Self::works`]) that could begin when this one was
    /// done, because it was the last of their dependencies; those that had nothing to do in
    /// between are passed over.
    pub unlocks: u32,
    /// Number of working actions behind it in that way, directly or through others.
    pub gates: u32,
}

impl BuildAction {
    /// Whether it did work of its own: built or failed, and no mere bookkeeping.
    #[must_use]
    pub const fn works(&self) -> bool {
        matches!(self.outcome, Outcome::Built | Outcome::Failed)
            && !matches!(self.kind, ActionKind::CheckCache | ActionKind::Bookkeeping)
    }

    /// Whether the go command came to it: its result may have been in the cache.
    #[must_use]
    pub const fn begun(&self) -> bool {
        !matches!(self.outcome, Outcome::NotReached | Outcome::Blocked)
    }

    /// `compile fmt`: what it does, and for which package where it is about one.
    #[must_use]
    pub fn label(&self) -> String {
        match &*self.package {
            "" => self.mode.to_string(),
            package => format!("{} {package}", self.kind.name()),
        }
    }

    /// How long it ran.
    #[must_use]
    pub fn running(&self) -> Nanos {
        self.end.since(self.start)
    }

    /// How long it was ready and waited for a slot of the go command.
    #[must_use]
    pub fn waited(&self) -> Nanos {
        self.start.since(self.ready)
    }
}

/// Where a build's graph comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The go command's own action graph, with its times.
    ActionGraph,
    /// The go command's own action graph as written before the build; times are those of the
    /// processes. The go command was killed, or exited early.
    UntimedGraph,
    /// Only command lines and importcfg files: packages that were cached cannot be seen.
    Processes,
}

/// One go command, and what it built.
///
/// Times of actions lie within the go command's life: what its graph says beyond that (its
/// clock is the wall clock, which can be set) is cut.
#[derive(Clone, Debug, PartialEq)]
pub struct Build {
    /// The go command, where its process was seen.
    pub go: Option<ProcessId>,
    /// Its command line (`go build ./...`), or a stand-in.
    pub command: Name,
    /// Where the graph comes from.
    pub origin: Origin,
    /// When the go command began.
    pub start: Nanos,
    /// When it ended.
    pub end: Nanos,
    /// The go command ran inside an action of another one's build (`go generate`, a test).
    pub nested: bool,
    /// Actions that the go command can have under way at once.
    pub slots: u32,
    /// All actions; dependencies need not stand before their dependents. Empty for a go
    /// command that built nothing (`go env`, `go mod download`). There is no circle in them.
    pub actions: Vec<BuildAction>,
    /// Why the build took as long as it did.
    pub critical_path: CriticalPath,
    /// The longest chain of dependent actions: with any number of cores, the build takes that.
    pub longest_chain: Chain,
    /// How well it used the machine.
    pub parallelism: Parallelism,
    /// What the go command did before its first action. Here without its CPU time, for which
    /// samples have to be read: see [`Load::of_all`].
    pub load: Load,
    /// Test binaries that were run.
    pub tests: Vec<TestRun>,
}

/// How well a build used the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Parallelism {
    /// CPU time of the go command and all below it.
    pub cpu: Nanos,
    /// `cpu` / wall time of the build: cores kept busy on average.
    pub cpu_per_wall: f64,
    /// Sum of all actions' running times / wall time: actions under way on average.
    pub actions_per_wall: f64,
    /// Most actions under way at once.
    pub peak: u32,
    /// Sum over all actions of `start − ready`.
    pub slot_wait: Nanos,
    /// Time during which no action was under way.
    pub idle: Nanos,
}

/// What a go command did before its first action: loading packages, downloading modules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// From its start to its first ready action; the whole run, where there was no action.
    pub wall: Nanos,
    /// Time in it during which child processes ran (git, `go list`, compilers asked for their
    /// version).
    pub children: Nanos,
    /// CPU time of the go command itself in it, by samples; `None` without samples.
    pub cpu: Option<Nanos>,
    /// Estimate of the time in it that the go command waited for network or disk:
    /// `wall − children − cpu`, never below zero. It is an upper bound where `cpu` is not known.
    pub waiting: Nanos,
    /// Samples of the go command in code that fetches modules (`net/http`, `crypto/tls`,
    /// `cmd/go/internal/modfetch`): more than zero is evidence of downloads.
    pub fetch_samples: u64,
}

/// One test binary: making it and running it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestRun {
    /// Import path of the tested package.
    pub package: Name,
    /// Running time of the actions that compiled what only this test needs (`p.test`, and `p`
    /// with its test files).
    pub compile: Nanos,
    /// Running time of the action that linked it.
    pub link: Nanos,
    /// Running time of the action that ran it.
    pub run: Nanos,
    /// CPU time of the test binary and its children.
    pub run_cpu: Nanos,
}

impl Build {
    /// From the go command's start to its end.
    #[must_use]
    pub fn wall(&self) -> Nanos {
        self.end.since(self.start)
    }

    /// Looks an action up.
    #[must_use]
    pub fn action(&self, index: ActionIndex) -> Option<&BuildAction> {
        self.actions.get(index.index())
    }

    /// The working action whose end this one really waited for: the last of its dependencies to be
    /// done, those passed over that had nothing to do. An action [unlocks](BuildAction::unlocks) those
    /// that it is this for.
    #[must_use]
    pub fn gate(&self, index: ActionIndex) -> Option<ActionIndex> {
        let last_dep = |&at: &ActionIndex| gating::last_dep(&self.actions, self.action(at)?);
        let mut behind = std::iter::successors(Some(index), last_dep).skip(1);
        behind.find(|&at| self.action(at).is_some_and(BuildAction::works))
    }

    /// All actions with their positions.
    pub fn indexed(&self) -> impl Iterator<Item = (ActionIndex, &BuildAction)> + '_ {
        (0..).map(ActionIndex).zip(&self.actions)
    }
}

/// The builds of a trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Builds {
    /// One for each go command, by start.
    pub builds: Vec<Build>,
    /// The critical path through all of them, see [`CriticalPath`]: from the end of the command
    /// back, what ran between two builds being a segment of its own, and what was built within an
    /// action standing in its place.
    pub critical_path: CriticalPath,
}

impl Builds {
    /// Makes the build graphs of a trace.
    ///
    /// O((processes + actions + dependencies) · log).
    #[must_use]
    pub fn of(trace: &Trace, roles: &Roles) -> Self {
        let mut builds = draft::builds(trace, roles);
        builds.sort_by_key(|build| (build.start, build.go));
        for (index, build) in (0..).zip(&mut builds) {
            build.critical_path = CriticalPath::of_build(index, build);
        }
        let critical_path = CriticalPath::of_command(trace, &builds);
        Self {
            builds,
            critical_path,
        }
    }

    /// The longest build with actions; without any, the longest go command.
    #[must_use]
    pub fn main(&self) -> Option<&Build> {
        self.builds
            .iter()
            .max_by_key(|build| (!build.actions.is_empty(), build.wall()))
    }
}
