//! All programs that are watched by their tasks: who says hello and what the kernel tells at each tick in, what is
//! recorded out.
//!
//! ```text
//! hello, no such process known    ──► a program begins
//! hello, the same process         ──► an exec: the last program's counts are told, threads end, counting goes on
//! hello, another of that number   ──► the last one ended unseen: it is gone before the new one begins
//! its task is gone, it lives      ──► between two programs: the next one says hello, or nobody does
//! its task is gone, it has ended  ──► it is gone, which is told a second later
//! ```

use rustc_hash::FxHashMap;

use super::counters::Counters;
use super::ends::{End, Ends};
use super::process::{Machine, Process};
use super::programs::Programs;
use super::system::System;
use crate::capture::decode::preload::Hello;
use crate::capture::{Monotonic, Observation};
use crate::trace::{Nanos, Pid};

/// Processes at most that are looked at; a build has a few for each core.
const MOST: usize = 1_024;

/// What is to be watched.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The command: the session tells of its first program, and of its end.
    pub root: Pid,
    /// Samples are wanted.
    pub samples: bool,
    /// What is the same for all processes.
    pub machine: Machine,
}

/// The programs.
#[derive(Debug)]
pub struct Watched<S: System> {
    system: S,
    plan: Plan,
    processes: FxHashMap<Pid, Process<S::Task>>,
    programs: Programs,
    ends: Ends,
    /// What processes have used that are gone.
    before: [u64; 5],
    /// CPU time of theirs that no sample stands for.
    unsampled: Nanos,
    /// The command's own first program was seen.
    root_seen: bool,
    too_many: u64,
    /// Messages that are none of gotrace's library: how many, and what is wrong with the last.
    malformed: (u64, String),
    began: Monotonic,
}

/// Takes what is recorded.
type Out<'o> = &'o mut dyn FnMut(Observation);

/// Names of counters of the run, in the order of the sums that [`add`] makes.
const COUNTERS: [&str; 5] = [
    "instructions",
    "cycles",
    "performance_core_instructions",
    "performance_core_cycles",
    "energy_nj",
];

impl<S: System> Watched<S> {
    /// None yet.
    pub fn new(system: S, plan: Plan) -> Self {
        let began = system.now();
        Self {
            system,
            plan,
            processes: FxHashMap::default(),
            programs: Programs::default(),
            ends: Ends::default(),
            before: [0; 5],
            unsampled: Nanos::ZERO,
            root_seen: false,
            too_many: 0,
            malformed: (0, String::new()),
            began,
        }
    }

    /// A message was none of gotrace's library.
    pub fn malformed(&mut self, why: String) {
        self.malformed = (self.malformed.0.saturating_add(1), why);
    }

    /// Gets to know a program while it waits for its answer; whether it is to be answered. To one whose task is not its
    /// own, the kernel says that no answer comes.
    pub fn hello(&mut self, hello: Hello, task: Option<S::Task>, out: Out<'_>) -> bool {
        let Some(task) = task else {
            self.malformed(format!(
                "expected the task of process {}, found another port",
                hello.pid
            ));
            return false;
        };
        let (pid, now) = (hello.pid, self.system.now());
        let is_root = pid == self.plan.root && !std::mem::replace(&mut self.root_seen, true);
        match self.processes.get_mut(&pid) {
            Some(before) if before.is_same(&self.system) => {
                before.count(&self.system);
                out(before.counted(now));
            }
            // Whatever is told of that number now is of another process.
            Some(_) => self.retire(pid, now, out),
            None => {}
        }
        say(self.ends.of(pid), out);
        if !is_root {
            let parent = self.system.process(pid).map(|info| info.parent);
            out(Observation::Discovered {
                parent: parent.unwrap_or(hello.parent),
                package: Vec::new(),
                executed: self.system.executed(pid, now),
            });
        }
        self.begin(pid, task, now, out);
        true
    }

    /// Watches a process whose task was asked for: it stands still meanwhile.
    pub fn asked(&mut self, pid: Pid, task: S::Task, out: Out<'_>) {
        self.root_seen |= pid == self.plan.root;
        self.begin(pid, task, self.system.now(), out);
    }

    fn begin(&mut self, pid: Pid, task: S::Task, now: Monotonic, out: Out<'_>) {
        let mut before = self.processes.remove(&pid);
        if let Some(before) = &mut before {
            before.leave(now, out);
        }
        if self.processes.len() >= MOST {
            self.too_many = self.too_many.saturating_add(1);
            return;
        }
        let mut process = Process::new(pid, task, self.plan.machine, &self.system);
        if let Some(before) = &before {
            process.follow(before);
        }
        process.see_images(now, &mut self.programs, &self.system, out);
        self.processes.insert(pid, process);
    }

    /// Looks at all threads.
    pub fn sample(&mut self, out: Out<'_>) {
        let now = self.system.now();
        let mut gone = Vec::new();
        for (pid, process) in &mut self.processes {
            if process.sample(now, &self.system, out) {
                continue;
            }
            // The task of a program goes with an exec, too: the next one of the process has another.
            process.leave(now, out);
            if !process.lives(&self.system) {
                gone.push(*pid);
            }
        }
        for pid in gone {
            self.end(pid, now, out);
        }
    }

    /// Looks for images, and for who has ended.
    pub fn keep_house(&mut self, out: Out<'_>) {
        let now = self.system.now();
        let mut gone = Vec::new();
        for (pid, process) in &mut self.processes {
            process.see_images(now, &mut self.programs, &self.system, out);
            if !process.lives(&self.system) {
                gone.push(*pid);
            } else if !self.plan.samples {
                process.count(&self.system);
            }
        }
        for pid in gone {
            self.end(pid, now, out);
        }
        say(self.ends.due(now), out);
    }

    /// A process has ended. One that waits to be waited for may still be asked what it used.
    fn end(&mut self, pid: Pid, now: Monotonic, out: Out<'_>) {
        if let Some(process) = self.processes.get_mut(&pid)
            && process.is_same(&self.system)
        {
            process.count(&self.system);
        }
        self.retire(pid, now, out);
    }

    /// A process is gone: what was known of it last is what it has used.
    fn retire(&mut self, pid: Pid, now: Monotonic, out: Out<'_>) {
        let Some(mut process) = self.processes.remove(&pid) else {
            return;
        };
        out(process.counted(now));
        process.leave(now, out);
        self.unsampled = sum(self.unsampled, process.unsampled());
        let counters = process.counters();
        add(&mut self.before, counters);
        if pid != self.plan.root {
            let usage = counters.usage;
            self.ends.add(End {
                pid,
                time: now,
                usage,
            });
        }
    }

    /// Tells what all processes have used together.
    pub fn count(&self, out: Out<'_>) {
        let mut all = self.before;
        for process in self.processes.values() {
            add(&mut all, process.counters());
        }
        let time = self.system.now();
        for (name, value) in COUNTERS.into_iter().zip(all) {
            let value = i64::try_from(value).unwrap_or(i64::MAX);
            out(Observation::Counted { time, name, value });
        }
    }

    /// The command has ended; who lives on is no longer looked at.
    pub fn finish(&mut self, out: Out<'_>) {
        self.keep_house(out);
        self.count(out);
        let now = self.system.now();
        let mut unsampled = self.unsampled;
        for process in self.processes.values() {
            out(process.counted(now));
            unsampled = sum(unsampled, process.unsampled());
        }
        say(self.ends.all(), out);
        let unsampled = if self.plan.samples {
            unsampled.0 / 1_000_000
        } else {
            0
        };
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
                out(Observation::Lost {
                    from: self.began,
                    to: now,
                    what,
                    count,
                    why,
                });
            }
        }
    }
}

const fn sum(a: Nanos, b: Nanos) -> Nanos {
    Nanos(a.0.saturating_add(b.0))
}

fn say(ends: Vec<End>, out: Out<'_>) {
    for End { pid, time, usage } in ends {
        out(Observation::Gone { time, pid, usage });
    }
}

/// Adds what a process has used, in the order of [`COUNTERS`].
fn add(sums: &mut [u64; 5], counters: &Counters) {
    let counts = counters.processor();
    let counts = [
        counts.instructions,
        counts.cycles,
        counts.performance_core_instructions,
        counts.performance_core_cycles,
        counts.energy_nj,
    ];
    for (sum, more) in sums.iter_mut().zip(counts) {
        *sum = sum.saturating_add(more);
    }
}

#[cfg(test)]
#[path = "watched_tests.rs"]
mod tests;
