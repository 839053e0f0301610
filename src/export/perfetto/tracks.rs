//! The tracks of a file: their numbers and their places in the tree.

use super::proto::{ChildTracksOrdering, CounterDescriptor, CounterUnit, TrackDescriptor};
use crate::trace::Pid;

/// A track that is not a thread's. Its number is the same in every export of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Track {
    /// What is said of the recording: settings, losses, blind spots.
    Recording,
    /// The critical path through the whole command.
    CriticalPath,
    /// All that belongs to one build, by its position.
    Build(u32),
    /// One lane of a build's actions.
    Actions(u32, u32),
    /// One lane of a build's actions while they wait for a slot.
    Waits(u32, u32),
    /// A counter, by position.
    Counter(u32),
    /// A process of the operating system.
    Process(Pid),
    /// The programs that a process ran one after the other.
    Programs(Pid),
    /// A thread, by the order in which they are declared.
    Thread(u32),
    /// The phases of a process.
    Phases(Pid),
    /// The phases that go on beside those.
    Beside(Pid),
    /// A goroutine, or a stack that is none's, by the order in which they are declared.
    Lane(u32),
    /// What the goroutine of a lane does: run, wait.
    State(u32),
    /// What the dynamic loader of a process does.
    Linking(Pid),
}

impl Track {
    /// The track's number in the file: its kind in the topmost byte.
    pub(super) fn uuid(self) -> u64 {
        let lane =
            |build: u32, lane: u32| (u64::from(build) << 32 & 0xff_ffff << 32) | u64::from(lane);
        let (kind, within) = match self {
            Self::Recording => (1, 0),
            Self::CriticalPath => (2, 0),
            Self::Build(build) => (3, build.into()),
            Self::Actions(build, index) => (4, lane(build, index)),
            Self::Waits(build, index) => (5, lane(build, index)),
            Self::Counter(index) => (6, index.into()),
            Self::Process(pid) => (7, pid.0.into()),
            Self::Programs(pid) => (8, pid.0.into()),
            Self::Thread(index) => (9, index.into()),
            Self::Phases(pid) => (10, pid.0.into()),
            Self::Beside(pid) => (11, pid.0.into()),
            Self::Lane(index) => (12, index.into()),
            Self::State(index) => (13, index.into()),
            Self::Linking(pid) => (14, pid.0.into()),
        };
        (kind << 56) | within
    }

    /// A track at the top of the tree, `rank` from above.
    pub(super) fn top(self, name: impl Into<String>, rank: i32) -> TrackDescriptor {
        TrackDescriptor {
            uuid: Some(self.uuid()),
            name: Some(name.into()),
            child_ordering: Some(ChildTracksOrdering::Explicit.into()),
            sibling_order_rank: Some(rank),
            ..TrackDescriptor::default()
        }
    }

    /// A track below another one, `rank` from above.
    pub(super) fn below(self, parent: Self, name: impl Into<String>, rank: i32) -> TrackDescriptor {
        TrackDescriptor {
            uuid: Some(self.uuid()),
            parent_uuid: Some(parent.uuid()),
            name: Some(name.into()),
            sibling_order_rank: Some(rank),
            ..TrackDescriptor::default()
        }
    }

    /// A counter; its unit follows from the end of its name.
    pub(super) fn counter(self, name: &str) -> TrackDescriptor {
        let unit = if name.ends_with("_bytes") {
            CounterUnit::SizeBytes
        } else if name.ends_with("_ns") {
            CounterUnit::TimeNs
        } else {
            CounterUnit::Count
        };
        TrackDescriptor {
            uuid: Some(self.uuid()),
            name: Some(name.to_owned()),
            counter: Some(CounterDescriptor {
                unit: Some(unit.into()),
                unit_name: None,
            }),
            ..TrackDescriptor::default()
        }
    }
}
