//! A kernel made up by hand, and what is told of what happens in it. Programs are named by letters in their paths.
#![expect(clippy::arithmetic_side_effects, reason = "tests may panic")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use super::*;
use crate::capture::decode::darwin_process::{ProcessInfo, State};
use crate::capture::decode::image_infos::DyldInfo;
use crate::capture::decode::mach::system::{Task, Thread, ThreadState};
use crate::capture::decode::mach::thread::Position;
use crate::capture::decode::memory::{MemoryCopy, ReadMemory};
use crate::capture::decode::preload::PortName;
use crate::capture::{Executed, Sampled};
use crate::trace::{Avma, Usage};

const MS: u64 = 1_000_000;
const ROOT: Pid = Pid(40);
const A: Pid = Pid(41);
const B: Pid = Pid(42);
/// Where dyld's list is in each process, and the images and their paths that it leads to.
const LIST: u64 = 0x10_0000;
const IMAGES: u64 = 0x20_0000;
const PATHS: u64 = 0x30_0000;
const PATH: u64 = 0x40;
/// A header for arm64, of code of 0x1810 bytes (`llvm-objdump --macho --private-headers`).
const HEADER: &[u8] = include_bytes!("../../../../tests/data/macho/classic");

/// A process that runs a program.
#[derive(Clone, Debug, Default)]
struct Alive {
    /// Which task it has: an exec gives it another.
    task: u64,
    started: u64,
    parent: Pid,
    ended: bool,
    /// CPU time, and instructions: what it has used since it was forked.
    used: (u64, u64),
    images: Vec<(u64, &'static str)>,
    /// When the images changed.
    changed: u64,
    /// Number, CPU time, program counter.
    threads: Vec<(u64, u64, u64)>,
    /// Its threads cannot be asked any more.
    is_ending: bool,
}

#[derive(Debug, Default)]
struct World {
    now: u64,
    processes: BTreeMap<Pid, Alive>,
}

#[derive(Clone, Debug, Default)]
struct Kernel(Rc<RefCell<World>>);

impl System for Kernel {
    type Task = OneTask;

    fn now(&self) -> Monotonic {
        Monotonic(self.0.borrow().now)
    }

    fn process(&self, pid: Pid) -> Option<ProcessInfo> {
        let world = self.0.borrow();
        let found = world.processes.get(&pid)?;
        Some(ProcessInfo {
            pid,
            parent: found.parent,
            state: if found.ended {
                State::Ended
            } else {
                State::Alive
            },
            started_unix: Nanos(found.started),
            ..ProcessInfo::default()
        })
    }

    fn counters(&self, pid: Pid) -> Option<Counters> {
        let (cpu, instructions) = self.0.borrow().processes.get(&pid)?.used;
        Some(Counters {
            usage: Usage {
                user: Nanos(cpu),
                ..Usage::default()
            },
            instructions,
            ..Counters::default()
        })
    }

    fn executed(&self, pid: Pid, now: Monotonic) -> Executed {
        let world = self.0.borrow();
        let images = world.processes.get(&pid).map(|found| &found.images);
        let exe = images.and_then(|images| images.first());
        Executed {
            time: now,
            pid,
            exe: exe.map_or_else(Vec::new, |(_, path)| path.as_bytes().to_vec()),
            ..Executed::default()
        }
    }

    fn file(&self, _path: &[u8]) -> Vec<u8> {
        Vec::new()
    }
}

#[derive(Debug)]
struct OneTask {
    kernel: Kernel,
    pid: Pid,
    task: u64,
}

impl OneTask {
    /// The process, as long as it runs the program whose task this is.
    fn alive(&self) -> Option<Alive> {
        let world = self.kernel.0.borrow();
        let found = world.processes.get(&self.pid).cloned();
        found.filter(|found| found.task == self.task && !found.ended)
    }
}

impl ReadMemory for OneTask {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        let Some(process) = self.alive() else {
            return false;
        };
        let mut list = vec![0; 0x170];
        let mut put =
            |at: usize, value: u64| list[at..at + 8].copy_from_slice(&value.to_le_bytes());
        // Version 18, and the number of images behind it.
        put(0x00, 18 | (process.images.len() as u64) << 32);
        put(0x08, IMAGES);
        put(0x20, 0x7000_0000);
        put(0xb8, process.changed);
        let (mut images, mut paths) = (Vec::new(), Vec::new());
        let mut pieces = vec![(0x7000_0000, HEADER.to_vec()), (LIST, list)];
        for (place, (header, path)) in (0..).zip(&process.images) {
            for long in [*header, PATHS + PATH * place, 0] {
                images.extend(long.to_le_bytes());
            }
            paths.extend(format!("{path:\0<64}").into_bytes());
            pieces.push((*header, HEADER.to_vec()));
        }
        // Whole pages can be read.
        paths.resize(0x1000, 0);
        pieces.extend([(IMAGES, images), (PATHS, paths)]);
        let mut pieces = pieces
            .into_iter()
            .map(|(start, bytes)| MemoryCopy { start, bytes });
        pieces.any(|piece| piece.read(address, into))
    }
}

impl Task for OneTask {
    type Thread = OneThread;
    type Suspended = ();

    fn dyld_info(&self) -> Option<DyldInfo> {
        self.alive().map(|_| DyldInfo {
            address: Avma(LIST),
            bytes: 0x170,
            format: 1,
        })
    }

    fn threads(&self) -> Option<Vec<OneThread>> {
        let threads = self.alive()?.threads.into_iter();
        let threads = threads.map(|(number, ..)| OneThread {
            kernel: self.kernel.clone(),
            pid: self.pid,
            number,
        });
        Some(threads.collect())
    }

    fn suspend(&self) -> Option<()> {
        self.alive().filter(|found| !found.is_ending).map(|_| ())
    }

    fn region(&self, _address: u64) -> Option<(Range<u64>, u32)> {
        None
    }
}

#[derive(Debug)]
struct OneThread {
    kernel: Kernel,
    pid: Pid,
    number: u64,
}

impl OneThread {
    fn found(&self) -> Option<(u64, u64)> {
        let world = self.kernel.0.borrow();
        let process = world.processes.get(&self.pid)?;
        let mut threads = process.threads.iter().filter(|_| !process.is_ending);
        let found = threads.find(|(number, ..)| *number == self.number);
        found.map(|(_, cpu, pc)| (*cpu, *pc))
    }
}

impl Thread for OneThread {
    fn port(&self) -> u32 {
        u32::try_from(self.number).expect("small") + 0x100
    }

    fn info(&self) -> Option<Vec<u8>> {
        let (cpu, _) = self.found()?;
        // A fourth of it in the kernel.
        let mut bytes = (cpu - cpu / 4).to_le_bytes().to_vec();
        bytes.extend((cpu / 4).to_le_bytes());
        bytes.resize(112, 0);
        Some(bytes)
    }

    fn number(&self) -> Option<u64> {
        self.found().map(|_| self.number | 7 << 32)
    }

    fn state(&self) -> Option<ThreadState> {
        let (_, pc) = self.found()?;
        Some(ThreadState::Amd64(Position {
            pc,
            sp: 0,
            fp: 0,
            link: None,
            g: 0,
        }))
    }
}

/// The kernel, who watches it, and what was told in words.
struct Scene {
    kernel: Kernel,
    watched: Watched<Kernel>,
    told: Vec<String>,
}

impl Scene {
    fn new() -> Self {
        Self::with_samples(true)
    }

    fn with_samples(samples: bool) -> Self {
        let kernel = Kernel::default();
        let machine = Machine {
            address_bits: 47,
            context: None,
        };
        let plan = Plan {
            root: ROOT,
            samples,
            machine,
        };
        Self {
            watched: Watched::new(kernel.clone(), plan),
            kernel,
            told: Vec::new(),
        }
    }

    /// A process is forked, and runs a program.
    fn starts(&self, pid: Pid, parent: Pid, program: &'static str) {
        let mut world = self.kernel.0.borrow_mut();
        let now = world.now;
        let process = Alive {
            task: 1,
            started: now + 1,
            parent,
            images: vec![(0x1_0000_0000, program)],
            changed: 1,
            threads: vec![(u64::from(pid.0) * 10, 0, 0)],
            ..Alive::default()
        };
        world.processes.insert(pid, process);
    }

    fn change(&self, pid: Pid, change: impl FnOnce(&mut Alive)) {
        change(
            self.kernel
                .0
                .borrow_mut()
                .processes
                .get_mut(&pid)
                .expect("alive"),
        );
    }

    /// It calls exec.
    fn executes(&self, pid: Pid, program: &'static str) {
        self.change(pid, |process| {
            process.task += 1;
            process.images = vec![(0x1_0000_0000, program)];
            process.threads = vec![(u64::from(pid.0) * 10 + process.task, 0, 0)];
        });
    }

    /// A thread runs for so many milliseconds, and as many instructions, and is at a place.
    fn runs(&self, pid: Pid, millis: u64, pc: u64) {
        self.change(pid, |process| {
            process.used.0 += millis * MS;
            process.used.1 += millis;
            let thread = process.threads.last_mut().expect("one");
            thread.1 += millis * MS;
            thread.2 = pc;
        });
    }

    fn later(&self, millis: u64) {
        self.kernel.0.borrow_mut().now += millis * MS;
    }

    fn task(&self, pid: Pid) -> OneTask {
        let task = self.kernel.0.borrow().processes[&pid].task;
        OneTask {
            kernel: self.kernel.clone(),
            pid,
            task,
        }
    }

    /// Its library says hello; whether it is answered.
    fn says_hello(&mut self, pid: Pid) -> bool {
        let task = self.task(pid);
        self.hello(pid, Some(task))
    }

    fn hello(&mut self, pid: Pid, task: Option<OneTask>) -> bool {
        let hello = Hello {
            pid,
            parent: Pid(7),
            task: PortName(1),
            reply: PortName(2),
        };
        let told = &mut self.told;
        self.watched
            .hello(hello, task, &mut |one| told.extend(words(one)))
    }

    fn with(&mut self, act: impl FnOnce(&mut Watched<Kernel>, Out<'_>)) {
        let told = &mut self.told;
        act(&mut self.watched, &mut |one| told.extend(words(one)));
    }

    /// What was told since this was called last.
    fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }

    /// What a tick tells.
    fn tick(&mut self) -> Vec<String> {
        self.later(5);
        self.with(Watched::sample);
        self.told()
    }

    /// What a look at the house tells.
    fn house(&mut self) -> Vec<String> {
        self.later(100);
        self.with(Watched::keep_house);
        self.told()
    }
}

/// Times are in milliseconds; of dyld's own image and of counters of the run nothing.
fn words(observation: Observation) -> Option<String> {
    let millis = |nanos: Nanos| nanos.0 / MS;
    Some(match observation {
        Observation::Discovered {
            parent, executed, ..
        } => {
            let exe = String::from_utf8_lossy(&executed.exe).into_owned();
            format!("{} of {parent} begins {exe}", executed.pid)
        }
        Observation::Mapped { path, .. } if path.starts_with(b"/usr/lib/dyld") => return None,
        Observation::Mapped {
            pid, start, path, ..
        } => format!("{pid} maps {start:x} {}", String::from_utf8_lossy(&path)),
        Observation::Unmapped {
            start: 0x7000_0000, ..
        }
        | Observation::Counted { .. } => return None,
        Observation::Unmapped {
            pid, start, end, ..
        } => format!("{pid} unmaps {start:x} to {end:x}"),
        Observation::Sampled(sampled) => {
            let weight = millis(sampled.weight);
            let Sampled {
                pid, tid, stack, ..
            } = sampled;
            format!("{pid} thread {tid} ran {weight} at {stack:x?}")
        }
        Observation::ThreadEnded {
            pid, tid, usage, ..
        } => {
            format!("{pid} thread {tid} ended after {}", millis(usage.cpu()))
        }
        Observation::Gone { pid, usage, .. } => {
            format!("{pid} is gone after {}", millis(usage.user))
        }
        Observation::ProcessorCounted { pid, counts, .. } => {
            format!("{pid} had {} instructions", counts.instructions)
        }
        Observation::Lost {
            what, count, why, ..
        } => format!("lost {count} {what}: {why}"),
        other => panic!("{other:?}"),
    })
}

#[test]
fn the_command_is_the_sessions_to_tell_and_its_threads_are_sampled_when_they_ran() {
    let mut scene = Scene::new();
    scene.starts(ROOT, Pid(1), "/a");
    assert!(scene.says_hello(ROOT));
    assert_eq!(scene.told(), ["40 maps 100000000 /a"]);
    assert!(scene.tick().is_empty(), "nothing has run");
    scene.runs(ROOT, 3, 0x1_0000_0500);
    assert_eq!(scene.tick(), ["40 thread 400 ran 3 at [100000500]"]);
    assert!(scene.tick().is_empty());
    scene.change(ROOT, |process| process.threads.push((401, 0, 0)));
    scene.runs(ROOT, 4, 0x1_0000_0600);
    assert_eq!(scene.tick(), ["40 thread 401 ran 4 at [100000600]"]);
    scene.change(ROOT, |process| {
        process.threads.retain(|thread| thread.0 != 400)
    });
    scene.runs(ROOT, 1, 0x1_0000_0700);
    let expected = [
        "40 thread 400 ended after 3",
        "40 thread 401 ran 1 at [100000700]",
    ];
    assert_eq!(scene.tick(), expected);
}

#[test]
fn an_exec_is_another_program_of_the_same_process() {
    let mut scene = Scene::new();
    scene.starts(A, ROOT, "/a");
    assert!(scene.says_hello(A));
    assert_eq!(scene.told(), ["41 of 40 begins /a", "41 maps 100000000 /a"]);
    scene.runs(A, 30, 0x1_0000_0500);
    assert_eq!(scene.tick(), ["41 thread 410 ran 30 at [100000500]"]);
    scene.executes(A, "/b");
    scene.runs(A, 5, 0x1_0000_0500);
    assert_eq!(
        scene.tick(),
        ["41 thread 410 ended after 30"],
        "its task is gone"
    );
    assert!(scene.house().is_empty(), "the process is not");
    assert!(scene.says_hello(A));
    let expected = [
        "41 had 35 instructions",
        "41 of 40 begins /b",
        "41 maps 100000000 /b",
    ];
    assert_eq!(scene.told(), expected);
    scene.runs(A, 10, 0x1_0000_0800);
    assert_eq!(scene.tick(), ["41 thread 412 ran 15 at [100000800]"]);
    scene.change(A, |process| process.ended = true);
    let expected = ["41 had 10 instructions", "41 thread 412 ended after 15"];
    assert_eq!(scene.house(), expected);
    scene.later(1_000);
    // The process as a whole.
    assert_eq!(scene.house(), ["41 is gone after 45"]);
}

#[test]
fn the_kernel_knows_the_parent_better_than_the_program() {
    let mut scene = Scene::new();
    scene.starts(ROOT, Pid(1), "/a");
    assert!(scene.says_hello(ROOT));
    scene.starts(B, ROOT, "/b");
    let task = scene.task(B);
    assert!(scene.says_hello(B));
    assert_eq!(
        scene.told()[1..],
        ["42 of 40 begins /b", "42 maps 100000000 /b"]
    );
    // One that is gone already when its message is read.
    scene.kernel.0.borrow_mut().processes.clear();
    assert!(scene.hello(Pid(43), Some(task)));
    assert_eq!(scene.told(), ["43 of 7 begins "]);
}

#[test]
fn a_command_whose_task_was_asked_for_is_known_when_it_says_hello() {
    let mut scene = Scene::new();
    scene.starts(ROOT, Pid(1), "/a");
    scene.runs(ROOT, 20, 0x1_0000_0500);
    let task = scene.task(ROOT);
    scene.with(|watched, out| watched.asked(ROOT, task, out));
    assert_eq!(scene.told(), ["40 maps 100000000 /a"]);
    // What it did before is in its first sample.
    assert_eq!(scene.tick(), ["40 thread 400 ran 20 at [100000500]"]);
    scene.executes(ROOT, "/b");
    assert!(scene.says_hello(ROOT));
    let expected = [
        "40 had 20 instructions",
        "40 of 1 begins /b",
        "40 thread 400 ended after 20",
        "40 maps 100000000 /b",
    ];
    assert_eq!(scene.told(), expected);
}

#[test]
fn a_process_may_go_between_any_two_calls() {
    let mut scene = Scene::new();
    scene.starts(A, ROOT, "/a");
    scene.says_hello(A);
    scene.runs(A, 3, 0x1_0000_0500);
    scene.tick();
    scene.told();
    // Its threads are listed, and do not answer.
    scene.runs(A, 2, 0x1_0000_0500);
    scene.change(A, |process| process.is_ending = true);
    assert_eq!(scene.tick(), ["41 thread 410 ended after 3"]);
    scene.runs(A, 1, 0x1_0000_0500);
    assert!(scene.tick().is_empty(), "a thread that was never seen");
    scene.kernel.0.borrow_mut().processes.clear();
    // Nobody can be asked: what was known last counts.
    assert_eq!(scene.tick(), ["41 had 6 instructions"]);
    scene.later(1_000);
    assert_eq!(scene.house(), ["41 is gone after 6"]);
    scene.with(Watched::finish);
    let between = "it was used after a thread's last sample, or before its program was known";
    let lost = format!("lost 3 milliseconds of CPU time in no sample: {between}");
    assert_eq!(scene.told(), [lost]);
}

#[test]
fn a_look_at_the_house_takes_nothing_from_samples() {
    let mut scene = Scene::new();
    scene.starts(A, ROOT, "/a");
    scene.says_hello(A);
    scene.told();
    scene.runs(A, 3, 0x1_0000_0500);
    assert!(scene.house().is_empty());
    assert_eq!(scene.tick(), ["41 thread 410 ran 3 at [100000500]"]);
}

#[test]
fn without_samples_processes_are_counted_all_the_same() {
    let mut scene = Scene::with_samples(false);
    scene.starts(A, ROOT, "/a");
    scene.says_hello(A);
    scene.told();
    scene.runs(A, 3, 0x1_0000_0500);
    scene.house();
    scene.kernel.0.borrow_mut().processes.clear();
    assert_eq!(scene.house(), ["41 had 3 instructions"]);
    // What no sample stands for is not missed where none were wanted.
    scene.with(Watched::finish);
    assert_eq!(scene.told(), ["41 is gone after 3"]);
}

#[test]
fn a_library_that_is_closed_is_unmapped() {
    let mut scene = Scene::new();
    scene.starts(A, ROOT, "/a");
    scene.says_hello(A);
    scene.told();
    scene.change(A, |process| {
        process.images.push((0x1_2000_0000, "/lib"));
        process.changed = 2;
    });
    assert_eq!(scene.house(), ["41 maps 120000000 /lib"]);
    scene.change(A, |process| process.images.truncate(1));
    assert!(
        scene.house().is_empty(),
        "dyld has not said that it changed"
    );
    scene.change(A, |process| process.changed = 3);
    assert_eq!(scene.house(), ["41 unmaps 120000000 to 120001810"]);
}

#[test]
fn another_process_of_a_number_does_not_go_on_with_the_first_ones_account() {
    let mut scene = Scene::new();
    scene.starts(A, ROOT, "/a");
    scene.says_hello(A);
    scene.runs(A, 30, 0x1_0000_0500);
    scene.tick();
    scene.told();
    // Nobody saw it end.
    scene.starts(A, B, "/b");
    scene.runs(A, 4, 0x1_0000_0500);
    scene.says_hello(A);
    let expected = [
        "41 had 30 instructions",
        "41 thread 410 ended after 30",
        "41 is gone after 30",
        "41 of 42 begins /b",
        "41 maps 100000000 /b",
    ];
    assert_eq!(scene.told(), expected);
    // A third one, which says nothing.
    scene.house();
    scene.later(10);
    scene.starts(A, B, "/c");
    scene.runs(A, 70, 0x1_0000_0500);
    let told = scene.house();
    assert_eq!(
        told,
        ["41 had 0 instructions"],
        "what the third used is not its"
    );
}

#[test]
fn who_lives_on_is_counted_at_the_end() {
    let mut scene = Scene::new();
    scene.starts(A, ROOT, "/a");
    scene.says_hello(A);
    scene.runs(A, 9, 0x1_0000_0500);
    scene.tick();
    scene.told();
    scene.starts(B, A, "/b");
    scene.says_hello(B);
    scene.change(B, |process| process.ended = true);
    scene.told();
    scene.with(Watched::finish);
    let expected = [
        "42 had 0 instructions",
        "41 had 9 instructions",
        "42 is gone after 0",
    ];
    assert_eq!(scene.told(), expected);
}

#[test]
fn counters_of_the_run_hold_processes_that_are_gone() {
    let mut scene = Scene::new();
    for pid in [A, B] {
        scene.starts(pid, ROOT, "/a");
        scene.says_hello(pid);
        scene.runs(pid, u64::from(pid.0), 0x1_0000_0500);
    }
    scene.tick();
    scene.change(A, |process| process.ended = true);
    scene.house();
    let mut counted = Vec::new();
    scene.watched.count(&mut |observation| {
        if let Observation::Counted { name, value, .. } = observation {
            counted.push((name, value));
        }
    });
    assert_eq!(counted.len(), 5);
    assert_eq!(counted[0], ("instructions", 41 + 42));
}

#[test]
fn who_hands_over_anothers_task_gets_no_answer() {
    let mut scene = Scene::new();
    scene.starts(A, ROOT, "/a");
    assert!(!scene.hello(A, None));
    scene.watched.malformed("something else".to_owned());
    assert!(scene.told().is_empty());
    assert!(!scene.hello(A, None));
    scene.with(Watched::finish);
    let why = "expected the task of process 41, found another port";
    assert_eq!(
        scene.told(),
        [format!("lost 3 messages of programs: {why}")]
    );
}

#[test]
fn too_many_programs_go_on_unwatched() {
    let mut scene = Scene::new();
    for pid in 0..=MOST {
        let pid = Pid(1_000 + u32::try_from(pid).unwrap());
        scene.starts(pid, ROOT, "/a");
        assert!(scene.says_hello(pid));
    }
    scene.told();
    scene.with(Watched::finish);
    let told = scene.told();
    let lost = told.iter().filter(|told| told.starts_with("lost"));
    let lost: Vec<&String> = lost.collect();
    assert_eq!(
        lost,
        ["lost 1 processes to sample: there were too many at once"]
    );
}
