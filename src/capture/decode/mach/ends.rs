//! Ends of processes, which are told later than they are seen: a shim that knows more of the same end comes first.

use crate::capture::Monotonic;
use crate::trace::{Pid, Usage};

/// How much later.
const LATER_NS: u64 = 1_000_000_000;

/// A process that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Which.
    pub pid: Pid,
    /// When that was seen.
    pub time: Monotonic,
    /// What it has used.
    pub usage: Usage,
}

/// Those that are still to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends(Vec<End>);

impl Ends {
    /// A process has ended.
    pub fn add(&mut self, end: End) {
        self.0.push(end);
    }

    /// Those that it is time to tell.
    pub fn due(&mut self, now: Monotonic) -> Vec<End> {
        self.take(|end| now.0.saturating_sub(end.time.0) >= LATER_NS)
    }

    /// Those of a process's number, which another process has now: told later, they would end that one.
    pub fn of(&mut self, pid: Pid) -> Vec<End> {
        self.take(|end| end.pid == pid)
    }

    /// All.
    pub fn all(&mut self) -> Vec<End> {
        self.take(|_| true)
    }

    fn take(&mut self, which: impl Fn(&End) -> bool) -> Vec<End> {
        self.0.extract_if(.., |end| which(end)).collect()
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests may panic")]
mod tests {
    use super::*;

    fn end(pid: u32, seconds: u64) -> End {
        End {
            pid: Pid(pid),
            time: Monotonic(seconds * 1_000_000_000),
            usage: Usage::default(),
        }
    }

    fn ends() -> Ends {
        let mut ends = Ends::default();
        for (pid, seconds) in [(7, 1), (8, 2), (9, 3)] {
            ends.add(end(pid, seconds));
        }
        ends
    }

    #[test]
    fn an_end_is_told_a_second_later_and_once() {
        let mut ends = ends();
        assert_eq!(ends.due(Monotonic(1_999_999_999)), []);
        assert_eq!(ends.due(Monotonic(2_000_000_000)), [end(7, 1)]);
        assert_eq!(ends.due(Monotonic(3_500_000_000)), [end(8, 2)]);
        assert_eq!(ends.all(), [end(9, 3)]);
        assert_eq!(ends, Ends::default());
    }

    #[test]
    fn another_process_of_that_number_is_not_ended_by_it() {
        let mut ends = ends();
        assert_eq!(ends.of(Pid(8)), [end(8, 2)]);
        assert_eq!(ends.of(Pid(8)), []);
        assert_eq!(ends.due(Monotonic(u64::MAX)), [end(7, 1), end(9, 3)]);
    }
}
