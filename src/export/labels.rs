//! Processes, actions and segments of the critical path in, what viewers write on them out.

use crate::analyze::Analysis;
use crate::analyze::build::{Build, BuildAction, Segment, SegmentKind};
use crate::trace::{Nanos, Process, ProcessId};

/// `compile fmt`: the tool, and the package it worked for where that is known.
pub(super) fn process(analysis: &Analysis<'_>, id: ProcessId) -> String {
    let Some(role) = analysis.roles.get(id) else {
        return String::new();
    };
    match &role.package {
        Some(package) => format!("{} {package}", role.tool.name()),
        None => role.tool.name().to_owned(),
    }
}

/// `compile fmt`: what the action does, and for which package where it is about one.
pub(super) fn action(action: &BuildAction) -> String {
    if action.package.is_empty() {
        action.mode.to_string()
    } else {
        format!("{} {}", action.kind.name(), action.package)
    }
}

/// What a piece of the critical path was.
pub(super) fn segment(analysis: &Analysis<'_>, segment: &Segment) -> String {
    let build = analysis.builds.builds.get(segment.build as usize);
    let name = |index| {
        build
            .and_then(|build: &Build| build.action(index))
            .map_or_else(String::new, action)
    };
    match segment.kind {
        SegmentKind::Running(index) => name(index),
        SegmentKind::Waiting(index) => format!("waiting for a slot: {}", name(index)),
        SegmentKind::Load => "go: load".to_owned(),
        SegmentKind::GoItself => "go itself".to_owned(),
        SegmentKind::Outside => "outside of go".to_owned(),
    }
}

/// The program of an action that ran longest: what the action is shown by.
pub(super) fn main_process<'a>(
    analysis: &'a Analysis<'_>,
    action: &BuildAction,
) -> Option<&'a Process> {
    let end = analysis.trace.end();
    action
        .processes
        .iter()
        .filter_map(|&id| analysis.trace.process(id))
        .max_by_key(|process| {
            let running: Nanos = process.end_or(end).since(process.start);
            (running, std::cmp::Reverse(process.id))
        })
}
