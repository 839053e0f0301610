//! The order of runs.
//!
//! Machines drift: they get warm, caches fill, neighbours come and go. Runs are made in rounds, in
//! each of which every configuration has one run, and
//!
//! - every second round runs in the reverse order, so that over two rounds all configurations have
//!   the same mean position, and a drift that grows steadily adds the same to all;
//! - every pair of rounds begins one configuration later, so that none is always the first.
//!
//! For two configurations that is `AB BA BA AB`, again and again, which evens out a drift that
//! grows with the square of time, too.

/// One run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Which configuration.
    pub configuration: usize,
    /// Which of its runs, from 1; `None` for one that only warms up.
    pub run: Option<u32>,
}

/// All runs in their order: `warm_ups` of each configuration, then `repeats` of each.
#[must_use]
pub fn turns(configurations: usize, repeats: u32, warm_ups: u32) -> Vec<Turn> {
    let rounds = |count: u32, is_kept: bool| {
        (0..count).flat_map(move |round| {
            let run = is_kept.then_some(round + 1);
            round_of(configurations, round)
                .into_iter()
                .map(move |configuration| Turn { configuration, run })
        })
    };
    rounds(warm_ups, false)
        .chain(rounds(repeats, true))
        .collect()
}

fn round_of(configurations: usize, round: u32) -> Vec<usize> {
    let mut order: Vec<usize> = (0..configurations).collect();
    let first = (round as usize / 2).checked_rem(configurations);
    order.rotate_left(first.unwrap_or(0));
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(configurations: usize, repeats: u32) -> String {
        let turns = turns(configurations, repeats, 0);
        let letter = |turn: &Turn| ["A", "B", "C", "D", "E"][turn.configuration];
        turns.iter().map(letter).collect()
    }

    #[test]
    fn the_order_is_the_one_that_is_promised() {
        assert_eq!(letters(1, 3), "AAA");
        assert_eq!(letters(2, 4), "ABBABAAB");
        assert_eq!(letters(3, 6), "ABCCBABCAACBCABBAC");
        assert_eq!(letters(0, 3), "");
    }

    #[test]
    fn a_steady_drift_hits_all_alike() {
        for configurations in 1..=5 {
            for repeats in [2, 4, 10] {
                let mut sums = vec![0; configurations];
                for (at, turn) in turns(configurations, repeats, 0).iter().enumerate() {
                    sums[turn.configuration] += at;
                }
                assert!(sums.iter().all(|sum| *sum == sums[0]), "{sums:?}");
            }
        }
    }

    #[test]
    fn each_is_in_each_place_equally_often() {
        for configurations in 1..=5 {
            let rounds = 2 * u32::try_from(configurations).expect("few");
            let turns = turns(configurations, rounds, 0);
            let mut counts = vec![vec![0; configurations]; configurations];
            for round in turns.chunks(configurations) {
                for (place, turn) in round.iter().enumerate() {
                    counts[turn.configuration][place] += 1;
                }
            }
            assert!(counts.iter().flatten().all(|count| *count == 2));
        }
    }

    #[test]
    fn what_warms_up_comes_first_and_runs_are_numbered() {
        let all = turns(2, 2, 1);
        let runs: Vec<_> = all
            .iter()
            .map(|turn| (turn.configuration, turn.run))
            .collect();
        let expected = [
            (0, None),
            (1, None),
            (0, Some(1)),
            (1, Some(1)),
            (1, Some(2)),
            (0, Some(2)),
        ];
        assert_eq!(runs, expected);
    }
}
