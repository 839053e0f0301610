//! Puts what the buffers of several processors hold in the order in which it happened.
//!
//! `dtrace` empties a buffer so many times a second (`switchrate`). Whatever it prints later can only be older
//! than what it has printed by the time between two rounds, and by how long a round takes.

use super::line::Event;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Events that wait at most, whatever their times are.
const MOST: usize = 1 << 18;

/// Holds events back until nothing older can come.
#[derive(Debug)]
pub struct Order {
    /// Nanoseconds that an event waits for older ones.
    patience: u64,
    waiting: BinaryHeap<Reverse<(u64, u64)>>,
    /// Those that wait, by their numbers.
    events: rustc_hash::FxHashMap<u64, Event>,
    next: u64,
    newest: u64,
    /// Time of the last one that was given out.
    given: u64,
    late: u64,
}

impl Order {
    /// For scripts that empty each buffer every `round` nanoseconds: waits twice as long.
    #[must_use]
    pub fn new(round: u64) -> Self {
        Self {
            patience: round.saturating_mul(2),
            waiting: BinaryHeap::new(),
            events: rustc_hash::FxHashMap::default(),
            next: 0,
            newest: 0,
            given: 0,
            late: 0,
        }
    }

    /// Takes an event, and gives out those that are old enough.
    pub fn add(&mut self, event: Event, out: &mut impl FnMut(Event)) {
        self.newest = self.newest.max(event.time);
        if event.time < self.given {
            self.late = self.late.saturating_add(1);
        }
        self.waiting.push(Reverse((event.time, self.next)));
        self.events.insert(self.next, event);
        self.next = self.next.wrapping_add(1);
        let old_enough = self.newest.saturating_sub(self.patience);
        while let Some(Reverse((time, _))) = self.waiting.peek() {
            if *time >= old_enough && self.waiting.len() <= MOST {
                break;
            }
            self.give(out);
        }
    }

    /// Gives out the rest. How many came later than they could, and are not in order: those of the same
    /// thread are, for a thread's events of one processor are printed in their order.
    pub fn finish(mut self, out: &mut impl FnMut(Event)) -> u64 {
        while !self.waiting.is_empty() {
            self.give(out);
        }
        self.late
    }

    fn give(&mut self, out: &mut impl FnMut(Event)) {
        let first = self.waiting.pop();
        let event = first.and_then(|Reverse((_, number))| self.events.remove(&number));
        if let Some(event) = event {
            self.given = self.given.max(event.time);
            out(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::decode::dtrace::line::What;
    use crate::trace::Pid;

    fn event(time: u64, pid: u32) -> Event {
        Event {
            time,
            pid: Pid(pid),
            what: What::Ended { how: 1 },
        }
    }

    fn ordered(patience: u64, times: &[u64]) -> (Vec<u64>, u64) {
        let (mut order, mut found) = (Order::new(patience), Vec::new());
        let mut out = |event: Event| found.push(event.time);
        for time in times {
            order.add(event(*time, 1), &mut out);
        }
        let late = order.finish(&mut out);
        (found, late)
    }

    #[test]
    fn blocks_of_two_processors_become_one_line_of_time() {
        let blocks = [10, 30, 50, 20, 40, 60, 110, 130, 120];
        let (found, late) = ordered(100, &blocks);
        assert_eq!(found, [10, 20, 30, 40, 50, 60, 110, 120, 130]);
        assert_eq!(late, 0);
    }

    #[test]
    fn what_comes_too_late_is_counted_and_not_left_out() {
        let (found, late) = ordered(10, &[10, 100, 5, 101]);
        assert_eq!((found, late), (vec![10, 5, 100, 101], 1));
        let (found, late) = ordered(10, &[10, 100, 10]);
        assert_eq!((found, late), (vec![10, 10, 100], 0), "of the same time");
    }

    #[test]
    fn events_of_one_time_keep_their_order() {
        let (mut order, mut found) = (Order::new(10), Vec::new());
        let mut out = |event: Event| found.push(event.pid.0);
        for pid in 1..=5 {
            order.add(event(7, pid), &mut out);
        }
        order.finish(&mut out);
        assert_eq!(found, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn no_more_wait_than_there_is_room_for() {
        let mut order = Order::new(u64::MAX);
        let mut given = 0_u64;
        for time in 0..300_000 {
            order.add(event(time, 1), &mut |_| given += 1);
        }
        assert_eq!(given, 300_000 - (1 << 18));
    }
}
