//! The thread that empties the ring: records in, calls out, in the order of their time.
//!
//! What a goroutine wrote before it changed threads lies in another chunk than what it wrote after. So chunks are read
//! up to a moment before any of them was looked at: of a goroutine nothing is then missing that came before what was
//! read.

use super::again::Again;
use super::copies::{Copies, Image};
use crate::capture::calls::{Called, Pool, RawArgument};
use crate::capture::decode::trampoline::{Moment, Scale, Writer, Written};
use crate::capture::linux::sys;
use crate::capture::linux::sys::ring::{SharedRing, ticks};
use crate::capture::linux::watch::ExitWatch;
use crate::capture::observation::Teller;
use crate::capture::toolexec::Held;
use crate::capture::{Monotonic, Observation};
use crate::trace::{Goid, Pid, ProbeId, StackOwner};
use crossbeam_channel::{Receiver, Sender};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustc_hash::FxHashMap;
use std::io::PipeReader;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::Arc;

/// How often the ring is emptied while there is little in it.
const INTERVAL_MS: u16 = 10;
/// Records in one round from which on the next one follows at once.
const BUSY: usize = 1 << 16;
/// The two clocks are compared over so long at least: reading both takes some 100 ns.
const BASELINE_NS: u64 = 100_000_000;
/// A process whose records are there is told of within moments; after this it is taken as it is.
const PATIENCE_NS: u64 = 2_000_000_000;

/// Both clocks, read as nearly together as it goes, and how far apart the readings were at most.
fn moment() -> (Moment, u64) {
    let read = || {
        let before = sys::monotonic();
        let ticks = ticks();
        let after = sys::monotonic();
        let apart = after.saturating_sub(before);
        let time = Monotonic(before.saturating_add(apart / 2));
        (Moment { ticks, time }, apart)
    };
    let readings = [read(), read(), read()];
    let best = readings.into_iter().min_by_key(|(_, apart)| *apart);
    best.unwrap_or_else(read)
}

/// A chunk that was taken.
#[derive(Debug)]
struct Taken {
    chunk: usize,
    since: Monotonic,
    of: Option<(Writer, Arc<Image>)>,
    /// Records that were read.
    read: usize,
}

pub(super) struct Drain {
    ring: SharedRing,
    copies: Arc<Copies>,
    /// Tools that run by their stand-ins.
    started: Receiver<Held>,
    stopped: PipeReader,
    out: Sender<Observation>,
    state: State,
}

#[derive(Default)]
struct State {
    pool: Pool,
    /// Chunks that were known to be taken.
    count: u64,
    taken: Vec<Taken>,
    /// Processes that the recorder knows, until they end.
    processes: FxHashMap<Pid, Option<ExitWatch>>,
    /// Records that were read and came after the moment up to which they are told.
    ahead: Vec<(Written, Called)>,
    from: Moment,
    /// The time of the last call that was told.
    last: Monotonic,
    told: Monotonic,
    dropped: u64,
    unknown: u64,
    /// Programs that execute themselves.
    again: Again,
    /// How far apart the readings of the two clocks were at most.
    apart: u64,
}

impl Drain {
    pub(super) fn new(
        (ring, copies): (SharedRing, Arc<Copies>),
        started: Receiver<Held>,
        stopped: PipeReader,
        out: Sender<Observation>,
        root: Pid,
    ) -> Self {
        let (from, apart) = moment();
        let processes = [(root, ExitWatch::of(root).ok())];
        Self {
            ring,
            copies,
            started,
            stopped,
            out,
            state: State {
                from,
                told: from.time,
                apart,
                processes: processes.into_iter().collect(),
                ..State::default()
            },
        }
    }

    /// Runs until it is told to stop.
    pub(super) fn run(mut self) {
        // The recorder takes what is told only once the command is there, and there may be more than can wait.
        self.copies.tell_to(&self.out);
        let mut busy = false;
        while !self.stops(busy) {
            busy = self.round(false) >= BUSY;
        }
        self.ring.close();
        self.round(true);
        self.tell(Observation::Configured {
            key: "patch_clock_error_ns".to_owned(),
            value: self.state.apart.to_string(),
        });
    }

    /// Waits for the next round; true when there is none.
    fn stops(&self, busy: bool) -> bool {
        let mut fds = [PollFd::new(self.stopped.as_fd(), PollFlags::POLLIN)];
        let patience = if busy { 0_u16 } else { INTERVAL_MS };
        // An interrupted wait is over, too.
        poll(&mut fds, PollTimeout::from(patience)).ok();
        fds.first().and_then(PollFd::any) == Some(true)
    }

    /// Empties the ring once; how many records there were.
    fn round(&mut self, all: bool) -> usize {
        // What had ended by now has written all that it ever will.
        let ended = self.ended();
        self.meet_started();
        if !all {
            self.ring.live();
        }
        let (now, apart) = moment();
        self.state.apart = self.state.apart.max(apart);
        let scale = Scale::between(self.state.from, now);
        for count in self.state.count..self.ring.taken() {
            self.state.taken.push(Taken {
                chunk: self.ring.chunk_of(count),
                since: now.time,
                of: None,
                read: 0,
            });
            self.state.count = count + 1;
        }
        let mut taken = std::mem::take(&mut self.state.taken);
        let before = self.state.ahead.len();
        taken.retain_mut(|taken| {
            let whole = self.read(taken, now.time, all);
            let over = taken
                .of
                .as_ref()
                .is_some_and(|(of, _)| ended.contains(&of.pid));
            if whole || over {
                self.ring.free(taken.chunk);
            }
            !whole && !over
        });
        self.state.taken = taken;
        let count = self.state.ahead.len() - before;
        self.give(scale, if all { u64::MAX } else { now.ticks });
        self.tell(Observation::CalledUntil {
            by: Teller::Copies,
            time: now.time,
        });
        if now.time.0.saturating_sub(self.state.from.time.0) >= BASELINE_NS {
            self.state.from = now;
        }
        self.report_losses(now.time);
        let State {
            again, processes, ..
        } = &mut self.state;
        let original = |copy: &Path| self.copies.original(copy);
        for met in again.look(now.time, processes.keys().copied(), original) {
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
            let pid = started.executed.pid;
            self.state.processes.insert(pid, ExitWatch::of(pid).ok());
            drop(self.out.send(Observation::Discovered {
                parent: started.shim,
                package: started.package,
                executed: started.executed,
            }));
        }
    }

    /// Reads what is new in a chunk; true when it is full, and all of it was read.
    fn read(&mut self, taken: &mut Taken, now: Monotonic, all: bool) -> bool {
        if taken.of.is_none() {
            let Some(header) = self.ring.header(taken.chunk) else {
                return false;
            };
            let writer = Writer::of(header);
            let waited = now.0.saturating_sub(taken.since.0) >= PATIENCE_NS;
            if !self.state.processes.contains_key(&writer.pid) && !waited && !all {
                return false;
            }
            // It may have come, and gone, before anybody looked.
            self.state
                .processes
                .entry(writer.pid)
                .or_insert_with(|| ExitWatch::of(writer.pid).ok());
            let Some(image) = self.copies.image(writer.copy) else {
                self.state.unknown += 1;
                return false;
            };
            taken.of = Some((writer, image));
        }
        let Some((writer, image)) = &taken.of else {
            return false;
        };
        while let Some(words) = self.ring.record(taken.chunk, taken.read) {
            taken.read += 1;
            let written = Written::of(words);
            match called(writer, image, &written) {
                Some(called) => self.state.ahead.push((written, called)),
                None => self.state.unknown += 1,
            }
        }
        taken.read + 1 == RECORDS
    }

    /// Hands over what was read, up to a moment.
    fn give(&mut self, scale: Scale, until: u64) {
        let state = &mut self.state;
        // Stretches that are in order already, one for each chunk.
        state.ahead.sort_by_key(|(written, _)| written.ticks);
        let end = state
            .ahead
            .partition_point(|(written, _)| written.ticks <= until);
        let last = &mut state.last;
        let calls = state.ahead.drain(..end).map(|(written, called)| {
            *last = scale.at(written.ticks).max(*last);
            Called {
                time: *last,
                ..called
            }
        });
        let out = &self.out;
        state.pool.give(calls, &mut |batch| {
            drop(out.send(Observation::Called(batch)))
        });
    }

    fn report_losses(&mut self, now: Monotonic) {
        let dropped = self.ring.dropped();
        let lost = dropped.saturating_sub(std::mem::replace(&mut self.state.dropped, dropped));
        let unknown = std::mem::take(&mut self.state.unknown);
        for (count, why) in [
            (lost, "the memory for them was full (that many at most)"),
            (unknown, "they could not be read"),
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

/// The call that a record tells of, without its time.
fn called(writer: &Writer, image: &Image, written: &Written) -> Option<Called> {
    let argument = *image.arguments.get(written.function as usize)?;
    let argument = argument && written.edge == crate::trace::CallEdge::Entry;
    Some(Called {
        time: Monotonic(0),
        pid: writer.pid,
        tid: writer.tid,
        stack: match written.goroutine {
            0 => StackOwner::System(None),
            number => StackOwner::Goroutine(Goid(number)),
        },
        probe: ProbeId(image.first.0.checked_add(written.function)?),
        edge: written.edge,
        depth: written.depth,
        argument: argument.then_some(RawArgument::Integer(written.argument)),
    })
}
