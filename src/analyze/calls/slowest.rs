//! The longest calls, with what called them.

use super::lanes::argument_words;
use super::statistics::{Names, process_name, stack_name};
use super::{Call, CallEnd, OpenCall, Trees, Walked, walk};
use crate::analyze::{Analysis, Filter, Name};
use crate::trace::Argument;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// One long call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slow {
    /// The call.
    pub call: Call,
    /// Its function.
    pub function: Name,
    /// Its program.
    pub process: Name,
    /// Its goroutine or thread.
    pub stack: Name,
    /// First argument as text, where it was recorded.
    pub argument: Option<Name>,
    /// The recorded calls around it, innermost first.
    pub callers: Vec<Name>,
}

/// The longest calls that pass a filter, longest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slowest {
    /// The calls.
    pub calls: Vec<Slow>,
    /// What the walk came across.
    pub walked: Walked,
}

impl Slowest {
    /// Reads all calls once, and keeps `most` of them; reads all call trees once, to tell how many programs have them.
    #[must_use]
    pub fn of(analysis: &Analysis<'_>, filter: &Filter, most: usize) -> Self {
        let names = Names::of(analysis);
        // The shortest of those that are kept is on top. `seen` makes ties go to the first.
        let mut kept: BinaryHeap<Reverse<(u64, Reverse<u64>, usize)>> = BinaryHeap::new();
        let mut calls: Vec<(Call, Vec<OpenCall>)> = Vec::new();
        let mut seen = 0_u64;
        let walked = walk(analysis, filter, |call, callers| {
            if call.how == CallEnd::Instant || most == 0 {
                return;
            }
            seen += 1;
            let rank = (call.total().0, Reverse(seen));
            let slot = if calls.len() < most {
                calls.push((*call, callers.to_vec()));
                calls.len() - 1
            } else {
                match kept.peek() {
                    Some(Reverse((least, last, slot))) if (*least, *last) < rank => {
                        let slot = *slot;
                        kept.pop();
                        calls[slot] = (*call, callers.to_vec());
                        slot
                    }
                    _ => return,
                }
            };
            kept.push(Reverse((rank.0, rank.1, slot)));
        });
        let mut order: Vec<_> = kept.into_iter().map(|Reverse(rank)| rank).collect();
        order.sort_unstable_by(|a, b| b.cmp(a));
        let slow = order.into_iter().map(|(_, _, slot)| {
            let (call, callers) = &calls[slot];
            let argument = call.argument.map(|argument| {
                let words = argument_words(analysis.trace, call.probe, argument);
                Name::from(match argument {
                    Argument::Integer(_) => words,
                    Argument::Text(_) => format!("{words:?}"),
                })
            });
            Slow {
                call: *call,
                function: names.function(call.probe),
                process: Name::from(process_name(analysis, call.process)),
                stack: Name::from(stack_name(call.stack, call.tid.0)),
                argument,
                callers: callers
                    .iter()
                    .rev()
                    .map(|open| names.function(open.probe))
                    .collect(),
            }
        });
        let trees = Trees::of(analysis, filter);
        Self {
            calls: slow.collect(),
            walked: Walked {
                added_up: trees.shown(),
                cut: trees.cut(),
                ..walked
            },
        }
    }
}
