//! Function entries and exits on their way from a backend to the recorder: in batches, for there
//! may be a million a second, from a pool, for memory is bounded.

use super::Monotonic;
use crate::trace::{CallEdge, CallTreeRow, Pid, ProbeId, StackOwner, Tid};
use crossbeam_channel::{Receiver, Sender, bounded};

/// From here on copies number their functions; the kernel's probes have the numbers below (`PROBE_BITS` of records.h).
pub(super) const OF_COPIES: u32 = 1 << 24;
/// Events in one batch at most.
const BATCH: usize = 4_096;
/// Batches at most. A backend that has none left waits for the recorder.
const BATCHES: usize = 32;

/// A function was entered or left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// When.
    pub time: Monotonic,
    /// In which process.
    pub pid: Pid,
    /// On which thread.
    pub tid: Tid,
    /// On whose stack.
    pub stack: StackOwner,
    /// At which probe.
    pub probe: ProbeId,
    /// Entered or left.
    pub edge: CallEdge,
    /// As [`crate::trace::CallEvent::depth`].
    pub depth: u32,
    /// First argument, where it was recorded.
    pub argument: Option<RawArgument>,
}

/// A program's calls, or those that have ended since the last ones, added up by who called whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallTree {
    /// In which process.
    pub pid: Pid,
    /// The time of the first event.
    pub from: Monotonic,
    /// The time of the last one.
    pub to: Monotonic,
    /// In preorder, without their process.
    pub rows: Vec<CallTreeRow>,
}

/// A first argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawArgument {
    /// One machine word.
    Integer(u64),
    /// The first bytes of a string.
    Text(Box<[u8]>),
}

/// Calls in the order of their time. Its memory goes back to the pool when it is dropped.
#[derive(Debug)]
pub struct Batch {
    calls: Vec<Called>,
    home: Option<Sender<Vec<Called>>>,
}

impl Batch {
    /// The calls.
    #[must_use]
    pub fn calls(&self) -> &[Called] {
        &self.calls
    }
}

impl Clone for Batch {
    fn clone(&self) -> Self {
        Self {
            calls: self.calls.clone(),
            home: None,
        }
    }
}

impl PartialEq for Batch {
    fn eq(&self, other: &Self) -> bool {
        self.calls == other.calls
    }
}

impl Eq for Batch {}

impl Drop for Batch {
    fn drop(&mut self) {
        if let Some(home) = self.home.take() {
            self.calls.clear();
            // There is room for all that came from there.
            drop(home.try_send(std::mem::take(&mut self.calls)));
        }
    }
}

/// The memory of all batches of a backend.
#[derive(Debug)]
pub struct Pool {
    home: Sender<Vec<Called>>,
    free: Receiver<Vec<Called>>,
}

impl Default for Pool {
    fn default() -> Self {
        let (home, free) = bounded(BATCHES);
        for _ in 0..BATCHES {
            // Just that many fit.
            drop(home.try_send(Vec::new()));
        }
        Self { home, free }
    }
}

impl Pool {
    /// Fills batches with calls and hands each over; waits while none is free.
    pub fn give(&self, calls: impl Iterator<Item = Called>, out: &mut dyn FnMut(Batch)) {
        let mut calls = calls.peekable();
        while calls.peek().is_some() {
            let mut batch = self.free.recv().unwrap_or_default();
            batch.extend(calls.by_ref().take(BATCH));
            out(Batch {
                calls: batch,
                home: Some(self.home.clone()),
            });
        }
    }
}
