//! Time: nanoseconds since the trace's start, with one anchor to the wall clock.

use std::ops::{Add, AddAssign, Sub};

/// Nanoseconds: a point in time since the trace's start, or a length of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanos(pub u64);

impl Nanos {
    /// No time at all; as a point, the start of the trace.
    pub const ZERO: Self = Self(0);

    /// From whole microseconds.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros.saturating_mul(1_000))
    }

    /// In seconds, for printing and ratios.
    #[must_use]
    pub const fn seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// From `earlier` to `self`, or zero where clocks disagree and `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

impl Add for Nanos {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Nanos {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Nanos {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self.since(other)
    }
}

impl std::iter::Sum for Nanos {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

/// What ties [`Nanos`] to the world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClockAnchor {
    /// `CLOCK_MONOTONIC` at the trace's start, in nanoseconds.
    pub monotonic_ns: u64,
    /// Wall clock at the trace's start, in nanoseconds since 1970-01-01 UTC.
    pub unix_ns: u64,
}

impl ClockAnchor {
    /// The trace time of a `CLOCK_MONOTONIC` reading; readings before the start become zero.
    #[must_use]
    pub const fn at(&self, monotonic_ns: u64) -> Nanos {
        Nanos(monotonic_ns.saturating_sub(self.monotonic_ns))
    }

    /// The wall clock at a time of the trace, in nanoseconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn unix_ns(&self, time: Nanos) -> u64 {
        self.unix_ns.saturating_add(time.0)
    }
}
