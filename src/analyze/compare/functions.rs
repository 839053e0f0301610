//! Functions of each kind of program by samples and by calls, under names that hold on every architecture.

use super::key::{Measure, Subject};
use super::run::Run;
use super::samples::Sampled;
use crate::analyze::calls::{self, CallEnd, FunctionSum, Trees};
use crate::analyze::profile::Functions;
use crate::analyze::{Analysis, Filter, Name, portable};
use crate::trace::{Probe, ProbeId, ProcessId, StringId};
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::collections::BTreeSet;

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

/// Adds how often every watched function was called, and how long that took. Reads all calls once, and all call trees
/// twice.
pub(super) fn add_calls(analysis: &Analysis<'_>, run: &mut Run) {
    let trace = analysis.trace;
    let name = |probe: ProbeId| {
        let function = trace
            .probe(probe)
            .map(|probe| trace.strings.get(probe.function));
        Name::from(&*portable_bytes(function.unwrap_or_default()))
    };
    let asked = |probe: &&Probe| probe.set == StringId::EMPTY;
    let asked_for: BTreeSet<ProbeId> = trace.probes.iter().filter(asked).map(|p| p.id).collect();
    if asked_for.is_empty() {
        return;
    }
    run.called = asked_for.iter().map(|&probe| name(probe)).collect();
    let mut sums: FxHashMap<(ProcessId, ProbeId), FunctionSum> = FxHashMap::default();
    let filter = Filter {
        named: true,
        ..Filter::default()
    };
    let trees = Trees::of(analysis, &filter);
    trees.walk(|tree| {
        let functions = tree.functions().into_iter();
        sums.extend(functions.map(|(probe, sum)| ((tree.process.id, probe), sum)));
    });
    calls::walk_beside(&trees, analysis, &filter, |call, _| {
        let sum = sums.entry((call.process, call.probe)).or_default();
        sum.calls = sum.calls.saturating_add(1);
        if !call.recursive && call.how != CallEnd::Instant {
            sum.total += call.total();
        }
    });
    for ((process, probe), sum) in sums {
        let Some(role) = analysis.roles.get(process) else {
            continue;
        };
        let subject = Subject::Function {
            tool: Name::from(role.tool.name()),
            name: name(probe),
        };
        let count = run.figure(subject.clone(), Measure::Count) + sum.calls as f64;
        run.put(subject.clone(), Measure::Count, count);
        if trace.probe(probe).is_some_and(|probe| probe.exits > 0) {
            let time = run.figure(subject.clone(), Measure::CallTime) + sum.total.0 as f64;
            run.put(subject, Measure::CallTime, time);
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
