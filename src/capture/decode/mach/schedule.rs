//! When the thread that takes samples does what: the time in, what is due out.

use std::time::Duration;

use crate::capture::Monotonic;

/// How often it is looked for images, and for who has ended, at least.
const HOUSEKEEPING: Duration = Duration::from_millis(100);
/// How often counters are told.
const COUNTING: Duration = Duration::from_secs(1);

/// Ticks, and what is done at longer intervals.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    period: Duration,
    samples: bool,
    next: Monotonic,
    kept: Monotonic,
    counted: Monotonic,
}

/// What is due at a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// To look for images, and for who has ended.
    pub housekeeping: bool,
    /// To tell counters.
    pub counting: bool,
    /// To look at threads.
    pub sampling: bool,
}

impl Schedule {
    /// With so much time from one sample to the next, if any are wanted.
    #[must_use]
    pub fn beginning(now: Monotonic, period: Option<Duration>) -> Self {
        let samples = period.is_some();
        let period = period.unwrap_or(HOUSEKEEPING).min(HOUSEKEEPING);
        Self {
            period,
            samples,
            next: later(now, period),
            kept: now,
            counted: now,
        }
    }

    /// How long it is until the next tick; zero where that is overdue.
    #[must_use]
    pub fn left(&self, now: Monotonic) -> Duration {
        since(now, self.next)
    }

    /// What is to be done at a tick.
    pub fn due(&mut self, now: Monotonic) -> Due {
        Due {
            housekeeping: is_due(&mut self.kept, HOUSEKEEPING, now),
            counting: is_due(&mut self.counted, COUNTING, now),
            sampling: self.samples,
        }
    }

    /// It was done. What could not be done in time is not done later: samples weigh what was used meanwhile. Half of
    /// the time is left for programs that wait for an answer.
    pub fn done(&mut self, now: Monotonic) {
        let soon = later(now, self.period.checked_div(2).unwrap_or_default());
        self.next = later(self.next, self.period).max(soon);
    }
}

fn is_due(last: &mut Monotonic, interval: Duration, now: Monotonic) -> bool {
    let due = since(*last, now) >= interval;
    if due {
        *last = now;
    }
    due
}

fn since(from: Monotonic, to: Monotonic) -> Duration {
    Duration::from_nanos(to.0.saturating_sub(from.0))
}

fn later(time: Monotonic, by: Duration) -> Monotonic {
    let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
    Monotonic(time.0.saturating_add(by))
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests may panic")]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn at(ms: u64) -> Monotonic {
        Monotonic(ms * MS)
    }

    fn millis(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn ticks_come_in_time() {
        let mut schedule = Schedule::beginning(at(1_000), Some(millis(5)));
        assert_eq!(schedule.left(at(1_000)), millis(5));
        assert_eq!(schedule.left(at(1_004)), millis(1));
        // A tick that takes a while does not move the next one.
        schedule.done(at(1_006));
        assert_eq!(schedule.left(at(1_006)), millis(4));
        assert_eq!(schedule.left(at(1_011)), Duration::ZERO, "overdue");
    }

    #[test]
    fn ticks_that_were_missed_are_not_made_up_for() {
        let mut schedule = Schedule::beginning(at(0), Some(millis(10)));
        schedule.done(at(95));
        assert_eq!(schedule.left(at(95)), millis(5), "half a tick");
        schedule.done(at(100));
        assert_eq!(schedule.left(at(100)), millis(10));
    }

    #[test]
    fn other_work_is_done_less_often() {
        let mut schedule = Schedule::beginning(at(0), Some(millis(60)));
        let mut due = |ms| {
            let due = schedule.due(at(ms));
            assert!(due.sampling);
            (due.housekeeping, due.counting)
        };
        assert_eq!(due(60), (false, false));
        assert_eq!(due(120), (true, false));
        assert_eq!(due(180), (false, false));
        assert_eq!(due(220), (true, false));
        assert_eq!(due(1_000), (true, true));
        assert_eq!(due(1_060), (false, false));
    }

    #[test]
    fn without_samples_there_is_the_other_work() {
        let mut schedule = Schedule::beginning(at(0), None);
        assert_eq!(schedule.left(at(0)), millis(100));
        assert!(!schedule.due(at(100)).sampling);
        let slow = Schedule::beginning(at(0), Some(millis(1_000)));
        assert_eq!(slow.left(at(0)), millis(100), "one sample a second");
    }
}
