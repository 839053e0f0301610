//! The thread that reads the buffers of all processes, and tells what they mean.

use std::fs;
use std::io::{self, PipeReader};
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::INSIDE;
use super::process::{self, Process, Unreadable};
use crate::capture::decode::audit::Drained;
use crate::capture::linux::watch::FolderWatch;
use crate::capture::sys::{self, FileEvent};
use crate::capture::{Monotonic, Observation, chain, linking};
use crate::trace::{Pid, Usage};

/// How often it is looked after who has ended.
const TICK_MS: u16 = 50;
/// The end of a process is told that much later: a shim that knows more about it comes first.
const LATER: Duration = Duration::from_secs(1);
/// Events of a batch at most.
const BATCH: usize = 4_096;

/// What the thread is to know.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) folder: PathBuf,
    pub(super) owners: Vec<u32>,
    pub(super) root: Pid,
    pub(super) follows_tree: bool,
    pub(super) out: Sender<Observation>,
}

/// The thread's state.
#[derive(Debug)]
pub(super) struct Reader {
    plan: Plan,
    /// In the order in which they were seen.
    live: Vec<Process>,
    ended: Vec<(Instant, Pid, Monotonic)>,
    /// When all was read the last time.
    read_until: Monotonic,
    /// The command's own first program was seen: the session tells of that one.
    root_seen: bool,
    old_glibc: bool,
}

impl Reader {
    pub(super) fn new(plan: Plan) -> Self {
        Self {
            plan,
            live: Vec::new(),
            ended: Vec::new(),
            read_until: sys::now(),
            root_seen: false,
            old_glibc: false,
        }
    }

    /// Reads until the session says that the command has ended.
    pub(super) fn run(&mut self, watch: &mut FolderWatch, stopped: &PipeReader) {
        while self.wait(watch, stopped) {
            for event in watch.events() {
                match event {
                    FileEvent::Written(name) => self.written(&name),
                    FileEvent::Overflow => self.see_all(),
                    FileEvent::Created(name) => self.created(&name),
                }
            }
            self.look();
        }
        self.see_all();
        self.finish();
    }

    /// Waits for something to do; false when it is time to stop.
    fn wait(&self, watch: &FolderWatch, stopped: &PipeReader) -> bool {
        let mut fds = [stopped.as_fd(), watch.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        let timeout = if self.live.is_empty() && self.ended.is_empty() {
            PollTimeout::NONE
        } else {
            PollTimeout::from(TICK_MS)
        };
        match poll(&mut fds, timeout) {
            Ok(_) => fds.first().is_none_or(|stop| stop.any() != Some(true)),
            Err(Errno::EINTR) => true,
            Err(_) => false,
        }
    }

    /// A process has made its file. Only of a guest something must be known before it ends: the
    /// kernel tells of all others when the last of a file is closed, its mapping.
    fn created(&mut self, name: &std::ffi::OsStr) {
        let process = Process::of(&self.plan.folder, name);
        self.live.extend(process.filter(Process::is_guest));
    }

    /// A file was closed by who writes it: the process ends, or much was written.
    fn written(&mut self, name: &std::ffi::OsStr) {
        let path = self.plan.folder.join(name);
        match self.live.iter_mut().find(|process| process.path() == path) {
            Some(process) => process.hurry = true,
            None => self.live.extend(Process::of(&self.plan.folder, name)),
        }
    }

    /// Sees files that no event told of.
    fn see_all(&mut self) {
        for name in process::files(&self.plan.folder) {
            let path = self.plan.folder.join(&name);
            if !self.live.iter().any(|process| process.path() == path) {
                self.live.extend(Process::of(&self.plan.folder, &name));
            }
        }
    }

    /// Puts what a fork comes from before it, to be read first: it binds in images that its parent has
    /// loaded, and of a parent that lives on no event has told yet.
    fn see_parents(&mut self) {
        let mut at = 0;
        while let Some(process) = self.live.get_mut(at) {
            let Some(parent) = process.parent(&self.plan.owners) else {
                at += 1;
                continue;
            };
            let is_parent = |process: &mut Process| process.pid == parent;
            let mut parents: Vec<Process> = self.live.extract_if(at.., is_parent).collect();
            let (before, _) = self.live.split_at_mut(at);
            let seen = before.iter_mut().filter(|process| process.pid == parent);
            let seen = seen.map(|process| process.hurry = true).count();
            if parents.is_empty() && seen == 0 {
                parents = self.files_of(parent);
            }
            for process in &mut parents {
                process.hurry = true;
            }
            // They may be forks themselves, and are looked at next.
            self.live.splice(at..at, parents);
        }
    }

    /// The files of a process, a program each, in the order of time.
    fn files_of(&self, pid: Pid) -> Vec<Process> {
        let names = process::files(&self.plan.folder).into_iter();
        let names = names.filter(|name| process::pid_of(name) == Some(pid));
        let found = names.filter_map(|name| Process::of(&self.plan.folder, &name));
        found.collect()
    }

    /// Reads what is to be read.
    fn look(&mut self) {
        self.see_parents();
        let now = sys::now();
        let mut live = std::mem::take(&mut self.live);
        let pids: Vec<Pid> = live.iter().map(|process| process.pid).collect();
        let mut index = 0;
        live.retain_mut(|process| {
            index += 1;
            // A program that its process has left for another one.
            let left = pids.iter().skip(index).any(|pid| *pid == process.pid);
            let gone = left || !exists(process.pid);
            if !gone && !process.is_due() {
                return true;
            }
            self.read(process, gone);
            if gone {
                drop(fs::remove_file(process.path()));
                // The session waits for the command itself.
                let others = process.introduced && process.pid != self.plan.root;
                if !left && others && !self.plan.follows_tree {
                    let at = process.ending.unwrap_or(now);
                    self.ended.push((Instant::now(), process.pid, at));
                }
            }
            !gone
        });
        self.live = live;
        self.read_until = now;
        self.say_ends(false);
    }

    fn say_ends(&mut self, all: bool) {
        for (seen, pid, time) in std::mem::take(&mut self.ended) {
            if all || seen.elapsed() >= LATER {
                let usage = Usage::default();
                self.say(Observation::Gone { time, pid, usage });
            } else {
                self.ended.push((seen, pid, time));
            }
        }
    }

    /// The command has ended; who lives on is read as far as it got.
    fn finish(&mut self) {
        self.look();
        for mut process in std::mem::take(&mut self.live) {
            self.read(&mut process, true);
        }
        self.say_ends(true);
    }

    fn read(&mut self, process: &mut Process, gone: bool) {
        let (drained, events) = match process.read(&self.plan.owners, gone) {
            Ok(read) => read,
            // It has been read to its end: an event told of it once more.
            Err(Unreadable::Io(error)) if error.kind() == io::ErrorKind::NotFound => return,
            // Another thread of it may still be about to write the header.
            Err(Unreadable::Malformed(_)) if !gone => return,
            Err(error) => {
                let what = format!("dynamic linking in process {}", process.pid);
                self.unseen(what, chain(&error));
                return;
            }
        };
        self.introduce(process);
        let mut events = events.into_iter().peekable();
        while events.peek().is_some() {
            self.say(Observation::Linked(linking::Batch {
                pid: process.pid,
                events: events.by_ref().take(BATCH).collect(),
            }));
        }
        self.say_lost(process, drained);
    }

    /// Tells of a program, or of a fork that goes on with that of its parent.
    fn introduce(&mut self, process: &mut Process) {
        let Some(header) = process.header else {
            return;
        };
        if std::mem::replace(&mut process.introduced, true) {
            return;
        }
        if let Some(parent) = header.fork_of {
            if !self.plan.follows_tree {
                self.say(Observation::Forked {
                    time: Monotonic(header.start),
                    pid: process.pid,
                    parent,
                });
            }
            return;
        }
        if header.interface < 2 && !std::mem::replace(&mut self.old_glibc, true) {
            let exe = String::from_utf8_lossy(&process.executed.exe);
            self.unseen(
                format!("what images bind when they are loaded, in {exe} and others"),
                "their glibc is older than 2.35: it tells of binds at the first call alone"
                    .to_owned(),
            );
        }
        if process.is_unseen_guest(header) {
            let exe = String::from_utf8_lossy(&process.executed.exe);
            self.unseen(
                format!(
                    "who translates {exe} (pid {}), and where its libraries lie",
                    process.pid
                ),
                "it ended before it was looked at".to_owned(),
            );
        }
        if process.leaves_root {
            let exe = String::from_utf8_lossy(&process.executed.exe);
            self.unseen(
                format!("what programs bind that {exe} (pid {}) starts", process.pid),
                format!(
                    "they are in another root, where the library for LD_AUDIT is not; {INSIDE}"
                ),
            );
        }
        let root = process.pid == self.plan.root && !std::mem::replace(&mut self.root_seen, true);
        if !self.plan.follows_tree && !root {
            self.say(Observation::Discovered {
                parent: header.parent,
                package: process.package.clone(),
                executed: process.program(header),
            });
        }
    }

    fn say_lost(&self, process: &Process, drained: Drained) {
        let Drained { torn, lost } = drained;
        let name = String::from_utf8_lossy(&process.executed.exe);
        let pid = process.pid;
        for (count, why) in [
            (u64::from(lost), "its buffer was full"),
            (torn, "it ended while it wrote, or a thread of it did"),
        ] {
            if count > 0 {
                self.say(Observation::Lost {
                    from: self.read_until,
                    to: sys::now(),
                    what: "events of dynamic linking",
                    count,
                    why: format!("{name} (pid {pid}): {why}"),
                });
            }
        }
    }

    fn unseen(&self, what: String, why: String) {
        let time = sys::now();
        self.say(Observation::Unseen { time, what, why });
    }

    fn say(&self, observation: Observation) {
        // Without a recorder the command goes on, and there is nobody to tell.
        drop(self.plan.out.send(observation));
    }
}

/// Whether there is such a process, be it one that only waits to be waited for.
fn exists(pid: Pid) -> bool {
    let Ok(pid) = i32::try_from(pid.0) else {
        return false;
    };
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None) != Err(Errno::ESRCH)
}
