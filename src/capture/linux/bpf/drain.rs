//! The thread that empties the buffers: records in, observations out.

use super::arm::Armed;
use super::gate::Gate;
use super::layouts::Layouts;
use super::load::Descriptors;
use super::now;
use crate::capture::decode::bpf::{Event, ExeKey, Files, GuestImage, Merge, Record, Side};
use crate::capture::linux::parts::{Part, Parts};
use crate::capture::linux::sys::{Lanes, PerfBuffer, RingBuffer, SharedWords};
use crate::capture::observation::Teller;
use crate::capture::{Monotonic, Observation, plain_file};
use crate::environment::translator::{self, Translator};
use crate::trace::Nanos;
use crossbeam_channel::Sender;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, PipeReader};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Of the side-band, for each processor. 516 KiB for each processor is what a user may have
/// without more (`kernel.perf_event_mlock_kb`).
const SIDE_BYTES: usize = 256 << 10;

/// How often the buffers are emptied while nothing is urgent.
const INTERVAL_MS: u16 = 100;
/// While as much waits for what is here as copies can tell of.
const INTERVAL_BESIDE_MS: u16 = 10;
/// How much later than its time a record may become visible: a program stamps it and then copies
/// it, with interrupts or other programs in between.
const SKEW_NS: u64 = 5_000_000;
/// At the end, how often and how long the root's last record is waited for: a process can be
/// waited for before its last thread has left its processor.
const LAST_WORDS: std::time::Duration = std::time::Duration::from_millis(1);
const LAST_WORDS_TRIES: usize = 200;

/// The largest importcfg that is read: some hundred bytes for each package of a build.
const LARGEST_FILE: u64 = 64 << 20;

/// What is lost, in the order of `struct counters` of records.h, and why.
const LOSSES: [(&str, &str); 8] = [
    ("forks", RING_FULL),
    ("execs", RING_FULL),
    ("arguments", RING_FULL),
    ("exits", RING_FULL),
    ("samples", RING_FULL),
    ("switches", RING_FULL),
    ("processes", "the table of processes was full"),
    ("calls", "the memory for them was full"),
];
const RING_FULL: &str = "the ring buffer was full";
const COUNTERS: usize = LOSSES.len() + 2;
const SAMPLES: usize = LOSSES.len();
const SPENT: usize = LOSSES.len() + 1;

pub(super) struct Drain {
    ring: RingBuffer,
    side: Vec<PerfBuffer>,
    lanes: Option<Lanes>,
    counters: SharedWords,
    layouts: Layouts,
    armed: Option<Armed>,
    /// Who knows what copies are of.
    copies: Option<Arc<dyn Parts>>,
    gate: Option<Gate>,
    /// Copies tell of calls, too; of more than those of the sets that are watched by default, where that is true.
    beside_copies: Option<bool>,
    period: Nanos,
    begun: Monotonic,
    links: Vec<OwnedFd>,
    merge: Merge,
    stopped: PipeReader,
    out: Sender<Observation>,
    lost: [u64; LOSSES.len()],
    malformed: u64,
    last: Monotonic,
}

/// The file system: execs of scripts and of translated programs, importcfg files.
struct HostFiles;

impl Files for HostFiles {
    fn head(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        plain_file::head(Path::new(OsStr::from_bytes(path)), 64).ok()
    }

    fn whole(&mut self, cwd: &[u8], path: &[u8]) -> Result<Vec<u8>, String> {
        let path = Path::new(OsStr::from_bytes(cwd)).join(OsStr::from_bytes(path));
        plain_file::read(&path, LARGEST_FILE)
            .map_err(|error| format!("{}: {error}", path.display()))
    }

    fn keeps_argv0(&mut self, interpreter: &[u8]) -> Option<bool> {
        let entries = translator::binfmt_entries();
        let entry = entries
            .iter()
            .find(|entry| entry.interpreter == interpreter)?;
        Some(entry.keeps_argv0())
    }
}

/// What will not be seen of programs that an executable is, or runs.
fn unseen(time: Monotonic, path: &[u8], why: String) -> Observation {
    let name = String::from_utf8_lossy(path);
    let what = match Translator::at(path) {
        Some(_) => format!("stacks of the programs that {name} runs"),
        None => format!("goroutines of {name}"),
    };
    Observation::Unseen { time, what, why }
}

/// Names what a copy stands in for, whose addresses are the same: a trace is read where there are no copies. Whether it
/// is of a copy. Trampolines are in no other file.
fn name_original(observation: &mut Observation, copies: &dyn Parts) -> bool {
    let (path, offset) = match observation {
        Observation::Executed(executed) => (&mut executed.exe, 0),
        Observation::Mapped { path, offset, .. } => (path, *offset),
        _ => return false,
    };
    let Part::Copy(copy) = copies.part(Path::new(OsStr::from_bytes(path))) else {
        return false;
    };
    if offset < copy.bytes {
        *path = copy.original;
    }
    true
}

/// Learns about a file that a translator runs. Where the kernel does not say which one it is, its
/// goroutines stay unknown, for the walk finds no layout.
fn learn_guest(layouts: &mut Layouts, key: Option<ExeKey>, path: &[u8]) -> Option<Arc<GuestImage>> {
    let key = match key {
        Some(key) => key,
        None => ExeKey::of(&fs::metadata(OsStr::from_bytes(path)).ok()?),
    };
    layouts.learn_guest(key, path)
}

impl Drain {
    pub(super) fn new(
        descriptors: Descriptors,
        (layouts, armed, copies): (Layouts, Option<Armed>, Option<Arc<dyn Parts>>),
        (ring_bytes, period, beside_copies): (usize, Nanos, Option<bool>),
        stopped: PipeReader,
        merge: Merge,
        out: Sender<Observation>,
    ) -> io::Result<Self> {
        let side = descriptors.side.into_iter();
        Ok(Self {
            ring: RingBuffer::map(descriptors.ring, ring_bytes)?,
            side: side
                .map(|fd| PerfBuffer::map(fd, SIDE_BYTES))
                .collect::<io::Result<_>>()?,
            lanes: (descriptors.lanes)
                .map(|lanes| Lanes::map(lanes.map.as_fd(), lanes.count, lanes.entries))
                .transpose()?,
            counters: SharedWords::map(descriptors.counters.as_fd(), COUNTERS)?,
            layouts,
            gate: armed.as_ref().and_then(|_| Gate::open()),
            armed,
            copies,
            beside_copies,
            period,
            begun: now(),
            links: descriptors.links,
            merge,
            stopped,
            out,
            lost: [0; LOSSES.len()],
            malformed: 0,
            last: now(),
        })
    }

    /// Learns about executables before they run.
    pub(super) fn expect(&mut self, executables: &[PathBuf]) {
        for path in executables {
            self.layouts.expect(path);
        }
    }

    /// Tells `first` what was seen before there was anybody to listen, and runs until it is told
    /// to stop, or nobody listens any more.
    pub(super) fn run(mut self, first: Vec<Observation>) -> io::Result<()> {
        for observation in first {
            self.tell(observation);
        }
        loop {
            let stop = self.wait()?;
            let horizon = Monotonic(now().0.saturating_sub(SKEW_NS));
            self.read();
            self.let_in();
            if stop {
                break;
            }
            self.give(horizon);
        }
        for _ in 0..LAST_WORDS_TRIES {
            if self.merge.root_ended() {
                break;
            }
            std::thread::sleep(LAST_WORDS);
            self.read();
        }
        let disarming = self.armed.take().map(|armed| {
            armed.tell_missing(&mut |observation| drop(self.out.send(observation)));
            std::thread::spawn(|| armed.disarm())
        });
        self.links.clear();
        self.read();
        self.give(Monotonic(u64::MAX));
        self.tell(Observation::Counted {
            time: now(),
            name: "bpf_sampling_ns",
            value: i64::try_from(self.counters.get(SPENT)).unwrap_or(i64::MAX),
        });
        // The recorder ends when nobody is left to tell it anything.
        drop(self);
        disarming.map_or(Ok(()), |thread| {
            thread
                .join()
                .map_err(|_panic| io::Error::other("taking probes away panicked"))
        })
    }

    /// Sleeps until there is something to do; true when that is to stop.
    fn wait(&self) -> io::Result<bool> {
        let mut fds = vec![
            PollFd::new(self.stopped.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.ring.as_fd(), PollFlags::POLLIN),
        ];
        let gate = self.gate.as_ref().map(|gate| gate.as_fd());
        fds.extend(gate.map(|gate| PollFd::new(gate, PollFlags::POLLIN)));
        let interval = match self.beside_copies {
            Some(true) => INTERVAL_BESIDE_MS,
            Some(false) | None => INTERVAL_MS,
        };
        match poll(&mut fds, PollTimeout::from(interval)) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(fds.first().and_then(PollFd::any).unwrap_or(false))
    }

    /// Lets programs start that have just been linked: their functions are watched now.
    fn let_in(&mut self) {
        let Self {
            gate, armed, out, ..
        } = self;
        let (Some(gate), Some(armed)) = (gate, armed) else {
            return;
        };
        gate.let_in(|program| {
            let path = format!("/proc/self/fd/{}", program.as_raw_fd());
            let mut tell = |observation| drop(out.send(observation));
            if let (Ok(numbers), Ok(path)) = (fs::metadata(&path), fs::read_link(&path)) {
                let path = path.into_os_string().into_vec();
                armed.ran(ExeKey::of(&numbers), &path, None, &mut tell);
            }
        });
    }

    /// Takes what the buffers hold: the ring first, so that no mapping is missing for a sample
    /// that was taken from it.
    fn read(&mut self) {
        let Self {
            ring,
            side,
            lanes,
            merge,
            layouts,
            armed,
            gate,
            malformed,
            out,
            ..
        } = self;
        ring.drain(|bytes| match Record::parse(bytes) {
            Ok(record) => {
                if let Event::Executed(executed) = &record.event {
                    let path = executed.exe_path();
                    if let Some(armed) = armed
                        && !executed.hidden
                    {
                        let mut tell = |observation| drop(out.send(observation));
                        armed.ran(executed.key, &path, Some(record.time), &mut tell);
                    }
                    if let Some(why) = layouts.learn(executed.key, &path) {
                        drop(out.send(unseen(record.time, &path, why)));
                    }
                    if let Some(guest) = executed.translated_file(&path)
                        && let Some(image) = learn_guest(layouts, executed.guest, &guest)
                    {
                        merge.guest(record.pid, image);
                    }
                }
                if let (Event::Called(called), Some(armed)) = (&record.event, &mut *armed) {
                    armed.hit(called);
                }
                if let (Event::Ended(ended), Some(armed)) = (&record.event, &mut *armed)
                    && ended.wait_status == Some(0)
                    && let Some(output) = merge.linked(record.pid)
                {
                    armed.expect(&[output], &mut |observation| drop(out.send(observation)));
                }
                merge.record(&record, &mut HostFiles);
                if let (Event::Argv { .. }, Some(gate), Some(armed)) =
                    (&record.event, &gate, &armed)
                    && let Some(output) = merge.output_of_link(record.pid)
                    && armed.concerns(output)
                    && let Some(folder) = output.parent()
                {
                    gate.guard(folder);
                }
            }
            Err(_) => *malformed += 1,
        });
        if let (Some(lanes), Some(armed)) = (lanes, armed) {
            lanes.drain(|entry| {
                let record = Record::of_lane(entry);
                if let Event::Called(called) = &record.event {
                    armed.hit(called);
                }
                merge.record(&record, &mut HostFiles);
            });
        }
        for buffer in side {
            buffer.drain(|bytes| {
                if let Some(side) = Side::parse(bytes) {
                    merge.side(&side);
                }
            });
        }
    }

    fn give(&mut self, horizon: Monotonic) {
        let Self {
            out, armed, copies, ..
        } = self;
        let beside_copies = self.beside_copies.is_some();
        // A session that has gone away wants no more.
        let mut tell = |mut observation| {
            let is_of_copy = copies.as_ref().is_some_and(|copies| {
                let copies: &dyn Parts = &**copies;
                name_original(&mut observation, copies)
            });
            if let (Observation::Executed(executed), Some(armed), false) =
                (&observation, &mut *armed, is_of_copy)
            {
                armed.ran_itself(executed, &mut |told| drop(out.send(told)));
            }
            drop(out.send(observation));
        };
        if horizon.0 == u64::MAX {
            self.merge.finish(&mut tell);
        } else {
            self.merge.take_until(horizon, &mut tell);
        }
        if beside_copies {
            self.tell(Observation::CalledUntil {
                by: Teller::Kernel,
                time: horizon,
            });
        }
        self.report_losses();
        self.hold_budget();
    }

    /// What watching functions may cost is a share of the command's CPU time: as samples tell it,
    /// else at least that of one core.
    fn hold_budget(&mut self) {
        let cpu = if self.period > Nanos::ZERO {
            Nanos(self.counters.get(SAMPLES).saturating_mul(self.period.0))
        } else {
            Nanos(now().0.saturating_sub(self.begun.0))
        };
        let out = &self.out;
        if let Some(armed) = &mut self.armed {
            armed.hold_budget(cpu, &mut |observation| drop(out.send(observation)));
        }
    }

    fn tell(&self, observation: Observation) {
        drop(self.out.send(observation));
    }

    fn report_losses(&mut self) {
        let to = now();
        for (index, (what, why)) in LOSSES.into_iter().enumerate() {
            let total = self.counters.get(index);
            let count = total.saturating_sub(std::mem::replace(&mut self.lost[index], total));
            self.report_loss(to, what, count, why);
        }
        let malformed = std::mem::take(&mut self.malformed);
        self.report_loss(to, "records", malformed, "they could not be read");
        self.last = to;
    }

    fn report_loss(&self, to: Monotonic, what: &'static str, count: u64, why: &str) {
        if count > 0 {
            self.tell(Observation::Lost {
                from: self.last,
                to,
                what,
                count,
                why: why.to_owned(),
            });
        }
    }
}
