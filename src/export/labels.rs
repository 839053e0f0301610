//! Processes in, what viewers write on them out.

use crate::analyze::Analysis;
use crate::trace::ProcessId;

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
