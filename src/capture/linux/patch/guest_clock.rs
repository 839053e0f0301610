//! The time of programs that a translator runs: readings of their counter in, those that this processor's counter had
//! at that time out.
//!
//! What their counter is, [`Counter`] tells: of a translator that has another one, no time is told.

use crate::capture::Monotonic;
use crate::capture::Observation;
use crate::capture::decode::trampoline::{Counter, Day, Scale};
use crate::capture::linux::sys;
use crate::capture::ring::drain::beside_monotonic;
use crate::capture::sys::ring::ticks as own_ticks;

/// By how much the system's clock goes on at once.
pub(in crate::capture) const CLOCK_STEP_NS: u64 = 0;
/// Farther than this the time of the day does not come off its course unless somebody sets it.
const COURSE_NS: u64 = 100_000;
/// To what qemu cuts the time that it has programs read.
const CUT_NS: u64 = 1_000;
const NS_PER_MS: f64 = 1e6;

/// What is known of the time of the day, once a program has read it.
#[derive(Debug, Default)]
pub(in crate::capture) struct GuestClock {
    day: Option<(Day, u64)>,
    /// Records whose time is not known.
    untimed: u64,
}

/// What the records of one chunk have readings of.
#[derive(Debug, Default)]
pub(in crate::capture) struct Readings {
    counter: Option<Counter>,
    last: u64,
}

impl GuestClock {
    /// What this processor's counter read when the program of a chunk had this reading of its own.
    pub(in crate::capture) fn own(
        &mut self,
        of: &mut Readings,
        ticks: u64,
        scale: Scale,
    ) -> Option<u64> {
        let counter = match of.counter {
            Some(counter) => counter,
            None => *of.counter.insert(self.counter_of(ticks)),
        };
        let own = match (counter, self.day) {
            (Counter::Own, _) => return Some(ticks),
            (Counter::Day { ns_per_tick }, Some((day, _))) => {
                scale.ticks_at(day.at(ticks.saturating_mul(ns_per_tick)))
            }
            (Counter::Day { .. }, None) | (Counter::Unknown, _) => {
                self.untimed = self.untimed.saturating_add(1);
                return None;
            }
        };
        // In the order in which they were written, however the scale moves, and never ahead, whoever sets the clock.
        of.last = of.last.max(own.min(own_ticks()));
        Some(of.last)
    }

    fn counter_of(&mut self, ticks: u64) -> Counter {
        let known = self.day.unwrap_or_else(day);
        let told = Counter::of_guest(ticks, known.0.ahead.saturating_add(sys::monotonic()));
        match told {
            // No translator is in between.
            Counter::Unknown if cfg!(target_arch = "aarch64") => return Counter::Own,
            Counter::Day { .. } => self.day = Some(known),
            Counter::Own | Counter::Unknown => {}
        }
        told
    }

    /// Sees whether somebody has set the clock that programs read.
    pub(in crate::capture) fn follow(&mut self, now: Monotonic) -> Option<Observation> {
        let (known, apart) = self.day?;
        let (found, found_apart) = day();
        let by = found.ahead.abs_diff(known.ahead);
        if by <= COURSE_NS.saturating_add(found_apart) {
            return None;
        }
        self.day = Some((found, apart.max(found_apart)));
        Some(Observation::Unseen {
            time: now,
            what: "times of calls in translated programs".to_owned(),
            why: format!(
                "the clock that they read was set meanwhile, by {:.1} ms",
                by as f64 / NS_PER_MS
            ),
        })
    }

    /// How exactly the time is known, in nanoseconds, where a program has read it.
    pub(in crate::capture) fn error(&self) -> Option<u64> {
        self.day.map(|(_, apart)| apart.saturating_add(CUT_NS))
    }

    /// How many records have no time since this was asked last.
    pub(in crate::capture) fn take_untimed(&mut self) -> u64 {
        std::mem::take(&mut self.untimed)
    }
}

/// How far the time of the day is ahead, and how exactly that is known.
fn day() -> (Day, u64) {
    let (day, time, apart) = beside_monotonic(sys::realtime);
    let ahead = day.saturating_sub(time);
    (Day { ahead }, apart)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::decode::trampoline::Moment;

    #[test]
    fn readings_of_the_day_are_timed_in_their_order_and_others_are_counted() {
        let now = sys::monotonic();
        let (known, apart) = day();
        let moment = |ticks, time| Moment {
            ticks,
            time: Monotonic(time),
        };
        // Three ticks a nanosecond.
        let scale = Scale::between(moment(1_000, now - 1_000_000), moment(3_001_000, now));
        let mut clock = GuestClock::default();
        let mut readings = Readings::default();
        let reading = (known.ahead + now - 500_000) / 16;
        let own = clock.own(&mut readings, reading, scale).unwrap();
        let error = 3 * (clock.error().unwrap() + apart);
        assert!(own.abs_diff(1_501_000) <= error, "{own} {error}");
        let next = clock.own(&mut readings, reading + 625, scale).unwrap();
        assert!(next.abs_diff(own + 30_000) <= 48, "{own} {next}");
        // The scale has moved back meanwhile.
        let moved = Scale::between(moment(0, now - 1_000_000), moment(3_000_000, now));
        assert_eq!(clock.own(&mut readings, reading + 625, moved), Some(next));
        assert_eq!(clock.follow(Monotonic(now)), None);
        assert_eq!(clock.take_untimed(), 0);

        let mut others = Readings::default();
        let uptime = clock.own(&mut others, now, scale);
        if cfg!(target_arch = "aarch64") {
            assert_eq!(uptime, Some(now));
        } else {
            assert_eq!((uptime, clock.take_untimed()), (None, 1));
        }
    }

    #[test]
    fn a_clock_that_was_set_is_told_once() {
        let (known, apart) = day();
        let mut clock = GuestClock {
            day: Some((
                Day {
                    ahead: known.ahead - 2_500_000_000,
                },
                apart,
            )),
            untimed: 0,
        };
        let Some(Observation::Unseen { why, .. }) = clock.follow(Monotonic(5)) else {
            panic!("not seen");
        };
        assert!(why.ends_with("by 2500.0 ms"), "{why}");
        assert!(clock.follow(Monotonic(5)).is_none());
    }
}
