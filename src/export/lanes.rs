//! Spans of time in, lanes in which they do not overlap out.

use crate::trace::Nanos;

/// Puts spans (start, end) into as few lanes as hold them without overlap.
///
/// Returns for each lane the positions of its spans, by start. Spans of no length fit anywhere
/// between others. Costs O(spans · lanes).
pub(super) fn pack(spans: &[(Nanos, Nanos)]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..spans.len()).collect();
    let span = |position: usize| spans.get(position).copied().unwrap_or_default();
    order.sort_by_key(|&position| (span(position), position));
    let mut lanes: Vec<(Nanos, Vec<usize>)> = Vec::new();
    for position in order {
        let (start, end) = span(position);
        match lanes.iter_mut().find(|(free_from, _)| *free_from <= start) {
            Some((free_from, lane)) => {
                *free_from = end.max(start);
                lane.push(position);
            }
            None => lanes.push((end.max(start), vec![position])),
        }
    }
    lanes.into_iter().map(|(_, lane)| lane).collect()
}

/// How many spans are under way from each moment on at which that changes, by time.
pub(super) fn under_way(spans: &[(Nanos, Nanos)]) -> Vec<(Nanos, i64)> {
    let mut changes: Vec<(Nanos, i64)> = spans
        .iter()
        .filter(|(start, end)| end > start)
        .flat_map(|&(start, end)| [(start, 1), (end, -1)])
        .collect();
    changes.sort_unstable();
    let mut now = 0;
    let mut levels: Vec<(Nanos, i64)> = Vec::new();
    for (time, change) in changes {
        now += change;
        match levels.last_mut() {
            Some(last) if last.0 == time => last.1 = now,
            _ => levels.push((time, now)),
        }
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn levels_change_where_spans_begin_and_end() {
        let spans = spans(&[(0, 5), (2, 7), (5, 9), (3, 3)]);
        let level = |time, count| (Nanos(time), count);
        assert_eq!(
            under_way(&spans),
            [
                level(0, 1),
                level(2, 2),
                level(5, 2),
                level(7, 1),
                level(9, 0)
            ]
        );
    }
}
