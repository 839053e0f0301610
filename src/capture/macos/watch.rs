//! What happens to the files of a folder, and when a process ends: kqueues, which poll(2) takes.
//!
//! A kqueue tells that a folder or a file has changed, and not how: which files are new is found by
//! looking, and that a writer is done with a file is taken from a while in which nothing was written.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::event::{EvFlags, EventFilter, FilterFlag, KEvent, Kqueue};

use crate::capture::sys::FileEvent;
use crate::trace::Pid;

/// A file into which nothing was written for so long is done.
const SETTLED: Duration = Duration::from_millis(50);

/// Becomes readable when something may have happened to a file of a folder.
#[derive(Debug)]
pub(in crate::capture) struct FolderWatch {
    queue: Kqueue,
    folder: PathBuf,
    _held: File,
    /// By the number of the inode, for files are renamed.
    files: HashMap<u64, Watched>,
}

#[derive(Debug)]
struct Watched {
    _held: File,
    length: u64,
    changed: Instant,
    told: bool,
}

impl FolderWatch {
    pub(in crate::capture) fn new(folder: &Path) -> io::Result<Self> {
        let queue = Kqueue::new()?;
        let held = File::open(folder)?;
        follow(&queue, &held, FilterFlag::NOTE_WRITE)?;
        Ok(Self {
            queue,
            folder: folder.to_owned(),
            _held: held,
            files: HashMap::new(),
        })
    }

    /// What has happened since the last call.
    pub(in crate::capture) fn events(&mut self) -> Vec<FileEvent> {
        self.drain();
        let mut events = Vec::new();
        let mut waiting = false;
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            if !metadata.is_file() {
                continue;
            }
            let now = Instant::now();
            if !self.files.contains_key(&metadata.ino()) {
                let Ok(held) = self.hold(&entry.path()) else {
                    continue;
                };
                events.push(FileEvent::Created(entry.file_name()));
                let watched = Watched {
                    _held: held,
                    length: 0,
                    changed: now,
                    told: false,
                };
                self.files.insert(metadata.ino(), watched);
            }
            if let Some(file) = self.files.get_mut(&metadata.ino()) {
                if file.length != metadata.len() {
                    file.length = metadata.len();
                    file.changed = now;
                    file.told = false;
                }
                let settled = now.duration_since(file.changed) >= SETTLED;
                if settled && file.length > 0 && !file.told {
                    file.told = true;
                    events.push(FileEvent::Written(entry.file_name()));
                }
                waiting |= file.length > 0 && !file.told;
            }
        }
        if waiting {
            self.look_again();
        }
        events
    }

    /// The same, when nobody writes any more: what has not settled is told, too.
    pub(in crate::capture) fn last_events(&mut self) -> Vec<FileEvent> {
        let mut events = self.events();
        for file in self.files.values_mut() {
            file.changed = file.changed.checked_sub(SETTLED).unwrap_or(file.changed);
        }
        events.extend(self.events());
        events
    }

    /// Opens a file so as to hear of it, and not to read it.
    fn hold(&self, path: &Path) -> io::Result<File> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_EVTONLY | libc::O_NONBLOCK)
            .open(path)?;
        let wanted = FilterFlag::NOTE_WRITE | FilterFlag::NOTE_EXTEND;
        follow(&self.queue, &file, wanted)?;
        Ok(file)
    }

    /// Makes the queue readable when what was written last has settled.
    fn look_again(&self) {
        let timer = KEvent::new(
            0,
            EventFilter::EVFILT_TIMER,
            EvFlags::EV_ADD | EvFlags::EV_ONESHOT,
            FilterFlag::empty(),
            isize::try_from(SETTLED.as_millis()).unwrap_or(isize::MAX),
            0,
        );
        // Without a timer the rest is told at the end.
        self.queue.kevent(&[timer], &mut [], None).ok();
    }

    fn drain(&self) {
        let now = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let mut told = [blank(); 32];
        while self
            .queue
            .kevent(&[], &mut told, Some(now))
            .is_ok_and(|count| count == told.len())
        {}
    }
}

impl AsFd for FolderWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue.as_fd()
    }
}

fn follow(queue: &Kqueue, file: &File, wanted: FilterFlag) -> io::Result<()> {
    let descriptor = usize::try_from(file.as_raw_fd()).map_err(io::Error::other)?;
    let flags = EvFlags::EV_ADD | EvFlags::EV_CLEAR;
    let filter = EventFilter::EVFILT_VNODE;
    let change = KEvent::new(descriptor, filter, flags, wanted, 0, 0);
    queue.kevent(&[change], &mut [], None)?;
    Ok(())
}

fn blank() -> KEvent {
    KEvent::new(
        0,
        EventFilter::EVFILT_VNODE,
        EvFlags::empty(),
        FilterFlag::empty(),
        0,
        0,
    )
}

/// Becomes readable when a process ends.
#[derive(Debug)]
pub(in crate::capture) struct ExitWatch(Kqueue);

impl ExitWatch {
    pub(in crate::capture) fn of(pid: Pid) -> io::Result<Self> {
        let queue = Kqueue::new()?;
        let pid = usize::try_from(pid.0).map_err(io::Error::other)?;
        let change = KEvent::new(
            pid,
            EventFilter::EVFILT_PROC,
            EvFlags::EV_ADD,
            FilterFlag::NOTE_EXIT,
            0,
            0,
        );
        queue.kevent(&[change], &mut [], None)?;
        Ok(Self(queue))
    }
}

impl AsFd for ExitWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
