//! The `dyldlog` backend: what dyld prints of each program, on macOS.
//!
//! ```text
//! DYLD_PRINT_*, DYLD_PRINT_TO_FILE ──► a file of the spool ──► decode::dyld_log ──► story ──► the recorder
//! ```
//!
//! dyld prints to a file, never to the standard error: the go command takes what tools print there for
//! their complaints. Each tool that the shim starts has a file of its own; other programs share that of
//! the command. The file is read while it grows. Nothing here is of macOS alone but who heeds the
//! variables, so that a program that writes what dyld would tries all of it anywhere.

mod story;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, PipeReader, Read as _, Seek as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crossbeam_channel::Sender;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustc_hash::FxHashMap;

use super::backend::{self, Running};
use super::decode::dyld_log::{DyldLog, Event, Shortfall};
use super::linking::Batch;
use super::spool::Spool;
use super::sys;
use super::{Backend, Error, Monotonic, Observation, dyld_variables};
use crate::environment::Refusal;
use crate::trace::Pid;
use story::Story;

const NAME: &str = "dyldlog";
/// The folder of logs in the spool.
const FOLDER: &str = "dyld";
/// The log of the command, and of all that no shim starts.
const COMMON: &str = "command";
/// How often new text is looked for, in milliseconds.
const EVERY: u16 = 100;
/// Bytes that are read at a time.
const CHUNK: usize = 1 << 18;
/// Bytes of a log after which what they say is handed over.
const AT_ONCE: u64 = 1 << 22;
/// Events of a batch at most.
const BATCH: usize = 4_096;
/// Processes of a log whose images are remembered.
const MOST_STORIES: usize = 4_096;
/// The largest file of a program that is looked into.
const LARGEST: u64 = 1 << 30;
/// What dyld is to print. `DYLD_PRINT_ENV` is not among them: it prints secrets.
const PRINTS: [&str; 6] = [
    "DYLD_PRINT_LIBRARIES",
    "DYLD_PRINT_SEGMENTS",
    "DYLD_PRINT_BINDINGS",
    "DYLD_PRINT_SEARCHING",
    "DYLD_PRINT_APIS",
    "DYLD_PRINT_INTERPOSING",
];

/// The variables that have dyld print to this file.
pub(super) fn variables(file: &Path) -> Vec<(OsString, OsString)> {
    let prints = PRINTS.iter().map(|name| (name.into(), "1".into()));
    let file = ("DYLD_PRINT_TO_FILE".into(), file.as_os_str().to_owned());
    prints.chain([file]).collect()
}

/// The log of a tool that a shim starts, where the logs of this run are kept.
pub(super) fn log_of_tool(spool: &Path, shim: Pid) -> Option<PathBuf> {
    let folder = spool.join(FOLDER);
    folder.is_dir().then(|| folder.join(format!("tool-{shim}")))
}

/// Whether dyld heeds the variables for a program.
///
/// # Errors
///
/// Why it does not, and what would help.
pub(super) fn heeds(program: &Path) -> Result<(), Refusal> {
    let found = fs::metadata(program).and_then(|found| {
        let file = super::plain_file::read(program, LARGEST)?;
        Ok((found.permissions().mode() & 0o6000 != 0, file))
    });
    match found {
        Ok((set_id, file)) => dyld_variables::heeds(program, &file, set_id),
        Err(error) => Err(Refusal {
            reason: format!("{} cannot be read", program.display()),
            evidence: error.to_string(),
            remedy: String::new(),
        }),
    }
}

/// The backend.
#[derive(Debug)]
pub(super) struct DyldLogs {
    folder: PathBuf,
    running: Option<Running>,
}

impl DyldLogs {
    /// Makes the place for logs.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub(super) fn new(spool: &Spool) -> io::Result<Self> {
        let folder = spool.path().join(FOLDER);
        fs::create_dir(&folder)?;
        // Whoever the command becomes may write; nobody may take away what another one wrote.
        let above = fs::metadata(spool.path())?;
        std::os::unix::fs::chown(&folder, Some(above.uid()), Some(above.gid()))?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o1733))?;
        Ok(Self {
            folder,
            running: None,
        })
    }
}

impl Backend for DyldLogs {
    fn name(&self) -> &'static str {
        NAME
    }

    fn environment(&self) -> Vec<(OsString, OsString)> {
        variables(&self.folder.join(COMMON))
    }

    fn start(&mut self, _root: Pid, out: Sender<Observation>) -> Result<(), Error> {
        // Programs that are printed to be slower than they are: nobody is to compare their times.
        drop(out.send(Observation::Configured {
            key: crate::trace::NOT_FOR_TIMING.to_owned(),
            value: "dyld prints what it does, and does not use what it has prepared".to_owned(),
        }));
        let mut reader = Reader {
            folder: self.folder.clone(),
            logs: FxHashMap::default(),
            out,
        };
        let target = self.folder.display().to_string();
        let run = move |stopped| reader.run(&stopped);
        self.running = Some(backend::spawn("gotrace-dyld", &target, run)?);
        Ok(())
    }

    fn announcement(&self) -> Option<&str> {
        Some("dyld prints what it does: this run is not for timing")
    }

    fn finish(&mut self) -> Result<(), Error> {
        backend::join(
            self.running.take(),
            "the thread that reads what dyld prints",
        )
    }
}

/// One log.
struct Log {
    file: File,
    reader: DyldLog,
    stories: Stories,
}

/// What the processes of a log have told.
#[derive(Default)]
struct Stories(FxHashMap<Pid, Story>);

/// Reads the logs as they grow.
struct Reader {
    folder: PathBuf,
    logs: FxHashMap<OsString, Log>,
    out: Sender<Observation>,
}

impl Reader {
    fn run(&mut self, stopped: &PipeReader) {
        let mut stop = false;
        while !stop {
            let mut fds = [PollFd::new(stopped.as_fd(), PollFlags::POLLIN)];
            let waited = poll(&mut fds, PollTimeout::from(EVERY));
            stop = waited.is_ok_and(|count| count > 0);
            self.look();
        }
        self.finish();
    }

    /// Opens new logs, and reads on in all.
    fn look(&mut self) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for name in entries.map(|entry| entry.file_name()) {
            if !self.logs.contains_key(&name) {
                self.open(name);
            }
        }
        let now = sys::now();
        for log in self.logs.values_mut() {
            // A log that cannot be read further is as long as it is; what is written meanwhile
            // is for the next time.
            let mut left = log.unread().unwrap_or(0);
            loop {
                drop(log.read_on(left.min(AT_ONCE), now));
                log.stories.hand_over(false, &self.out);
                left = left.saturating_sub(AT_ONCE);
                if left == 0 {
                    break;
                }
            }
        }
    }

    fn open(&mut self, name: OsString) {
        // Others may write to the folder: a pipe or a link is no log.
        let mut options = OpenOptions::new();
        let options = options
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let file = options.open(self.folder.join(&name));
        let is_file = |file: &File| file.metadata().is_ok_and(|found| found.is_file());
        if let Some(file) = file.ok().filter(is_file) {
            let log = Log {
                file,
                reader: DyldLog::default(),
                stories: Stories::default(),
            };
            self.logs.insert(name, log);
        }
    }

    fn finish(&mut self) {
        let now = sys::now();
        let mut missing = Shortfall::default();
        for log in self.logs.values_mut() {
            let stories = &mut log.stories;
            let add = &mut |pid, event| stories.add(now, pid, &event);
            missing.add(&log.reader.finish(add));
            stories.hand_over(true, &self.out);
        }
        for (what, count, why) in missing.words() {
            if count > 0 {
                drop(self.out.send(Observation::Lost {
                    from: Monotonic(0),
                    to: now,
                    what,
                    count,
                    why: why.to_owned(),
                }));
            }
        }
    }
}

impl Log {
    /// Bytes that have been written, and not been read.
    fn unread(&mut self) -> io::Result<u64> {
        let read = self.file.stream_position()?;
        Ok(self.file.metadata()?.len().saturating_sub(read))
    }

    fn read_on(&mut self, most: u64, now: Monotonic) -> io::Result<()> {
        let mut file = (&self.file).take(most);
        let mut chunk = vec![0; CHUNK];
        loop {
            let count = file.read(&mut chunk)?;
            let Some(read) = chunk.get(..count).filter(|read| !read.is_empty()) else {
                return Ok(());
            };
            let stories = &mut self.stories;
            let add = &mut |pid, event| stories.add(now, pid, &event);
            self.reader.feed(read, add);
        }
    }
}

impl Stories {
    fn add(&mut self, now: Monotonic, pid: Pid, event: &Event) {
        self.0.entry(pid).or_default().add(now, pid, event);
    }

    /// Hands over what may be, and forgets processes that have told nothing since the last time where
    /// there are too many.
    fn hand_over(&mut self, all: bool, out: &Sender<Observation>) {
        let too_many = self.0.len() > MOST_STORIES;
        self.0.retain(|pid, story| {
            let mut events = story.take(all).into_iter().peekable();
            let told = events.peek().is_some();
            while events.peek().is_some() {
                let events = events.by_ref().take(BATCH).collect();
                drop(out.send(Observation::Linked(Batch { pid: *pid, events })));
            }
            told || story.is_waiting() || !too_many
        });
    }
}
