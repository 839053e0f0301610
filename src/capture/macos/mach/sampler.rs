//! The thread that answers programs, and looks at them at each tick.

use std::io::PipeReader;
use std::os::fd::AsFd as _;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustc_hash::FxHashMap;

use super::process::{Machine, Process};
use super::programs::Programs;
use crate::capture::decode::mach::counters::Counters;
use crate::capture::decode::preload::Hello;
use crate::capture::decode::rosetta::registers::ContextLayout;
use crate::capture::macos::process::info;
use crate::capture::macos::sys::ports::{Answer, Arrived, Port, Right};
use crate::capture::macos::sys::task::Task;
use crate::capture::macos::sys::timebase;
use crate::capture::{Monotonic, Observation, alive, sys};
use crate::environment::host;
use crate::trace::{Pid, Usage};

/// How often it is looked for images, and for who has ended, at least.
const HOUSEKEEPING: Duration = Duration::from_millis(100);
/// How often counters are read.
const COUNTING: Duration = Duration::from_secs(1);
/// The end of a process is told that much later: a shim that knows more about it comes first.
const LATER: Duration = Duration::from_secs(1);
/// Processes at most that are looked at; a build has a few for each core.
const MOST: usize = 1_024;

/// What the thread is to know.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) port: Port,
    pub(super) root: Pid,
    /// The time from one tick to the next; none where no samples are wanted.
    pub(super) period: Option<Duration>,
    /// Tasks that were asked for.
    pub(super) tasks: Receiver<(Pid, Task)>,
    pub(super) out: Sender<Observation>,
}

/// The thread's state.
#[derive(Debug)]
pub(super) struct Sampler {
    plan: Plan,
    machine: Machine,
    processes: FxHashMap<Pid, Process>,
    programs: Programs,
    ended: Vec<(Instant, Pid, Monotonic, Usage)>,
    /// What processes have used that are gone.
    before: [u64; 5],
    /// The command's own first program was seen: the session tells of that one.
    root_seen: bool,
    too_many: u64,
    /// Messages that are none of gotrace's library: how many, and what is wrong with the last.
    malformed: (u64, String),
    began: Monotonic,
}

/// Names of counters of the run, in the order of [`sums`].
const COUNTERS: [&str; 5] = [
    "instructions",
    "cycles",
    "performance_core_instructions",
    "performance_core_cycles",
    "energy_nj",
];

impl Sampler {
    pub(super) fn new(plan: Plan) -> Self {
        let release = host::macos_release();
        Self {
            plan,
            machine: Machine {
                address_bits: host::address_bits(),
                context: release.and_then(ContextLayout::of),
                timebase: timebase(),
            },
            processes: FxHashMap::default(),
            programs: Programs::default(),
            ended: Vec::new(),
            before: [0; 5],
            root_seen: false,
            too_many: 0,
            malformed: (0, String::new()),
            began: sys::now(),
        }
    }

    /// Works until the session says that the command has ended.
    pub(super) fn run(&mut self, stopped: &PipeReader) {
        let period = self
            .plan
            .period
            .map_or(HOUSEKEEPING, |period| period.min(HOUSEKEEPING));
        let mut next = Instant::now() + period;
        let (mut kept, mut counted) = (Instant::now(), Instant::now());
        while !is_closed(stopped) {
            self.answer_until(next);
            let now = Instant::now();
            if now.duration_since(kept) >= HOUSEKEEPING {
                kept = now;
                self.keep_house();
            }
            if now.duration_since(counted) >= COUNTING {
                counted = now;
                self.count();
            }
            if self.plan.period.is_some() {
                self.sample();
            }
            // What could not be done in time is not done later: samples weigh what was used meanwhile.
            next = (next + period).max(Instant::now() + period / 2);
        }
        self.finish();
    }

    /// Answers programs until a tick is due, and all that wait already where it is overdue. The kernel waits for whole
    /// milliseconds.
    fn answer_until(&mut self, due: Instant) {
        loop {
            let left = due.saturating_duration_since(Instant::now());
            let millis = u32::try_from(left.as_millis()).unwrap_or(u32::MAX);
            match self.plan.port.receive(millis) {
                Some(Arrived::Hello(hello, task, answer)) => self.hello(hello, task, answer),
                Some(Arrived::Malformed(error)) => {
                    self.malformed = (self.malformed.0 + 1, error.to_string());
                }
                None if millis == 0 => return thread::sleep(left),
                None => {}
            }
        }
    }

    /// Gets to know a program while it waits for its answer.
    fn hello(&mut self, hello: Hello, task: Right, answer: Answer) {
        let Some(task) = Task::of(task, hello.pid) else {
            // Without an answer the kernel tells the program that none comes.
            let why = format!(
                "expected the task of process {}, found another port",
                hello.pid
            );
            self.malformed = (self.malformed.0 + 1, why);
            return;
        };
        let now = sys::now();
        let root = hello.pid == self.plan.root && !std::mem::replace(&mut self.root_seen, true);
        if !root {
            drop(self.plan.out.send(Observation::Discovered {
                parent: hello.parent,
                package: Vec::new(),
                executed: alive::program(hello.pid, now),
            }));
        }
        self.begin(hello.pid, task, now);
        answer.go_on();
    }

    fn begin(&mut self, pid: Pid, task: Task, now: Monotonic) {
        if let Some(mut left) = self.processes.remove(&pid) {
            // Another program in the same process: what that has used is told of all of them together.
            left.end(now, &self.plan.out);
        }
        if self.processes.len() >= MOST {
            self.too_many += 1;
            return;
        }
        let is_translated = info(pid).is_some_and(|info| info.translated);
        let mut process = Process::new(pid, task, is_translated, self.machine);
        process.see_images(now, &mut self.programs, &self.plan.out);
        self.processes.insert(pid, process);
    }

    fn sample(&mut self) {
        let now = sys::now();
        let out = &self.plan.out;
        let mut gone = Vec::new();
        for (pid, process) in &mut self.processes {
            if !process.sample(now, out) {
                gone.push(*pid);
            }
        }
        for pid in gone {
            self.end(pid, now);
        }
    }

    fn keep_house(&mut self) {
        let now = sys::now();
        while let Ok((pid, task)) = self.plan.tasks.try_recv() {
            self.root_seen |= pid == self.plan.root;
            self.begin(pid, task, now);
        }
        let out = &self.plan.out;
        let mut gone = Vec::new();
        for (pid, process) in &mut self.processes {
            process.see_images(now, &mut self.programs, out);
            if alive::Alive::of(*pid).is_none_or(|alive| alive.has_ended) {
                gone.push(*pid);
            }
        }
        for pid in gone {
            self.end(pid, now);
        }
        self.say_ends(false);
    }

    /// A process is gone. One that waits to be waited for may still be asked what it used.
    fn end(&mut self, pid: Pid, now: Monotonic) {
        let Some(mut process) = self.processes.remove(&pid) else {
            return;
        };
        process.count();
        process.end(now, &self.plan.out);
        for (sum, more) in self.before.iter_mut().zip(sums(&process.counters)) {
            *sum = sum.saturating_add(more);
        }
        if pid != self.plan.root {
            let usage = process.counters.usage;
            self.ended.push((Instant::now(), pid, now, usage));
        }
    }

    fn say_ends(&mut self, all: bool) {
        for (seen, pid, time, usage) in std::mem::take(&mut self.ended) {
            if all || seen.elapsed() >= LATER {
                drop(self.plan.out.send(Observation::Gone { time, pid, usage }));
            } else {
                self.ended.push((seen, pid, time, usage));
            }
        }
    }

    /// Tells what all processes have used together.
    fn count(&mut self) {
        let mut all = self.before;
        for process in self.processes.values_mut() {
            process.count();
            for (sum, more) in all.iter_mut().zip(sums(&process.counters)) {
                *sum = sum.saturating_add(more);
            }
        }
        let time = sys::now();
        for (name, value) in COUNTERS.into_iter().zip(all) {
            let value = i64::try_from(value).unwrap_or(i64::MAX);
            drop(
                self.plan
                    .out
                    .send(Observation::Counted { time, name, value }),
            );
        }
    }

    /// The command has ended; who lives on is no longer looked at.
    fn finish(&mut self) {
        self.keep_house();
        self.count();
        self.say_ends(true);
        let (malformed, why) = std::mem::take(&mut self.malformed);
        let too_many = "there were too many at once".to_owned();
        for (count, what, why) in [
            (self.too_many, "processes to sample", too_many),
            (malformed, "messages of programs", why),
        ] {
            if count > 0 {
                drop(self.plan.out.send(Observation::Lost {
                    from: self.began,
                    to: sys::now(),
                    what,
                    count,
                    why,
                }));
            }
        }
    }
}

/// In the order of [`COUNTERS`].
fn sums(counters: &Counters) -> [u64; 5] {
    let core = counters.by_core.unwrap_or_default();
    [
        counters.instructions,
        counters.cycles,
        core.instructions,
        core.cycles,
        core.energy_nj,
    ]
}

/// Whether the other end of a pipe is closed.
fn is_closed(pipe: &PipeReader) -> bool {
    let mut fds = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).is_ok_and(|count| count > 0)
}
