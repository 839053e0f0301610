//! How far a run has come: written by backends and recorder, read by the status line.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::trace::Pid;

/// Counts of a run that is under way.
#[derive(Debug, Default)]
pub struct Progress {
    processes: AtomicU64,
    events: AtomicU64,
    lost: AtomicU64,
    building: Mutex<Vec<(Pid, String)>>,
}

impl Progress {
    /// Programs seen so far.
    #[must_use]
    pub fn processes(&self) -> u64 {
        self.processes.load(Ordering::Relaxed)
    }

    /// Observations recorded so far.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// Events that were lost so far.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Import paths of the packages that are being compiled now, the longest-running first.
    #[must_use]
    pub fn building(&self) -> Vec<String> {
        let building = self.building.lock();
        let building = building.unwrap_or_else(std::sync::PoisonError::into_inner);
        building
            .iter()
            .map(|(_, package)| package.clone())
            .collect()
    }

    pub(super) fn add_process(&self) {
        self.processes.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn add_events(&self, count: u64) {
        self.events.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn add_lost(&self, count: u64) {
        self.lost.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn began(&self, pid: Pid, package: String) {
        let building = self.building.lock();
        let mut building = building.unwrap_or_else(std::sync::PoisonError::into_inner);
        building.push((pid, package));
    }

    pub(super) fn ended(&self, pid: Pid) {
        let building = self.building.lock();
        let mut building = building.unwrap_or_else(std::sync::PoisonError::into_inner);
        building.retain(|(other, _)| *other != pid);
    }
}
