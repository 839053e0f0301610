//! Spans of time in, how many are under way at once out.

use crate::trace::Nanos;

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
