//! What a go command did before its first action.

use super::{BuildAction, Load, draft::Command, measure};
use crate::{
    analyze::{Analysis, filter},
    trace::{FrameId, Nanos, SampleKind, StackId, Trace},
};
use rustc_hash::FxHashMap;

/// Packages of the go command, and of what it uses, whose code runs only to fetch modules.
const FETCHING: [&str; 3] = ["net/http.", "crypto/tls.", "cmd/go/internal/modfetch"];
/// Runs what each package does before `main` (`runtime/proc.go`), which fetches nothing.
const INITIALIZING: &str = "runtime.doInit1";

impl Load {
    /// All but what samples tell.
    pub(super) fn before_actions(command: &Command<'_>, actions: &[BuildAction]) -> Self {
        let begun = actions.iter().filter(|action| action.begun());
        let first = begun.map(|action| action.ready).min();
        let end = first.unwrap_or(command.end);
        let wall = end.since(command.start);
        let lives = command.members.iter().filter_map(|&id| {
            let process = command.trace.process(id)?;
            let life = (
                process.start.max(command.start),
                process.end_or(command.end).min(end),
            );
            (life.0 < life.1).then_some(life)
        });
        let children = measure::union(lives.collect());
        Self {
            wall,
            children,
            cpu: None,
            waiting: wall.since(children),
            fetch_samples: 0,
        }
    }

    /// The load phases of all builds with what samples tell of them, in the order of
    /// [`super::Builds::builds`]. Reads all samples once.
    #[must_use]
    pub fn of_all(analysis: &Analysis<'_>) -> Vec<Self> {
        let builds = &analysis.builds.builds;
        let mut by_go = FxHashMap::default();
        for (index, build) in builds.iter().enumerate() {
            if let Some(go) = build.go {
                by_go.insert(go, index);
            }
        }
        let fetching = fetching_stacks(analysis.trace);
        let mut seen: Vec<Option<Seen>> = vec![None; builds.len()];
        filter::walk(analysis.trace, |sample| {
            let Some(&index) = by_go.get(&sample.process) else {
                return;
            };
            let seen = seen[index].get_or_insert_default();
            seen.fetches += u64::from(fetching.get(sample.stack.index()) == Some(&true));
            let load_end = builds[index].start + builds[index].load.wall;
            if sample.kind == SampleKind::OnCpu && sample.time <= load_end {
                seen.cpu += sample.weight;
            }
        });
        let loads = builds.iter().map(|build| build.load).zip(seen);
        loads
            .map(|(load, seen)| seen.map_or(load, |seen| load.with_samples(seen)))
            .collect()
    }

    fn with_samples(self, seen: Seen) -> Self {
        Self {
            cpu: Some(seen.cpu),
            waiting: self.wall.since(self.children + seen.cpu),
            fetch_samples: seen.fetches,
            ..self
        }
    }
}

/// What the samples of one go command tell.
#[derive(Clone, Copy, Default)]
struct Seen {
    /// On-CPU time in the load phase.
    cpu: Nanos,
    /// Samples in code that fetches modules.
    fetches: u64,
}

/// For each stack, whether a function of [`FETCHING`] is in it that was not called to initialize a package.
fn fetching_stacks(trace: &Trace) -> Vec<bool> {
    let fetches = frames_of(trace, |name| {
        FETCHING
            .iter()
            .any(|package| name.starts_with(package.as_bytes()))
    });
    let initializes = frames_of(trace, |name| name == INITIALIZING.as_bytes());
    let mut stacks = vec![Told::Nothing; trace.stacks.len()];
    // Callers stand before their callees in the table.
    for (index, id) in (0..).map(StackId).enumerate().take(stacks.len()) {
        if let Some((callers, frame)) = trace.stacks.node(id) {
            stacks[index] = match stacks[callers.index()] {
                Told::Nothing if initializes(frame) => Told::Initializes,
                Told::Nothing if fetches(frame) => Told::Fetches,
                told => told,
            };
        }
    }
    stacks.iter().map(|told| *told == Told::Fetches).collect()
}

/// What the outermost frame that tells anything tells of a stack.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Fetches,
    Initializes,
}

/// Whether a frame, or what was inlined into it, is one of the functions with such names.
fn frames_of(trace: &Trace, wanted: impl Fn(&[u8]) -> bool) -> impl Fn(FrameId) -> bool {
    let names = trace.functions.iter();
    let functions: Vec<bool> = names
        .map(|function| wanted(trace.strings.get(function.name)))
        .collect();
    move |frame| {
        let names = trace.symbol(frame).unwrap_or_default();
        names
            .iter()
            .any(|location| functions.get(location.function.index()) == Some(&true))
    }
}
