//! What the thread that empties the ring is to know of copies, and of the processes that run them.

use super::again::Again;
use super::copies::Copies;
use crate::capture::ring::{Image, Programs};
use crate::capture::{Monotonic, Observation};
use crate::trace::Pid;
use crossbeam_channel::Sender;
use std::path::Path;
use std::sync::Arc;

/// Copies, as long as they run.
#[derive(Debug)]
pub(super) struct Watched {
    copies: Arc<Copies>,
    /// Programs that execute themselves.
    again: Again,
}

impl Watched {
    pub(super) fn of(copies: &Arc<Copies>) -> Self {
        Self {
            copies: Arc::clone(copies),
            again: Again::default(),
        }
    }
}

impl Programs for Watched {
    fn tell_to(&mut self, out: &Sender<Observation>) {
        self.copies.tell_to(out);
    }

    fn are_asked_for(&self) -> bool {
        self.copies.are_asked_for()
    }

    fn image(&mut self, copy: u64) -> Option<Arc<Image>> {
        self.copies.image(copy)
    }

    /// Whoever was given a copy is told of by who gave it.
    fn met(&self, _pid: Pid) -> Option<Observation> {
        None
    }

    fn look(
        &mut self,
        now: Monotonic,
        processes: &mut dyn Iterator<Item = Pid>,
    ) -> Vec<Observation> {
        let original = |copy: &Path| self.copies.original(copy);
        let is_asked_for = self.copies.are_asked_for();
        self.again.look(now, is_asked_for, processes, original)
    }

    fn without_ring(&self, time: Monotonic, given: u64, mapped: u64) -> Option<Observation> {
        let without = given.saturating_sub(mapped);
        let without = without.saturating_sub(self.copies.is_told().into());
        (without > 0).then(|| Observation::Unseen {
            time,
            what: format!("calls in {without} of {given} programs that were given copies"),
            why: "they have not mapped the memory for records: it was refused to them (by a filter of system calls, or a limit), or the copy could not be executed, and the program ran as it is"
                .to_owned(),
        })
    }
}
