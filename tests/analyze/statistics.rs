//! Statistics against values worked out by hand, from papers, by counting everything there is to
//! count, and against their laws. `scipy.rs` holds them against another program.

use gotrace::analyze::statistics::{
    Interval, Noise, adjusted, benjamini_hochberg, can_tell, difference, difference_interval,
    median, median_interval, quantile, rank_test, ratio, ratio_interval, smallest_group,
    smallest_group_of, smallest_p, smallest_p_of, standard_deviation,
};
use proptest::prelude::{ProptestConfig, Strategy, any, prop, proptest};

pub(crate) fn close(found: f64, expected: f64, relative: f64) -> bool {
    found == expected || (found - expected).abs() <= relative * expected.abs()
}

#[test]
fn groups_that_do_not_overlap_have_the_smallest_p() {
    // 2 of the C(8, 4) = 70 divisions separate completely; of C(32, 16) likewise.
    let base = [1.0, 2.0, 3.0, 4.0];
    let new = [5.0, 6.0, 7.0, 8.0];
    assert_eq!(rank_test(&base, &new), 2.0 / 70.0);
    assert_eq!(smallest_p(4, 4), 2.0 / 70.0);
    assert_eq!(smallest_p(16, 16), 2.0 / 601_080_390.0);
    assert_eq!(smallest_p(1, 1), 1.0);
    assert_eq!(smallest_p(0, 5), 1.0);
    assert_eq!(smallest_p(3, 5), 2.0 / 56.0);
}

#[test]
fn mann_and_whitney_themselves() {
    // H. B. Mann and D. R. Whitney 1947, table I, groups of 4 and 3: the chance of U or less.
    let new = [10.0, 20.0, 30.0, 40.0];
    for (base, table) in [
        ([1.0, 2.0, 3.0], 0.028),
        ([1.0, 2.0, 11.0], 0.057),
        ([1.0, 2.0, 21.0], 0.114),
        ([1.0, 2.0, 31.0], 0.200),
        ([1.0, 2.0, 41.0], 0.314),
        ([1.0, 12.0, 41.0], 0.429),
    ] {
        let one_sided = rank_test(&base, &new) / 2.0;
        assert!((one_sided - table).abs() <= 0.0006, "{one_sided} {table}");
    }
}

#[test]
fn equal_values_leave_less_to_be_surprised_at() {
    // One 1 among six: whoever has it, 10 of the 20 divisions give it to that side.
    assert_eq!(smallest_p_of(&[0.0; 3], &[0.0, 0.0, 1.0]), 1.0);
    // Two: 4 of the 20 give both to one side, as many to the other.
    let two = [0.0, 1.0, 1.0];
    assert_eq!(smallest_p_of(&[0.0; 3], &two), 8.0 / 20.0);
    // Whichever side they are on; three on one side are as far apart as different values.
    assert_eq!(smallest_p_of(&two, &[0.0; 3]), 8.0 / 20.0);
    assert_eq!(smallest_p_of(&[0.0, 1.0, 0.0], &two), 2.0 / 20.0);
    // Four of 16 + 16: C(28, 12) of C(32, 16).
    let mut four = [0.0; 16];
    four[..4].fill(1.0);
    let expected = 2.0 * 30_421_755.0 / 601_080_390.0;
    assert!(close(smallest_p_of(&[0.0; 16], &four), expected, 1e-12));
    assert_eq!(smallest_p_of(&[1.0; 50], &[1.0; 50]), 1.0);
    assert_eq!(smallest_p_of(&[], &[1.0]), 1.0);
    // Without equal values it is that of the sizes, counted or approximated.
    for size in [8, 60] {
        let values: Vec<f64> = (0..2 * size).map(f64::from).collect();
        let (base, new) = values.split_at(size as usize);
        let sizes = smallest_p(base.len(), new.len());
        assert!(close(smallest_p_of(base, new), sizes, 1e-12), "{size}");
    }
    // A half of each side: 2 C(12, 6) / C(24, 12) is too much for 0.0005, and less of 24 + 24.
    let halves: Vec<f64> = (0..12).map(|at| f64::from(at % 2)).collect();
    let limit = 5e-7;
    assert!(smallest_p_of(&halves, &halves) <= 2.0 / 2_704_156.0);
    assert_eq!(smallest_group_of(&halves, &halves, limit), Some(24));
    assert_eq!(smallest_group_of(&[0.0; 4], &[0.0; 4], limit), None);
}

/// The p-value by listing every division of the values, with mean ranks.
fn listed_p(base: &[f64], new: &[f64]) -> f64 {
    let all: Vec<f64> = base.iter().chain(new).copied().collect();
    let doubled: Vec<i64> = all
        .iter()
        .map(|a| {
            let below = all.iter().filter(|b| *b < a).count() as i64;
            let equal = all.iter().filter(|b| *b == a).count() as i64;
            2 * below + equal + 1
        })
        .collect();
    let seen: i64 = doubled[..base.len()].iter().sum();
    let (mut divisions, mut low, mut high) = (0, 0, 0);
    for chosen in 0..1u32 << all.len() {
        if chosen.count_ones() as usize == base.len() {
            let here = (0..all.len()).filter(|at| chosen >> at & 1 == 1);
            let sum: i64 = here.map(|at| doubled[at]).sum();
            divisions += 1;
            low += i32::from(sum <= seen);
            high += i32::from(sum >= seen);
        }
    }
    (2.0 * f64::from(low.min(high)) / f64::from(divisions)).min(1.0)
}

/// Values with many ties, so that they occur.
fn few_different(most: usize) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec((0..6u8).prop_map(f64::from), 1..=most)
}

/// The median of every resample of both groups there is, compared; ascending.
fn listed_resamples(base: &[f64], new: &[f64], compare: fn(f64, f64) -> f64) -> Vec<f64> {
    let medians = |values: &[f64]| -> Vec<f64> {
        let n = values.len();
        let resample = |code: usize| -> Vec<f64> {
            let digits = (0..n).map(|place| code / n.pow(place as u32) % n);
            digits.map(|at| values[at]).collect()
        };
        let all = (0..n.pow(n as u32)).map(|code| median(&resample(code)).unwrap());
        all.collect()
    };
    let (base, new) = (medians(base), medians(new));
    let mut results: Vec<f64> = base
        .iter()
        .flat_map(|&b| new.iter().map(move |&n| compare(b, n)))
        .collect();
    results.sort_by(f64::total_cmp);
    results
}

/// What is left of them when 2.5 % are cut off at each end.
fn middle_of(results: &[f64]) -> (f64, f64) {
    let cut = (results.len() as f64 * 0.025 - 1e-9).ceil() as usize - 1;
    (results[cut], results[results.len() - 1 - cut])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn intervals_are_what_listing_every_resample_gives(
        base in prop::collection::vec(0.0..9.0, 2..=4),
        new in prop::collection::vec(0.0..9.0, 2..=4),
    ) {
        let (low, high) = middle_of(&listed_resamples(&base, &new, ratio));
        let interval = ratio_interval(&base, &new).unwrap();
        assert_eq!((interval.low, interval.high), (low, high));
        let (low, high) = middle_of(&listed_resamples(&base, &new, difference));
        let interval = difference_interval(&base, &new).unwrap();
        assert_eq!((interval.low, interval.high), (low, high));
    }
}

proptest! {
    #[test]
    fn no_division_has_less_than_the_smallest_p(base in few_different(5), new in few_different(5)) {
        let all = [&base[..], &new].concat();
        let divisions = (0..1u32 << all.len()).filter(|chosen| chosen.count_ones() as usize == base.len());
        let listed = divisions.map(|chosen| {
            let (mut one, mut other) = (Vec::new(), Vec::new());
            for (at, value) in all.iter().enumerate() {
                let side = if chosen >> at & 1 == 1 { &mut one } else { &mut other };
                side.push(*value);
            }
            rank_test(&one, &other)
        });
        let expected = listed.fold(1.0, f64::min);
        let found = smallest_p_of(&base, &new);
        assert!(close(found, expected, 1e-12), "{found} {expected}");
    }

    #[test]
    fn p_is_what_listing_every_division_gives(base in few_different(6), new in few_different(6)) {
        let (found, expected) = (rank_test(&base, &new), listed_p(&base, &new));
        assert!(close(found, expected, 1e-12), "{found} is not {expected}");
    }

    #[test]
    fn nothing_is_ever_nan(
        base in prop::collection::vec(any::<f64>(), 0..9),
        new in prop::collection::vec(any::<f64>(), 0..9),
        extremes in prop::collection::vec(prop::sample::select(vec![
            0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE,
        ]), 0..8),
        share in any::<f64>(),
    ) {
        let base: Vec<f64> = base.into_iter().chain(extremes.clone()).collect();
        let new: Vec<f64> = new.into_iter().chain(extremes).collect();
        let positive = |values: &[f64]| values.iter().map(|v| v.abs()).collect::<Vec<_>>();
        let p = rank_test(&base, &new);
        assert!((0.0..=1.0).contains(&p), "{p}");
        for interval in [
            difference_interval(&base, &new),
            ratio_interval(&positive(&base), &positive(&new)),
        ].into_iter().flatten() {
            let Interval { estimate, low, high } = interval;
            assert!(low <= estimate && estimate <= high, "{interval:?}");
        }
        let values = [median(&base), quantile(&base, share), standard_deviation(&base)];
        let noise = Noise::of(&positive(&base));
        let of_noise = noise.map(|noise| [noise.median, noise.standard_deviation, noise.ratio]);
        for value in values.into_iter().flatten().chain(of_noise.into_iter().flatten()) {
            assert!(!value.is_nan());
        }
        assert!(adjusted(&base).iter().all(|p| (0.0..=1.0).contains(p)));
    }

    #[test]
    fn sides_and_order_do_not_matter(
        base in prop::collection::vec(1u32..100, 2..20),
        new in prop::collection::vec(1u32..100, 2..20),
    ) {
        let base: Vec<f64> = base.into_iter().map(f64::from).collect();
        let new: Vec<f64> = new.into_iter().map(f64::from).collect();
        let (p, q) = (rank_test(&base, &new), rank_test(&new, &base));
        assert!(close(p, q, 1e-12), "{p} {q}");
        let there = ratio_interval(&base, &new).unwrap();
        let back = ratio_interval(&new, &base).unwrap();
        assert!(close(there.low, 1.0 / back.high, 1e-12), "{there:?} {back:?}");
        assert!(close(there.high, 1.0 / back.low, 1e-12), "{there:?} {back:?}");
        let there = difference_interval(&base, &new).unwrap();
        let back = difference_interval(&new, &base).unwrap();
        assert_eq!((there.low, there.high), (-back.high, -back.low));
        let backwards: Vec<f64> = base.iter().rev().copied().collect();
        assert_eq!(rank_test(&backwards, &new), p);
    }

    #[test]
    fn a_group_against_itself_shows_nothing(group in prop::collection::vec(0.0..1e9, 2..40)) {
        assert_eq!(rank_test(&group, &group), 1.0);
        let interval = ratio_interval(&group, &group).unwrap();
        assert!(interval.estimate == 1.0 && interval.low <= 1.0 && interval.high >= 1.0);
    }
}

#[test]
fn what_cannot_be_compared_has_a_defined_answer() {
    assert_eq!(rank_test(&[], &[1.0, 2.0]), 1.0);
    assert_eq!(rank_test(&[], &[]), 1.0);
    assert_eq!(rank_test(&[f64::NAN], &[1.0]), 1.0);
    assert_eq!(rank_test(&[3.0; 16], &[3.0; 16]), 1.0);
    assert_eq!(rank_test(&[3.0; 60], &[3.0; 60]), 1.0);
    let infinite = [f64::INFINITY; 4];
    assert_eq!(rank_test(&infinite, &[1.0; 4]), 2.0 / 70.0);
    assert_eq!(rank_test(&infinite, &infinite), 1.0);
}

#[test]
fn intervals_of_little_are_defined() {
    assert_eq!(median_interval(&[1.0]), None);
    assert_eq!(ratio_interval(&[1.0], &[1.0, 2.0]), None);
    assert_eq!(ratio_interval(&[1.0, 2.0], &[]), None);
    assert_eq!(ratio_interval(&[-1.0, 2.0], &[1.0, 2.0]), None);
    assert_eq!(difference_interval(&[1.0, f64::NAN], &[1.0, 2.0]), None);
    let point = |at| Interval {
        estimate: at,
        low: at,
        high: at,
    };
    assert_eq!(ratio_interval(&[0.0; 3], &[0.0; 3]), Some(point(1.0)));
    assert_eq!(
        ratio_interval(&[0.0; 3], &[5.0; 3]),
        Some(point(f64::INFINITY))
    );
    assert_eq!(ratio_interval(&[5.0; 3], &[0.0; 3]), Some(point(0.0)));
    assert_eq!(ratio_interval(&[5.0; 3], &[5.0; 4]), Some(point(1.0)));
    assert_eq!(difference_interval(&[5.0; 3], &[7.0; 2]), Some(point(2.0)));
    assert_eq!(
        difference_interval(&[f64::INFINITY; 4], &[f64::INFINITY; 4]),
        Some(point(0.0))
    );
}

#[test]
fn one_group_of_little_is_described() {
    assert_eq!(median(&[]), None);
    assert_eq!(median(&[f64::NAN]), None);
    assert_eq!(
        median(&[f64::MAX, f64::MAX, f64::MAX, f64::MAX]),
        Some(f64::MAX)
    );
    assert_eq!(median(&[f64::NEG_INFINITY, f64::INFINITY]), Some(0.0));
    assert_eq!(quantile(&[], 0.5), None);
    assert_eq!(standard_deviation(&[1.0]), None);
    assert_eq!(
        standard_deviation(&[1.0, f64::INFINITY]),
        Some(f64::INFINITY)
    );
    assert_eq!(standard_deviation(&[7.0; 3]), Some(0.0));
    assert_eq!(Noise::of(&[1.0]), None);
    assert_eq!(Noise::of(&[]), None);
    assert_eq!(Noise::of(&[-1.0, 1.0]), None);
}

#[test]
fn one_group_by_hand() {
    assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
    assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    assert_eq!(quantile(&[40.0, 10.0, 20.0, 30.0], 0.25), Some(17.5));
    assert_eq!(quantile(&[10.0, 20.0], 2.0), Some(20.0));
    // Deviations from 5: 3, 1, 1, 1, 0, 0, 2, 4; their squares add up to 32.
    let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
    let deviation = standard_deviation(&values).unwrap();
    assert!(close(deviation, (32.0_f64 / 7.0).sqrt(), 1e-14));
}

#[test]
fn the_example_of_benjamini_and_hochberg() {
    // Y. Benjamini and Y. Hochberg 1995, section 3.2: four of fifteen are rejected at 0.05.
    let p = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
        0.5719, 0.6528, 0.7590, 1.000,
    ];
    let findings = benjamini_hochberg(&p, 0.05);
    assert_eq!(findings, (0..15).map(|at| at < 4).collect::<Vec<_>>());
    // In any order, each answer stands where its p-value does.
    let backwards: Vec<f64> = p.iter().rev().copied().collect();
    let findings = benjamini_hochberg(&backwards, 0.05);
    assert_eq!(findings, (0..15).map(|at| at >= 11).collect::<Vec<_>>());
}

#[test]
fn a_family_steps_up() {
    // The second is above 0.05 * 1 / 3, yet all are at most 0.05 * 3 / 3.
    assert_eq!(benjamini_hochberg(&[0.05, 0.04, 0.03], 0.05), [true; 3]);
    assert_eq!(adjusted(&[0.05, 0.04, 0.03]), [0.05; 3]);
    assert!(benjamini_hochberg(&[], 0.05).is_empty());
    assert_eq!(benjamini_hochberg(&[f64::NAN, 0.05], 0.05), [false, false]);
}

#[test]
fn how_many_runs_a_family_needs() {
    // 2 / C(2n, n): 0.1 of 3 and 3, 0.029 of 4 and 4; 2 / 3432 of 7 and 7, 2 / 12870 of 8 and 8.
    assert_eq!(smallest_group(1, 0.05), Some(4));
    assert_eq!(smallest_group(0, 0.05), Some(4));
    assert_eq!(smallest_group(85, 0.05), Some(7));
    assert_eq!(smallest_group(86, 0.05), Some(8));
    assert_eq!(smallest_group(10_000, 0.05), Some(11));
    assert_eq!(smallest_group(10, 0.0), None);
    assert_eq!(smallest_group(10, f64::NAN), None);
    // One side makes up for the other: 2 of the C(34, 4) = 46,376 divisions.
    assert!(can_tell(4, 30, 1_000, 0.05) && can_tell(30, 4, 1_000, 0.05));
    assert!(!can_tell(4, 30, 2_000, 0.05) && !can_tell(1, 30, 2, 0.05));
    for family in [1, 10, 150, 1000] {
        let n = smallest_group(family, 0.05).unwrap();
        let mut p = vec![1.0; family];
        p[0] = smallest_p(n, n);
        assert!(
            benjamini_hochberg(&p, 0.05)[0],
            "{n} are enough for {family}"
        );
        p[0] = smallest_p(n - 1, n - 1);
        assert!(
            !benjamini_hochberg(&p, 0.05)[0],
            "{n} are needed for {family}"
        );
    }
}

#[test]
fn noise_is_what_pairs_of_runs_differ_by() {
    // Ratios of the six pairs: 110/100, 121/100, 121/110, and three with 133.1.
    let noise = Noise::of(&[121.0, 100.0, 133.1, 110.0]).unwrap();
    assert_eq!((noise.runs, noise.median), (4, 115.5));
    // Ascending 1.1, 1.1, 1.1, 1.21, 1.21, 1.331: 0.95 * 5 = 4.75 places up.
    assert!(close(noise.ratio, 1.21 + 0.75 * 0.121, 1e-12), "{noise:?}");
    assert!(noise.exceeded_by(100.0, 134.0) && noise.exceeded_by(134.0, 100.0));
    assert!(!noise.exceeded_by(100.0, 130.0));
    assert_eq!(Noise::of(&[0.0, 0.0]).unwrap().ratio, 1.0);
    assert_eq!(Noise::of(&[0.0, 1.0]).unwrap().ratio, f64::INFINITY);
}

#[test]
fn the_interval_of_a_median_is_that_of_its_resamples() {
    let of = |values: &[f64]| {
        let interval = median_interval(values).unwrap();
        [interval.low, interval.estimate, interval.high]
    };
    // Of two: twice the smaller with 1/4, both with 1/2, twice the larger with 1/4.
    assert_eq!(of(&[3.0, 1.0]), [1.0, 2.0, 3.0]);
    // Of five, the smallest is the median with 3 or more of it: 181 of 3125, 5.8 %.
    assert_eq!(of(&[1.0, 2.0, 3.0, 4.0, 9.0]), [1.0, 3.0, 9.0]);
    // Of seven, with 4 or more of it: 1.0 %. Four or more of the two smallest: 10.8 %.
    assert_eq!(of(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]), [2.0, 4.0, 6.0]);
}
