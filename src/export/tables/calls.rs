//! Tables of watched functions and of their calls.

use super::field::{optional_text, optional_unsigned, text, truth, unsigned};
use super::{Definition, walk_all};
use crate::analyze::Filter;
use crate::analyze::calls::{self, Call, CallEnd, CallSum, Trees};
use crate::export::words;
use crate::trace::{Argument, Probe, ProcessId};

pub(super) static PROBES: Definition<Probe> = Definition {
    name: "probes",
    fields: &[
        unsigned("probe", |_, probe| probe.id.0.into()),
        unsigned("image", |_, probe| probe.image.0.into()),
        text("function", |of, probe| of.trace().text(probe.function)),
        optional_text("file", |of, probe| of.present(probe.file)),
        text("offset", |_, probe| format!("{:#x}", probe.entry.0).into()),
        text("instruction", |of, probe| {
            of.trace().text(probe.instruction)
        }),
        unsigned("entry_cost_ns", |_, probe| probe.entry_cost.0),
        unsigned("exits", |_, probe| probe.exits.into()),
        unsigned("exit_cost_ns", |_, probe| probe.exit_cost.0),
        optional_text("set", |of, probe| of.present(probe.set)),
        optional_text("track", |of, probe| of.present(probe.phase?.track)),
        optional_text("phase", |of, probe| of.present(probe.phase?.phase)),
    ],
    walk: |of, each| walk_all(&of.trace().probes, each),
};

pub(super) static CALLS: Definition<Call> = Definition {
    name: "calls",
    fields: &[
        unsigned("probe", |_, call| call.probe.0.into()),
        text("function", |of, call| {
            let probe = of.trace().probe(call.probe);
            of.trace()
                .text(probe.map(|probe| probe.function).unwrap_or_default())
        }),
        unsigned("process", |_, call| call.process.0.into()),
        unsigned("tid", |_, call| call.tid.0.into()),
        text("stack_of", |_, call| words::stack_owner(call.stack).into()),
        optional_unsigned("goroutine", |_, call| Some(call.stack.goroutine()?.0)),
        unsigned("start_ns", |_, call| call.begin.0),
        optional_unsigned("total_ns", |_, call| {
            has_times(call).then(|| call.total().0)
        }),
        optional_unsigned("self_ns", |_, call| has_times(call).then(|| call.own().0)),
        text("end", |_, call| words::call_end(call.how).into()),
        optional_text("argument_integer", |of, call| match call.argument? {
            Argument::Integer(word) => {
                let kind = of.trace().probe(call.probe)?.argument;
                Some(kind.number(word).to_string().into())
            }
            Argument::Text(_) => None,
        }),
        optional_text("argument_text", |of, call| match call.argument? {
            Argument::Text(id) => Some(of.trace().text(id)),
            Argument::Integer(_) => None,
        }),
    ],
    walk: |of, each| {
        let mut result = Ok(());
        let walked = calls::walk(of.analysis, &Filter::default(), |call, _| {
            if result.is_ok() {
                result = each(call);
            }
        });
        result.map(|()| walked.unreadable_blocks)
    },
};

/// A row of [`CALL_TREES`].
pub(super) struct TreeRow {
    process: ProcessId,
    /// Position in the tree of its program.
    node: u32,
    level: u32,
    /// Exits were asked for.
    timed: bool,
    sum: CallSum,
}

pub(super) static CALL_TREES: Definition<TreeRow> = Definition {
    name: "call_trees",
    fields: &[
        unsigned("process", |_, row| row.process.0.into()),
        unsigned("node", |_, row| row.node.into()),
        optional_unsigned("caller", |_, row| row.sum.caller.map(u64::from)),
        unsigned("level", |_, row| row.level.into()),
        unsigned("probe", |_, row| row.sum.probe.0.into()),
        text("function", |of, row| {
            let probe = of.trace().probe(row.sum.probe);
            of.trace()
                .text(probe.map(|probe| probe.function).unwrap_or_default())
        }),
        unsigned("calls", |_, row| row.sum.calls),
        unsigned("no_exit", |_, row| row.sum.no_exit),
        optional_unsigned("total_ns", |_, row| row.timed.then_some(row.sum.total.0)),
        optional_unsigned("self_ns", |_, row| row.timed.then_some(row.sum.own.0)),
        truth("recursive", |_, row| row.sum.recursive),
    ],
    walk: |of, each| {
        let mut result = Ok(());
        let walked = Trees::of(of.analysis, &Filter::default()).walk(|tree| {
            let mut levels: Vec<u32> = Vec::with_capacity(tree.sums.len());
            for (sum, node) in tree.sums.iter().zip(0..) {
                let above = sum.caller.and_then(|at| levels.get(at as usize));
                let level = above.map_or(0, |above| above.saturating_add(1));
                levels.push(level);
                let exits = of.trace().probe(sum.probe).map_or(0, |probe| probe.exits);
                if result.is_ok() {
                    result = each(&TreeRow {
                        process: tree.process.id,
                        node,
                        level,
                        timed: exits > 0,
                        sum: *sum,
                    });
                }
            }
        });
        result.map(|()| walked.unreadable_blocks)
    },
};

/// Where only entries were asked for there are none.
fn has_times(call: &Call) -> bool {
    call.how != CallEnd::Instant
}
