//! The ring that programs with trampolines write their calls into, from the recorder's side: memory in, calls out.
//!
//! ```text
//! programs ──records──► SharedRing ──► Drain, a thread ──Called──► the recorder
//!                                        │      └─ Runs: calls that are added up, or of which most are left out
//!                                        └─ Programs: who knows what the numbers in records mean
//! ```
//!
//! How the memory lies is drawn in [`crate::binary::trampoline::ring`]. How programs come to have it is their system's
//! matter.

pub(super) mod drain;
mod runs;
#[cfg(test)]
mod tests;

use super::decode::call_sieve::Functions;
use super::{Monotonic, Observation};
use crate::trace::Pid;
use crossbeam_channel::Sender;
pub(super) use drain::{Begun, Drain};
use std::sync::Arc;

/// Chunks of a ring. Each thread of a program with trampolines has one of them, of 64 KiB: memory that is not used is
/// not there.
pub(super) const CHUNKS: usize = 512;

/// What the thread that empties a ring is called.
pub(super) const THREAD: &str = "gotrace-calls";

/// A program whose functions tell of their calls.
#[derive(Debug)]
pub(super) struct Image {
    /// The functions that tell of their calls.
    pub(super) functions: Functions,
    /// It may have another counter than this machine: it is for arm64, which translators run.
    pub(super) may_be_guest: bool,
}

/// Who knows the programs that write records.
pub(super) trait Programs: Send + 'static {
    /// Tells what there is to tell of them to somebody, from now on.
    fn tell_to(&mut self, out: &Sender<Observation>);

    /// Whether they tell of more than the sets that are watched by default.
    fn are_asked_for(&self) -> bool;

    /// The program that a record's chunk says it is of.
    fn image(&mut self, copy: u64) -> Option<Arc<Image>>;

    /// A process has written records, and nobody has said what it runs: what is known of it.
    fn met(&self, pid: Pid) -> Option<Observation>;

    /// Looks at processes that tell of their calls, where it is time to: what is not seen of them.
    fn look(
        &mut self,
        now: Monotonic,
        processes: &mut dyn Iterator<Item = Pid>,
    ) -> Vec<Observation>;

    /// Of programs that so often were given memory for records, as many have mapped it: what is not seen for that,
    /// when all have ended.
    fn without_ring(&self, time: Monotonic, given: u64, mapped: u64) -> Option<Observation>;
}
