//! A process that writes a buffer, from the first sight of its file to the last reading.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::buffer::{self, BufferFile};
use super::guest::Guest;
use crate::capture::decode::audit::layout::CELLS;
use crate::capture::decode::audit::{Drained, Event, Header, Malformed, Ring, Story, What};
use crate::capture::{Executed, Monotonic, linking};
use crate::environment::{host, translator};
use crate::trace::{Arch, Pid};

/// What lives on is read this often.
const EVERY: Duration = Duration::from_secs(1);
/// Cells that are read before their process is told.
const TELL: u32 = CELLS / 8;
/// By then a process has said what it is, and other backends have told of it.
const FIRST: Duration = Duration::from_millis(30);

/// What a translator is called that was not seen.
const UNSEEN: &str = "unknown";

/// Whether no kernel for this machine's processor runs such programs itself. Of 32-bit ARM and RISC-V
/// only the size of a word is told.
fn is_foreign(arch: Arch, word: u16) -> bool {
    match host::ARCH {
        "amd64" => !matches!(arch, Arch::Amd64 | Arch::X86),
        "arm64" => !(arch == Arch::Arm64 || arch == Arch::Unknown && word == 32),
        _ => false,
    }
}

/// The process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) pid: Pid,
    path: PathBuf,
    /// If a translator runs it.
    guest: Option<Guest>,
    ring: Ring,
    story: Option<Story>,
    pub(super) header: Option<Header>,
    /// What it runs, as it said itself.
    pub(super) executed: Executed,
    /// `TOOLEXEC_IMPORTPATH`, or empty.
    pub(super) package: Vec<u8>,
    /// What it starts is in another root.
    pub(super) leaves_root: bool,
    /// It was told of.
    pub(super) introduced: bool,
    /// It was looked for the process that it is a fork of.
    parent_asked: bool,
    /// When it called `exit`.
    pub(super) ending: Option<Monotonic>,
    read_at: Option<Instant>,
    seen_at: Instant,
    /// It says that much has been written.
    pub(super) hurry: bool,
    /// What it knows to have been read.
    told: u32,
}

/// Why nothing more comes of a buffer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("its buffer")]
    Io(#[source] io::Error),
    #[error("a limit of file sizes, or full memory, left no room for its buffer")]
    NoRoom,
    #[error(transparent)]
    Malformed(Malformed),
    #[error("its buffer is that of process {0}")]
    Another(Pid),
}

/// The process that a file is of, by its name: `PID-START`.
pub(super) fn pid_of(name: &OsStr) -> Option<Pid> {
    let digits = name.as_bytes().split(|byte| *byte == b'-').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok().map(Pid)
}

/// Names of all files of processes in a folder, by process, then by time.
pub(super) fn files(folder: &Path) -> Vec<OsString> {
    let files = fs::read_dir(folder).into_iter().flatten();
    let names = files.flatten().map(|file| file.file_name());
    let mut names: Vec<_> = names.filter(|name| pid_of(name).is_some()).collect();
    names.sort();
    names
}

impl Process {
    /// By the name of its file.
    pub(super) fn of(folder: &Path, name: &OsStr) -> Option<Self> {
        let pid = pid_of(name)?;
        Some(Self {
            pid,
            path: folder.join(name),
            guest: Guest::of(pid),
            ring: Ring::default(),
            story: None,
            header: None,
            executed: Executed::default(),
            package: Vec::new(),
            leaves_root: false,
            introduced: false,
            parent_asked: false,
            ending: None,
            read_at: None,
            seen_at: Instant::now(),
            hurry: false,
            told: 0,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a translator runs it.
    pub(super) const fn is_guest(&self) -> bool {
        self.guest.is_some()
    }

    /// Whether a translator ran it that was not seen: a guest that ends at once is gone before it
    /// can be looked at, and does not know itself who runs it.
    pub(super) fn is_unseen_guest(&self, header: Header) -> bool {
        self.guest.is_none() && is_foreign(header.arch, header.word)
    }

    /// Whether it is time to read what it wrote.
    pub(super) fn is_due(&self) -> bool {
        self.hurry
            || match self.read_at {
                Some(read_at) => read_at.elapsed() >= EVERY,
                None => self.seen_at.elapsed() >= FIRST,
            }
    }

    /// The process that it is a fork of, without a program since; told once.
    pub(super) fn parent(&mut self, owners: &[u32]) -> Option<Pid> {
        if std::mem::replace(&mut self.parent_asked, true) {
            return None;
        }
        let mut file = BufferFile::open(&self.path, owners).ok()?;
        file.header().ok()?.ok()?.fork_of
    }

    /// Reads what it wrote since the last time.
    pub(super) fn read(
        &mut self,
        owners: &[u32],
        gone: bool,
    ) -> Result<(Drained, Vec<linking::Event>), Unreadable> {
        self.hurry = false;
        self.read_at = Some(Instant::now());
        let mut file = BufferFile::open(&self.path, owners).map_err(Unreadable::Io)?;
        let header = file.read(self.ring.read, gone).map_err(Unreadable::Io)?;
        if gone && file.is_empty() {
            return Err(Unreadable::NoRoom);
        }
        let header = header.map_err(Unreadable::Malformed)?;
        if header.pid != self.pid {
            return Err(Unreadable::Another(header.pid));
        }
        self.header = Some(header);
        let mut ring = self.ring;
        let mut events = Vec::new();
        let mut raw = Vec::new();
        let drained = ring.drain(&file, gone, |event| raw.push(event));
        for event in raw {
            self.hear(header, event, &mut events);
        }
        self.ring = ring;
        // Only when it matters, for closing the file tells of it, as when its process does so.
        if !gone && ring.read.wrapping_sub(self.told) >= TELL {
            buffer::set_read(&self.path, owners, ring.read).map_err(Unreadable::Io)?;
            self.told = ring.read;
        }
        if gone && let Some(story) = &mut self.story {
            story.end(&mut events);
        }
        Ok((drained, events))
    }

    fn hear(&mut self, header: Header, event: Event, out: &mut Vec<linking::Event>) {
        match &event.what {
            What::Program(path) => self.executed.exe.clone_from(path),
            What::Arguments { argv, cut } => {
                self.executed.argv.clone_from(argv);
                self.executed.argv_truncated = *cut;
            }
            What::Folder(path) => self.executed.cwd.clone_from(path),
            What::Package(path) => self.package.clone_from(path),
            What::Leaves => self.leaves_root = true,
            What::Ending => self.ending = Some(event.time),
            _ => {}
        }
        let fork = header.fork_of.is_some();
        let before = out.len();
        self.story
            .get_or_insert_with(|| Story::new(fork))
            .hear(event, out);
        let Some(guest) = &self.guest else { return };
        for event in out.iter_mut().skip(before) {
            if let linking::What::Loaded(loaded) = &mut event.what {
                loaded.path = guest.path(std::mem::take(&mut loaded.path));
            }
        }
    }

    /// What it runs, for the table of processes.
    pub(super) fn program(&self, header: Header) -> Executed {
        let exe = Path::new(OsStr::from_bytes(&self.executed.exe));
        let translator = match &self.guest {
            Some(guest) => guest.translator.clone(),
            // By the kernel's table of translators; somebody may have called one by name.
            None => match translator::of_executable(exe) {
                name if name.is_empty() && self.is_unseen_guest(header) => UNSEEN.to_owned(),
                name => name,
            },
        };
        Executed {
            time: Monotonic(header.start),
            pid: self.pid,
            arch: header.arch,
            translator: translator.into_bytes(),
            ..self.executed.clone()
        }
    }
}
