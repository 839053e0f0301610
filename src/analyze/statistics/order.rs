//! One group of values: its middle, its quantiles, its spread.

/// The values in ascending order, without NaN.
pub(super) fn sorted(values: &[f64]) -> Vec<f64> {
    let numbers = values.iter().copied().filter(|value| !value.is_nan());
    let mut sorted: Vec<f64> = numbers.collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

/// The middle between two values, without overflow; of the two infinities it is zero.
pub(super) fn between(low: f64, high: f64) -> f64 {
    let middle = low / 2.0 + high / 2.0;
    if low == high {
        low
    } else if middle.is_nan() {
        0.0
    } else {
        middle
    }
}

/// [`median`] of values that are sorted.
pub(super) fn middle(sorted: &[f64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = sorted[(sorted.len() - 1) / 2];
    Some(between(lower, upper))
}

/// The middle value; of an even number, half way between the two in the middle. `None` of none.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    middle(&sorted(values))
}

/// The value below which `share` (0 to 1) of the values lie, linear between neighbours: type 7 of
/// Hyndman and Fan, which is what numpy and R compute unless told otherwise. `None` of none.
#[must_use]
pub fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let sorted = sorted(values);
    let last = sorted.len().checked_sub(1)?;
    let place = share.clamp(0.0, 1.0) * last as f64;
    let below = sorted[place as usize];
    let above = sorted[(place as usize + 1).min(last)];
    let part = place.fract();
    let value = below * (1.0 - part) + above * part;
    // Zero times infinity, and two infinities.
    if part == 0.0 || below == above {
        Some(below)
    } else if value.is_nan() {
        Some(between(below, above))
    } else {
        Some(value)
    }
}

/// The standard deviation of what the values are a sample of (divided by n - 1). `None` of fewer
/// than two.
#[must_use]
pub fn standard_deviation(values: &[f64]) -> Option<f64> {
    let sorted = sorted(values);
    let (first, last) = (*sorted.first()?, *sorted.last()?);
    if sorted.len() < 2 {
        return None;
    }
    if first == last {
        return Some(0.0);
    }
    if first.is_infinite() || last.is_infinite() {
        return Some(f64::INFINITY);
    }
    // Around a value of the group and in units of its range: squares neither overflow nor cancel.
    let range = last / 2.0 - first / 2.0;
    let scaled: Vec<f64> = sorted
        .iter()
        .map(|value| (value / 2.0 - first / 2.0) / range)
        .collect();
    let mean = scaled.iter().sum::<f64>() / scaled.len() as f64;
    let squares: f64 = scaled.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (scaled.len() - 1) as f64).sqrt() * range * 2.0)
}
