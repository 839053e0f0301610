//! Why a build took as long as it did: the critical path, and the longest chain.

use super::ActionIndex;
use crate::trace::Nanos;

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
