//! A process whose task gotrace has: what the kernel tells of it at each look in, what it was seen to do out.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use super::account::Account;
use super::counters::Counters;
use super::images::{Images, New};
use super::program::Program;
use super::programs::Programs;
use super::system::{System, Task, Thread as _, ThreadState};
use super::thread::Position;
use super::threads::{Ran, Threads};
use super::translated::Rosetta;
use super::{Stack, goroutine, native, translated};
use crate::binary::Svma;
use crate::capture::decode::darwin_process::{ProcessInfo, State};
use crate::capture::decode::image_infos::{CHANGED, DyldInfo, ImageInfos};
use crate::capture::decode::memory::Pieces;
use crate::capture::decode::rosetta::registers::ContextLayout;
use crate::capture::{Monotonic, Observation, Sampled};
use crate::trace::{Goid, Nanos, Pid, ProcessorCounts, SampleKind};

/// Regions of a process whose tags are remembered.
const MOST_REGIONS: usize = 4_096;

/// What is the same for all processes of this machine.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// Bits of an address; the others of a pointer may be a signature.
    pub address_bits: u32,
    /// Where Rosetta keeps stack pointers.
    pub context: Option<ContextLayout>,
}

/// A process.
#[derive(Debug)]
pub struct Process<T: Task> {
    pid: Pid,
    /// When it was forked, since 1970: another process of this number was forked later.
    started: Option<Nanos>,
    /// None between two programs: that of the last one is gone, and the next one has not said hello.
    task: Option<T>,
    machine: Machine,
    /// Rosetta runs it.
    rosetta: Option<Rosetta>,
    /// Tags of regions, as far as they have been asked for.
    regions: RefCell<Vec<(Range<u64>, u32)>>,
    /// Where its list of images is.
    list: Option<DyldInfo>,
    /// When that changed last, as it says itself.
    changed: Option<u64>,
    images: Images,
    program: Arc<Program>,
    slide: u64,
    threads: Threads<T::Thread>,
    account: Account,
    /// What it was last seen to have used.
    counters: Counters,
    /// What the processor had counted of it when this program began.
    before: ProcessorCounts,
}

impl<T: Task> Process<T> {
    /// Begins to watch a process.
    pub fn new(pid: Pid, task: T, machine: Machine, system: &impl System<Task = T>) -> Self {
        let info = system.process(pid);
        let is_translated = info.as_ref().is_some_and(|info| info.translated);
        let rosetta = is_translated.then(|| Rosetta {
            context: machine.context,
            ..Rosetta::default()
        });
        Self {
            pid,
            started: info.map(|info| info.started_unix),
            task: Some(task),
            machine,
            rosetta,
            regions: RefCell::default(),
            list: None,
            changed: None,
            images: Images::default(),
            program: Arc::default(),
            slide: 0,
            threads: Threads::default(),
            account: Account::default(),
            counters: Counters::default(),
            before: ProcessorCounts::default(),
        }
    }

    /// Whether the process has not ended.
    pub fn lives(&self, system: &impl System<Task = T>) -> bool {
        let found = self.found(system);
        found.is_some_and(|info| info.state != State::Ended)
    }

    /// Whether the process of this number is this one still, and be it that it has ended.
    pub fn is_same(&self, system: &impl System<Task = T>) -> bool {
        self.found(system).is_some()
    }

    fn found(&self, system: &impl System<Task = T>) -> Option<ProcessInfo> {
        let found = system.process(self.pid);
        found.filter(|info| self.started == Some(info.started_unix))
    }

    /// Tells of images that are new, and of those that are gone. A list that is being changed is read the next time.
    pub fn see_images(
        &mut self,
        now: Monotonic,
        programs: &mut Programs,
        system: &impl System<Task = T>,
        out: &mut dyn FnMut(Observation),
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
        let cache = found.shared_cache.as_ref();
        let mut text = |image: &_| programs.text(task, cache, image);
        let new = self.images.see((now, self.pid), &found, &mut text, out);
        if let Some(rosetta) = &mut self.rosetta {
            rosetta.translated = found.translated;
            let mut own = new.iter().filter(|image| is_rosetta(&image.path));
            if let Some(New { text, .. }) = own.next_back() {
                rosetta.runtime = text.start.0..text.end.0;
            }
        }
        if let Some(program) = new.into_iter().find(|image| image.is_program) {
            self.slide = program.text.slide;
            self.program = programs.at(&program.path, program.text.uuid, system);
        }
    }

    /// Looks at each thread that ran since the last time; false when the task is gone.
    pub fn sample(
        &mut self,
        now: Monotonic,
        system: &impl System<Task = T>,
        out: &mut dyn FnMut(Observation),
    ) -> bool {
        if !self.count(system) {
            return true;
        }
        let Some(task) = &self.task else {
            return true;
        };
        let Some(threads) = task.threads() else {
            return false;
        };
        let mut known = std::mem::take(&mut self.threads);
        let ran = known.look((now, self.pid), threads, out);
        for sampled in self.stacks(task, &ran, now) {
            self.account.sampled(sampled.weight);
            out(Observation::Sampled(sampled));
        }
        self.threads = known;
        true
    }

    /// Samples of threads that ran, taken while the whole process stands still. It goes on before they are told: the
    /// recorder may have to be waited for.
    fn stacks(&self, task: &T, ran: &[Ran<'_, T::Thread>], now: Monotonic) -> Vec<Sampled> {
        if ran.is_empty() {
            return Vec::new();
        }
        let Some(_still) = task.suspend() else {
            return Vec::new();
        };
        let sampled = ran.iter().filter_map(|ran| {
            let (stack, goroutine) = self.stack(task, ran.thread)?;
            Some(Sampled {
                time: now,
                pid: self.pid,
                tid: ran.tid,
                goroutine,
                weight: ran.weight,
                kind: SampleKind::OnCpu,
                place: stack.place,
                stack: stack.addresses,
                truncated: stack.truncated,
            })
        });
        sampled.collect()
    }

    /// The stack of a thread that stands still.
    fn stack(&self, task: &T, thread: &T::Thread) -> Option<(Stack, Option<Goid>)> {
        let state = thread.state()?;
        let memory = Pieces::of(task);
        Some(match (state, &self.rosetta) {
            (ThreadState::Arm64(registers), Some(rosetta)) => {
                let tag = |address| self.tag(task, address);
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
    fn tag(&self, task: &T, address: u64) -> u32 {
        let mut regions = self.regions.borrow_mut();
        if let Some((_, tag)) = regions.iter().find(|(range, _)| range.contains(&address)) {
            return *tag;
        }
        let Some(region) = task.region(address) else {
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
    pub fn count(&mut self, system: &impl System<Task = T>) -> bool {
        let read = system.counters(self.pid);
        if let Some(counters) = read {
            self.counters = counters;
        }
        self.account
            .has_run(read.map(|counters| counters.usage.cpu()))
    }

    /// What it was last seen to have used.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What of its CPU time no sample stands for.
    pub fn unsampled(&self) -> Nanos {
        self.account.unsampled()
    }

    /// What the processor has counted of its program.
    pub fn counted(&self, time: Monotonic) -> Observation {
        Observation::ProcessorCounted {
            time,
            pid: self.pid,
            counts: self.counters.processor().since(self.before),
        }
    }

    /// Its task is gone, and its threads with it. Another program may follow in the same process.
    pub fn leave(&mut self, now: Monotonic, out: &mut dyn FnMut(Observation)) {
        self.task = None;
        self.threads.end(now, self.pid, out);
    }

    /// Follows another program in the same process: the system counts on, what both have used together.
    pub fn follow(&mut self, before: &Self) {
        self.account = before.account;
        self.counters = before.counters;
        self.before = before.counters.processor();
    }
}

/// Whether an image is Rosetta's own: they are in the list of a process that it runs, by what others have seen of it.
/// Where they are not, its code counts as of nobody known.
fn is_rosetta(path: &[u8]) -> bool {
    path.starts_with(b"/usr/libexec/rosetta/")
}
