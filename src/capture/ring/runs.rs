//! What is read by a sieve: chunks of the ring in, in runs of one goroutine each; what is kept of them out.
//!
//! A goroutine that changes threads writes into one chunk after the other, and when it comes back goes on where it was.
//! It is on one thread at a time: cut where another run begins, its runs do not overlap, and the first record of each
//! puts them in order. Nothing else needs to be sorted.
//!
//! A return is a run of its own that was written into the record of its entry after that was read. So it is where its
//! goroutine left a thread in the midst of a call, and came back when it had returned, and called the same function from
//! the same place: a thread that wrote nothing meanwhile takes that one's return for that of the call it knows.

use super::drain::Taken;
use super::{CHUNKS, Image};
use crate::capture::decode::call_sieve::{Grown, Sieve, Told, Unpaired};
use crate::capture::decode::trampoline::{Moment, Scale, Writer, Written, opens};
use crate::capture::probes::CallMode;
use crate::capture::sys::ring::{SharedRing, fetch_ahead, is_settled, record_in, take_record};
use crate::trace::{Nanos, Pid};

/// Chunks that are read at once: half a mebibyte.
const AT_ONCE: usize = 8;

/// Records of one goroutine that lie beside each other.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// When the first one was written,
    ticks: u64,
    /// and when the last one ended.
    last: u64,
    pid: Pid,
    goroutine: u64,
    /// In which of the chunks that are taken.
    chunk: usize,
    from: usize,
    to: usize,
    /// What its last record has to tell is not all known.
    is_open: bool,
    /// No more than a return, which stands in a record that is read by itself.
    late: Option<Written>,
}

impl Run {
    /// A return that stands in the record of this number.
    const fn of_return(own: Written, (pid, chunk): (Pid, usize), at: usize) -> Self {
        Self {
            ticks: own.ticks,
            last: own.ticks,
            pid,
            goroutine: own.goroutine,
            chunk,
            from: at,
            to: at + 1,
            is_open: false,
            late: Some(own),
        }
    }
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
    /// The same, cut.
    parts: Vec<Run>,
    calls: Vec<Told>,
}

impl Runs {
    pub(super) fn new(mode: &CallMode, begun: Moment) -> Self {
        Self {
            sieve: Sieve::new(mode),
            begun,
            before: begun,
            runs: Vec::new(),
            parts: Vec::new(),
            calls: Vec::new(),
        }
    }

    /// Reads what is new in chunks and was written up to `until`, of processes of which some are over; how many records
    /// there were.
    pub(super) fn round(
        &mut self,
        ring: &mut SharedRing,
        taken: &mut [Taken],
        (now, until): (Moment, u64),
        over: &[Pid],
    ) -> usize {
        self.sieve
            .pace(Scale::between(self.begun, now).ns_per_tick());
        let mut count = 0;
        let waiting = taken
            .iter()
            .filter(|taken| ring.record(taken.chunk, taken.read).is_some())
            .count();
        for until in moments((self.before.ticks, now.ticks, until), waiting) {
            count += self.pass(ring, taken, until);
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

    /// Has a sieve read what was written up to `until`; how many records there were.
    fn pass(&mut self, ring: &mut SharedRing, taken: &mut [Taken], until: u64) -> usize {
        let mut count = 0;
        self.runs.clear();
        for (number, taken) in taken.iter_mut().enumerate() {
            let read = self.find_runs(ring, (number, taken), until);
            taken.left = read - taken.read;
            count += taken.left;
            taken.read = read;
        }
        let record = |run: &Run, at| {
            let chunk = taken.get(run.chunk).map(|taken| taken.chunk);
            let record = chunk.and_then(|chunk| record_in(ring.words(chunk), at));
            record.map(Written::of)
        };
        cut(&mut self.runs, &mut self.parts, record);
        for run in &self.parts {
            let Some(taken) = taken.get_mut(run.chunk) else {
                continue;
            };
            let Some((writer, image)) = &taken.of else {
                continue;
            };
            let words = ring.words(taken.chunk);
            if let Some(late) = run.late {
                let late = std::iter::once(late);
                self.sieve.take(writer, &image.functions, late);
                continue;
            }
            // As it was found, even if it has returned since.
            let open = run.to.checked_sub(1).filter(|_| run.is_open);
            let records = (run.from..run.to).map_while(|at| {
                let mut written = Written::of(take_record(words, at)?);
                if Some(at) == open {
                    written.left = None;
                }
                Some(written)
            });
            self.sieve.take(writer, &image.functions, records);
            taken.left -= run.to - run.from;
            // While its memory is near.
            if taken.left == 0 && taken.is_read() {
                taken.free(ring);
            }
        }
        count
    }

    /// Finds the runs of a chunk that are to be read; the number of the record after them.
    fn find_runs(
        &mut self,
        ring: &SharedRing,
        (number, taken): (usize, &mut Taken),
        until: u64,
    ) -> usize {
        // What is in one that was given back may be another program's.
        let known = taken.of.clone().filter(|_| !taken.is_free);
        let Some((writer, image)) = known else {
            return taken.read;
        };
        let words = ring.words(taken.chunk);
        let pid = writer.pid;
        if let Some(late) = taken.late_return(words, until) {
            let at = taken.read - 1;
            self.runs.push(Run::of_return(late, (pid, number), at));
            self.turn(&writer, &image, [late]);
        }
        if taken.is_open {
            return taken.read;
        }
        let ended = |mut run: Run| {
            let last = record_in(words, run.to - 1).map(Written::of);
            if let Some(left) = last.and_then(|last| last.left) {
                run.last = left.get();
            }
            run
        };
        let due = |at| {
            let [ticks, goroutine, ..] = record_in(words, at).filter(|_| at < taken.timed)?;
            (ticks <= until).then_some((ticks, goroutine))
        };
        let mut run: Option<Run> = None;
        let mut at = taken.read;
        // Each is looked at once: a program may write others there meanwhile.
        let mut next = due(at);
        while let Some((ticks, goroutine)) = next {
            self.runs.extend(run.take().map(ended));
            let (from, mut last) = (at, ticks);
            loop {
                fetch_ahead(words, at);
                at += 1;
                next = due(at);
                match next {
                    Some((ticks, of)) if of == goroutine => last = ticks,
                    _ => break,
                }
            }
            run = Some(Run {
                ticks,
                last,
                pid,
                goroutine,
                chunk: number,
                from,
                to: at,
                is_open: false,
                late: None,
            });
        }
        if let Some(mut run) = run {
            // Whatever stands behind the others has come after all that there will be of them.
            let is_settled = is_settled(words, run.to - 1);
            let last = record_in(words, run.to - 1);
            taken.is_open = last.is_some_and(|last| {
                let left = Written::of(last).left;
                left.is_some_and(|left| left.get() > until) || (opens(last) && !is_settled)
            });
            run.is_open = taken.is_open;
            self.runs.push(if run.is_open { run } else { ended(run) });
        }
        if self.sieve.has_turns() {
            let records = (taken.read..at).filter_map(|number| {
                let written = Written::of(record_in(words, number)?);
                let is_open = taken.is_open && number + 1 == at;
                let own = written.own_return().filter(|_| !is_open);
                Some([Some(written), own])
            });
            self.turn(&writer, &image, records.flatten().flatten());
        }
        at
    }

    /// Tells the sieve of what turns recording on and off.
    fn turn(&mut self, writer: &Writer, image: &Image, records: impl IntoIterator<Item = Written>) {
        if self.sieve.has_turns() {
            for written in records {
                self.sieve.turn(writer, &image.functions, &written);
            }
        }
    }

    /// How long entries are held back, until it is known whether their calls are long.
    pub(super) const fn behind(&self) -> Nanos {
        self.sieve.longer()
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

/// Up to which moments a round reads, from the one before to `until`, so that what it reads at once, of so many chunks
/// in which something is new, is still in the nearer caches when it is read for the second time.
fn moments(
    (before, now, until): (u64, u64, u64),
    chunks: usize,
) -> impl Iterator<Item = u64> + use<> {
    let steps = (chunks.min(CHUNKS) / AT_ONCE) as u64;
    let step = now.saturating_sub(before) / (steps + 1);
    let between = (1..=steps).map(move |at| (before + at * step).min(until));
    between.chain([until])
}

/// Cuts runs of a goroutine where another one of it begins, and puts all parts in the order of their time. `record` reads
/// one of a run.
fn cut(runs: &mut [Run], parts: &mut Vec<Run>, record: impl Fn(&Run, usize) -> Option<Written>) {
    parts.clear();
    runs.sort_unstable_by_key(|run| (run.pid, run.goroutine, run.ticks));
    let is_same = |one: &Run, next: &Run| {
        (one.pid, one.goroutine) == (next.pid, next.goroutine) && one.goroutine != 0
    };
    let time = |run: &Run, at| record(run, at).map_or(u64::MAX, |record| record.ticks);
    for runs in runs.chunk_by(is_same) {
        // The earliest one last.
        let mut waiting: Vec<Run> = runs.iter().rev().copied().collect();
        while let Some(run) = waiting.pop() {
            let next = waiting.last().map_or(u64::MAX, |next| next.ticks);
            if run.last <= next {
                parts.push(run);
                continue;
            }
            let (mut to, mut end) = (run.from + 1, run.to);
            while to < end {
                let middle = to.midpoint(end);
                if time(&run, middle) <= next {
                    to = middle + 1;
                } else {
                    end = middle;
                }
            }
            let last = record(&run, to - 1);
            let was_open = run.is_open && to == run.to;
            let own = last.and_then(|last| last.own_return());
            let own = own.filter(|own| own.ticks > next && !was_open);
            parts.push(Run {
                last: last.map_or(run.last, |last| last.ticks),
                to,
                is_open: was_open || own.is_some(),
                ..run
            });
            let mut wait = |run: Run| {
                let at = waiting.partition_point(|other| other.ticks > run.ticks);
                waiting.insert(at, run);
            };
            if let Some(own) = own {
                wait(Run::of_return(own, (run.pid, run.chunk), to - 1));
            }
            if to < run.to {
                let (ticks, from) = (time(&run, to), to);
                wait(Run { ticks, from, ..run });
            }
        }
    }
    parts.sort_unstable_by_key(|part| (part.ticks, part.late.is_none()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::CallEdge;

    #[test]
    fn a_round_of_many_chunks_reads_some_at_a_time() {
        let found = |times, chunks| moments(times, chunks).collect::<Vec<_>>();
        assert_eq!(found((100, 500, 500), AT_ONCE - 1), [500]);
        let chunks = 3 * AT_ONCE;
        assert_eq!(found((100, 500, 500), chunks), [200, 300, 400, 500]);
        // The counter may go back, and a program say that it has taken any number of chunks.
        assert_eq!(found((500, 400, 400), AT_ONCE), [400, 400]);
        let all = moments((0, 1 << 40, 1 << 40), usize::MAX).count();
        assert_eq!(all, 1 + CHUNKS / AT_ONCE);
        // The last round reads whatever there is.
        let last = u64::MAX;
        assert_eq!(found((100, 500, last), chunks), [200, 300, 400, last]);
    }

    #[test]
    fn a_goroutine_that_comes_back_to_its_thread_is_read_in_its_order() {
        // When records were written, by chunk: the goroutine was on the first thread, the second, the first, the third
        // and the second.
        let times: [&[u64]; 3] = [&[1, 2, 3, 10, 11, 12], &[5, 6, 7, 20, 21], &[15, 16]];
        let run = |chunk: usize, goroutine| Run {
            ticks: times[chunk][0],
            last: *times[chunk].last().unwrap(),
            pid: Pid(1),
            goroutine,
            chunk,
            from: 0,
            to: times[chunk].len(),
            is_open: chunk == 1,
            late: None,
        };
        let record = |run: &Run, at: usize| Some(Written::of([times[run.chunk][at], 4, 0, 0]));
        let mut parts = Vec::new();
        cut(&mut [run(2, 4), run(0, 4), run(1, 4)], &mut parts, record);
        let found: Vec<_> = parts
            .iter()
            .map(|run| (run.chunk, run.from, run.to))
            .collect();
        let expected = [(0, 0, 3), (1, 0, 3), (0, 3, 6), (2, 0, 2), (1, 3, 5)];
        assert_eq!(found, expected);
        let open: Vec<_> = parts.iter().map(|part| part.is_open).collect();
        assert_eq!(open, [false, false, false, false, true]);
        for part in &parts {
            assert_eq!(part.ticks, times[part.chunk][part.from]);
            assert_eq!(part.last, times[part.chunk][part.to - 1]);
        }
        // Others, and stacks of threads, stay whole.
        for runs in [[run(0, 4), run(1, 5)], [run(0, 0), run(1, 0)]] {
            cut(&mut runs.clone(), &mut parts, record);
            assert_eq!(parts.len(), 2);
        }
    }

    /// On the first thread f began at 1. On the second one it returned at 5 and began again at 6. Back on the first one,
    /// which knows nothing of that, it returned at 9, and began once more at 12.
    #[test]
    fn a_return_that_a_thread_took_for_another_ones_is_read_in_its_time() {
        const SPANS: u64 = 1 << 61;
        const RETURN: u64 = 1 << 62;
        let first = [[1, 4, SPANS, 9], [12, 4, SPANS, 0]].map(Written::of);
        let second = [[5, 4, SPANS | RETURN, 0], [6, 4, SPANS, 0]].map(Written::of);
        let chunks = [first, second];
        let run = |chunk: usize| Run {
            ticks: chunks[chunk][0].ticks,
            last: chunks[chunk][1].ticks,
            pid: Pid(1),
            goroutine: 4,
            chunk,
            from: 0,
            to: 2,
            is_open: false,
            late: None,
        };
        // The second time nothing comes behind that return.
        let alone = Run {
            to: 1,
            last: 9,
            ..run(0)
        };
        for (first, behind) in [(run(0), 1), (alone, 0)] {
            let mut parts = Vec::new();
            let record = |run: &Run, at: usize| Some(chunks[run.chunk][at]);
            cut(&mut [run(1), first], &mut parts, record);
            let found: Vec<_> = parts
                .iter()
                .map(|part| {
                    let late = part.late.map(|late| (late.ticks, late.edge));
                    (
                        part.ticks,
                        part.chunk,
                        part.from,
                        part.to,
                        part.is_open,
                        late,
                    )
                })
                .collect();
            let expected = [
                (1, 0, 0, 1, true, None),
                (5, 1, 0, 2, false, None),
                (9, 0, 0, 1, false, Some((9, CallEdge::Exit))),
                (12, 0, 1, 2, false, None),
            ];
            assert_eq!(found, expected[..3 + behind]);
        }
    }
}
