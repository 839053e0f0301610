//! Numbers as people read them: a value in, a few characters with its unit out.

use crate::trace::Nanos;
use std::cmp::Ordering;

const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// A length of time that stands alone, with three digits that count: `1.24 s`, `312 ms`,
/// `2 min 04 s`.
#[must_use]
pub fn duration(time: Nanos) -> String {
    let Nanos(nanos) = time;
    if nanos == 0 {
        return "0 s".to_owned();
    }
    // The bounds lie where rounding to three digits would reach the next unit.
    match nanos {
        0..1_000 => format!("{nanos} ns"),
        1_000..999_500 => three_digits(nanos, MICROSECOND, "µs"),
        999_500..999_500_000 => three_digits(nanos, MILLISECOND, "ms"),
        999_500_000..59_950_000_000 => three_digits(nanos, SECOND, "s"),
        _ => long(nanos),
    }
}

fn three_digits(nanos: u64, unit: u64, name: &str) -> String {
    let value = nanos as f64 / unit as f64;
    let decimals = if value < 9.995 {
        2
    } else if value < 99.95 {
        1
    } else {
        0
    };
    format!("{value:.decimals$} {name}")
}

fn long(nanos: u64) -> String {
    let seconds = nanos.saturating_add(SECOND / 2) / SECOND;
    if seconds < HOUR / SECOND {
        return format!("{} min {:02} s", seconds / 60, seconds % 60);
    }
    let minutes = nanos.saturating_add(MINUTE / 2) / MINUTE;
    format!("{} h {:02} min", minutes / 60, minutes % 60)
}

/// How all lengths of time of one column are written: one unit, and as many decimals in each
/// row, so that the eye compares them without reading the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    unit: u64,
    name: &'static str,
    decimals: usize,
}

impl Scale {
    /// The scale that suits a column whose largest value is `largest`.
    #[must_use]
    pub fn of(largest: Nanos) -> Self {
        // Here, too, the bounds lie where rounding would reach the next row.
        let (unit, name, decimals) = match largest.0 {
            0..9_995 => (MICROSECOND, "µs", 2),
            9_995..999_950 => (MICROSECOND, "µs", 1),
            999_950..9_995_000 => (MILLISECOND, "ms", 2),
            9_995_000..999_950_000 => (MILLISECOND, "ms", 1),
            999_950_000..99_995_000_000 => (SECOND, "s", 2),
            _ => (SECOND, "s", 1),
        };
        Self {
            unit,
            name,
            decimals,
        }
    }

    /// The scale that suits a column of these values.
    #[must_use]
    pub fn of_all(values: impl IntoIterator<Item = Nanos>) -> Self {
        Self::of(values.into_iter().max().unwrap_or_default())
    }

    /// One value of the column, with its unit. What is there, but too small to be seen on this
    /// scale, is written as less than its last digit; nothing at all as a dash.
    #[must_use]
    pub fn write(self, time: Nanos) -> String {
        let Self {
            unit,
            name,
            decimals,
        } = self;
        if time == Nanos::ZERO {
            return "-".to_owned();
        }
        let value = time.0 as f64 / unit as f64;
        let last_digit = 10_f64.powi(-i32::try_from(decimals).unwrap_or(0));
        if value < last_digit / 2.0 {
            return format!("<{last_digit:.decimals$} {name}");
        }
        format!("{value:.decimals$} {name}")
    }
}

/// How far `new` lies from `base`, with its sign: `+300 ms`, `-1.20 s`, `0 s`.
#[must_use]
pub fn signed(base: Nanos, new: Nanos) -> String {
    match new.cmp(&base) {
        Ordering::Less => format!("-{}", duration(base.since(new))),
        Ordering::Equal => duration(Nanos::ZERO),
        Ordering::Greater => format!("+{}", duration(new.since(base))),
    }
}

/// How `new` differs from `base`, also in percent of base: `+300 ms, +25 %`, `only in new`.
#[must_use]
pub fn difference(base: Nanos, new: Nanos) -> String {
    match (base, new) {
        _ if base == new => "no difference".to_owned(),
        (Nanos::ZERO, _) => "only in new".to_owned(),
        (_, Nanos::ZERO) => "only in base".to_owned(),
        _ => {
            let signed = signed(base, new);
            let ratio = new.0.abs_diff(base.0) as f64 / base.0 as f64;
            let sign = if new > base { '+' } else { '-' };
            format!("{signed}, {sign}{}", percent(ratio))
        }
    }
}

/// A size in bytes, in binary units: `512 B`, `12.3 MiB`.
#[must_use]
pub fn bytes(size: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if size < 1024 {
        return format!("{size} B");
    }
    let mut value = size as f64 / 1024.0;
    let mut units = UNITS.iter();
    let mut name = units.next();
    while value >= 999.5 {
        let Some(next) = units.next() else { break };
        value /= 1024.0;
        name = Some(next);
    }
    let decimals = if value < 9.995 {
        2
    } else if value < 99.95 {
        1
    } else {
        0
    };
    format!("{value:.decimals$} {}", name.unwrap_or(&"EiB"))
}

/// `part` of `whole` in percent: `82 %`, `4.1 %`, `<0.1 %`, and a dash where there is no whole.
#[must_use]
pub fn share(part: Nanos, whole: Nanos) -> String {
    if whole == Nanos::ZERO {
        return "-".to_owned();
    }
    percent(part.0 as f64 / whole.0 as f64)
}

/// A ratio in percent; one decimal below ten percent.
#[must_use]
pub fn percent(ratio: f64) -> String {
    let value = ratio * 100.0;
    if !value.is_finite() {
        "-".to_owned()
    } else if value == 0.0 {
        "0 %".to_owned()
    } else if value.abs() < 0.05 {
        "<0.1 %".to_owned()
    } else if value.abs() < 9.95 {
        format!("{value:.1} %")
    } else {
        format!("{value:.0} %")
    }
}

/// A count with its thousands apart: `16,482`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and what is counted: `1 process`, `157 processes`.
#[must_use]
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits_and_never_reach_the_next_unit() {
        for (nanos, expected) in [
            (0, "0 s"),
            (7, "7 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (999_499, "999 µs"),
            (999_500, "1.00 ms"),
            (9_994_999, "9.99 ms"),
            (9_995_000, "10.0 ms"),
            (312_000_000, "312 ms"),
            (999_499_999, "999 ms"),
            (999_500_000, "1.00 s"),
            (1_240_000_000, "1.24 s"),
            (12_449_999_999, "12.4 s"),
            (59_949_999_999, "59.9 s"),
            (59_950_000_000, "1 min 00 s"),
            (124_000_000_000, "2 min 04 s"),
            (3_599_499_999_999, "59 min 59 s"),
            (3_599_500_000_000, "1 h 00 min"),
            (3_600_000_000_000, "1 h 00 min"),
            (7_320_000_000_000, "2 h 02 min"),
        ] {
            assert_eq!(duration(Nanos(nanos)), expected, "{nanos} ns");
        }
        assert_eq!(duration(Nanos(u64::MAX)), "5124095 h 34 min");
    }

    #[test]
    fn differences_are_new_minus_base() {
        for (base, new, expected) in [
            (1_200_000_000, 1_500_000_000, "+300 ms, +25 %"),
            (1_500_000_000, 1_200_000_000, "-300 ms, -20 %"),
            (100_000_000, 100_010_000, "+10.0 µs, +<0.1 %"),
            (5, 5, "no difference"),
            (0, 7, "only in new"),
            (7, 0, "only in base"),
        ] {
            assert_eq!(difference(Nanos(base), Nanos(new)), expected);
        }
        assert_eq!(signed(Nanos(9), Nanos(9)), "0 s");
        assert_eq!(signed(Nanos(0), Nanos(u64::MAX)), "+5124095 h 34 min");
    }

    #[test]
    fn a_column_has_one_unit() {
        let values = [6_310_000_000, 312_000_000, 4_000_000, 100_000, 0].map(Nanos);
        let scale = Scale::of_all(values);
        assert_eq!(
            values.map(|value| scale.write(value)),
            ["6.31 s", "0.31 s", "<0.01 s", "<0.01 s", "-"]
        );
        let small = [312_000_000, 31_200_000, 40_000].map(Nanos);
        let scale = Scale::of_all(small);
        assert_eq!(
            small.map(|value| scale.write(value)),
            ["312.0 ms", "31.2 ms", "<0.1 ms"]
        );
        assert_eq!(Scale::of_all([]).write(Nanos::ZERO), "-");
        for (largest, expected) in [
            (9_994, "9.99 µs"),
            (9_995, "10.0 µs"),
            (999_949, "999.9 µs"),
            (999_950, "1.00 ms"),
            (9_995_000, "10.0 ms"),
            (999_949_999, "999.9 ms"),
            (999_950_000, "1.00 s"),
            (99_994_999_999, "99.99 s"),
            (99_995_000_000, "100.0 s"),
        ] {
            let largest = Nanos(largest);
            assert_eq!(Scale::of(largest).write(largest), expected);
        }
    }

    #[test]
    fn bytes_are_binary() {
        for (size, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (1_048_576, "1.00 MiB"),
            (1_023_000, "999 KiB"),
            (1_023_488, "0.98 MiB"),
            (44_040_192, "42.0 MiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(bytes(size), expected, "{size} bytes");
        }
    }

    #[test]
    fn shares_keep_what_is_small_visible() {
        assert_eq!(share(Nanos(82), Nanos(100)), "82 %");
        assert_eq!(share(Nanos(41), Nanos(1000)), "4.1 %");
        assert_eq!(share(Nanos(9_949), Nanos(100_000)), "9.9 %");
        assert_eq!(share(Nanos(995), Nanos(10_000)), "10 %");
        assert_eq!(share(Nanos(1), Nanos(100_000)), "<0.1 %");
        assert_eq!(share(Nanos(0), Nanos(100)), "0 %");
        assert_eq!(share(Nanos(5), Nanos(0)), "-");
        assert_eq!(percent(f64::NAN), "-");
    }

    #[test]
    fn counts_have_their_thousands_apart() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(16_482), "16,482");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1, "process", "processes"), "1 process");
        assert_eq!(counted(1_157, "process", "processes"), "1,157 processes");
    }
}
