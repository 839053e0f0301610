//! Spans of time in, lanes in which they do not overlap out.

use crate::trace::Nanos;
use std::{cmp::Reverse, collections::BinaryHeap};

/// Puts spans (start, end) into as few lanes as hold them without overlap: each into the first
/// lane that is free at its start, of those that start together the longest first. What ends
/// before it starts has no length, and what has no length fits anywhere between others.
///
/// Returns for each lane the positions of its spans, by start. Costs O(spans · log spans).
#[must_use]
pub fn pack(spans: &[(Nanos, Nanos)]) -> Vec<Vec<usize>> {
    let mut order: Vec<(usize, Nanos, Nanos)> = spans
        .iter()
        .enumerate()
        .map(|(position, &(start, end))| (position, start, end.max(start)))
        .collect();
    order.sort_by_key(|&(position, start, end)| (start, start < end, Reverse(end), position));
    let mut lanes: Vec<Vec<usize>> = Vec::new();
    let mut free: BinaryHeap<Reverse<usize>> = BinaryHeap::new();
    let mut busy: BinaryHeap<Reverse<(Nanos, usize)>> = BinaryHeap::new();
    for (position, start, end) in order {
        while let Some(&Reverse((until, lane))) = busy.peek()
            && until <= start
        {
            busy.pop();
            free.push(Reverse(lane));
        }
        let lane = free.pop().map_or(lanes.len(), |Reverse(lane)| lane);
        busy.push(Reverse((end, lane)));
        match lanes.get_mut(lane) {
            Some(spans) => spans.push(position),
            None => lanes.push(vec![position]),
        }
    }
    lanes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spans(of: &[(u64, u64)]) -> Vec<(Nanos, Nanos)> {
        of.iter().map(|&(a, b)| (Nanos(a), Nanos(b))).collect()
    }

    #[test]
    fn spans_of_a_lane_do_not_overlap() {
        let spans = spans(&[(5, 9), (0, 5), (2, 7), (5, 5), (7, 8), (9, 3)]);
        assert_eq!(pack(&spans), [vec![1, 3, 0, 5], vec![2, 4]]);
        assert!(pack(&[]).is_empty());
    }

    #[test]
    fn the_longest_of_those_that_start_together_is_first() {
        let spans = spans(&[(0, 2), (0, 9), (2, 3), (2, 4)]);
        assert_eq!(pack(&spans), [vec![1], vec![0, 3], vec![2]]);
    }

    proptest! {
        /// As many lanes as spans overlap at most, and no lane with two at once.
        #[test]
        fn lanes_are_as_few_as_can_be(
            pairs in proptest::collection::vec((0_u64..40, 1_u64..9), 0..60)
        ) {
            let pairs: Vec<_> = pairs.iter().map(|&(at, long)| (at, at + long)).collect();
            let lanes = pack(&spans(&pairs));
            let most = (0..50).map(|at| {
                pairs.iter().filter(|(from, to)| (*from..*to).contains(&at)).count()
            });
            prop_assert_eq!(lanes.len(), most.max().unwrap());
            prop_assert_eq!(lanes.iter().map(Vec::len).sum::<usize>(), pairs.len());
            for lane in lanes {
                for two in lane.windows(2) {
                    prop_assert!(pairs[two[0]].1 <= pairs[two[1]].0);
                }
            }
        }
    }
}
