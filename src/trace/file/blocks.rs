//! What streams: rows in columns, a block at a time, in memory or still in the file.

use super::Error;
use super::bytes::Malformed;
use super::disk::{Block, Disk};
use super::layout::Kind;
use crate::trace::Nanos;
use std::convert::Infallible;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

/// Blocks that wait for being walked: with one, neither side waits for the other for long.
const AHEAD: usize = 1;
/// What is found in them and waits to be worked with, less than a block each: so many that nobody waits while memory is
/// put in order now and then.
const FOUND_AHEAD: usize = 32;

/// Threads that look at blocks: each holds one in memory.
const MOST_THREADS: usize = 4;

/// What `find` makes of each of these, in their order: several threads do, where they are to be had.
pub(super) fn of_each<I: Sync, O: Send>(these: &[I], find: impl Fn(&I) -> O + Sync) -> Vec<O> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            match these.get(at) {
                Some(this) => found.push((at, find(this))),
                None => break found,
            }
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(MOST_THREADS).min(these.len());
    let mut found = thread::scope(|scope| {
        let others = (1..threads).map(|_| thread::Builder::new().spawn_scoped(scope, work));
        let others: Vec<_> = others.filter_map(Result::ok).collect();
        let mut found = work();
        for other in others {
            match other.join() {
                Ok(more) => found.extend(more),
                Err(panic) => resume_unwind(panic),
            }
        }
        found
    });
    found.sort_unstable_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, found)| found).collect()
}

/// A run of rows that is one block of the file.
pub(super) trait Columns: Clone + Default {
    /// The kind of its blocks.
    const KIND: Kind;

    /// Number of rows.
    fn rows(&self) -> usize;

    /// Time of the earliest and of the latest row.
    fn span(&self) -> (Nanos, Nanos);

    /// The contents of its block.
    fn encode(&self) -> Vec<u8>;

    /// Rows out of the contents of a block.
    fn decode(contents: &[u8], rows: usize) -> Result<Self, Malformed>;
}

/// All blocks of one kind of a trace: those still in its file, and those that were added in memory.
#[derive(Debug)]
pub struct Blocks<B> {
    disk: Option<Arc<Disk>>,
    stored: Vec<Block>,
    held: Vec<B>,
}

impl<B> Default for Blocks<B> {
    fn default() -> Self {
        Self {
            disk: None,
            stored: Vec::new(),
            held: Vec::new(),
        }
    }
}

#[expect(
    private_bounds,
    reason = "outside of this room there are just the blocks of samples, calls, call trees and bindings"
)]
impl<B: Columns> Blocks<B> {
    /// The blocks of a file, all of which have been found to decode.
    pub(super) const fn stored(disk: Arc<Disk>, stored: Vec<Block>) -> Self {
        Self {
            disk: Some(disk),
            stored,
            held: Vec::new(),
        }
    }

    pub(in crate::trace) fn iter(&self) -> impl Iterator<Item = Result<B, Error>> + '_ {
        let stored = self.disk.iter().flat_map(|disk| {
            self.stored.iter().map(|block| {
                let contents = disk.contents(block)?;
                B::decode(&contents, block.header.rows as usize)
                    .map_err(|malformed| disk.damaged(block, malformed))
            })
        });
        stored.chain(self.held.iter().cloned().map(Ok))
    }

    /// Calls `each` with every block, up to its first error; the next block is read and unpacked meanwhile, where
    /// there is a thread to be had for that.
    pub(in crate::trace) fn walk<E>(
        &self,
        each: impl FnMut(Result<B, Error>) -> Result<(), E>,
    ) -> Result<(), E>
    where
        B: Send + Sync,
    {
        thread::scope(|scope| {
            let (read, blocks) = mpsc::sync_channel(AHEAD);
            // Nobody takes blocks any more where `each` has failed.
            let reader = move || self.iter().try_for_each(|block| read.send(block));
            match thread::Builder::new().spawn_scoped(scope, reader) {
                Ok(_) => blocks.into_iter().try_for_each(each),
                Err(_) => self.iter().try_for_each(each),
            }
        })
    }

    /// Calls `find` with every block, and `each` with whatever that hands on, in its order: the one is at work while
    /// the other is, where there is a thread to be had for that.
    pub(in crate::trace) fn walk_found<T: Send>(
        &self,
        mut find: impl FnMut(Result<B, Error>, &mut dyn FnMut(T)) + Send,
        mut each: impl FnMut(T),
    ) where
        B: Send + Sync,
    {
        let mut walk = |hand_on: &mut dyn FnMut(T)| {
            let Ok(()) = self.walk::<Infallible>(|block| {
                find(block, hand_on);
                Ok(())
            });
        };
        let beside = thread::scope(|scope| {
            let (found, wait) = mpsc::sync_channel(FOUND_AHEAD);
            let finder = || {
                let found = found;
                // Nobody takes them any more only where `each` panicked.
                walk(&mut |it| drop(found.send(it)));
            };
            thread::Builder::new().spawn_scoped(scope, finder).ok()?;
            wait.into_iter().for_each(&mut each);
            Some(())
        });
        if beside.is_none() {
            walk(&mut each);
        }
    }

    pub(in crate::trace) fn count(&self) -> u64 {
        let stored = self.stored.iter().map(|block| u64::from(block.header.rows));
        let held = self.held.iter().map(|block| block.rows() as u64);
        stored.chain(held).sum()
    }

    pub(in crate::trace) fn last_time(&self) -> Nanos {
        let stored = self.stored.iter().map(|block| block.header.to);
        let held = self.held.iter().map(|block| block.span().1);
        stored.chain(held).max().unwrap_or_default()
    }

    pub(in crate::trace) fn push(&mut self, block: B) {
        self.held.push(block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_asked_once_and_answers_stand_in_order() {
        let asked = AtomicUsize::new(0);
        let numbers: Vec<u32> = (0..1_000).collect();
        let doubled = of_each(&numbers, |number| {
            asked.fetch_add(1, Ordering::Relaxed);
            number * 2
        });
        assert!(doubled.into_iter().eq((0..2_000).step_by(2)));
        assert_eq!(asked.into_inner(), 1_000);
        assert!(of_each(&[], |none: &u32| *none).is_empty());
    }
}
