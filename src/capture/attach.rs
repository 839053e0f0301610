//! Records a program that runs already, for a while: itself, and what it forks from then on.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::conclusion::{self, Ended};
use super::outputs::Look;
use super::preamble::Preamble;
use super::recorder::{self, Recorder};
use super::running::Running;
use super::selection::{Name, Selection};
use super::session::{self, Error, Options, Recording};
use super::{Environment, Progress, sys};
use crate::environment::host;
use crate::environment::invoker::user_of;
use crate::trace::file::Writer;
use crate::trace::{ClockAnchor, ExitStatus, Nanos};

/// What ends the recording.
const STOPS: [libc::c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];
/// How often it is looked whether the program still runs.
const TICK_MS: u32 = 50;

/// What is recorded of which program, and how long.
#[derive(Debug)]
pub struct Attachment {
    running: Running,
    options: Options,
    duration: Option<Duration>,
    environment: Environment,
    before: libc::sigset_t,
}

impl Attachment {
    /// Gets ready to watch a program: until it ends, `duration` is over, or SIGINT comes. Signals
    /// are held back from here on. Of the options, the command is the program's, and the backend bpf.
    #[must_use]
    pub fn prepare(running: Running, options: Options, duration: Option<Duration>) -> Self {
        let words = running.words().into_iter();
        let options = Options {
            command: words
                .map(|word| OsStr::from_bytes(word).to_owned())
                .collect(),
            selection: Selection::Named(vec![Name::Bpf]),
            ..options
        };
        Self {
            before: sys::block_signals(&STOPS),
            environment: Environment::inherited(),
            running,
            options,
            duration,
        }
    }

    /// The command line of the program.
    #[must_use]
    pub fn command(&self) -> &[OsString] {
        &self.options.command
    }

    /// Records into the trace file. What the user should know before goes to `say`.
    ///
    /// # Errors
    ///
    /// When the program cannot be watched.
    pub fn record(
        self,
        writer: Writer,
        anchor: ClockAnchor,
        say: &dyn Fn(&str),
    ) -> Result<Recording, Error> {
        let (out, observations) = crossbeam_channel::bounded(session::UNDER_WAY);
        let pid = self.running.pid;
        let refused = |refusal| Error::Refused {
            backend: Name::Bpf.word(),
            refusal,
        };
        let before = sys::own_usage().cpu();
        let mut backend = super::attach_bpf(&self.options, &self.running).map_err(refused)?;
        let mut recorder = Recorder::new(recorder::Plan {
            writer,
            anchor,
            root: pid,
            follows_tree: true,
            watches_loaders: false,
            calls_of_two: false,
            temporary: Vec::new(),
            user: user_of(None),
            redaction: self.options.redaction.clone(),
            progress: Arc::new(Progress::default()),
        });
        recorder.begin(&Preamble {
            findings: &[],
            host: &host::host(),
            options: &self.options,
            backends: vec![Name::Bpf.word()],
            refused: &[],
            environment: &self.environment,
            toolchain: None,
            user_flags: &[],
            added_flags: &[],
            added_variables: &[],
        });
        let recorder = thread::Builder::new()
            .name("gotrace-record".to_owned())
            .spawn(move || recorder.run(&observations))
            .map_err(session::os("clone"))?;
        for told in self.running.told(sys::now()) {
            drop(out.send(told));
        }
        backend.start(pid, out.clone()).map_err(Error::Backend)?;
        if let Some(words) = backend.announcement() {
            say(words);
        }
        self.wait();
        let ended = sys::now();
        let complaint = backend.finish().err();
        drop(backend);
        drop(out);
        sys::restore_signals(&self.before);
        let end = Ended {
            status: ExitStatus::Unknown,
            at: anchor.at(ended.0),
            wall: Nanos::ZERO,
            interrupted: false,
            own_cpu: sys::own_usage().cpu() - before,
            look: Look::default(),
            descendants: Vec::new(),
        };
        Ok(conclusion::finish(
            recorder.join().ok(),
            &end,
            complaint.into_iter().collect(),
        ))
    }

    /// Waits until it is over.
    fn wait(&self) {
        let begun = Instant::now();
        loop {
            if sys::next_signal(&STOPS, Some(TICK_MS)).is_some() {
                return;
            }
            let over = self
                .duration
                .is_some_and(|duration| begun.elapsed() >= duration);
            if over || !self.running.is_alive() {
                return;
            }
        }
    }
}
