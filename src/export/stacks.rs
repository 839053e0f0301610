//! Stacks of samples in, those that a file has to tell of out.

use crate::trace::{FrameId, StackId, Trace};

/// Which stacks of a trace are used, their callers among them.
#[derive(Debug)]
pub(super) struct UsedStacks(Vec<bool>);

impl UsedStacks {
    /// None yet.
    pub(super) fn of(trace: &Trace) -> Self {
        Self(vec![false; trace.stacks.len()])
    }

    /// Uses a stack and all stacks of its callers.
    pub(super) fn mark(&mut self, trace: &Trace, mut stack: StackId) {
        while let Some((callers, _)) = trace.stacks.node(stack) {
            match self.0.get_mut(stack.index()) {
                Some(used) if !*used => *used = true,
                _ => return,
            }
            stack = callers;
        }
    }

    /// The stacks that are used, each with that of its callers and its innermost frame; callers
    /// stand before what they call.
    pub(super) fn nodes<'t>(
        &'t self,
        trace: &'t Trace,
    ) -> impl Iterator<Item = (StackId, StackId, FrameId)> + 't {
        let ids = (0..).map(StackId).zip(&self.0);
        let used = ids.filter(|&(_, &used)| used);
        used.filter_map(|(stack, _)| {
            let (callers, frame) = trace.stacks.node(stack)?;
            Some((stack, callers, frame))
        })
    }
}
