//! A process whose task gotrace has: its images, its threads, and what they were seen to do.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use crossbeam_channel::Sender;
use rustc_hash::{FxHashMap, FxHashSet};

use super::programs::Programs;
use crate::binary::Svma;
use crate::capture::decode::darwin_process::Timebase;
use crate::capture::decode::image_infos::{CHANGED, DyldInfo, ImageInfos};
use crate::capture::decode::mach::counters::Counters;
use crate::capture::decode::mach::program::Program;
use crate::capture::decode::mach::text::Text;
use crate::capture::decode::mach::thread::{Position, ThreadInfo};
use crate::capture::decode::mach::translated::Rosetta;
use crate::capture::decode::mach::{Stack, goroutine, native, translated};
use crate::capture::decode::memory::{Pieces, ReadMemory as _};
use crate::capture::decode::rosetta::registers::ContextLayout;
use crate::capture::macos::sys;
use crate::capture::macos::sys::task::{self, Task, Thread, ThreadState};
use crate::capture::{Monotonic, Observation, Sampled};
use crate::trace::{Avma, Goid, ImageKind, Nanos, Pid, SampleKind, Tid, Usage};

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
    task: Task,
    machine: Machine,
    /// Rosetta runs it.
    rosetta: Option<Rosetta>,
    /// Tags of regions, as far as they have been asked for.
    regions: RefCell<Vec<(Range<u64>, u32)>>,
    /// Where its list of images is.
    list: Option<DyldInfo>,
    /// When that changed last, as it says itself.
    changed: Option<u64>,
    told: FxHashSet<Avma>,
    program: Arc<Program>,
    slide: u64,
    threads: FxHashMap<u32, Known>,
    cpu: Option<Nanos>,
    /// What it was last seen to have used.
    pub(super) counters: Counters,
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
            task,
            machine,
            rosetta,
            regions: RefCell::default(),
            list: None,
            changed: None,
            told: FxHashSet::default(),
            program: Arc::default(),
            slide: 0,
            threads: FxHashMap::default(),
            cpu: None,
            counters: Counters::default(),
        }
    }

    /// Tells of images that are new. A list that is being changed is read the next time.
    pub(super) fn see_images(
        &mut self,
        now: Monotonic,
        programs: &mut Programs,
        out: &Sender<Observation>,
    ) {
        self.list = self.list.or_else(|| self.task.dyld_info());
        let Some(info) = self.list else {
            return;
        };
        let changed = info.address.0.checked_add(CHANGED);
        let changed = changed.and_then(|at| self.task.long(at));
        if changed.is_none() || changed == self.changed {
            return;
        }
        let Ok(found) = ImageInfos::read(&self.task, info) else {
            return;
        };
        self.changed = Some(found.changed);
        if let Some(rosetta) = &mut self.rosetta {
            rosetta.translated = found.translated;
        }
        let dyld = (found.dyld, b"/usr/lib/dyld".to_vec());
        let images = found.images.into_iter();
        let images = images.map(|image| (image.address, image.path.unwrap_or_default()));
        for (number, (address, path)) in images.chain([dyld]).enumerate() {
            if !self.told.insert(address) {
                continue;
            }
            let Some(text) = Text::read(&self.task, address) else {
                continue;
            };
            // The program is the first of the list.
            if number == 0 {
                self.slide = text.slide;
                self.program = programs.at(&path, text.uuid);
            }
            self.see_rosetta(&path, &text);
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

    /// Rosetta's own image is in the list of a process that it runs.
    fn see_rosetta(&mut self, path: &[u8], text: &Text) {
        if let Some(rosetta) = &mut self.rosetta
            && path.starts_with(b"/usr/libexec/rosetta/")
        {
            rosetta.runtime = text.start.0..text.end.0;
        }
    }

    /// Looks at each thread that ran since the last time; false when the process is gone.
    pub(super) fn sample(&mut self, now: Monotonic, out: &Sender<Observation>) -> bool {
        let used = sys::task(self.pid).map(|task| Nanos(task.user.0.saturating_add(task.system.0)));
        if used.is_some() && used == self.cpu {
            return true;
        }
        self.cpu = used;
        let Some(threads) = self.task.threads() else {
            return false;
        };
        let mut known = std::mem::take(&mut self.threads);
        for thread in threads {
            let before = known.remove(&thread.port());
            let Some(after) = self.look_at(thread, before, now, out) else {
                continue;
            };
            self.threads.insert(after.thread.port(), after);
        }
        for gone in known.into_values() {
            self.say_ended(gone, now, out);
        }
        true
    }

    fn look_at(
        &self,
        thread: Thread,
        before: Option<Known>,
        now: Monotonic,
        out: &Sender<Observation>,
    ) -> Option<Known> {
        let info = ThreadInfo::read(&thread.info()?)?;
        let mut known = match before {
            Some(known) => known,
            None => {
                // The system counts them up from the start of the machine: the lower half tells them apart.
                let [low, _] = halves(thread.number()?);
                Known {
                    thread,
                    tid: Tid(low),
                    since: now,
                    info: ThreadInfo::default(),
                }
            }
        };
        let weight = Nanos(info.cpu().0.saturating_sub(known.info.cpu().0));
        known.info = info;
        if weight > Nanos::ZERO
            && let Some((stack, goroutine)) = self.stack(&known.thread)
        {
            drop(out.send(Observation::Sampled(Sampled {
                time: now,
                pid: self.pid,
                tid: known.tid,
                goroutine,
                weight,
                kind: SampleKind::OnCpu,
                place: stack.place,
                stack: stack.addresses,
                truncated: stack.truncated,
            })));
        }
        Some(known)
    }

    /// The stack of a thread, which stands still for as long as it takes to read it.
    fn stack(&self, thread: &Thread) -> Option<(Stack, Option<Goid>)> {
        let suspended = thread.suspend()?;
        let state = suspended.state()?;
        let memory = Pieces::of(&self.task);
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
        let Some(region) = self.task.region(address) else {
            return 0;
        };
        if regions.len() >= MOST_REGIONS {
            regions.clear();
        }
        let tag = region.1;
        regions.push(region);
        tag
    }

    /// Reads what it has used, as long as it can be asked.
    pub(super) fn count(&mut self) {
        let bytes = task::counters(self.pid);
        let read = bytes.and_then(|bytes| Counters::read(&bytes, self.machine.timebase?));
        if let Some(counters) = read {
            self.counters = counters;
        }
    }

    /// Tells of the ends of its threads.
    pub(super) fn end(&mut self, now: Monotonic, out: &Sender<Observation>) {
        for gone in std::mem::take(&mut self.threads).into_values() {
            self.say_ended(gone, now, out);
        }
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

/// The lower and the upper half.
fn halves(long: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = long.to_le_bytes();
    [[a, b, c, d], [e, f, g, h]].map(u32::from_le_bytes)
}
