//! Holds programs that the command has just linked at their start, until their functions are
//! watched: `go test` and `go run` start what they link within a millisecond, and to watch it takes
//! the kernel ten.
//!
//! The kernel asks here about each program that is to be started from a guarded folder
//! (`FAN_OPEN_EXEC_PERM` of fanotify(7)). Only folders are guarded that a linker of the command
//! writes to, so that nobody else's programs wait; and when gotrace is gone, the kernel lets all of
//! them start by itself.

use nix::sys::fanotify::{
    EventFFlags, Fanotify, FanotifyResponse, InitFlags, MarkFlags, MaskFlags, Response,
};
use nix::sys::resource::{Resource, getrlimit};
use std::fs;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// Descriptors that must be free: each program that waits comes with one, and the kernel refuses to
/// start it where there is none. As many are told of at once (4096 bytes, 24 each).
const FREE_DESCRIPTORS: u64 = 256;

#[derive(Debug)]
pub(super) struct Gate(Fanotify);

impl Gate {
    /// Nothing where the kernel has no such thing, or does not let us: programs start as they like
    /// then, and what was missed is told.
    pub(super) fn open() -> Option<Self> {
        let flags = InitFlags::FAN_CLASS_CONTENT | InitFlags::FAN_CLOEXEC | InitFlags::FAN_NONBLOCK;
        let files = EventFFlags::O_RDONLY | EventFFlags::O_LARGEFILE | EventFFlags::O_CLOEXEC;
        Fanotify::init(flags, files).ok().map(Self)
    }

    /// Holds what is started from a folder.
    pub(super) fn guard(&self, folder: &Path) {
        if descriptors_left().is_some_and(|left| left >= FREE_DESCRIPTORS) {
            let flags = MarkFlags::FAN_MARK_ADD | MarkFlags::FAN_MARK_ONLYDIR;
            let mask = MaskFlags::FAN_OPEN_EXEC_PERM | MaskFlags::FAN_EVENT_ON_CHILD;
            // Where the file system has no such marks, nothing waits.
            self.0
                .mark(flags, mask, nix::fcntl::AT_FDCWD, Some(folder))
                .ok();
        }
    }

    /// Shows each program that waits to `look`, and lets it start.
    pub(super) fn let_in(&self, mut look: impl FnMut(BorrowedFd<'_>)) {
        for event in self.0.read_events().unwrap_or_default() {
            if let Some(program) = event.fd() {
                look(program);
                let answer = FanotifyResponse::new(program, Response::FAN_ALLOW);
                // It fails for a program that was killed meanwhile.
                self.0.write_response(answer).ok();
            }
        }
    }
}

impl AsFd for Gate {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn descriptors_left() -> Option<u64> {
    let open = fs::read_dir("/proc/self/fd").ok()?.count() as u64;
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    Some(limit.saturating_sub(open))
}
