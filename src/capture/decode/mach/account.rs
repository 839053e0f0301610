//! The CPU time of a process, and how much of it samples stand for: in, what the system says that the process and its
//! threads have used; out, weights, and what is left over.
//!
//! Threads are looked at when a tick comes. What one used between its last tick and its end is in no sample, nor is
//! what a thread used that lived between two ticks.

use crate::trace::Nanos;

/// Of one process, whatever programs it runs one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    used: Option<Nanos>,
    sampled: Nanos,
}

impl Account {
    /// Whether the process has used any time since this was asked last; it may have where the system does not say.
    pub fn has_run(&mut self, used: Option<Nanos>) -> bool {
        let before = self.used;
        self.used = used.or(before);
        used.is_none() || used != before
    }

    /// A sample stands for so much.
    pub const fn sampled(&mut self, weight: Nanos) {
        self.sampled = Nanos(self.sampled.0.saturating_add(weight.0));
    }

    /// What no sample stands for.
    #[must_use]
    pub fn unsampled(&self) -> Nanos {
        let used = self.used.unwrap_or_default();
        Nanos(used.0.saturating_sub(self.sampled.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_has_not_run_is_left_alone() {
        let mut account = Account::default();
        let mut has_run = |used: u64| account.has_run(Some(Nanos(used)));
        assert_eq!([5, 5, 9, 9].map(&mut has_run), [true, false, true, false]);
        assert!(account.has_run(None), "nobody knows");
        assert!(
            !account.has_run(Some(Nanos(9))),
            "what was known before counts"
        );
    }

    #[test]
    fn what_no_sample_stands_for_is_left_over() {
        let mut account = Account::default();
        assert_eq!(account.unsampled(), Nanos(0));
        account.has_run(Some(Nanos(1_000)));
        account.sampled(Nanos(300));
        account.sampled(Nanos(450));
        assert_eq!(account.unsampled(), Nanos(250));
        // The end of a process is not told any more, once it was waited for.
        account.has_run(None);
        assert_eq!(account.unsampled(), Nanos(250));
        // Threads are asked after their process, and may have used more by then.
        account.sampled(Nanos(500));
        assert_eq!(account.unsampled(), Nanos(0));
    }
}
