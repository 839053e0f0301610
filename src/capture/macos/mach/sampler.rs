//! The thread that answers programs, and looks at them at each tick: the calls, and nothing else. What they mean is for
//! [`crate::capture::decode::mach::watched`].

use std::ffi::OsStr;
use std::io::PipeReader;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::LARGEST;
use crate::capture::decode::darwin_process::{ProcessInfo, Timebase};
use crate::capture::decode::mach::counters::Counters;
use crate::capture::decode::mach::process::Machine;
use crate::capture::decode::mach::schedule::Schedule;
use crate::capture::decode::mach::system::System;
use crate::capture::decode::mach::watched::{self, Watched};
use crate::capture::decode::rosetta::registers::ContextLayout;
use crate::capture::macos::process::info;
use crate::capture::macos::sys::ports::{Arrived, Port};
use crate::capture::macos::sys::task::{self, Task};
use crate::capture::macos::sys::timebase;
use crate::capture::{Executed, Monotonic, Observation, alive, plain_file, sys};
use crate::environment::host;
use crate::trace::Pid;

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

/// The kernel of this machine.
#[derive(Debug)]
struct Kernel {
    /// How long a tick of the clock is.
    timebase: Option<Timebase>,
}

impl System for Kernel {
    type Task = Task;

    fn now(&self) -> Monotonic {
        sys::now()
    }

    fn process(&self, pid: Pid) -> Option<ProcessInfo> {
        info(pid)
    }

    fn counters(&self, pid: Pid) -> Option<Counters> {
        Counters::read(&task::counters(pid)?, self.timebase?)
    }

    fn executed(&self, pid: Pid, now: Monotonic) -> Executed {
        alive::program(pid, now)
    }

    fn file(&self, path: &[u8]) -> Vec<u8> {
        // Of a file that cannot be read nothing is known.
        plain_file::read(Path::new(OsStr::from_bytes(path)), LARGEST).unwrap_or_default()
    }
}

/// The thread's state.
#[derive(Debug)]
pub(super) struct Sampler {
    plan: Plan,
    watched: Watched<Kernel>,
}

impl Sampler {
    pub(super) fn new(plan: Plan) -> Self {
        let release = host::macos_release();
        let machine = Machine {
            address_bits: host::address_bits(),
            context: release.and_then(ContextLayout::of),
        };
        let kernel = Kernel {
            timebase: timebase(),
        };
        let watched = Watched::new(
            kernel,
            watched::Plan {
                root: plan.root,
                samples: plan.period.is_some(),
                machine,
            },
        );
        Self { plan, watched }
    }

    /// Works until the session says that the command has ended.
    pub(super) fn run(&mut self, stopped: &PipeReader) {
        let mut schedule = Schedule::beginning(sys::now(), self.plan.period);
        let out = self.plan.out.clone();
        // Without a recorder there is nobody to tell.
        let out = &mut |observation| drop(out.send(observation));
        while !is_closed(stopped) {
            self.answer_until(&schedule, out);
            while let Ok(asked) = self.plan.tasks.try_recv() {
                self.watched.asked(asked.pid, asked.task, out);
                drop(asked.waits);
            }
            let due = schedule.due(sys::now());
            if due.housekeeping {
                self.watched.keep_house(out);
            }
            if due.counting {
                self.watched.count(out);
            }
            if due.sampling {
                self.watched.sample(out);
            }
            schedule.done(sys::now());
        }
        self.watched.finish(out);
    }

    /// Answers programs until a tick is due, and all that wait already where it is overdue. The kernel waits for whole
    /// milliseconds.
    fn answer_until(&mut self, schedule: &Schedule, out: &mut dyn FnMut(Observation)) {
        loop {
            let left = schedule.left(sys::now());
            let millis = u32::try_from(left.as_millis()).unwrap_or(u32::MAX);
            match self.plan.port.receive(millis) {
                Some(Arrived::Hello(hello, right, answer)) => {
                    // Dropped without being sent, an answer tells the program that none comes.
                    if self.watched.hello(hello, Task::of(right, hello.pid), out) {
                        answer.go_on();
                    }
                }
                Some(Arrived::Malformed(error)) => self.watched.malformed(error.to_string()),
                None if millis == 0 => return thread::sleep(left),
                None => {}
            }
        }
    }
}

/// Whether the other end of a pipe is closed.
fn is_closed(pipe: &PipeReader) -> bool {
    let mut fds = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).is_ok_and(|count| count > 0)
}
