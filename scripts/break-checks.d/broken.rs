//! Which check is broken, in a copy of the sources into which `examples/weave.rs` has woven all that may be.
//! `BROKEN` in the environment has its number, and `MET` the file that gets the numbers of all errors that were met.

use std::collections::HashSet;
use std::fs::File;
use std::io::Write as _;
use std::ops::Not;
use std::sync::{LazyLock, Mutex};

static BROKEN: LazyLock<usize> = LazyLock::new(|| {
    let number = std::env::var("BROKEN").ok();
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
});

/// The file of errors that were met, and which it has already.
static MET: LazyLock<Option<Mutex<(File, HashSet<usize>)>>> = LazyLock::new(|| {
    let file = File::options().append(true).open(std::env::var_os("MET")?);
    file.ok().map(|file| Mutex::new((file, HashSet::new())))
});

/// Whether it is this check that is broken.
pub fn is(number: usize) -> bool {
    *BROKEN == number
}

/// `left operator right`, or by another operator if its number is that of the broken check.
pub fn compare<A, B>(left: &A, operator: &str, right: &B, others: &[(usize, &str)]) -> bool
where
    A: PartialOrd<B> + ?Sized,
    B: ?Sized,
{
    let other = others.iter().find(|(number, _)| is(*number));
    match other.map_or(operator, |(_, other)| other) {
        "<" => left < right,
        "<=" => left <= right,
        ">" => left > right,
        ">=" => left >= right,
        _ => left == right,
    }
}

/// `left == right` or `left != right`, as `compare`.
pub fn equal<A, B>(left: &A, operator: &str, right: &B, others: &[(usize, &str)]) -> bool
where
    A: PartialEq<B> + ?Sized,
    B: ?Sized,
{
    let other = others.iter().find(|(number, _)| is(*number));
    (other.map_or(operator, |(_, other)| other) == "==") == (left == right)
}

/// `!value`, or the value itself.
pub fn not<T: Not<Output = T>>(number: usize, value: T) -> T {
    if is(number) { value } else { !value }
}

/// What may be an error.
pub trait Outcome {
    /// Whether it is one.
    fn is_error(&self) -> bool;
}

impl<T> Outcome for Option<T> {
    fn is_error(&self) -> bool {
        self.is_none()
    }
}

impl<T, E> Outcome for Result<T, E> {
    fn is_error(&self) -> bool {
        self.is_err()
    }
}

/// Hands an outcome on, and notes its number if it is an error.
pub fn met<T: Outcome>(number: usize, outcome: T) -> T {
    if outcome.is_error()
        && let Some(met) = &*MET
        && let Ok(mut met) = met.lock()
        && met.1.insert(number)
    {
        let _ = writeln!(met.0, "{number}");
    }
    outcome
}
