//! The thread that answers programs, and looks at them at each tick.

use std::io::PipeReader;
use std::os::fd::AsFd as _;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustc_hash::FxHashMap;

use super::process::{Machine, Process};
use super::programs::Programs;
use crate::capture::decode::darwin_process::State;
use crate::capture::decode::mach::counters::Counters;
use crate::capture::decode::mach::ends::{End, Ends};
use crate::capture::decode::mach::schedule::Schedule;
use crate::capture::decode::preload::Hello;
use crate::capture::decode::rosetta::registers::ContextLayout;
use crate::capture::macos::process::info;
use crate::capture::macos::sys::ports::{Answer, Arrived, Port, Right};
use crate::capture::macos::sys::task::Task;
use crate::capture::macos::sys::timebase;
use crate::capture::{Monotonic, Observation, alive, sys};
use crate::environment::host;
use crate::trace::{Nanos, Pid};

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
    pub(super) tasks: Receiver<Asked>,
    pub(super) out: Sender<Observation>,
}

/// A task that was asked for.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) pid: Pid,
    pub(super) task: Task,
    /// Goes when the process is watched.
    pub(super) waits: Sender<()>,
}

/// The thread's state.
#[derive(Debug)]
pub(super) struct Sampler {
    plan: Plan,
    machine: Machine,
    processes: FxHashMap<Pid, Process>,
    programs: Programs,
    ends: Ends,
    /// What processes have used that are gone.
    before: [u64; 5],
    /// CPU time of theirs that no sample stands for.
    unsampled: Nanos,
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
            ends: Ends::default(),
            unsampled: Nanos::ZERO,
            before: [0; 5],
            root_seen: false,
            too_many: 0,
            malformed: (0, String::new()),
            began: sys::now(),
        }
    }

    /// Works until the session says that the command has ended.
    pub(super) fn run(&mut self, stopped: &PipeReader) {
        let mut schedule = Schedule::beginning(sys::now(), self.plan.period);
        while !is_closed(stopped) {
            self.answer_until(&schedule);
            self.take_asked();
            let due = schedule.due(sys::now());
            if due.housekeeping {
                self.keep_house();
            }
            if due.counting {
                self.count();
            }
            if due.sampling {
                self.sample();
            }
            schedule.done(sys::now());
        }
        self.finish();
    }

    /// Answers programs until a tick is due, and all that wait already where it is overdue. The kernel waits for whole
    /// milliseconds.
    fn answer_until(&mut self, schedule: &Schedule) {
        loop {
            let left = schedule.left(sys::now());
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
        let before = self.ends.of(hello.pid);
        self.say(before);
        if let Some(before) = self.processes.get_mut(&hello.pid) {
            before.count();
            before.tell_counts(now, &self.plan.out);
        }
        if !root {
            let parent = info(hello.pid).map_or(hello.parent, |info| info.parent);
            drop(self.plan.out.send(Observation::Discovered {
                parent,
                package: Vec::new(),
                executed: alive::program(hello.pid, now),
            }));
        }
        self.begin(hello.pid, task, now);
        answer.go_on();
    }

    fn begin(&mut self, pid: Pid, task: Task, now: Monotonic) {
        let mut before = self.processes.remove(&pid);
        if let Some(before) = &mut before {
            before.leave(now, &self.plan.out);
        }
        if self.processes.len() >= MOST {
            self.too_many += 1;
            return;
        }
        let is_translated = info(pid).is_some_and(|info| info.translated);
        let mut process = Process::new(pid, task, is_translated, self.machine);
        if let Some(before) = &before {
            process.follow(before);
        }
        process.see_images(now, &mut self.programs, &self.plan.out);
        self.processes.insert(pid, process);
    }

    fn sample(&mut self) {
        let now = sys::now();
        let out = &self.plan.out;
        let mut gone = Vec::new();
        for (pid, process) in &mut self.processes {
            if process.sample(now, out) {
                continue;
            }
            // The task of a program goes with an exec, too: the next one of the process has another.
            process.leave(now, out);
            if has_ended(*pid) {
                gone.push(*pid);
            }
        }
        for pid in gone {
            self.end(pid, now);
        }
    }

    /// Watches processes whose tasks were asked for: they stand still meanwhile.
    fn take_asked(&mut self) {
        while let Ok(asked) = self.plan.tasks.try_recv() {
            self.root_seen |= asked.pid == self.plan.root;
            self.begin(asked.pid, asked.task, sys::now());
            drop(asked.waits);
        }
    }

    fn keep_house(&mut self) {
        let now = sys::now();
        let out = &self.plan.out;
        let mut gone = Vec::new();
        for (pid, process) in &mut self.processes {
            process.see_images(now, &mut self.programs, out);
            if self.plan.period.is_none() {
                process.count();
            }
            if has_ended(*pid) {
                gone.push(*pid);
            }
        }
        for pid in gone {
            self.end(pid, now);
        }
        let due = self.ends.due(now);
        self.say(due);
    }

    /// A process is gone. One that waits to be waited for may still be asked what it used.
    fn end(&mut self, pid: Pid, now: Monotonic) {
        let Some(mut process) = self.processes.remove(&pid) else {
            return;
        };
        process.count();
        process.tell_counts(now, &self.plan.out);
        process.leave(now, &self.plan.out);
        self.unsampled += process.account.unsampled();
        for (sum, more) in self.before.iter_mut().zip(sums(&process.counters)) {
            *sum = sum.saturating_add(more);
        }
        if pid != self.plan.root {
            let usage = process.counters.usage;
            self.ends.add(End {
                pid,
                time: now,
                usage,
            });
        }
    }

    fn say(&self, ends: Vec<End>) {
        for End { pid, time, usage } in ends {
            drop(self.plan.out.send(Observation::Gone { time, pid, usage }));
        }
    }

    /// Tells what all processes have used together.
    fn count(&mut self) {
        let mut all = self.before;
        for process in self.processes.values() {
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
        for process in self.processes.values() {
            process.tell_counts(sys::now(), &self.plan.out);
        }
        let ends = self.ends.all();
        self.say(ends);
        let living = self.processes.values();
        let unsampled = living.fold(self.unsampled, |sum, process| {
            sum + process.account.unsampled()
        });
        let unsampled = self.plan.period.map_or(0, |_| unsampled.0 / 1_000_000);
        let (malformed, why) = std::mem::take(&mut self.malformed);
        let between =
            "it was used after a thread's last sample, or before its program was known".to_owned();
        let too_many = "there were too many at once".to_owned();
        for (count, what, why) in [
            (self.too_many, "processes to sample", too_many),
            (malformed, "messages of programs", why),
            (unsampled, "milliseconds of CPU time in no sample", between),
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

/// Whether a process is gone, or waits to be waited for.
fn has_ended(pid: Pid) -> bool {
    info(pid).is_none_or(|info| info.state == State::Ended)
}

/// In the order of [`COUNTERS`].
fn sums(counters: &Counters) -> [u64; 5] {
    let counts = counters.processor();
    [
        counts.instructions,
        counts.cycles,
        counts.performance_core_instructions,
        counts.performance_core_cycles,
        counts.energy_nj,
    ]
}

/// Whether the other end of a pipe is closed.
fn is_closed(pipe: &PipeReader) -> bool {
    let mut fds = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).is_ok_and(|count| count > 0)
}
