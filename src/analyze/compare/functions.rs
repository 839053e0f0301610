//! Functions of each kind of program by samples, under names that hold on every architecture.

use super::key::{Measure, Subject};
use super::run::Run;
use super::samples::Sampled;
use crate::analyze::profile::Functions;
use crate::analyze::{Analysis, portable};
use std::borrow::Cow;

/// Adds every function's own and total samples.
pub(super) fn add_to(analysis: &Analysis<'_>, sampled: &Sampled, run: &mut Run) {
    let trace = analysis.trace;
    let functions = Functions::keyed(trace, |name, _| (portable_bytes(name), &[]));
    for (id, tool) in sampled.tools.iter().enumerate() {
        let Some(own) = sampled.of_tool(id) else {
            continue;
        };
        for row in functions.clone().rank(trace, &own) {
            let subject = Subject::Function {
                tool: tool.clone(),
                name: row.name,
            };
            run.put(subject.clone(), Measure::Own, row.own.time.0 as f64);
            run.put(subject, Measure::Total, row.total.time.0 as f64);
        }
    }
}

/// The same bytes where they are no text.
fn portable_bytes(name: &[u8]) -> Cow<'_, [u8]> {
    match std::str::from_utf8(name).map(portable) {
        Ok(Cow::Borrowed(text)) => Cow::Borrowed(text.as_bytes()),
        Ok(Cow::Owned(text)) => Cow::Owned(text.into_bytes()),
        Err(_) => Cow::Borrowed(name),
    }
}
