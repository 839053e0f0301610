//! Labels that want to stand where their lines end, and must not lie on each other.

/// Puts labels, ascending by where they want to be, at least `gap` apart and between `top` and
/// `bottom`, each as near to its place as the others let it be (least squares). Where they do not
/// fit they reach below `bottom`.
pub(super) fn spread(wanted: &[f64], gap: f64, top: f64, bottom: f64) -> Vec<f64> {
    // Less the room that those above take, places need only be ascending: blocks of such that are
    // not take their mean (the pool of adjacent violators).
    let room = |at: usize| at as f64 * gap;
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for (at, place) in wanted.iter().enumerate() {
        let mut block = (place - room(at), 1);
        while let Some(&(mean, count)) = blocks.last()
            && mean >= block.0
        {
            let (sum, all) = (
                mean * count as f64 + block.0 * block.1 as f64,
                count + block.1,
            );
            block = (sum / all as f64, all);
            blocks.pop();
        }
        blocks.push(block);
    }
    let last = (bottom - room(wanted.len().saturating_sub(1))).max(top);
    let places = blocks
        .into_iter()
        .flat_map(|(mean, count)| std::iter::repeat_n(mean.clamp(top, last), count));
    places
        .enumerate()
        .map(|(at, place)| place + room(at))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn labels_stay_where_there_is_room_and_share_where_there_is_none() {
        assert_eq!(spread(&[10.0, 30.0], 12.0, 0.0, 100.0), [10.0, 30.0]);
        // Three that want to be at 50 stand around it.
        assert_eq!(spread(&[50.0; 3], 12.0, 0.0, 100.0), [38.0, 50.0, 62.0]);
        // At an edge they move away from it.
        assert_eq!(spread(&[1.0, 2.0], 12.0, 0.0, 100.0), [0.0, 12.0]);
        assert_eq!(spread(&[99.0, 99.0], 12.0, 0.0, 100.0), [88.0, 100.0]);
        // Too many begin at the top.
        assert_eq!(spread(&[5.0; 3], 12.0, 0.0, 10.0), [0.0, 12.0, 24.0]);
        assert!(spread(&[], 12.0, 0.0, 100.0).is_empty());
    }

    proptest! {
        #[test]
        fn no_label_lies_on_another(mut wanted in prop::collection::vec(0.0..500.0_f64, 0..60)) {
            wanted.sort_by(f64::total_cmp);
            let bottom = 800.0;
            let places = spread(&wanted, 13.0, 0.0, bottom);
            prop_assert_eq!(places.len(), wanted.len());
            for pair in places.windows(2) {
                prop_assert!(pair[1] - pair[0] > 12.999);
            }
            let inside = |place: &f64| (-1e-9..=bottom + 1e-9).contains(place);
            prop_assert!(places.iter().all(inside));
        }
    }
}
