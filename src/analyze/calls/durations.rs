//! Durations, counted in buckets: their quantiles in bounded memory.

use crate::trace::Nanos;

/// Buckets of each power of two: a quantile is off by less than one part in so many.
const PARTS: u64 = 128;

/// How often which duration occurred.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    /// By bucket; up to 7,424 of them.
    buckets: Vec<u64>,
    count: u64,
    least: Nanos,
    most: Nanos,
}

impl Durations {
    /// Counts a duration.
    pub fn add(&mut self, duration: Nanos) {
        let bucket = bucket_of(duration.0);
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
        if self.count == 0 {
            self.least = duration;
        }
        self.count += 1;
        self.least = self.least.min(duration);
        self.most = self.most.max(duration);
    }

    /// Whether none was counted.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The shortest, exact.
    #[must_use]
    pub const fn least(&self) -> Nanos {
        self.least
    }

    /// The longest, exact.
    #[must_use]
    pub const fn most(&self) -> Nanos {
        self.most
    }

    /// The smallest duration that so many of a thousand durations do not exceed, less than 0.8 %
    /// too small; 500 asks for the median.
    #[must_use]
    pub fn quantile(&self, of_a_thousand: u64) -> Nanos {
        let rank = (self.count * of_a_thousand).div_ceil(1_000).max(1);
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Nanos(start_of(bucket)).max(self.least).min(self.most);
            }
        }
        self.most
    }
}

/// Values below [`PARTS`] have a bucket each; above, a power of two has [`PARTS`] of them.
fn bucket_of(value: u64) -> usize {
    let shift = u64::from(u64::BITS - value.leading_zeros()).saturating_sub(8);
    let bucket = match shift {
        0 => value,
        shift => shift * PARTS + (value >> shift),
    };
    usize::try_from(bucket).unwrap_or(usize::MAX)
}

fn start_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    // The first 2 × PARTS buckets are one wide.
    match (bucket / PARTS).saturating_sub(1) {
        0 => bucket,
        shift => (bucket - shift * PARTS) << shift,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_begins_at_most_one_part_below_what_is_in_it() {
        let mut values: Vec<u64> = (0..64)
            .flat_map(|bits| {
                let power = 1_u64 << bits;
                [power - 1, power, power + power / 3, power | power >> 1 | 1]
            })
            .collect();
        values.push(u64::MAX);
        values.sort_unstable();
        for pair in values.windows(2) {
            assert!(bucket_of(pair[0]) <= bucket_of(pair[1]), "{pair:?}");
        }
        for value in values {
            let start = start_of(bucket_of(value));
            assert!(
                start <= value && value - start <= value / PARTS,
                "{value}: {start}"
            );
        }
        assert!(bucket_of(u64::MAX) < 7_424);
    }

    #[test]
    fn quantiles_of_a_hundred_are_near_those_of_a_sorted_list() {
        let mut durations = Durations::default();
        for value in (1..=100_u64).rev() {
            durations.add(Nanos(value * 1_000));
        }
        assert_eq!(durations.least(), Nanos(1_000));
        assert_eq!(durations.most(), Nanos(100_000));
        for (of_a_thousand, exact) in [(500, 50_000), (990, 99_000), (1_000, 100_000), (0, 1_000)] {
            let found = durations.quantile(of_a_thousand).0;
            assert!(
                found <= exact && exact - found <= exact / 127,
                "{of_a_thousand}: {found}"
            );
        }
    }
}
