//! The counters that programs read, on this Mac: [`crate::capture::decode::darwin_counter`] tells which they are.

use super::super::sys;
use crate::capture::decode::darwin_counter::{Clocks, Counters};
use crate::capture::decode::trampoline::Scale;
use crate::capture::sys::ring::ticks;
use crate::capture::{Monotonic, Observation};

pub(in crate::capture) use crate::capture::decode::darwin_counter::Readings;

/// By how much the system's clock goes on at once: `CLOCK_MONOTONIC` is that of gettimeofday less the time of the start
/// (Libc, `gen/clock_gettime.c`).
pub(in crate::capture) const CLOCK_STEP_NS: u64 = 1_000;
/// Over so long clocks are read before anything is told of counters.
const BEGINNING_NS: u64 = 200_000;

/// What is known of counters by now.
#[derive(Debug)]
pub(in crate::capture) struct GuestClock {
    counters: Counters,
    /// How many kinds of them were told of.
    told: usize,
}

impl Default for GuestClock {
    fn default() -> Self {
        let from = clocks();
        let mut now = clocks();
        while now.awake.saturating_sub(from.awake) < BEGINNING_NS {
            now = clocks();
        }
        Self {
            counters: Counters::new(sys::timer(), [from, now]),
            told: 0,
        }
    }
}

impl GuestClock {
    /// What this process's counter read when the program of a chunk had this reading of its own.
    pub(in crate::capture) fn own(
        &mut self,
        of: &mut Readings,
        ticks: u64,
        _scale: Scale,
    ) -> Option<u64> {
        self.counters.own(of, ticks, clocks)
    }

    /// Reads the clocks anew, and tells which counters programs have read, where there are others than were told.
    pub(in crate::capture) fn follow(&mut self, _now: Monotonic) -> Option<Observation> {
        self.counters.follow(clocks());
        let met = self.counters.met();
        if met.len() == self.told {
            return None;
        }
        self.told = met.len();
        Some(Observation::Configured {
            key: "patch_counters".to_owned(),
            value: met.join(","),
        })
    }

    /// How exactly the times are known of programs that have another counter than this process, in nanoseconds, where
    /// there were any.
    pub(in crate::capture) fn error(&self) -> Option<u64> {
        self.counters.error()
    }

    /// How many records have no time since this was asked last.
    pub(in crate::capture) fn take_untimed(&mut self) -> u64 {
        self.counters.take_untimed()
    }
}

/// The clocks, read as nearly together as it goes.
fn clocks() -> Clocks {
    let read = || {
        let before = sys::awake();
        let ticks = ticks();
        let apart = sys::awake().saturating_sub(before);
        let on = sys::switched_on();
        let asleep = on.saturating_sub(sys::awake());
        let awake = before.saturating_add(apart / 2);
        Clocks {
            ticks,
            awake,
            on: awake.saturating_add(asleep),
            apart,
        }
    };
    let readings = [read(), read(), read()];
    let best = readings.into_iter().min_by_key(|clocks| clocks.apart);
    best.unwrap_or_else(read)
}
