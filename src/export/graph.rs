//! A build in; which actions are shown, in which lanes, and the arrows between them out.

use crate::analyze::build::{ActionIndex, Build, BuildAction, SegmentKind};
use crate::analyze::lanes;
use crate::trace::Nanos;

/// The actions that were begun, in lanes in which they do not overlap.
pub(super) fn action_lanes(build: &Build) -> Vec<Vec<(ActionIndex, &BuildAction)>> {
    let shown: Vec<_> = begun(build).collect();
    into_lanes(&shown, |action| (action.start, action.end))
}

/// Name of a lane of waiting actions.
const WAITING: &str = "ready, waiting for a slot";

/// Lanes of waiting actions that are shown at most. Thousands of actions can be ready at once: a
/// viewer with a track for each shows nothing, and how many wait is a counter, too.
const MOST_WAIT_LANES: usize = 32;

/// A lane of waiting actions, and its name.
pub(super) type WaitLane<'b> = (String, Vec<(ActionIndex, &'b BuildAction)>);

/// The actions that were ready and waited for a slot, in lanes of those times: at most
/// [`MOST_WAIT_LANES`]. The last one's name says how many waits are in none.
pub(super) fn wait_lanes(build: &Build) -> Vec<WaitLane<'_>> {
    let waiting: Vec<_> = waiting(build).collect();
    let mut lanes = into_lanes(&waiting, |action| (action.ready, action.start));
    let left_out = lanes.split_off(MOST_WAIT_LANES.min(lanes.len()));
    let left_out: usize = left_out.iter().map(Vec::len).sum();
    let named = lanes.into_iter().map(|lane| (WAITING.to_owned(), lane));
    let mut named: Vec<_> = named.collect();
    if let (Some((name, _)), 1..) = (named.last_mut(), left_out) {
        *name = format!("{WAITING} ({left_out} more are not shown)");
    }
    named
}

fn waiting(build: &Build) -> impl Iterator<Item = (ActionIndex, &BuildAction)> {
    begun(build).filter(|(_, action)| action.waited() > Nanos::ZERO)
}

/// When each action waited for a slot.
pub(super) fn wait_spans(build: &Build) -> impl Iterator<Item = (Nanos, Nanos)> + '_ {
    waiting(build).map(|(_, action)| (action.ready, action.start))
}

/// When each action was under way.
pub(super) fn spans(build: &Build) -> impl Iterator<Item = (Nanos, Nanos)> + '_ {
    begun(build).map(|(_, action)| (action.start, action.end))
}

fn begun(build: &Build) -> impl Iterator<Item = (ActionIndex, &BuildAction)> {
    build.indexed().filter(|(_, action)| action.begun())
}

fn into_lanes<'b>(
    actions: &[(ActionIndex, &'b BuildAction)],
    span: impl Fn(&BuildAction) -> (Nanos, Nanos),
) -> Vec<Vec<(ActionIndex, &'b BuildAction)>> {
    let spans: Vec<_> = actions.iter().map(|(_, action)| span(action)).collect();
    let lane = |rows: Vec<usize>| {
        rows.into_iter()
            .filter_map(|row| actions.get(row).copied())
            .collect()
    };
    lanes::pack(&spans).into_iter().map(lane).collect()
}

/// Actions on a build's critical path, by their position.
pub(super) fn critical_actions(build: &Build) -> Vec<bool> {
    let mut critical = vec![false; build.actions.len()];
    for segment in &build.critical_path.segments {
        if let SegmentKind::Running(index) = segment.kind
            && let Some(critical) = critical.get_mut(index.index())
        {
            *critical = true;
        }
    }
    critical
}

/// An arrow from an action to one that needed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrow {
    /// Number of the arrow, unique within its build and never zero.
    pub(super) id: u32,
    /// What had to be done before.
    pub(super) from: ActionIndex,
    /// What needed it.
    pub(super) to: ActionIndex,
}

/// An arrow for each dependency whose two ends are shown and lie in the order of time: readers
/// cannot follow one that goes back.
pub(super) fn arrows(build: &Build) -> impl Iterator<Item = Arrow> + '_ {
    let shown = |index| build.action(index).filter(|action| action.begun());
    build
        .indexed()
        .flat_map(|(to, action)| action.deps.iter().map(move |&from| (from, to)))
        .zip(1..)
        .filter(move |&((from, to), _)| match (shown(from), shown(to)) {
            (Some(from), Some(to)) => from.start <= to.start,
            _ => false,
        })
        .map(|((from, to), id)| Arrow { id, from, to })
}
