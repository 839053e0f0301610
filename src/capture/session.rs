//! One run of one command, from before its start to after its end.
//!
//! ```text
//! Session::prepare   environment, backends, trace file; signals are held back from here on
//! Session::run       fork, backends start, exec, supervise, backends finish, recorder ends
//! Recording          the trace file with all in it but the names of frames
//! ```

mod backends;
mod in_place;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::Sender;

use super::change::{self, Change};
use super::conclusion::{self, Ended};
use super::held_child::HeldChild;
use super::outputs::Look;
use super::own_path::OwnPath;
use super::preamble::{self, Found, Preamble};
use super::probes::Watch;
use super::recorder::{self, Recorder};
use super::repeat::cold;
use super::run_folder::{self, MEMORY};
use super::selection::{Name, Selection};
use super::slice::{Machine, Preference, Slice};
use super::spool::Spool;
use super::stand_in;
use super::supervise::{self, Signals};
use super::sys;
use super::system::process;
use super::{
    Backend, Environment, Executed, Observation, Progress, Redaction, Request, launch, standstill,
};
use crate::environment::Refusal;
use crate::environment::go_flags;
use crate::environment::head::Head;
use crate::environment::host::{self, Host};
use crate::environment::invoker::{Invoker, invoker, user_of};
use crate::environment::toolchain::{self, Toolchain};
use crate::trace::file::{self, Writer};
use crate::trace::{ClockAnchor, ExitStatus, FrameId, ImageId, Load, MadeFrom, Nanos, Pid};

/// Observations under way between backends and recorder at most. What waits beyond them, waits in
/// the kernel's buffer.
pub(super) const UNDER_WAY: usize = 4_096;

/// How long the descendants of a command that was told to end are waited for: a compiler that is
/// interrupted, too, ends moments later than the go command, and tells only then what it used.
const LAST_MOMENTS: Duration = Duration::from_millis(200);

/// What is to be run, and how it is to be watched.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The command and its arguments.
    pub command: Vec<OsString>,
    /// Which backends.
    pub selection: Selection,
    /// What they are to record.
    pub request: Request,
    /// Functions whose entries and exits are to be recorded.
    pub watch: Watch,
    /// Ends only when the command's last descendant has.
    pub wait: bool,
    /// What is different for this command from the environment of gotrace.
    pub changes: Vec<Change>,
    /// The build cache is empty, so that everything is to be built.
    pub cold: bool,
    /// Which slice of a program for several architectures is to run, where that is asked for.
    pub slice: Option<Slice>,
    /// When the command, whose functions tell of their calls themselves, runs from its own file.
    pub own_path: OwnPath,
    /// What the trace is to say of the run besides: key and value of settings.
    pub settings: Vec<(String, Vec<u8>)>,
    /// Where the values of settings come from, by their keys: `command line`, or a place. Settings
    /// without one are as gotrace has them by default.
    pub sources: BTreeMap<&'static str, String>,
    /// What is taken out of texts before they are written.
    pub redaction: Redaction,
}

/// Why a command was not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The command cannot be executed.
    #[error("{}", command.display())]
    Exec {
        /// The command's name.
        command: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A backend that was asked for does not work here.
    #[error("backend {backend}: {refusal}")]
    Refused {
        /// Which.
        backend: &'static str,
        /// Why, and what would help.
        refusal: Refusal,
    },
    /// The command cannot run as what was asked for.
    #[error("--arch: {0}")]
    Slice(Refusal),
    /// Watching failed before it began.
    #[error("the command was not started")]
    Backend(#[source] super::Error),
    /// A call to the operating system failed.
    #[error("{call} failed, the command was not started")]
    Os {
        /// Which.
        call: &'static str,
        /// How.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// The exit code for it, as env(1) has it.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Exec { source, .. } => launch::exit_code(source),
            _ => 125,
        }
    }

    /// What would help, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Refused { refusal, .. } | Self::Slice(refusal) if !refusal.remedy.is_empty() => {
                Some(&refusal.remedy)
            }
            _ => None,
        }
    }
}

/// A command that is ready to be run.
pub struct Session {
    options: Options,
    /// Which slice of the command the kernel is to prefer.
    slice: Option<Preference>,
    environment: Environment,
    /// What it would be without gotrace.
    unwatched: Environment,
    invoker: Option<Invoker>,
    toolchain: Option<Toolchain>,
    user_flags: Vec<u8>,
    added_flags: Vec<u8>,
    added_variables: Vec<(OsString, OsString)>,
    backends: Vec<Box<dyn Backend>>,
    refused: Vec<(Name, Refusal)>,
    spool: Option<Spool>,
    progress: Arc<Progress>,
    signals: Signals,
    findings: Vec<Found>,
    /// The machine, as it was when the session was prepared.
    host: Host,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let backends: Vec<_> = self.backends.iter().map(|backend| backend.name()).collect();
        f.debug_struct("Session")
            .field("command", &self.options.command)
            .field("backends", &backends)
            .finish_non_exhaustive()
    }
}

/// A run that has ended. Its trace lacks the names of frames and its seal.
#[derive(Debug)]
pub struct Recording {
    /// The trace file; none where the recorder failed, and the file holds what it had written.
    pub writer: Option<Writer>,
    /// The first thing that went wrong with the trace file.
    pub failure: Option<file::Error>,
    /// Executables that may be gone from their paths.
    pub files: Vec<(ImageId, File)>,
    /// What dynamic loaders loaded, in the order of recording.
    pub loads: Vec<Load>,
    /// What code was made from that programs made while they ran.
    pub origins: Vec<(FrameId, MadeFrom)>,
    /// How the command ended.
    pub status: ExitStatus,
    /// When it ended.
    pub command_end: Nanos,
    /// How long it took.
    pub wall: Nanos,
    /// It had been told to end, by Ctrl-C for example.
    pub interrupted: bool,
    /// Descendants that live on: process id and name.
    pub descendants: Vec<(Pid, String)>,
    /// Where the backends failed to deliver.
    pub complaints: Vec<super::Error>,
    /// Programs that a cold run did not link, for they were up to date.
    pub not_linked: Vec<String>,
}

impl Session {
    /// Finds out what is needed to run the command, and holds signals back from gotrace.
    ///
    /// Threads that are started after this leave the command's signals alone.
    ///
    /// # Errors
    ///
    /// When the command cannot be found or executed, or a backend that was asked for by name
    /// does not work here.
    pub fn prepare(options: Options, progress: Arc<Progress>) -> Result<Self, Error> {
        Self::prepare_under(options, progress, Signals::hold())
    }

    /// As [`Self::prepare`], under signals that are held back already.
    ///
    /// # Errors
    ///
    /// As [`Self::prepare`].
    pub fn prepare_under(
        options: Options,
        progress: Arc<Progress>,
        signals: Signals,
    ) -> Result<Self, Error> {
        let mut environment = Environment::inherited();
        let invoker = invoker(|name| environment.get(name).map(OsStr::to_owned));
        let name = options.command.first().cloned().unwrap_or_default();
        if let Some(invoker) = &invoker {
            environment.belong_to(invoker, &name);
        }
        change::apply(&options.changes, &mut environment);
        let path = environment.get("PATH").unwrap_or_default().to_owned();
        let program = launch::find(&name, &path).map_err(|source| Error::Exec {
            command: PathBuf::from(&name),
            source,
        })?;
        let slice = options.slice.map(|slice| {
            let name = program.display().to_string();
            slice.of(&name, &Head::at(&program), Machine::here())
        });
        let slice = slice.transpose().map_err(Error::Slice)?.flatten();
        let (running, _) = launch::running(&options.command, &environment);
        let go = if launch::is_go(running.as_os_str()) {
            Some(running)
        } else {
            toolchain::find_on_path(OsStr::new("go"), &path)
        };
        let toolchain =
            go.and_then(|go| Toolchain::ask(&go, environment.pairs(), invoker.as_ref()).ok());
        let mut user_flags = launch::go_flags(&environment, toolchain.as_ref());
        // Flags that cannot be extended are left as they are: the go command refuses them.
        if let Ok(Some(flags)) = change::go_flags(&options.changes, &user_flags) {
            environment.set("GOFLAGS", OsStr::from_bytes(&flags));
            user_flags = flags;
        }
        let temporary = environment
            .get("TMPDIR")
            .map_or("/tmp".into(), PathBuf::from);
        run_folder::sweep(&[&temporary, Path::new("/tmp"), Path::new(MEMORY)]);
        // Without a folder for sockets and graphs, there is still the command to be run.
        let spool = Spool::create(&temporary, invoker.as_ref()).ok();
        let mut session = Self {
            options,
            slice,
            unwatched: environment.clone(),
            environment,
            invoker,
            toolchain,
            user_flags,
            added_flags: Vec::new(),
            added_variables: Vec::new(),
            backends: Vec::new(),
            refused: Vec::new(),
            spool,
            progress,
            signals,
            findings: Vec::new(),
            host: host::host(),
        };
        session.choose()?;
        Ok(session)
    }

    /// The command and its arguments.
    #[must_use]
    pub fn command(&self) -> &[OsString] {
        &self.options.command
    }

    /// The environment of the command, so far.
    #[must_use]
    pub const fn environment(&self) -> &Environment {
        &self.environment
    }

    /// What the environment of the command would be without gotrace.
    #[must_use]
    pub const fn unwatched(&self) -> &Environment {
        &self.unwatched
    }

    /// The toolchain that the command's PATH leads to.
    #[must_use]
    pub const fn toolchain(&self) -> Option<&Toolchain> {
        self.toolchain.as_ref()
    }

    /// Has the trace keep what is wrong with the machine's Go.
    pub fn keep(&mut self, findings: Vec<Found>) {
        self.findings = findings;
    }

    /// The machine, as it was when the session was prepared.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// Who called sudo, when that is how gotrace was started.
    #[must_use]
    pub const fn invoker(&self) -> Option<&Invoker> {
        self.invoker.as_ref()
    }

    /// Names of the backends in use.
    #[must_use]
    pub fn backends(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.backends.iter().map(|backend| backend.name()).collect();
        // Whatever the order in which they are opened.
        names.sort_by_key(|name| {
            let place = Name::ALL.iter().position(|known| known.word() == *name);
            place.unwrap_or(Name::ALL.len())
        });
        names.dedup();
        names
    }

    /// Backends that would give more and do not work here, and why.
    #[must_use]
    pub fn refused(&self) -> &[(Name, Refusal)] {
        &self.refused
    }

    /// Adds what the backends ask for to the command's environment.
    fn add_to_environment(&mut self) {
        let of_backends = self.backends.iter().flat_map(|backend| backend.go_flags());
        let of_backends = of_backends.map(OsString::into_vec);
        let cold = self.options.cold;
        let of_cold = cold.then(|| cold::flag(&self.options.command, self.toolchain.as_ref()));
        let flags = of_cold.flatten().into_iter().chain(of_backends);
        let flags: Vec<Vec<u8>> = flags.collect();
        // GOFLAGS that cannot be extended are left as they are: the go command refuses them.
        if let Ok(all) = go_flags::extend(&self.user_flags, &flags) {
            self.environment.set("GOFLAGS", OsStr::from_bytes(&all));
            self.added_flags = go_flags::join(&flags).unwrap_or_default();
        }
        let of_backends = self.backends.iter();
        self.added_variables = of_backends
            .flat_map(|backend| backend.environment())
            .collect();
        for (name, value) in &self.added_variables {
            if let Some(name) = name.to_str() {
                self.environment.set(name, value);
            }
        }
    }

    /// Runs the command, and records into the trace file. What the user should know before the
    /// command runs goes to `say`.
    ///
    /// # Errors
    ///
    /// When the command was not started, or cannot be waited for. Nothing else that happens later
    /// is an error: the command goes on.
    pub fn run(
        mut self,
        writer: Writer,
        anchor: ClockAnchor,
        say: &dyn Fn(&str),
    ) -> Result<Recording, Error> {
        sys::adopt_orphans();
        let (out, observations) = crossbeam_channel::bounded(UNDER_WAY);
        let (child, out) = self.start(out)?;
        for backend in &self.backends {
            if let Some(words) = backend.announcement() {
                say(words);
            }
        }
        let root = child.pid;
        let own_children = process::children(Pid(std::process::id()));
        let helpers: Vec<Pid> = own_children
            .into_iter()
            .filter(|pid| *pid != root)
            .collect();
        let mut recorder = Recorder::new(recorder::Plan {
            writer,
            anchor,
            root,
            follows_tree: self.follows_tree(),
            watches_loaders: self.backends().contains(&Name::OF_BINDINGS.word()),
            calls_of_two: self.calls_of_two(),
            temporary: launch::temporary(&self.environment),
            user: user_of(self.invoker.as_ref()),
            redaction: self.options.redaction.clone(),
            progress: Arc::clone(&self.progress),
        });
        recorder.begin(&self.preamble());
        let recorder = thread::Builder::new()
            .name("gotrace-record".to_owned())
            .spawn(move || recorder.run(&observations))
            .map_err(os("clone"))?;
        self.say_root(&out, root);
        let before = sys::own_usage().cpu();
        drop(out.send(Observation::Counted {
            time: sys::now(),
            name: "gotrace_start_cpu_ns",
            value: i64::try_from(before.0).unwrap_or(i64::MAX),
        }));
        preamble::forget_max_rss();
        let begun = self.release(child, &out, say)?;
        let end = supervise::until_end(root, &helpers).map_err(os("wait4"))?;
        let ended = sys::now();
        if self.options.wait {
            supervise::until_alone(root, &helpers, None);
        } else if end.interrupted {
            supervise::until_alone(root, &helpers, Some(LAST_MOMENTS));
        }
        let descendants = supervise::descendants(&helpers);
        if let (Some(spool), false) = (&mut self.spool, descendants.is_empty()) {
            spool.keep();
        }
        // Where nothing is left to be said here, the trace is sealed while backends are taken down.
        let out = (!self.follows_tree()).then_some(out);
        let mut complaints = Vec::new();
        for backend in &mut self.backends {
            complaints.extend(backend.finish().err());
        }
        // What it used is what all have used but the others: those must all have been told of.
        if let Some(out) = out {
            drop(out.send(Observation::Exited {
                time: ended,
                pid: root,
                wait_status: end.wait_status,
                usage: end.usage,
                whole: true,
            }));
        }
        let recorded = recorder.join().ok();
        let own_cpu = sys::own_usage().cpu() - before;
        let end = Ended {
            status: recorder::exit_status(end.wait_status),
            at: anchor.at(ended.0),
            wall: Nanos(ended.0.saturating_sub(begun.0)),
            interrupted: end.interrupted,
            own_cpu,
            look: self.look(),
            descendants,
        };
        Ok(conclusion::finish(recorded, &end, complaints))
    }

    /// Forks the command and starts the backends. Where the best choice of backends does not
    /// start after all, the next best is taken.
    fn start(
        &mut self,
        out: Sender<Observation>,
    ) -> Result<(HeldChild, Sender<Observation>), Error> {
        let child = self.fork(&out)?;
        match self.start_backends(child.pid, &out) {
            Ok(()) => Ok((child, out)),
            Err(error) => {
                let pid = child.pid;
                drop(child);
                drop(sys::wait(pid, true));
                // Those that had started before it.
                for backend in &mut self.backends {
                    drop(backend.finish());
                }
                let super::Error::Refused { backend, refusal } = error else {
                    return Err(Error::Backend(error));
                };
                let names = self.without_rights();
                // Where there are no copies, no other backend watches functions that were asked for.
                let watches = !self.options.watch.is_asked_for() || names.contains(&Name::Patch);
                let another = self.options.selection == Selection::Auto && watches;
                if !another || !self.follows_tree() {
                    return Err(Error::Refused { backend, refusal });
                }
                self.refused.push((Name::Bpf, refusal));
                let bindings = self.options.request.bindings.then_some(Name::OF_BINDINGS);
                let names: Vec<Name> = names.into_iter().chain(bindings).collect();
                self.open(&names)?;
                self.start(out)
            }
        }
    }

    fn look(&self) -> Look {
        Look {
            owner: self.invoker.as_ref().map(|invoker| invoker.uid),
            cold: self.options.cold,
        }
    }

    fn start_backends(&mut self, root: Pid, out: &Sender<Observation>) -> Result<(), super::Error> {
        for backend in &mut self.backends {
            backend.start(root, out.clone())?;
        }
        Ok(())
    }

    fn fork(&self, out: &Sender<Observation>) -> Result<HeldChild, Error> {
        let program = launch::program(
            &self.options.command,
            &self.environment,
            self.invoker.as_ref(),
        );
        let mut program = program.map_err(os("exec"))?;
        program.slice = self.slice;
        program.starts_stopped = self.wants_stop();
        let (running, guest) = launch::running(&self.options.command, &self.environment);
        let mut backends = self.backends.iter();
        let stand_in = backends.find_map(|backend| backend.stand_in(&running));
        let has_copy = stand_in.is_some();
        match guest {
            Some(place) => {
                let translator = launch::exe(&self.options.command, &self.environment);
                launch::put_in_place_of_guest(&mut program, &translator, place, stand_in);
            }
            None => launch::put_in_place(&mut program, stand_in),
        }
        if has_copy && program.stands_in.is_none() {
            // A recorder that is gone wants to know nothing.
            drop(out.send(stand_in::without_room(running.as_os_str().as_bytes())));
        }
        sys::fork_held(&program, self.signals.before()).map_err(os("fork"))
    }

    /// Lets the command run its program, once those who want hold of it have it; when it began.
    fn release(
        &mut self,
        child: HeldChild,
        out: &Sender<Observation>,
        say: &dyn Fn(&str),
    ) -> Result<super::Monotonic, Error> {
        let root = child.pid;
        if !process::STARTS_STOPPED {
            self.take_hold(root)?;
        }
        let mut begun = sys::now();
        self.let_go(child, out, say)?;
        let stops = process::STARTS_STOPPED && self.wants_stop();
        if stops {
            // Its task is that of its program only from then on.
            standstill::reached(root);
        }
        if process::STARTS_STOPPED
            && let Err(error) = self.take_hold(root)
        {
            sys::send(root, libc::SIGKILL);
            drop(sys::wait(root, true));
            return Err(error);
        }
        for backend in &mut self.backends {
            backend.begun(root);
        }
        if stops {
            begun = sys::now();
            standstill::leave(root);
        }
        Ok(begun)
    }

    fn take_hold(&mut self, root: Pid) -> Result<(), Error> {
        for backend in &mut self.backends {
            backend.take_hold(root).map_err(|error| match error {
                super::Error::Refused { backend, refusal } => Error::Refused { backend, refusal },
                error => Error::Backend(error),
            })?;
        }
        Ok(())
    }

    fn wants_stop(&self) -> bool {
        self.backends.iter().any(|backend| backend.wants_stop())
    }

    /// Copies and the kernel's probes tell of calls.
    fn calls_of_two(&self) -> bool {
        let names = self.backends();
        let mut both = [Name::Bpf, Name::Patch].iter().map(|name| name.word());
        both.all(|name| names.contains(&name)) && super::bpf_probes_all()
    }

    fn follows_tree(&self) -> bool {
        self.backends.iter().any(|backend| backend.follows_tree())
    }

    /// Tells the recorder of the command itself, where no backend does.
    fn say_root(&self, out: &Sender<Observation>, root: Pid) {
        let time = sys::now();
        if !self.follows_tree() {
            let parent = Pid(std::process::id());
            drop(out.send(Observation::Forked {
                time,
                pid: root,
                parent,
            }));
            let (command, slice) = (&self.options.command, self.slice);
            let executed = launch::executed(command, &self.environment, slice);
            drop(out.send(Observation::Executed(Executed {
                time,
                pid: root,
                ..executed
            })));
        }
        let by_copies_alone = self.backends().contains(&Name::Patch.word()) && !self.calls_of_two();
        if by_copies_alone && super::MAKES_COPIES && self.users_toolexec().is_some() {
            drop(out.send(Observation::Unseen {
                time,
                what: "calls in tools of go commands".to_owned(),
                why: "the user's own -toolexec runs them, and finds the tools that it expects, no copies"
                    .to_owned(),
            }));
        }
        if self.overrides_toolexec() && self.backends().contains(&Name::Toolexec.word()) {
            drop(out.send(Observation::Unseen {
                time,
                what: "tools of the go command".to_owned(),
                why: "-toolexec on its command line takes the place of gotrace's".to_owned(),
            }));
        }
    }

    fn preamble(&self) -> Preamble<'_> {
        Preamble {
            options: &self.options,
            backends: self.backends(),
            refused: &self.refused,
            environment: &self.environment,
            toolchain: self.toolchain.as_ref(),
            user_flags: &self.user_flags,
            added_flags: &self.added_flags,
            added_variables: &self.added_variables,
            findings: &self.findings,
            host: &self.host,
        }
    }
}

pub(super) fn os(call: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Os { call, source }
}

/// The clocks, read together: what a new trace file is begun with.
#[must_use]
pub fn clocks() -> ClockAnchor {
    sys::anchor()
}

/// Runs a command without watching it: gotrace becomes the command. Returns only on failure.
#[must_use]
pub fn run_unwatched(session: &mut Session) -> Error {
    session.spool = None;
    let program = launch::program(
        &session.options.command,
        &session.unwatched,
        session.invoker.as_ref(),
    );
    let source = match program {
        Ok(mut program) => {
            program.slice = session.slice;
            sys::replace(&program, session.signals.before())
        }
        Err(error) => error,
    };
    Error::Exec {
        command: PathBuf::from(session.options.command.first().cloned().unwrap_or_default()),
        source,
    }
}

/// Ends gotrace as the command ended, when a signal killed it: by the same one, without a core.
pub fn die_of(signal: i32) -> ! {
    sys::die_of(signal)
}
