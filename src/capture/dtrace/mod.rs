//! The `dtrace` backend: functions and samples by macOS's own `dtrace`, one for each process.
//!
//! ```text
//! shim ──Held──► this thread ──► a thread for each process: dtrace -p PID -s SCRIPT ──► story ──► the recorder
//!  ▲                                                    │
//!  └──────────────── goes on ◄──── its probes are armed ┘
//! ```
//!
//! `dtrace` alone needs root's rights, and follows no children: so each tool waits before its first
//! instruction until it is watched (by [`super::toolexec`], whose shim has started it). Nothing here is of
//! macOS alone but that there is such a `dtrace`, so that a program that prints what it would tries all of it
//! anywhere.

mod loader;
mod script;
mod story;
mod target;
mod tracer;
mod trial;

use std::ffi::OsStr;
use std::io::{self, PipeReader, PipeWriter};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded, select};

use super::calls::Pool;
use super::decode::dtrace::message::Cause;
use super::probes::Watch;
use super::toolexec::Held;
use super::{Backend, Environment, Error, Observation, sys};
use crate::environment::Refusal;
use crate::environment::toolchain::find_on_path;
use crate::trace::Pid;
use target::Targets;
use tracer::{Go, Job, Subject, Tracer};

pub use trial::{Way, trial};

pub(super) const NAME: &str = "dtrace";
/// Samples a second and processor.
const DEFAULT_RATE_HZ: u32 = 199;
/// The kernel refuses shorter times between samples than 200 µs.
const HIGHEST_RATE_HZ: u32 = 4_999;

/// What the backend is to do.
#[derive(Debug)]
pub(super) struct Options {
    /// Samples a second and processor; 0 for none.
    pub(super) rate_hz: Option<u32>,
    /// Functions to watch.
    pub(super) watch: Watch,
    /// What dyld does is to be told.
    pub(super) bindings: bool,
    /// The program of the command.
    pub(super) command: PathBuf,
    /// Tools that wait until they are watched.
    pub(super) held: Receiver<Held>,
}

/// The backend.
#[derive(Debug)]
pub(super) struct Dtrace {
    options: Options,
    program: PathBuf,
    /// Ready, until the command is there.
    waiting: Option<(Desk, PipeWriter)>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    /// Tells the thread that takes tools to take no more.
    stop: Sender<()>,
    /// Tells the threads of processes to end what runs on.
    stop_tracing: PipeWriter,
    thread: JoinHandle<Vec<JoinHandle<()>>>,
    /// That of the command itself.
    command: JoinHandle<()>,
}

/// Whether the backend works here.
///
/// # Errors
///
/// Why it does not.
pub(super) fn availability() -> Result<(), Refusal> {
    find().map(|_| ())
}

/// The `dtrace` of macOS.
fn find() -> Result<PathBuf, Refusal> {
    let other = |reason: &str, evidence: String| Refusal {
        reason: reason.to_owned(),
        evidence,
        remedy: "--backend toolexec, or bpf on Linux".to_owned(),
    };
    let environment = Environment::inherited();
    let path = environment.get("PATH").unwrap_or(OsStr::new("/usr/sbin"));
    let program = find_on_path(OsStr::new(NAME), path).ok_or_else(|| {
        let evidence = format!("no dtrace on PATH; this is {}", std::env::consts::OS);
        other("dtrace is a part of macOS", evidence)
    })?;
    let version = version(&program);
    // That of Oracle for Linux says `Oracle D`; SystemTap's, that there is no such option.
    if !version.starts_with("dtrace: Sun D") {
        let evidence = format!("{} -V: {version}", program.display());
        return Err(other("it is not the dtrace of macOS", evidence));
    }
    if !nix::unistd::geteuid().is_root() {
        let user = nix::unistd::geteuid();
        return Err(Cause::NotRoot.refusal(&format!("user {user}, expected 0")));
    }
    Ok(program)
}

fn version(program: &Path) -> String {
    let mut command = Command::new(program);
    match command.arg("-V").stdin(Stdio::null()).output() {
        Ok(output) => {
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            said.lines().next().unwrap_or_default().to_owned()
        }
        Err(error) => error.to_string(),
    }
}

impl Dtrace {
    /// Prepares the backend.
    ///
    /// # Errors
    ///
    /// Why it does not work here.
    pub(super) fn new(options: Options) -> Result<Self, Refusal> {
        Ok(Self {
            options,
            program: find()?,
            waiting: None,
            running: None,
        })
    }
}

impl Backend for Dtrace {
    fn name(&self) -> &'static str {
        NAME
    }

    fn start(&mut self, _root: Pid, out: Sender<Observation>) -> Result<(), Error> {
        let (stopped, stop_tracing) = io::pipe().map_err(failed("pipe"))?;
        let rate_hz = self.options.rate_hz.unwrap_or(DEFAULT_RATE_HZ);
        let targets = Targets::new(
            self.options.watch.clone(),
            rate_hz.min(HIGHEST_RATE_HZ),
            self.options.bindings,
            &out,
        );
        let desk = Desk {
            program: self.program.clone(),
            targets: targets.map_err(failed("mkdir"))?,
            stopped: Arc::new(stopped),
            pool: Arc::new(Pool::default()),
            out,
        };
        self.waiting = Some((desk, stop_tracing));
        Ok(())
    }

    fn wants_stop(&self) -> bool {
        true
    }

    fn take_hold(&mut self, root: Pid) -> Result<(), Error> {
        let Some((mut desk, stop_tracing)) = self.waiting.take() else {
            return Ok(());
        };
        let path = &self.options.command;
        let target = desk.targets.of(path, sys::now(), &desk.out);
        if let (Some(words), true) = (
            target.unmatched.first(),
            self.options.watch.names(path.as_os_str().as_bytes()),
        ) {
            return Err(Error::Probes(words.clone()));
        }
        let (begun, told) = bounded(1);
        let command = desk.watch(root, path, Go::Command(begun));
        let command = command.map_err(failed("clone"))?;
        // Where the thread is gone, nobody says that the command may begin, and it may.
        told.recv()
            .unwrap_or(Ok(()))
            .map_err(|refusal| Error::Refused {
                backend: NAME,
                refusal,
            })?;
        let (stop, no_more) = bounded(0);
        let held = self.options.held.clone();
        let thread = std::thread::Builder::new()
            .name("gotrace-dtrace".to_owned())
            .spawn(move || desk.run(&held, &no_more))
            .map_err(failed("clone"))?;
        self.running = Some(Running {
            stop,
            stop_tracing,
            thread,
            command,
        });
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        let Some(running) = self.running.take() else {
            return Ok(());
        };
        drop(running.stop);
        let threads = running.thread.join();
        drop(running.stop_tracing);
        let mut well = threads.is_ok();
        let threads = threads.into_iter().flatten().chain([running.command]);
        for thread in threads {
            well &= thread.join().is_ok();
        }
        match well {
            true => Ok(()),
            false => Err(Error::Os {
                call: "join",
                target: "the threads that read what dtrace prints".to_owned(),
                source: io::Error::other("one panicked"),
            }),
        }
    }
}

fn failed(call: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Os {
        call,
        target: NAME.to_owned(),
        source,
    }
}

/// Takes processes that are to be watched.
#[derive(Debug)]
struct Desk {
    program: PathBuf,
    targets: Targets,
    stopped: Arc<PipeReader>,
    pool: Arc<Pool>,
    out: Sender<Observation>,
}

impl Desk {
    /// Takes tools until no more come; the threads that watch some.
    fn run(mut self, held: &Receiver<Held>, no_more: &Receiver<()>) -> Vec<JoinHandle<()>> {
        let mut threads = Vec::new();
        loop {
            let next = select! {
                recv(held) -> next => next.ok(),
                recv(no_more) -> _ => None,
            };
            let Some(held) = next else {
                return threads;
            };
            threads.retain(|thread: &JoinHandle<()>| !thread.is_finished());
            // Without a thread the tool goes on, unseen.
            threads.extend(self.take(held).ok());
        }
    }

    fn take(&mut self, held: Held) -> io::Result<JoinHandle<()>> {
        let path = PathBuf::from(OsStr::from_bytes(&held.executed.exe));
        let pid = held.executed.pid;
        drop(self.out.send(Observation::Discovered {
            parent: held.shim,
            package: held.package,
            executed: held.executed,
        }));
        self.watch(pid, &path, Go::Tool(held.waiting))
    }

    /// Watches a process in a thread of its own.
    fn watch(&mut self, pid: Pid, path: &Path, go: Go) -> io::Result<JoinHandle<()>> {
        let target = self.targets.of(path, sys::now(), &self.out);
        let job = Job {
            program: self.program.clone(),
            subject: Subject::Process(pid),
            target,
            go,
            pool: Arc::clone(&self.pool),
            out: self.out.clone(),
        };
        let stopped = Arc::clone(&self.stopped);
        std::thread::Builder::new()
            .name("gotrace-dtrace".to_owned())
            .spawn(move || Tracer::run(job, &stopped))
    }
}
