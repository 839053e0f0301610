//! What is read by a sieve: chunks of the ring in, in runs of one goroutine each; what is kept of them out.
//!
//! A goroutine that changes threads writes into one chunk after the other. It is on one thread at a time, so its runs
//! do not overlap, and the first record of each puts them in order: nothing else needs to be sorted.

use super::drain::Taken;
use crate::capture::decode::call_sieve::{Grown, Sieve, Told, Unpaired};
use crate::capture::decode::trampoline::{Moment, Scale, Written};
use crate::capture::linux::sys::ring::{SharedRing, record_in};
use crate::capture::probes::CallMode;
use crate::trace::Pid;

/// Records of one goroutine that lie beside each other.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// When the first one was written.
    ticks: u64,
    goroutine: u64,
    /// In which of the chunks that are taken.
    chunk: usize,
    from: usize,
    to: usize,
}

/// A sieve, and what it has kept.
#[derive(Debug)]
pub(super) struct Runs {
    sieve: Sieve,
    /// When reading began.
    begun: Moment,
    /// The round before.
    before: Moment,
    runs: Vec<Run>,
    calls: Vec<Told>,
}

impl Runs {
    pub(super) fn new(mode: &CallMode, begun: Moment) -> Self {
        Self {
            sieve: Sieve::new(mode),
            begun,
            before: begun,
            runs: Vec::new(),
            calls: Vec::new(),
        }
    }

    /// Reads what is new in chunks and was written up to `until`, of processes of which some are over; how many records
    /// there were.
    pub(super) fn round(
        &mut self,
        ring: &SharedRing,
        taken: &mut [Taken],
        (now, until): (Moment, u64),
        over: &[Pid],
    ) -> usize {
        self.sieve
            .pace(Scale::between(self.begun, now).ns_per_tick());
        let mut count = 0;
        self.runs.clear();
        for (number, taken) in taken.iter_mut().enumerate() {
            let read = self.find_runs(ring, (number, &*taken), until);
            count += read - taken.read;
            taken.read = read;
        }
        self.runs.sort_unstable_by_key(|run| run.ticks);
        for run in &self.runs {
            let Some(Taken {
                chunk,
                of: Some((writer, image)),
                ..
            }) = taken.get(run.chunk)
            else {
                continue;
            };
            let words = ring.words(*chunk);
            let records = (run.from..run.to).map_while(|at| record_in(words, at));
            let records = records.map(Written::of);
            self.sieve.take(writer, &image.functions, records);
        }
        for pid in over {
            // It was there in the round before.
            self.sieve.end(*pid, self.before.ticks);
        }
        if until == u64::MAX {
            self.sieve.finish(now.ticks);
        }
        self.before = now;
        self.calls = self.sieve.settle(until);
        count
    }

    /// Finds the runs of a chunk that are to be read; the number of the record after them.
    fn find_runs(
        &mut self,
        ring: &SharedRing,
        (number, taken): (usize, &Taken),
        until: u64,
    ) -> usize {
        let Some((writer, image)) = &taken.of else {
            return taken.read;
        };
        let words = ring.words(taken.chunk);
        let turns = self.sieve.has_turns();
        let mut run: Option<Run> = None;
        let mut at = taken.read;
        while let Some(record @ [ticks, goroutine, ..]) = record_in(words, at)
            && ticks <= until
        {
            if turns {
                self.sieve
                    .turn(writer, &image.functions, &Written::of(record));
            }
            match &mut run {
                Some(run) if run.goroutine == goroutine => run.to = at + 1,
                run => {
                    self.runs.extend(run.replace(Run {
                        ticks,
                        goroutine,
                        chunk: number,
                        from: at,
                        to: at + 1,
                    }));
                }
            }
            at += 1;
        }
        self.runs.extend(run);
        at
    }

    /// Entries and exits that are kept, in the order of their time.
    pub(super) fn calls(&mut self) -> impl Iterator<Item = Told> + use<> {
        std::mem::take(&mut self.calls).into_iter()
    }

    /// Trees that are to be written down.
    pub(super) fn trees(&mut self) -> Vec<Grown> {
        self.sieve.grown()
    }

    /// What could not be paired since the last time.
    pub(super) fn unpaired(&mut self) -> Unpaired {
        self.sieve.unpaired()
    }
}
