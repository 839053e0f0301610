//! Values by stack and by a group that stacks are told apart by: a program, a tool.
//!
//! Hardly a stack is of more than one group. So the first one of each has its place in a list, and only what is of
//! others is hashed: of ten million samples each looks up one place.

use crate::trace::{StackId, Trace};
use rustc_hash::FxHashMap;

/// Values that are all the default at first.
#[derive(Debug)]
pub(super) struct ByStack<T> {
    /// By stack: its first group, with one added to it, and the value there; group 0 for none.
    first: Vec<(u32, T)>,
    others: FxHashMap<(u32, StackId), T>,
}

impl<T: Copy + Default> ByStack<T> {
    pub(super) fn of(trace: &Trace) -> Self {
        Self {
            first: vec![(0, T::default()); trace.stacks.len()],
            others: FxHashMap::default(),
        }
    }

    /// The value of a stack in a group, to be changed.
    pub(super) fn of_mut(&mut self, group: u32, stack: StackId) -> &mut T {
        match self.first.get_mut(stack.index()) {
            Some((of, value)) if *of == 0 || *of == group + 1 => {
                *of = group + 1;
                value
            }
            _ => self.others.entry((group, stack)).or_default(),
        }
    }

    /// The value of a stack in a group.
    pub(super) fn get(&self, group: u32, stack: StackId) -> T {
        match self.first.get(stack.index()) {
            Some((0, _)) => T::default(),
            Some((of, value)) if *of == group + 1 => *value,
            _ => self
                .others
                .get(&(group, stack))
                .copied()
                .unwrap_or_default(),
        }
    }

    /// All values that were asked for, by stack, those of first groups before others.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, StackId, T)> + '_ {
        let first = self.first.iter().zip((0..).map(StackId));
        let first = first.filter(|((of, _), _)| *of > 0);
        let others = self.others.iter();
        first
            .map(|((of, value), stack)| (of - 1, stack, *value))
            .chain(others.map(|((group, stack), value)| (*group, *stack, *value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::FrameId;

    #[test]
    fn a_stack_of_two_groups_has_two_values() {
        let mut trace = Trace::default();
        let stack = trace.stacks.push(StackId::EMPTY, FrameId(0)).unwrap();
        let mut values: ByStack<u32> = ByStack::of(&trace);
        *values.of_mut(7, stack) += 1;
        *values.of_mut(0, stack) += 10;
        *values.of_mut(7, stack) += 1;
        *values.of_mut(0, StackId::EMPTY) += 100;
        assert_eq!([7, 0, 1].map(|group| values.get(group, stack)), [2, 10, 0]);
        assert_eq!(values.get(7, StackId::EMPTY), 0);
        let all: Vec<_> = values.iter().collect();
        assert_eq!(
            all,
            [(0, StackId::EMPTY, 100), (7, stack, 2), (0, stack, 10)]
        );
    }

    /// An id of a damaged trace has a value of its own, too.
    #[test]
    fn a_stack_that_the_trace_does_not_have_is_none_of_the_list() {
        let mut values: ByStack<u32> = ByStack::of(&Trace::default());
        *values.of_mut(1, StackId(9)) += 1;
        assert_eq!(values.get(1, StackId(9)), 1);
    }
}
