//! The tail of the normal distribution.

use std::f64::consts::{FRAC_2_SQRT_PI, SQRT_2};

/// The share of a standard normal distribution above `z`, with a relative error below 1e-12.
pub(super) fn above(z: f64) -> f64 {
    let x = z.abs() / SQRT_2;
    let tail = if x < 2.0 {
        1.0 - series(x)
    } else {
        continued_fraction(x)
    } / 2.0;
    if z < 0.0 { 1.0 - tail } else { tail }
}

/// The error function as a series of positive terms (Abramowitz and Stegun 7.1.6), for small `x`.
fn series(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    let mut odd = 1.0;
    while term > sum * 1e-17 {
        odd += 2.0;
        term *= 2.0 * x * x / odd;
        sum += term;
    }
    FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

/// The complement of the error function as a continued fraction (Abramowitz and Stegun 7.1.14),
/// from its far end, which has converged for all `x` above 2.
fn continued_fraction(x: f64) -> f64 {
    let mut fraction = x;
    for step in (1..=100).rev() {
        fraction = x + f64::from(step) / 2.0 / fraction;
    }
    (-x * x).exp() * FRAC_2_SQRT_PI / 2.0 / fraction
}
