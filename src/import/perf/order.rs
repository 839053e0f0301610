//! Records in the order of the file in, in the order of time out.
//!
//! Each processor's records are in order, and perf reads processor after processor, in rounds. A
//! record of a round may be older than those of the round before, but not than those of the one
//! before that: so when a round ends, what is no later than the latest of the round before can go.

use super::event;
use super::header::Header;
use super::records::{Record, Records, Stopped, kind};
use std::collections::VecDeque;

/// Records that wait at most, and bytes of those that were unpacked: where rounds are longer, the
/// older half goes.
const MOST_WAITING: usize = 1 << 20;
const MOST_BYTES: usize = 64 << 20;

/// A record, when it was made, and of which event it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Timed<'a> {
    pub(super) time: u64,
    pub(super) event: usize,
    pub(super) record: Record<'a>,
}

/// Gives records in the order of time.
#[derive(Debug)]
pub(super) struct Ordered<'a, 'h> {
    header: &'h Header<'h>,
    records: Records<'a>,
    waiting: Vec<Timed<'a>>,
    /// Bytes of those that wait.
    bytes: usize,
    ready: VecDeque<Timed<'a>>,
    /// The latest of this round and of all before, and of all before.
    latest: u64,
    before: u64,
    done: bool,
}

impl<'a, 'h> Ordered<'a, 'h> {
    pub(super) fn of(file: &'a [u8], header: &'h Header<'h>) -> Self {
        Self {
            header,
            records: Records::of(file, header),
            waiting: Vec::new(),
            bytes: 0,
            ready: VecDeque::new(),
            latest: 0,
            before: 0,
            done: false,
        }
    }

    /// Why reading stopped before the end, if it did.
    pub(super) const fn stopped(&self) -> Option<&Stopped> {
        self.records.stopped.as_ref()
    }

    /// Lets go of what is no later than `until`, in the order of time; of one time, of the file.
    fn release(&mut self, until: u64) {
        self.waiting.sort_by_key(|record| record.time);
        let go = self.waiting.partition_point(|record| record.time <= until);
        let go = self.waiting.drain(..go);
        self.ready.extend(go);
        self.bytes = self.waiting.iter().map(|one| one.record.body.len()).sum();
    }

    fn take(&mut self, record: Record<'a>) {
        if record.kind == kind::FINISHED_ROUND {
            self.release(self.before);
            self.before = self.latest;
            return;
        }
        let (time, event) = event::when(&record, self.header);
        self.latest = self.latest.max(time);
        self.bytes = self.bytes.saturating_add(record.body.len());
        self.waiting.push(Timed {
            time,
            event,
            record,
        });
        if self.waiting.len() >= MOST_WAITING || self.bytes >= MOST_BYTES {
            self.waiting.sort_by_key(|record| record.time);
            let middle = self.waiting.get(self.waiting.len() / 2);
            let middle = middle.map_or(0, |record| record.time);
            self.release(middle);
        }
    }
}

impl<'a> Iterator for Ordered<'a, '_> {
    type Item = Timed<'a>;

    fn next(&mut self) -> Option<Timed<'a>> {
        loop {
            if let Some(record) = self.ready.pop_front() {
                return Some(record);
            }
            if self.done {
                return None;
            }
            match self.records.next() {
                Some(record) => self.take(record),
                None => {
                    self.release(u64::MAX);
                    self.done = true;
                }
            }
        }
    }
}
