//! What happens to the files of a folder (inotify), and when a process ends (a pidfd).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent};

use crate::capture::sys::{self, FileEvent};
use crate::trace::Pid;

/// Becomes readable when something happened to a file of a folder.
#[derive(Debug)]
pub(in crate::capture) struct FolderWatch(Inotify);

impl FolderWatch {
    pub(in crate::capture) fn new(folder: &Path) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let wanted = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_CLOSE_WRITE;
        inotify.add_watch(folder, wanted)?;
        Ok(Self(inotify))
    }

    /// What has happened since the last call.
    pub(in crate::capture) fn events(&mut self) -> Vec<FileEvent> {
        let Ok(events) = self.0.read_events() else {
            return Vec::new();
        };
        let event = |event: InotifyEvent| {
            if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                Some(FileEvent::Overflow)
            } else if event.mask.contains(AddWatchFlags::IN_CREATE) {
                event.name.map(FileEvent::Created)
            } else {
                event.name.map(FileEvent::Written)
            }
        };
        events.into_iter().filter_map(event).collect()
    }

    /// The same, when nobody writes any more. Nothing is held back here.
    pub(in crate::capture) fn last_events(&mut self) -> Vec<FileEvent> {
        self.events()
    }
}

impl AsFd for FolderWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Becomes readable when a process ends.
#[derive(Debug)]
pub(in crate::capture) struct ExitWatch(OwnedFd);

impl ExitWatch {
    pub(in crate::capture) fn of(pid: Pid) -> io::Result<Self> {
        sys::pidfd(pid).map(Self)
    }
}

impl AsFd for ExitWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
