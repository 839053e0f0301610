//! A process whose task gotrace has: its images, its threads, and what they were seen to do.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use crossbeam_channel::Sender;
use rustc_hash::FxHashMap;

use super::programs::Programs;
use crate::binary::Svma;
use crate::capture::decode::darwin_process::Timebase;
use crate::capture::decode::image_infos::{CHANGED, DyldInfo, ImageInfos, LoadedImage};
use crate::capture::decode::mach::account::Account;
use crate::capture::decode::mach::counters::Counters;
use crate::capture::decode::mach::program::Program;
use crate::capture::decode::mach::thread::{Position, ThreadInfo};
use crate::capture::decode::mach::translated::Rosetta;
use crate::capture::decode::mach::{Stack, goroutine, native, translated};
use crate::capture::decode::memory::{Pieces, ReadMemory as _};
use crate::capture::decode::rosetta::registers::ContextLayout;
use crate::capture::macos::sys::task::{self, Task, Thread, ThreadState};
use crate::capture::{Monotonic, Observation, Sampled};
use crate::trace::{Avma, Goid, ImageKind, Nanos, Pid, ProcessorCounts, SampleKind, Tid, Usage};

/// Regions of a process whose tags are remembered.
const MOST_REGIONS: usize = 4_096;

/// What is the same for all processes of this machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    /// Bits of an address; the others of a pointer may be a signature.
    pub(super) address_bits: u32,
    /// Where Rosetta keeps stack pointers.
    pub(super) context: Option<ContextLayout>,
    /// How long a tick of the clock is.
    pub(super) timebase: Option<Timebase>,
}

/// A process.
#[derive(Debug)]
pub(super) struct Process {
    pid: Pid,
    /// None between two programs: that of the last one is gone, and the next one has not said hello.
    task: Option<Task>,
    machine: Machine,
    /// Rosetta runs it.
    rosetta: Option<Rosetta>,
    /// Tags of regions, as far as they have been asked for.
    regions: RefCell<Vec<(Range<u64>, u32)>>,
    /// Where its list of images is.
    list: Option<DyldInfo>,
    /// When that changed last, as it says itself.
    changed: Option<u64>,
    /// Images that were told of, and their paths.
    told: FxHashMap<Avma, Vec<u8>>,
    program: Arc<Program>,
    slide: u64,
    threads: FxHashMap<u32, Known>,
    pub(super) account: Account,
    /// What it was last seen to have used.
    pub(super) counters: Counters,
    /// What its processor had counted of it when this program began.
    before: ProcessorCounts,
}

/// A thread that was seen. To keep the right to it is to keep its name from going to another one.
#[derive(Debug)]
struct Known {
    thread: Thread,
    tid: Tid,
    since: Monotonic,
    info: ThreadInfo,
}

impl Process {
    /// Begins to watch a process, which Rosetta runs or not.
    pub(super) fn new(pid: Pid, task: Task, is_translated: bool, machine: Machine) -> Self {
        let rosetta = is_translated.then(|| Rosetta {
            context: machine.context,
            ..Rosetta::default()
        });
        Self {
            pid,
            task: Some(task),
            machine,
            rosetta,
            regions: RefCell::default(),
            list: None,
            changed: None,
            told: FxHashMap::default(),
            program: Arc::default(),
            slide: 0,
            threads: FxHashMap::default(),
            account: Account::default(),
            counters: Counters::default(),
            before: ProcessorCounts::default(),
        }
    }

    /// Tells of images that are new. A list that is being changed is read the next time.
    pub(super) fn see_images(
        &mut self,
        now: Monotonic,
        programs: &mut Programs,
        out: &Sender<Observation>,
    ) {
        let Some(task) = &self.task else {
            return;
        };
        self.list = self.list.or_else(|| task.dyld_info());
        let Some(info) = self.list else {
            return;
        };
        let changed = info.address.0.checked_add(CHANGED);
        let changed = changed.and_then(|at| task.long(at));
        if changed.is_none() || changed == self.changed {
            return;
        }
        let Ok(found) = ImageInfos::read(task, info) else {
            return;
        };
        // What lies where may be something else now.
        self.regions.borrow_mut().clear();
        self.changed = Some(found.changed);
        if let Some(rosetta) = &mut self.rosetta {
            rosetta.translated = found.translated;
        }
        let dyld = LoadedImage {
            address: found.dyld,
            path: Some(b"/usr/lib/dyld".to_vec()),
            uuid: None,
        };
        let mut before = std::mem::take(&mut self.told);
        for (number, image) in found.images.into_iter().chain([dyld]).enumerate() {
            let LoadedImage { address, path, .. } = &image;
            let path = path.clone().unwrap_or_default();
            if before.get(address) == Some(&path) {
                before.remove(address);
                self.told.insert(*address, path);
                continue;
            }
            // One that cannot be read now may be when the list has changed again.
            let Some(text) = programs.text(task, found.shared_cache.as_ref(), &image) else {
                continue;
            };
            // The program is the first of the list.
            if number == 0 {
                self.slide = text.slide;
                self.program = programs.at(&path, text.uuid);
            }
            if let Some(rosetta) = &mut self.rosetta
                && is_rosetta(&path)
            {
                rosetta.runtime = text.start.0..text.end.0;
            }
            self.told.insert(*address, path.clone());
            drop(out.send(Observation::Mapped {
                time: now,
                pid: self.pid,
                start: text.start.0,
                end: text.end.0,
                offset: text.offset.0,
                path,
                build_id: text.uuid.map_or_else(Vec::new, Vec::from),
                kind: ImageKind::File,
            }));
        }
    }

    /// Looks at each thread that ran since the last time; false when the task is gone.
    pub(super) fn sample(&mut self, now: Monotonic, out: &Sender<Observation>) -> bool {
        if !self.count() {
            return true;
        }
        let Some(task) = &self.task else {
            return true;
        };
        let Some(threads) = task.threads() else {
            return false;
        };
        let mut known = std::mem::take(&mut self.threads);
        let mut ran = Vec::new();
        for thread in threads {
            let before = known.remove(&thread.port());
            let Some((after, weight)) = self.look_at(thread, before, now, out) else {
                continue;
            };
            if weight > Nanos::ZERO {
                ran.push((after.thread.port(), weight));
            }
            self.threads.insert(after.thread.port(), after);
        }
        for gone in known.into_values() {
            self.say_ended(gone, now, out);
        }
        self.take_stacks(&ran, now, out);
        true
    }

    /// What a thread is now, and how much it has used since the last time.
    fn look_at(
        &self,
        thread: Thread,
        before: Option<Known>,
        now: Monotonic,
        out: &Sender<Observation>,
    ) -> Option<(Known, Nanos)> {
        let info = thread.info().and_then(|bytes| ThreadInfo::read(&bytes));
        let (mut known, info) = match (before, info) {
            (Some(known), Some(info)) => (known, info),
            (Some(gone), None) => {
                self.say_ended(gone, now, out);
                return None;
            }
            (None, info) => {
                // The system counts them up from the start of the machine: the lower half tells them apart.
                let [low, _] = halves(thread.number()?);
                let known = Known {
                    thread,
                    tid: Tid(low),
                    since: now,
                    info: ThreadInfo::default(),
                };
                (known, info?)
            }
        };
        let weight = Nanos(info.cpu().0.saturating_sub(known.info.cpu().0));
        known.info = info;
        Some((known, weight))
    }

    /// Takes samples of threads that ran, while the whole process stands still. It goes on before they are told: the
    /// recorder may have to be waited for.
    fn take_stacks(&mut self, ran: &[(u32, Nanos)], now: Monotonic, out: &Sender<Observation>) {
        let task = self.task.as_ref().filter(|_| !ran.is_empty());
        let Some(still) = task.and_then(Task::suspend) else {
            return;
        };
        let sampled = ran.iter().filter_map(|&(port, weight)| {
            let known = self.threads.get(&port)?;
            let (stack, goroutine) = self.stack(&known.thread)?;
            Some(Sampled {
                time: now,
                pid: self.pid,
                tid: known.tid,
                goroutine,
                weight,
                kind: SampleKind::OnCpu,
                place: stack.place,
                stack: stack.addresses,
                truncated: stack.truncated,
            })
        });
        let sampled: Vec<Sampled> = sampled.collect();
        drop(still);
        for sampled in sampled {
            self.account.sampled(sampled.weight);
            drop(out.send(Observation::Sampled(sampled)));
        }
    }

    /// The stack of a thread that stands still.
    fn stack(&self, thread: &Thread) -> Option<(Stack, Option<Goid>)> {
        let task = self.task.as_ref()?;
        let state = thread.state()?;
        let memory = Pieces::of(task);
        Some(match (state, &self.rosetta) {
            (ThreadState::Arm64(registers), Some(rosetta)) => {
                let tag = |address| self.tag(address);
                (translated::stack(&memory, &registers, rosetta, &tag), None)
            }
            (ThreadState::Arm64(registers), None) => {
                let registers = registers.without_signatures(self.machine.address_bits);
                self.native(&memory, Position::of_arm64(&registers))
            }
            (ThreadState::Amd64(position), _) => self.native(&memory, position),
        })
    }

    fn native(&self, memory: &Pieces<'_>, at: Position) -> (Stack, Option<Goid>) {
        let function = |address: u64| {
            let stated = Svma(address.wrapping_sub(self.slide));
            let start = self.program.function(stated)?;
            Some(start.0.wrapping_add(self.slide))
        };
        let stack = native::stack(memory, at, self.machine.address_bits, &function);
        let fields = self.program.goroutines.as_ref();
        let goroutine = fields.and_then(|fields| goroutine::of_thread(memory, at.g, at.sp, fields));
        (stack, goroutine)
    }

    /// The tag of the memory at an address, asked for once for each region.
    fn tag(&self, address: u64) -> u32 {
        let mut regions = self.regions.borrow_mut();
        if let Some((_, tag)) = regions.iter().find(|(range, _)| range.contains(&address)) {
            return *tag;
        }
        let Some(region) = self.task.as_ref().and_then(|task| task.region(address)) else {
            return 0;
        };
        if regions.len() >= MOST_REGIONS {
            regions.clear();
        }
        let tag = region.1;
        regions.push(region);
        tag
    }

    /// Reads what it has used, as long as it can be asked; whether it has used any time since it was asked last.
    pub(super) fn count(&mut self) -> bool {
        let bytes = task::counters(self.pid);
        let read = bytes.and_then(|bytes| Counters::read(&bytes, self.machine.timebase?));
        if let Some(counters) = read {
            self.counters = counters;
        }
        self.account
            .has_run(read.map(|counters| counters.usage.cpu()))
    }

    /// Its task is gone, and its threads with it. Another program may follow in the same process.
    pub(super) fn leave(&mut self, now: Monotonic, out: &Sender<Observation>) {
        self.task = None;
        for gone in std::mem::take(&mut self.threads).into_values() {
            self.say_ended(gone, now, out);
        }
    }

    /// Follows another program in the same process: the system counts on, what both have used together.
    pub(super) fn follow(&mut self, before: &Self) {
        self.account = before.account;
        self.counters = before.counters;
        self.before = before.counters.processor();
    }

    /// Tells what the processor has counted of its program.
    pub(super) fn tell_counts(&self, now: Monotonic, out: &Sender<Observation>) {
        drop(out.send(Observation::ProcessorCounted {
            time: now,
            pid: self.pid,
            counts: self.counters.processor().since(self.before),
        }));
    }

    fn say_ended(&self, gone: Known, now: Monotonic, out: &Sender<Observation>) {
        drop(out.send(Observation::ThreadEnded {
            time: now,
            pid: self.pid,
            tid: gone.tid,
            start: gone.since,
            usage: Usage {
                user: gone.info.user,
                system: gone.info.system,
                ..Usage::default()
            },
            name: gone.info.name,
        }));
    }
}

/// Whether an image is Rosetta's own: they are in the list of a process that it runs, by what others have seen of it.
/// Where they are not, its code counts as of nobody known.
fn is_rosetta(path: &[u8]) -> bool {
    path.starts_with(b"/usr/libexec/rosetta/")
}

/// The lower and the upper half.
fn halves(long: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = long.to_le_bytes();
    [[a, b, c, d], [e, f, g, h]].map(u32::from_le_bytes)
}
