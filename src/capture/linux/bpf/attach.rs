//! Puts the probing program at places of an executable's file: what needs rights while the
//! command runs.

use crate::capture::linux::sys;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// Where the kernel says by which number perf knows uprobes.
const EVENT_TYPE: &str = "/sys/bus/event_source/devices/uprobe/type";

/// The probing program, in both forms.
#[derive(Debug)]
pub(super) struct Attacher {
    /// For many places at once, Linux 6.6 and later.
    many: OwnedFd,
    /// The kernel knows no such thing.
    one_by_one: AtomicBool,
    /// For one at a time.
    one: OwnedFd,
    /// Where the two find the programs that they leave for. The kernel empties such a table when
    /// no process holds it any more.
    _tables: Vec<OwnedFd>,
}

impl Attacher {
    /// With `one_by_one`, as before Linux 6.6.
    #[cfg_attr(
        not(feature = "bpf"),
        expect(dead_code, reason = "what is here is for the loader")
    )]
    pub(super) fn new(many: OwnedFd, one: OwnedFd, tables: Vec<OwnedFd>, one_by_one: bool) -> Self {
        Self {
            many,
            one_by_one: AtomicBool::new(one_by_one),
            one,
            _tables: tables,
        }
    }

    /// Attaches to places (offset in the file, cookie) in all processes that map the file, now
    /// and later, until the links are dropped. Takes some 10 ms, most of which the kernel waits:
    /// several threads can do so side by side.
    pub(super) fn attach(&self, file: &File, places: &[(u64, u64)]) -> io::Result<Vec<OwnedFd>> {
        if !self.one_by_one.load(Ordering::Relaxed) {
            match sys::attach_many(self.many.as_fd(), file, places) {
                // The kernel knows no such attach type.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                    self.one_by_one.store(true, Ordering::Relaxed);
                }
                link => return Ok(vec![link?]),
            }
        }
        let event_type = fs::read_to_string(EVENT_TYPE)?;
        let event_type = event_type.trim().parse().map_err(io::Error::other)?;
        places
            .iter()
            .map(|place| sys::attach_one(self.one.as_fd(), event_type, file, *place))
            .collect()
    }
}
