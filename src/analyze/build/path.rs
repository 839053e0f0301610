//! Why a build took as long as it did: the critical path, and the longest chain.

use super::{ActionIndex, Build, BuildAction, gating};
use crate::trace::{Nanos, ProcessId, Trace};
use rustc_hash::FxHashMap;

/// What a piece of the critical path was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SegmentKind {
    /// The action ran.
    Running(ActionIndex),
    /// The action was ready and waited for a slot: the machine, not the graph, was the limit.
    Waiting(ActionIndex),
    /// The go command before its first action: loading packages, downloading modules.
    Load,
    /// The go command between two actions, or after the last one.
    GoItself,
    /// Outside of any go command: the shell, make, other programs.
    Outside,
}

/// A piece of the critical path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Which build of [`super::Builds::builds`]; zero and meaningless for
    /// [`SegmentKind::Outside`].
    pub build: u32,
    /// What it was.
    pub kind: SegmentKind,
    /// When it began.
    pub start: Nanos,
    /// When it ended: the next segment's start.
    pub end: Nanos,
}

impl Segment {
    /// How long it was.
    #[must_use]
    pub fn length(&self) -> Nanos {
        self.end.since(self.start)
    }
}

/// The chain of events that a build's end waited for, from its end back to its start.
///
/// The walk begins at the build's end. What lies after the end of the action that ended last is
/// the go command itself. At an action, its running time is a segment, the time since it was
/// ready is a segment of waiting for a slot, and the walk goes on at that one of its
/// dependencies that ended last; time between that end and the action being ready is the go
/// command itself. At an action without dependencies, what remains is the go command's load
/// phase. So the segments touch each other, and their lengths add up to the wall time exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CriticalPath {
    /// In the order of time. Empty segments are left out.
    pub segments: Vec<Segment>,
    /// Sum of the segments in which an action ran.
    pub running: Nanos,
    /// Sum of the segments in which an action waited for a slot.
    pub waiting: Nanos,
    /// Sum of the segments of the go command itself, the load phase included.
    pub go: Nanos,
    /// Sum of the segments outside of any go command.
    pub outside: Nanos,
}

/// The longest chain of dependent actions, by their measured running times.
///
/// `length(a) = running(a) + max over dependencies d of length(d)`. With as many cores as it
/// likes and the same running times, the build's actions cannot be done sooner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// Sum of the running times.
    pub length: Nanos,
    /// The actions, first to last. Those that took no time are left out.
    pub actions: Vec<ActionIndex>,
}

/// Go commands nest a few deep; the bound only ends a circle in a damaged trace.
const MOST_NESTED: usize = 100;

/// Puts segments together from the end to the start; they always touch each other.
struct Walk {
    build: u32,
    /// Latest first.
    segments: Vec<Segment>,
    /// Where the walk has come to.
    at: Nanos,
}

impl Walk {
    /// Goes back to `to`; forward is nowhere.
    fn back_to(&mut self, to: Nanos, kind: SegmentKind) {
        if to < self.at {
            self.segments.push(Segment {
                build: self.build,
                kind,
                start: to,
                end: self.at,
            });
            self.at = to;
        }
    }
}

/// By how much go commands that run one after the other may seem to overlap: without rights their
/// starts are known to a clock tick, which is 10 ms, and their ends from when they are seen.
const BLUR: Nanos = Nanos(20_000_000);

/// The builds within actions of others, by their go command.
type Nested = FxHashMap<ProcessId, usize>;

impl Walk {
    /// Goes back through a build, from its end to its start, and through those within it.
    fn through(&mut self, builds: &[Build], nested: &Nested, build: &Build, depth: usize) {
        for segment in build.critical_path.segments.iter().rev() {
            if let SegmentKind::Running(action) = segment.kind
                && let Some(action) = build.action(action)
                && depth < MOST_NESTED
            {
                let within = action.processes.iter().filter_map(|go| nested.get(go));
                let mut within: Vec<&Build> = within
                    .filter_map(|&index| builds.get(index))
                    .filter(|inner| !inner.actions.is_empty() && segment.start <= inner.start)
                    .collect();
                within.sort_by_key(|inner| std::cmp::Reverse((inner.end, inner.start)));
                for inner in within {
                    if inner.end <= self.at && inner.start < self.at {
                        self.build = segment.build;
                        self.back_to(inner.end, segment.kind);
                        self.through(builds, nested, inner, depth + 1);
                    }
                }
            }
            self.build = segment.build;
            self.back_to(segment.start, segment.kind);
        }
    }
}

impl CriticalPath {
    /// Walks a build back from its end; `index` is its place among the builds.
    pub(super) fn of_build(index: u32, build: &Build) -> Self {
        let mut walk = Walk {
            build: index,
            segments: Vec::new(),
            at: build.end,
        };
        let last = build.indexed().filter(|(_, action)| action.begun());
        let mut next = last
            .max_by_key(|(index, action)| (action.end, std::cmp::Reverse(*index)))
            .map(|(index, _)| index);
        while let Some((index, action)) = next.and_then(|i| Some((i, build.action(i)?))) {
            walk.back_to(action.end, SegmentKind::GoItself);
            walk.back_to(action.start, SegmentKind::Running(index));
            walk.back_to(action.ready, SegmentKind::Waiting(index));
            next = gating::last_dep(&build.actions, action);
        }
        walk.back_to(build.start, SegmentKind::Load);
        Self::from_latest_first(walk.segments)
    }

    /// Walks the whole command back: the build that ended last; what ran before it outside of
    /// builds; of the builds that had ended by then, the one that ended last; and so on. Where an
    /// action on the path ran go commands (`go generate`, a test), so it goes on through what
    /// these built. Builds that ran beside those are not on the path.
    pub(super) fn of_command(trace: &Trace, builds: &[Build]) -> Self {
        let start = trace.processes.iter().filter(|process| !process.own);
        let start = start.map(|process| process.start).min().unwrap_or_default();
        let end = trace.command_end();
        let mut walk = Walk {
            build: 0,
            segments: Vec::new(),
            at: end,
        };
        let nested = builds.iter().enumerate().filter(|(_, build)| build.nested);
        let nested = nested
            .filter_map(|(index, build)| Some((build.go?, index)))
            .collect();
        let mut by_end: Vec<&Build> = builds.iter().filter(|build| !build.nested).collect();
        by_end.sort_by_key(|build| std::cmp::Reverse((build.end, build.start)));
        for build in by_end {
            if build.end <= walk.at + BLUR && build.start < walk.at {
                walk.build = 0;
                walk.back_to(build.end, SegmentKind::Outside);
                walk.through(builds, &nested, build, 0);
            }
        }
        walk.build = 0;
        walk.back_to(start, SegmentKind::Outside);
        Self::from_latest_first(walk.segments)
    }

    fn from_latest_first(mut segments: Vec<Segment>) -> Self {
        segments.reverse();
        let mut path = Self::default();
        for segment in &segments {
            let sum = match segment.kind {
                SegmentKind::Running(_) => &mut path.running,
                SegmentKind::Waiting(_) => &mut path.waiting,
                SegmentKind::Load | SegmentKind::GoItself => &mut path.go,
                SegmentKind::Outside => &mut path.outside,
            };
            *sum += segment.length();
        }
        path.segments = segments;
        path
    }

    /// The `most` longest segments, in the order of time; of equally long ones, the first.
    #[must_use]
    pub fn longest(&self, most: usize) -> Vec<Segment> {
        let mut longest = self.segments.clone();
        longest.sort_by_key(|segment| std::cmp::Reverse(segment.length()));
        longest.truncate(most);
        longest.sort_by_key(|segment| segment.start);
        longest
    }

    /// When the command, or the build, began; zero where nothing took any time.
    #[must_use]
    pub fn start(&self) -> Nanos {
        let first = self.segments.first();
        first.map_or(Nanos::ZERO, |segment| segment.start)
    }

    /// From the first segment's start to the last one's end.
    #[must_use]
    pub fn wall(&self) -> Nanos {
        match (self.segments.first(), self.segments.last()) {
            (Some(first), Some(last)) => last.end.since(first.start),
            _ => Nanos::ZERO,
        }
    }
}

impl Chain {
    /// Follows the formula; `order` has dependencies first. Of equally long chains, the one
    /// through the actions that stand first.
    pub(super) fn longest(actions: &[BuildAction], order: &[ActionIndex]) -> Self {
        let mut lengths = vec![Nanos::ZERO; actions.len()];
        let mut before: Vec<Option<ActionIndex>> = vec![None; actions.len()];
        for &index in order {
            let action = &actions[index.index()];
            let dep = action.deps.iter().copied();
            let dep = dep.max_by_key(|dep| (lengths[dep.index()], std::cmp::Reverse(*dep)));
            before[index.index()] = dep;
            lengths[index.index()] =
                action.running() + dep.map_or(Nanos::ZERO, |dep| lengths[dep.index()]);
        }
        let last = order.iter().copied();
        let last = last.max_by_key(|index| (lengths[index.index()], std::cmp::Reverse(*index)));
        let mut chain: Vec<_> = std::iter::successors(last, |index| before[index.index()])
            .filter(|index| actions[index.index()].running() > Nanos::ZERO)
            .collect();
        chain.reverse();
        Self {
            length: last.map_or(Nanos::ZERO, |index| lengths[index.index()]),
            actions: chain,
        }
    }
}
