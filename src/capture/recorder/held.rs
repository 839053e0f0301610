//! Calls that two backends tell of, each in the order of time: in, and in the order of both, out.
//!
//! Whose call was in whose is told by the order in which they come ([`crate::analyze::calls::Pairing`]); each backend
//! is some moments behind.

use crate::capture::observation::Teller;
use crate::trace::{CallEvent, Nanos};

/// Calls at most that wait.
const MOST: usize = 1 << 20;

/// Calls that wait until both backends have told all that was before them.
#[derive(Debug, Default)]
pub(super) struct Held {
    calls: Vec<CallEvent>,
    kernel: Nanos,
    copies: Nanos,
    /// Some could not wait.
    overflowed: bool,
}

impl Held {
    /// A call.
    pub(super) fn add(&mut self, call: CallEvent, out: &mut dyn FnMut(CallEvent)) {
        self.calls.push(call);
        if self.calls.len() >= MOST {
            self.overflowed = true;
            self.give(Nanos(u64::MAX), out);
        }
    }

    /// A backend has told all calls up to a moment.
    pub(super) fn told(&mut self, by: Teller, until: Nanos, out: &mut dyn FnMut(CallEvent)) {
        match by {
            Teller::Kernel => self.kernel = until,
            Teller::Copies => self.copies = until,
        }
        self.give(self.kernel.min(self.copies), out);
    }

    /// No more come: hands all over; whether some could not wait.
    pub(super) fn finish(mut self, out: &mut dyn FnMut(CallEvent)) -> bool {
        self.give(Nanos(u64::MAX), out);
        self.overflowed
    }

    fn give(&mut self, until: Nanos, out: &mut dyn FnMut(CallEvent)) {
        // Stretches that are in order already.
        self.calls.sort_by_key(|call| call.time);
        let end = self.calls.partition_point(|call| call.time <= until);
        self.calls.drain(..end).for_each(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{CallEdge, ProbeId, ProcessId, StackOwner, Tid};

    fn call(time: u64, probe: u32) -> CallEvent {
        CallEvent {
            time: Nanos(time),
            process: ProcessId(0),
            tid: Tid(1),
            stack: StackOwner::System(None),
            probe: ProbeId(probe),
            edge: CallEdge::Entry,
            depth: 0,
            argument: None,
        }
    }

    #[test]
    fn calls_come_in_the_order_of_their_time_once_both_have_told() {
        let mut held = Held::default();
        let mut times = Vec::new();
        let mut out = |call: CallEvent| times.push(call.time.0);
        for time in [10, 30, 50] {
            held.add(call(time, 0), &mut out);
        }
        held.told(Teller::Copies, Nanos(60), &mut out);
        for time in [20, 40] {
            held.add(call(time, 1), &mut out);
        }
        held.told(Teller::Kernel, Nanos(45), &mut out);
        held.add(call(55, 1), &mut out);
        assert!(!held.finish(&mut out));
        assert_eq!(times, [10, 20, 30, 40, 50, 55]);
    }

    #[test]
    fn memory_is_bounded_and_that_is_told() {
        let mut held = Held::default();
        let mut count = 0;
        for time in 0..MOST as u64 + 1 {
            held.add(call(time, 0), &mut |_| count += 1);
        }
        assert_eq!(held.calls.len(), 1);
        assert!(held.finish(&mut |_| count += 1));
        assert_eq!(count, MOST + 1);
    }
}
