//! Processes and actions in, what viewers write on them out.

use crate::analyze::Analysis;
use crate::analyze::build::BuildAction;
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

/// The program of an action that ran longest: what the action is shown by. One whose end was not
/// seen ran to the action's end.
pub(super) fn main_process<'a>(
    analysis: &'a Analysis<'_>,
    action: &BuildAction,
) -> Option<&'a Process> {
    action
        .processes
        .iter()
        .filter_map(|&id| analysis.trace.process(id))
        .max_by_key(|process| {
            let running: Nanos = process.end_or(action.end).since(process.start);
            (running, std::cmp::Reverse(process.id))
        })
}
