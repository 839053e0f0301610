//! What trampolines write into the ring, and its times: words in, calls out.
//! The layout is drawn in [`crate::binary::trampoline::ring`].

use crate::binary::trampoline::ring::{FUNCTION, RETURN, SPANS, TAIL_JUMP};
use crate::capture::Monotonic;
use crate::trace::{CallEdge, Pid, Tid};
use std::num::NonZero;

/// Who a chunk's records are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Writer {
    /// The process.
    pub pid: Pid,
    /// The thread.
    pub tid: Tid,
    /// Which copy it runs.
    pub copy: u64,
}

impl Writer {
    /// Reads the beginning of a chunk.
    #[must_use]
    pub const fn of([who, copy, ..]: [u64; 4]) -> Self {
        let (pid, tid) = halves(who);
        Self {
            pid: Pid(pid),
            tid: Tid(tid),
            copy,
        }
    }
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Reading of the processor's counter.
    pub ticks: u64,
    /// Number of the goroutine; 0 on the stack of a thread.
    pub goroutine: u64,
    /// As [`crate::trace::CallEvent::depth`].
    pub depth: u32,
    /// Number of the function in its copy.
    pub function: u32,
    /// Entered or left.
    pub edge: CallEdge,
    /// At an entry, what was in the first register of arguments.
    pub argument: u64,
    /// At an entry, what the counter read when the function returned, if nothing was written between and that is known.
    pub left: Option<NonZero<u64>>,
}

impl Written {
    /// Reads a record.
    #[inline]
    #[must_use]
    pub const fn of([ticks, goroutine, place, argument]: [u64; 4]) -> Self {
        let (depth, number) = halves(place);
        let (argument, left) = match spans(number) {
            true => (0, NonZero::new(argument)),
            false => (argument, None),
        };
        Self {
            ticks,
            goroutine,
            depth,
            function: number & FUNCTION,
            edge: match number & (RETURN | TAIL_JUMP) {
                RETURN => CallEdge::Exit,
                TAIL_JUMP => CallEdge::TailJump,
                _ => CallEdge::Entry,
            },
            argument,
            left,
        }
    }

    /// The return that stands in the record of an entry, as if it had one of its own.
    #[must_use]
    #[inline]
    pub fn own_return(&self) -> Option<Self> {
        self.left.map(|left| Self {
            ticks: left.get(),
            edge: CallEdge::Exit,
            argument: 0,
            left: None,
            ..*self
        })
    }
}

/// Whether a record is of an entry in which a return may stand, and none does by now.
#[must_use]
pub const fn opens([.., place, left]: [u64; 4]) -> bool {
    let (_, number) = halves(place);
    spans(number) && left == 0
}

/// Whether a number of a record is that of an entry that spans.
const fn spans(number: u32) -> bool {
    number & !FUNCTION == SPANS
}

#[expect(clippy::cast_possible_truncation, reason = "it takes a word apart")]
const fn halves(word: u64) -> (u32, u32) {
    (word as u32, (word >> 32) as u32)
}

/// A moment by both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// By the processor's counter.
    pub ticks: u64,
    /// By the system's clock.
    pub time: Monotonic,
}

/// Which counter a copy's records have readings of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// This processor's.
    Own,
    /// The time of the day in units of so many nanoseconds, cut to microseconds. This is what qemu's user mode has arm64
    /// programs read (`gt_virt_cnt_read` in target/arm of qemu, `cpu_get_clock` in stubs): units of 16 ns in 7.2, of
    /// 1 ns in 10.0, which has 0 as their frequency, so that the unit is told by the reading alone.
    Day {
        /// The unit.
        ns_per_tick: u64,
    },
    /// None that is known.
    Unknown,
}

/// Units longer than this are none that qemu has.
const LONGEST_UNIT_NS: u64 = 100;
/// So long at most a reading waits until it is looked at, and so far at most the clock is set meanwhile.
const OLDEST_READING_NS: u64 = 600_000_000_000;

impl Counter {
    /// The counter that the program of a translator has read, as one reading tells at a time of the day: since 1970 there
    /// have been so many units that each one within limits is told from every other.
    #[must_use]
    pub fn of_guest(ticks: u64, day_ns: u64) -> Self {
        // The quotient is a little more than the unit, or less, where the clock was set back since.
        let quotient = day_ns.checked_div(ticks).unwrap_or_default();
        let mut units = quotient..=quotient.saturating_add(1);
        let unit = units.find(|unit| {
            let read = ticks.saturating_mul(*unit);
            (1..=LONGEST_UNIT_NS).contains(unit) && read.abs_diff(day_ns) <= OLDEST_READING_NS
        });
        unit.map_or(Self::Unknown, |ns_per_tick| Self::Day { ns_per_tick })
    }
}

/// How far the time of the day is ahead of the system's clock: the same until somebody sets it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Day {
    /// Nanoseconds of the one, less those of the other.
    pub ahead: u64,
}

impl Day {
    /// The system's time at a reading in nanoseconds of the day.
    #[must_use]
    pub const fn at(self, day_ns: u64) -> Monotonic {
        Monotonic(day_ns.saturating_sub(self.ahead))
    }
}

/// The system's time at readings of the counter between two moments, and a little beyond.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    from: Moment,
    ns_per_tick: f64,
}

impl Scale {
    /// That of two moments; where the counter did not move between them, all is the first one.
    #[must_use]
    pub fn between(from: Moment, to: Moment) -> Self {
        let ticks = to.ticks.saturating_sub(from.ticks);
        let time = to.time.0.saturating_sub(from.time.0);
        #[expect(
            clippy::cast_precision_loss,
            reason = "of some seconds, so that it is exact"
        )]
        let ns_per_tick = match ticks {
            0 => 0.0,
            ticks => time as f64 / ticks as f64,
        };
        Self { from, ns_per_tick }
    }

    /// How long a tick takes.
    #[must_use]
    pub const fn ns_per_tick(&self) -> f64 {
        self.ns_per_tick
    }

    /// The time at a reading.
    #[must_use]
    pub fn at(&self, ticks: u64) -> Monotonic {
        let after = ticks.wrapping_sub(self.from.ticks).cast_signed();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "of some seconds, so that it is exact"
        )]
        let after = (after as f64 * self.ns_per_tick) as i64;
        Monotonic(self.from.time.0.saturating_add_signed(after))
    }

    /// What the counter would have read at a time.
    #[must_use]
    pub fn ticks_at(&self, time: Monotonic) -> u64 {
        if self.ns_per_tick <= 0.0 {
            return self.from.ticks;
        }
        let after = time.0.wrapping_sub(self.from.time.0).cast_signed();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "of some seconds, so that it is exact"
        )]
        let after = (after as f64 / self.ns_per_tick) as i64;
        self.from.ticks.saturating_add_signed(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_is_drawn() {
        let place = 0x40_u64 | (7 | u64::from(RETURN)) << 32;
        let written = Written::of([99, 21, place, 5]);
        let expected = Written {
            ticks: 99,
            goroutine: 21,
            depth: 0x40,
            function: 7,
            edge: CallEdge::Exit,
            argument: 5,
            left: None,
        };
        assert_eq!(written, expected);
        let jump = u64::from(TAIL_JUMP) << 32;
        assert_eq!(Written::of([1, 1, jump, 0]).edge, CallEdge::TailJump);
        assert_eq!(Written::of([1, 1, 3 << 32, 0]).edge, CallEdge::Entry);
        // An entry that spans, before and after its return; at others the last word is no time.
        let spans = [0, RETURN].map(|edge| 0x40_u64 | u64::from(7 | SPANS | edge) << 32);
        let open = Written::of([99, 21, spans[0], 0]);
        let expected = Written {
            edge: CallEdge::Entry,
            argument: 0,
            ..expected
        };
        assert_eq!((open, open.own_return()), (expected, None));
        let ended = Written::of([99, 21, spans[0], 120]);
        let left = NonZero::new(120);
        assert_eq!(ended, Written { left, ..expected });
        let own = Written {
            ticks: 120,
            edge: CallEdge::Exit,
            ..expected
        };
        assert_eq!(ended.own_return(), Some(own));
        let exit = Written::of([99, 21, spans[1], 120]);
        assert_eq!((exit.edge, exit.left), (CallEdge::Exit, None));
        let writer = Writer::of([12 | 34 << 32, 56, 1, 0]);
        assert_eq!(
            (writer.pid, writer.tid, writer.copy),
            (Pid(12), Tid(34), 56)
        );
    }

    #[test]
    fn times_lie_between_those_that_were_read_together() {
        let moment = |ticks, time| Moment {
            ticks,
            time: Monotonic(time),
        };
        // 2 ticks a nanosecond.
        let scale = Scale::between(moment(1_000, 50_000), moment(3_000, 51_000));
        assert_eq!(scale.at(1_000), Monotonic(50_000));
        assert_eq!(scale.at(2_000), Monotonic(50_500));
        assert_eq!(scale.at(3_200), Monotonic(51_100));
        assert_eq!(scale.at(900), Monotonic(49_950));
        assert_eq!(scale.ticks_at(Monotonic(50_500)), 2_000);
        assert_eq!(scale.ticks_at(Monotonic(49_950)), 900);
        let still = Scale::between(moment(5, 7), moment(5, 9));
        assert_eq!(still.at(80), Monotonic(7));
        assert_eq!(still.ticks_at(Monotonic(80)), 5);
    }

    #[test]
    fn the_unit_of_a_guests_counter_is_told_by_one_reading() {
        // What a program read under qemu 7.2.22 and 10.0.2, and what `clock_gettime` told it next.
        for (ticks, day, unit) in [
            (112_248_946_844_154_625, 1_795_983_149_506_474_802, 16),
            (1_795_983_150_059_465_000, 1_795_983_150_059_465_300, 1),
        ] {
            let told = Counter::of_guest(ticks, day);
            assert_eq!(told, Counter::Day { ns_per_tick: unit });
        }
        let day = 1_796_155_200_123_456_789;
        for unit in [1, 2, 16, 41, 100] {
            for age in [0, 900, 5_000_000_000, 599_000_000_000] {
                let ticks = (day - age) / unit;
                let told = Counter::of_guest(ticks, day);
                assert_eq!(told, Counter::Day { ns_per_tick: unit }, "{unit} {age}");
                // The clock was set back since.
                let told = Counter::of_guest((day + age) / unit, day);
                assert_eq!(told, Counter::Day { ns_per_tick: unit }, "{unit} {age}");
            }
        }
        // Nothing, a counter of a machine that is on for a month, a unit that none has, and a reading of long ago.
        for ticks in [
            0,
            24_000_000 * 86_400 * 30,
            1_000_000_000 * 86_400 * 30,
            day / 101,
            day / 16 - 601_000_000_000 / 16,
            u64::MAX,
        ] {
            assert_eq!(Counter::of_guest(ticks, day), Counter::Unknown, "{ticks}");
        }
    }

    #[test]
    fn a_time_of_the_day_is_one_of_the_system() {
        let day = Day { ahead: 1_000 };
        assert_eq!(day.at(1_500), Monotonic(500));
        assert_eq!(day.at(900), Monotonic(0));
    }
}
