//! A child that waits before its exec: told to go on, and heard why it could not.

use super::StandIn;
use super::system::in_place::InPlace;
use crate::trace::Pid;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;

/// A child that was forked and waits to be let go.
#[derive(Debug)]
pub(super) struct HeldChild {
    /// The child.
    pub(super) pid: Pid,
    /// How its program can run from its own file and tell of its calls.
    pub(super) in_place: Option<InPlace>,
    go: File,
    failure: File,
}

/// What a child that waits is told: to run its program.
pub(super) const RUN: u8 = 1;
/// The program itself, not its stand-in,
const RUN_AS_IT_IS: u8 = 2;
/// or the program itself, with what its stand-in would find.
pub(super) const RUN_IN_PLACE: u8 = 3;

impl HeldChild {
    /// A child that has just been forked: what it is told by, and by what it tells why it could not call exec.
    pub(super) fn new(
        pid: Pid,
        stand_in: Option<&StandIn>,
        (go, failure): (OwnedFd, OwnedFd),
    ) -> Self {
        Self {
            pid,
            in_place: stand_in.and_then(|stand_in| stand_in.in_place.clone()),
            go: go.into(),
            failure: failure.into(),
        }
    }

    /// Lets the child call exec, and returns when it has, or with why it could not.
    pub(super) fn release(mut self) -> io::Result<()> {
        self.go.write_all(&[RUN])?;
        self.outcome()
    }

    /// The same, without a stand-in.
    pub(super) fn release_as_it_is(mut self) -> io::Result<()> {
        self.go.write_all(&[RUN_AS_IT_IS])?;
        self.outcome()
    }

    /// Lets the child call exec for the program itself, which a stand-in is put over while `meanwhile` runs; its result.
    pub(super) fn release_in_place<T>(mut self, meanwhile: impl FnOnce() -> T) -> io::Result<T> {
        self.go.write_all(&[RUN_IN_PLACE])?;
        let result = meanwhile();
        self.outcome().map(|()| result)
    }

    fn outcome(mut self) -> io::Result<()> {
        drop(self.go);
        let mut errno = [0; 4];
        match self.failure.read(&mut errno)? {
            0 => Ok(()),
            _ => Err(io::Error::from_raw_os_error(i32::from_ne_bytes(errno))),
        }
    }
}
