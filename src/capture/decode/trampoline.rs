//! What trampolines write into the ring, and its times: words in, calls out.
//! The layout is drawn in [`crate::binary::trampoline::ring`].

use crate::binary::trampoline::ring::{FUNCTION, RETURN, TAIL_JUMP};
use crate::capture::Monotonic;
use crate::trace::{CallEdge, Pid, Tid};

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
}

impl Written {
    /// Reads a record.
    #[must_use]
    pub const fn of([ticks, goroutine, place, argument]: [u64; 4]) -> Self {
        let (depth, number) = halves(place);
        Self {
            ticks,
            goroutine,
            depth,
            function: number & FUNCTION,
            edge: match number & !FUNCTION {
                RETURN => CallEdge::Exit,
                TAIL_JUMP => CallEdge::TailJump,
                _ => CallEdge::Entry,
            },
            argument,
        }
    }
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
        };
        assert_eq!(written, expected);
        let jump = u64::from(TAIL_JUMP) << 32;
        assert_eq!(Written::of([1, 1, jump, 0]).edge, CallEdge::TailJump);
        assert_eq!(Written::of([1, 1, 3 << 32, 0]).edge, CallEdge::Entry);
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
        let still = Scale::between(moment(5, 7), moment(5, 9));
        assert_eq!(still.at(80), Monotonic(7));
    }
}
