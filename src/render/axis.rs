//! Time axes: a length of time and the number of marks that fit in, marks at round times out.

use crate::trace::Nanos;

/// A mark on a time axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    /// Where.
    pub at: Nanos,
    /// What is written there: `2.5 s`, `1:30`.
    pub label: String,
}

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// Marks from zero to `end` at round times, at most `most` of them beside the one at zero.
#[must_use]
pub fn ticks(end: Nanos, most: u64) -> Vec<Tick> {
    ticks_between(Nanos::ZERO, end, most)
}

/// Marks from `from` to `end` at round times, at most one more than `most`.
#[must_use]
pub fn ticks_between(from: Nanos, end: Nanos, most: u64) -> Vec<Tick> {
    let most = most.max(1);
    let length = end.since(from).0;
    let step = steps()
        .find(|step| length / step <= most)
        .unwrap_or(length.max(1));
    let clock = end.0 >= 2 * MINUTE && step >= SECOND;
    let first = from.0.div_ceil(step).saturating_mul(step);
    let times = std::iter::successors(Some(first), |at| at.checked_add(step));
    times
        .take_while(|&at| at <= end.0)
        .map(|at| Tick {
            at: Nanos(at),
            label: if clock {
                clock_label(at)
            } else {
                unit_label(at, step, end.0)
            },
        })
        .collect()
}

/// Round lengths of time, ascending: 1, 2, 5 of each power of ten up to seconds, then those of
/// the clock.
fn steps() -> impl Iterator<Item = u64> {
    let decimal = (0..10)
        .map(|power| 10_u64.pow(power))
        .flat_map(|unit| [unit, 2 * unit, 5 * unit]);
    let clock = [10, 20, 30]
        .map(|seconds| seconds * SECOND)
        .into_iter()
        .chain([1, 2, 5, 10, 20, 30].map(|minutes| minutes * MINUTE))
        .chain([1, 2, 5, 10, 20, 50, 100, 200, 500].map(|hours| hours * HOUR));
    decimal.chain(clock)
}

fn clock_label(at: u64) -> String {
    let seconds = at / SECOND;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

fn unit_label(at: u64, step: u64, end: u64) -> String {
    let (unit, name) = match end {
        0..1_000 => (1, "ns"),
        1_000..1_000_000 => (1_000, "µs"),
        1_000_000..SECOND => (1_000_000, "ms"),
        _ => (SECOND, "s"),
    };
    let mut decimals = 0;
    let mut fraction = step % unit;
    let mut place = unit;
    while fraction > 0 {
        place /= 10;
        fraction %= place.max(1);
        decimals += 1;
    }
    format!("{:.decimals$} {name}", at as f64 / unit as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(end: u64, most: u64) -> Vec<String> {
        ticks(Nanos(end), most)
            .into_iter()
            .map(|tick| tick.label)
            .collect()
    }

    #[test]
    fn marks_are_round() {
        assert_eq!(labels(19_900_000_000, 4), ["0 s", "5 s", "10 s", "15 s"]);
        assert_eq!(labels(1_240_000_000, 5), ["0.0 s", "0.5 s", "1.0 s"]);
        assert_eq!(labels(1_240_000_000, 6).last().unwrap(), "1.2 s");
        assert_eq!(
            labels(312_000_000, 3),
            ["0 ms", "100 ms", "200 ms", "300 ms"]
        );
        assert_eq!(labels(150_000_000_000, 3), ["0:00", "1:00", "2:00"]);
        assert_eq!(labels(2 * HOUR, 2), ["0:00", "1:00:00", "2:00:00"]);
        assert_eq!(labels(0, 4), ["0 ns"]);
    }

    #[test]
    fn marks_can_begin_anywhere() {
        let labels = |from, end, most| -> Vec<String> {
            let ticks = ticks_between(Nanos(from), Nanos(end), most).into_iter();
            ticks.map(|tick| tick.label).collect()
        };
        assert_eq!(
            labels(1_190_000_000, 1_300_000_000, 3),
            ["1.20 s", "1.25 s", "1.30 s"]
        );
        assert_eq!(labels(5, 5, 3), ["5 ns"]);
        assert_eq!(labels(7, 3, 3), [""; 0]);
        assert_eq!(labels(u64::MAX - 3, u64::MAX, 3).len(), 4);
    }

    #[test]
    fn there_are_never_too_many_and_most_often_enough() {
        for power in 0..15 {
            for factor in [1, 3, 7] {
                let end = factor * 10_u64.pow(power);
                for most in [1, 3, 10] {
                    let count = labels(end, most).len();
                    assert!(count as u64 <= most + 1, "{end} {most} {count}");
                    assert!(count as u64 * 3 >= most || end < 10, "{end} {most} {count}");
                }
            }
        }
        assert!(labels(u64::MAX, 10).len() <= 11);
    }
}
