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
