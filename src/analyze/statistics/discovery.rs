//! A family of tests: how many of the findings may be false?

/// P-values adjusted by Benjamini and Hochberg, in the order given: the smallest `q` with which
/// [`benjamini_hochberg`] would take this one. What is no number counts as 1.
#[must_use]
pub fn adjusted(p: &[f64]) -> Vec<f64> {
    let judged = |p: &f64| if p.is_nan() { 1.0 } else { p.clamp(0.0, 1.0) };
    let p: Vec<f64> = p.iter().map(judged).collect();
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut adjusted = vec![1.0; p.len()];
    let mut smallest: f64 = 1.0;
    for (place, &row) in order.iter().enumerate().rev() {
        smallest = smallest.min(p[row] * (p.len() as f64 / (place + 1) as f64));
        adjusted[row] = smallest;
    }
    adjusted
}

/// Which of a family of p-values are findings, in the order given, such that of those at most the
/// share `q` is expected to be false (Benjamini and Hochberg): with the p-values in ascending
/// order, all up to the last k-th one that is at most `q * k / m`.
#[must_use]
pub fn benjamini_hochberg(p: &[f64], q: f64) -> Vec<bool> {
    adjusted(p).into_iter().map(|p| p <= q).collect()
}

/// Up to which smallest p-value that a row can reach it is worth a test: the others could not be
/// found, and each row that is tested makes all others harder to find. `smallest` are those of all
/// rows, `least` is what a row without equal values can reach.
///
/// With k the smallest number for which at most k rows reach `q / k`, that is `q / k` (Tarone;
/// Gilbert). Where none does, it takes more runs to find any alone: then it is `q`, or `least`
/// where not even that reaches `q`.
#[must_use]
pub fn tested_up_to(smallest: &[f64], least: f64, q: f64) -> f64 {
    let mut sorted = smallest.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let reach = |limit: f64| sorted.partition_point(|p| *p <= limit);
    let limit = |k: usize| q / k as f64;
    let k = (1..=sorted.len()).find(|&k| reach(limit(k)) <= k);
    let limit = k.map(limit).filter(|limit| reach(*limit) > 0);
    limit.unwrap_or(q.max(least))
}

#[cfg(test)]
mod tests {
    use super::tested_up_to;

    #[test]
    fn what_cannot_be_found_is_not_tested() {
        // 0.05 is reached by 4 rows, 0.025 by 3, 0.0167 by 3: k is 3.
        let smallest = [0.001, 1.0, 0.016, 0.03, 0.002];
        assert_eq!(tested_up_to(&smallest, 0.001, 0.05), 0.05 / 3.0);
        // 0.05 by 2, 0.025 by 1: k is 2, and one row is left.
        assert_eq!(tested_up_to(&[0.02, 0.04], 0.02, 0.05), 0.025);
        // 0.05 by all three, 0.025 by none: each alone cannot be found, together they can.
        let none_alone = [0.03, 0.03, 0.06, 0.03];
        assert_eq!(tested_up_to(&none_alone, 0.0286, 0.05), 0.05);
        // Three runs a side: 2 / C(6, 3) is 0.1.
        assert_eq!(tested_up_to(&[0.1, 0.4, 1.0], 0.1, 0.05), 0.1);
        assert_eq!(tested_up_to(&[], 0.01, 0.05), 0.05);
        assert_eq!(tested_up_to(&[1.0], 0.01, 0.05), 0.05);
    }
}
