//! The thread that empties the ring: records in, calls out, in the order of their time.
//!
//! What a goroutine wrote before it changed threads lies in another chunk than what it wrote after. So chunks are read
//! up to a moment before any of them was looked at: of a goroutine nothing is then missing that came before what was
//! read.

use super::runs::Runs;
use super::{CHUNKS, Image, Programs};
use crate::capture::calls::{CallTree, Called, Pool, RawArgument};
use crate::capture::decode::call_sieve::{Functions, Told, Traits};
use crate::capture::decode::trampoline::{Moment, Scale, Writer, Written, opens};
use crate::capture::observation::Teller;
use crate::capture::probes::CallMode;
use crate::capture::sys;
use crate::capture::sys::ring::{SharedRing, is_settled, rest_in, take_record, ticks};
use crate::capture::system::guest_clock::{CLOCK_STEP_NS, GuestClock, Readings};
use crate::capture::system::watch::ExitWatch;
use crate::capture::toolexec::Held;
use crate::capture::{Monotonic, Observation};
use crate::trace::{CallEdge, Goid, Nanos, Pid, ProbeId, StackOwner};
use crossbeam_channel::{Receiver, Sender};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustc_hash::FxHashMap;
use std::io::PipeReader;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// How often the ring is emptied while there is little in it.
const INTERVAL_MS: u16 = 10;
/// And where a program tells of no more than its phases, some of which come in a second: each look takes as long as
/// hundreds of records.
const INTERVAL_OF_SETS_MS: u16 = 50;
/// Chunks that are taken from which on there is no such leisure.
const MANY: usize = CHUNKS / 8;
/// So many records are to be read in a round at least, where more than a few come in a second: with less, what a round
/// takes beside them would count; with many more, the first ones would have left the caches.
const WORTH: usize = 1 << 16;
/// The two clocks are compared over so long at least: reading both takes some 100 ns.
const BASELINE_NS: u64 = 100_000_000;
/// A process whose records are there is told of within moments; after this it is taken as it is.
const PATIENCE_NS: u64 = 2_000_000_000;

/// How long to wait after a round that had so many records of so long a time, and that took so long itself, all in
/// nanoseconds.
fn interval_ms(count: usize, since: u64, spent: u64) -> u16 {
    if count >= 2 * WORTH {
        return 0;
    }
    let due = since.saturating_mul(WORTH as u64) / count.max(1) as u64;
    let wait = due.saturating_sub(spent) / 1_000_000;
    u16::try_from(wait).map_or(INTERVAL_MS, |wait| wait.clamp(1, INTERVAL_MS))
}

/// Both clocks, read as nearly together as it goes, and how far apart the readings were at most.
fn moment() -> (Moment, u64) {
    let (ticks, time, apart) = beside_monotonic(ticks);
    let time = Monotonic(time);
    (Moment { ticks, time }, apart)
}

/// Another clock and the system's, read as nearly together as it goes, and how far apart the readings were at most.
pub(in crate::capture) fn beside_monotonic(clock: fn() -> u64) -> (u64, u64, u64) {
    let read = || {
        let before = sys::now().0;
        let other = clock();
        let apart = sys::now().0.saturating_sub(before);
        (other, before.saturating_add(apart / 2), apart)
    };
    let readings = [read(), read(), read()];
    let best = readings.into_iter().min_by_key(|(.., apart)| *apart);
    best.unwrap_or_else(read)
}

/// A chunk that was taken.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) chunk: usize,
    since: Monotonic,
    pub(super) of: Option<(Writer, Arc<Image>)>,
    /// It is of this process, by a copy that nobody knows: what its records mean is not known.
    unknown: Option<Pid>,
    /// Records that were read,
    pub(super) read: usize,
    /// and of these, how many a sieve has not passed yet.
    pub(super) left: usize,
    /// The last one that was read may end yet, in its own place.
    pub(super) is_open: bool,
    /// It was given back.
    pub(super) is_free: bool,
    /// Records that may be: of a translated program those whose times are this machine's already.
    pub(super) timed: usize,
    readings: Readings,
}

impl Taken {
    /// A chunk that was found to be taken, by whom is not known yet.
    pub(super) fn since(time: Monotonic, chunk: usize) -> Self {
        Self {
            chunk,
            since: time,
            of: None,
            unknown: None,
            read: 0,
            left: 0,
            is_open: false,
            is_free: false,
            timed: RECORDS,
            readings: Readings::default(),
        }
    }

    /// Its thread has filled it, and all of it was read.
    pub(super) const fn is_read(&self) -> bool {
        (self.of.is_some() || self.unknown.is_some()) && self.read + 1 == RECORDS
    }

    /// Whose it is, where that is known.
    fn pid(&self) -> Option<Pid> {
        let known = self.of.as_ref().map(|(of, _)| of.pid);
        known.or(self.unknown)
    }

    /// The return of the last record that was read, if it was written after that, and not later than `until`.
    pub(super) fn late_return(&mut self, words: &[AtomicU64], until: u64) -> Option<Written> {
        let last = self.read.checked_sub(1).filter(|_| self.is_open)?;
        let is_settled = is_settled(words, last);
        let [goroutine, place, left] = rest_in(words, last)?;
        // It was an entry, whatever a program has made of it since.
        let entry = Written::of([0, goroutine, place, left]);
        let late = entry.own_return().filter(|own| own.ticks <= until);
        self.is_open = late.is_none() && (left != 0 || !is_settled);
        late
    }

    /// Gives it back: its records are no longer there.
    pub(super) fn free(&mut self, ring: &mut SharedRing) {
        if !self.is_free {
            ring.free(self.chunk, self.read);
            self.is_free = true;
        }
    }
}

/// The thread that empties a ring.
pub(in crate::capture) struct Drain<P> {
    ring: SharedRing,
    programs: P,
    /// Tools that run by their stand-ins.
    started: Receiver<Held>,
    out: Sender<Observation>,
    state: State,
}

#[derive(Default)]
struct State {
    pool: Pool,
    /// Chunks that were known to be taken.
    count: u64,
    taken: Vec<Taken>,
    /// More is recorded than the sets that are watched by default.
    is_asked_for: bool,
    /// How many programs were given copies that were to map the ring.
    given: u64,
    /// Processes that the recorder knows, until they end.
    processes: FxHashMap<Pid, Option<ExitWatch>>,
    /// Records that were read and came after the moment up to which they are told.
    ahead: Vec<Told>,
    /// Where not each call is kept as it is.
    sieve: Option<Runs>,
    from: Moment,
    /// The time of the last call that was told.
    last: Monotonic,
    told: Monotonic,
    dropped: u64,
    unknown: u64,
    /// How far apart the readings of the two clocks were at most.
    apart: u64,
    guests: GuestClock,
}

/// What there is when it begins.
pub(in crate::capture) struct Begun<'a> {
    /// The command.
    pub(in crate::capture) root: Pid,
    /// How many programs were given memory for records by now.
    pub(in crate::capture) given: u64,
    /// Which calls are kept.
    pub(in crate::capture) mode: &'a CallMode,
}

impl<P: Programs> Drain<P> {
    pub(in crate::capture) fn new(
        (ring, programs): (SharedRing, P),
        started: Receiver<Held>,
        out: Sender<Observation>,
        Begun { root, given, mode }: Begun<'_>,
    ) -> Self {
        let is_asked_for = programs.are_asked_for();
        let (from, apart) = moment();
        let processes = [(root, ExitWatch::of(root).ok())];
        Self {
            ring,
            programs,
            started,
            out,
            state: State {
                from,
                sieve: (!mode.is_full()).then(|| Runs::new(mode, from)),
                told: from.time,
                given,
                is_asked_for,
                apart,
                processes: processes.into_iter().collect(),
                ..State::default()
            },
        }
    }

    /// Runs until the other end of `stopped` is closed.
    pub(in crate::capture) fn run(mut self, stopped: &PipeReader) {
        // The recorder takes what is told only once the command is there, and there may be more than can wait.
        self.programs.tell_to(&self.out);
        let mut interval = INTERVAL_MS;
        while !self.stops(stopped, interval) {
            let before = self.state.told.0;
            let count = self.round(false);
            let begun = self.state.told.0;
            let spent = sys::now().0.saturating_sub(begun);
            interval = interval_ms(count, begun.saturating_sub(before), spent);
        }
        self.ring.close();
        self.round(true);
        // What the last records have shown of it.
        if let Some(found) = self.state.guests.follow(sys::now()) {
            self.tell(found);
        }
        let (given, mapped) = (self.state.given, self.ring.mapped());
        let unseen = self.programs.without_ring(self.state.told, given, mapped);
        if let Some(unseen) = unseen {
            self.tell(unseen);
        }
        self.tell(Observation::Configured {
            key: "patch_clock_error_ns".to_owned(),
            value: self.state.apart.saturating_add(CLOCK_STEP_NS).to_string(),
        });
        if let Some(error) = self.state.guests.error() {
            self.tell(Observation::Configured {
                key: "patch_guest_clock_error_ns".to_owned(),
                value: error.to_string(),
            });
        }
    }

    /// Waits for the next round, so many milliseconds where more is recorded than a few calls; true when there is none.
    fn stops(&self, stopped: &PipeReader, interval: u16) -> bool {
        let mut fds = [PollFd::new(stopped.as_fd(), PollFlags::POLLIN)];
        let is_leisurely = !self.state.is_asked_for && self.state.taken.len() < MANY;
        let patience = match is_leisurely {
            true => INTERVAL_OF_SETS_MS,
            false => interval,
        };
        // An interrupted wait is over, too.
        poll(&mut fds, PollTimeout::from(patience)).ok();
        fds.first().and_then(PollFd::any) == Some(true)
    }

    /// Empties the ring once; how many records there were.
    fn round(&mut self, all: bool) -> usize {
        // What had ended by now has written all that it ever will.
        let ended = self.ended();
        self.meet_started();
        let (now, apart) = moment();
        self.state.apart = self.state.apart.max(apart);
        if let Some(set) = self.state.guests.follow(now.time) {
            self.tell(set);
        }
        let scale = Scale::between(self.state.from, now);
        for count in self.state.count..self.ring.taken() {
            let chunk = self.ring.chunk_of(count);
            self.state.taken.push(Taken::since(now.time, chunk));
            self.state.count = count + 1;
        }
        self.ring.supply();
        let mut taken = std::mem::take(&mut self.state.taken);
        for chunk in &mut taken {
            self.meet(chunk, now.time, all);
            self.count_unknown(chunk);
            self.time(chunk, scale);
        }
        let until = if all { u64::MAX } else { now.ticks };
        let count = match self.state.sieve.take() {
            None => self.read(&mut taken, (scale, until)),
            Some(mut runs) => {
                let count = runs.round(&mut self.ring, &mut taken, (now, until), &ended);
                self.hand_over(&mut runs, scale);
                self.state.sieve = Some(runs);
                count
            }
        };
        let processes = &self.state.processes;
        taken.retain_mut(|taken| {
            let over = taken.pid().is_some_and(|pid| ended.contains(&pid));
            // Of one that cannot be read nothing is missed, whenever its process has ended.
            let watch = taken.unknown.and_then(|pid| processes.get(&pid));
            let over = over || watch.is_some_and(Option::is_none);
            if taken.is_read() || over {
                taken.free(&mut self.ring);
            }
            !taken.is_free
        });
        if !all && count == 0 && taken.len() >= CHUNKS {
            self.ring.discourage();
        } else if !all {
            self.ring.live();
        }
        self.state.taken = taken;
        let behind = self.state.sieve.as_ref().map_or(Nanos::ZERO, Runs::behind);
        self.tell(Observation::CalledUntil {
            by: Teller::Copies,
            time: Monotonic(now.time.0.saturating_sub(behind.0)),
        });
        if now.time.0.saturating_sub(self.state.from.time.0) >= BASELINE_NS {
            self.state.from = now;
        }
        self.report_losses(now.time);
        let mut processes = self.state.processes.keys().copied();
        for met in self.programs.look(now.time, &mut processes) {
            self.tell(met);
        }
        for pid in ended {
            self.state.processes.remove(&pid);
        }
        count
    }

    /// Processes that have ended.
    fn ended(&self) -> Vec<Pid> {
        let ended = self.state.processes.iter().filter(|(_, end)| {
            end.as_ref().is_none_or(|end| {
                let mut fds = [PollFd::new(end.as_fd(), PollFlags::POLLIN)];
                poll(&mut fds, PollTimeout::ZERO) == Ok(1)
            })
        });
        ended.map(|(pid, _)| *pid).collect()
    }

    fn meet_started(&mut self) {
        for started in self.started.try_iter() {
            self.state.given += 1;
            let pid = started.executed.pid;
            self.state.processes.insert(pid, ExitWatch::of(pid).ok());
            drop(self.out.send(Observation::Discovered {
                parent: started.shim,
                package: started.package,
                executed: started.executed,
            }));
        }
    }

    /// Finds out whose a chunk is, if that is not known yet.
    fn meet(&mut self, taken: &mut Taken, now: Monotonic, all: bool) {
        if taken.pid().is_some() {
            return;
        }
        let Some(header) = self.ring.header(taken.chunk) else {
            return;
        };
        let writer = Writer::of(header);
        let waited = now.0.saturating_sub(taken.since.0) >= PATIENCE_NS;
        if !self.state.processes.contains_key(&writer.pid) {
            if !waited && !all {
                return;
            }
            if let Some(met) = self.programs.met(writer.pid) {
                self.tell(met);
            }
        }
        // It may have come, and gone, before anybody looked.
        self.state
            .processes
            .entry(writer.pid)
            .or_insert_with(|| ExitWatch::of(writer.pid).ok());
        match self.programs.image(writer.copy) {
            Some(image) => {
                if image.may_be_guest {
                    taken.timed = 0;
                }
                taken.of = Some((writer, image));
            }
            None if waited || all => taken.unknown = Some(writer.pid),
            None => {}
        }
    }

    /// Counts what is new in a chunk whose records cannot be read.
    fn count_unknown(&mut self, taken: &mut Taken) {
        let words = self.ring.words(taken.chunk);
        while taken.unknown.is_some() && take_record(words, taken.read).is_some() {
            taken.read += 1;
            self.state.unknown += 1;
        }
    }

    /// Gives what is new in a chunk of a program that may be translated the times of this machine.
    fn time(&mut self, taken: &mut Taken, scale: Scale) {
        if !taken
            .of
            .as_ref()
            .is_some_and(|(_, image)| image.may_be_guest)
        {
            return;
        }
        while let Some([ticks, ..]) = self.ring.record(taken.chunk, taken.timed) {
            let own = self.state.guests.own(&mut taken.readings, ticks, scale);
            match own {
                Some(own) => self.ring.set_time(taken.chunk, taken.timed, own.max(1)),
                // All of the chunk are alike.
                None => {
                    self.ring.set_time(taken.chunk, taken.timed, 0);
                    taken.read = taken.timed + 1;
                }
            }
            taken.timed += 1;
        }
    }

    /// Reads what is new in chunks and hands it over up to a moment; how many records there were.
    fn read(&mut self, taken: &mut [Taken], (scale, until): (Scale, u64)) -> usize {
        let mut count = 0;
        for taken in taken {
            let Some((writer, image)) = taken.of.clone() else {
                continue;
            };
            let chunk = self.ring.words(taken.chunk);
            let State { ahead, unknown, .. } = &mut self.state;
            let mut take = |written: &Written| match told(&writer, &image.functions, written) {
                Some(told) => ahead.push(told),
                None => *unknown += 1,
            };
            if let Some(late) = taken.late_return(chunk, u64::MAX) {
                take(&late);
            }
            while taken.read < taken.timed && !taken.is_open {
                let is_settled = is_settled(chunk, taken.read);
                let Some(words) = take_record(chunk, taken.read) else {
                    break;
                };
                taken.read += 1;
                count += 1;
                let written = Written::of(words);
                taken.is_open = opens(words) && !is_settled;
                take(&written);
                if let Some(own) = written.own_return() {
                    take(&own);
                }
            }
        }
        let mut ahead = std::mem::take(&mut self.state.ahead);
        // Stretches that are in order already, one for each chunk.
        ahead.sort_by_key(|told| told.ticks);
        let due = ahead.partition_point(|told| told.ticks <= until);
        self.give(ahead.drain(..due), scale);
        self.state.ahead = ahead;
        count
    }

    /// Hands over what a sieve has kept.
    fn hand_over(&mut self, runs: &mut Runs, scale: Scale) {
        self.give(runs.calls(), scale);
        for grown in runs.trees() {
            self.tell(Observation::CallsAdded(Box::new(CallTree {
                pid: grown.pid,
                from: scale.at(grown.from),
                to: scale.at(grown.to),
                rows: grown.rows,
            })));
        }
    }

    /// Hands over calls that are in the order of their time.
    fn give(&mut self, calls: impl Iterator<Item = Told>, scale: Scale) {
        let State { pool, last, .. } = &mut self.state;
        let calls = calls.map(|told| {
            *last = scale.at(told.ticks).max(*last);
            Called {
                time: *last,
                pid: told.pid,
                tid: told.tid,
                stack: owner(told.goroutine),
                probe: told.probe,
                edge: told.edge,
                depth: told.depth,
                argument: told.argument.map(RawArgument::Integer),
            }
        });
        let out = &self.out;
        pool.give(calls, &mut |batch| {
            drop(out.send(Observation::Called(batch)))
        });
    }

    fn report_losses(&mut self, now: Monotonic) {
        let dropped = self.ring.dropped();
        let lost = dropped.saturating_sub(std::mem::replace(&mut self.state.dropped, dropped));
        let unknown = std::mem::take(&mut self.state.unknown);
        let untimed = self.state.guests.take_untimed();
        let sieve = self.state.sieve.as_mut();
        let unpaired = sieve.map(Runs::unpaired).unwrap_or_default();
        for (count, why) in [
            (lost, "the memory for them was full (that many at most)"),
            (unknown, "they could not be read"),
            (
                untimed,
                "their translator has programs read a counter of which nothing is known",
            ),
            (
                unpaired.orphans,
                "they ended, and no beginning of theirs was recorded",
            ),
            (
                unpaired.deep,
                "they lay below 32768 others: their time is in those",
            ),
            (unpaired.beyond, "more than 4194304 were open at a time"),
        ] {
            if count > 0 {
                self.tell(Observation::Lost {
                    from: self.state.told,
                    to: now,
                    what: "calls",
                    count,
                    why: why.to_owned(),
                });
            }
        }
        self.state.told = now;
    }

    fn tell(&self, observation: Observation) {
        // A session that is gone wants to know nothing.
        drop(self.out.send(observation));
    }
}

/// Records of a chunk, and what stands before them.
const RECORDS: usize =
    crate::binary::trampoline::ring::CHUNK / crate::binary::trampoline::ring::RECORD;

/// The call that a record tells of.
fn told(writer: &Writer, functions: &Functions, written: &Written) -> Option<Told> {
    let traits = functions.traits.get(written.function as usize)?;
    let argument = traits.has(Traits::ARGUMENT) && written.edge == CallEdge::Entry;
    Some(Told {
        ticks: written.ticks,
        pid: writer.pid,
        tid: writer.tid,
        goroutine: written.goroutine,
        probe: ProbeId(functions.first.0.checked_add(written.function)?),
        edge: written.edge,
        depth: written.depth,
        argument: argument.then_some(written.argument),
    })
}

/// Whose stack a record's goroutine is on.
const fn owner(goroutine: u64) -> StackOwner {
    match goroutine {
        0 => StackOwner::System(None),
        number => StackOwner::Goroutine(Goid(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_come_as_often_as_records_do() {
        const MS: u64 = 1_000_000;
        // As many as are worth it came in 5 ms, of which 2 were for reading what had come before.
        assert_eq!(interval_ms(WORTH, 5 * MS, 2 * MS), 3);
        assert_eq!(interval_ms(WORTH / 2, 4 * MS, 2 * MS), 6);
        // More than can be waited for, and as many as that takes too long.
        assert_eq!(interval_ms(2 * WORTH, 5 * MS, 2 * MS), 0);
        assert_eq!(interval_ms(WORTH, MS, 4 * MS), 1);
        assert_eq!(interval_ms(1, 5 * MS, 0), INTERVAL_MS);
        assert_eq!(interval_ms(0, 5 * MS, 0), INTERVAL_MS);
    }
}
