//! The descriptor that a stand-in finds at one of its numbers: left there before it runs, taken back where it cannot.

use crate::capture::stand_in::{NUMBERS, StandIn};
use std::ffi::c_int;
use std::os::fd::AsRawFd as _;

/// The number at which a descriptor was left, until it is taken back.
#[derive(Debug, Default)]
pub(in crate::capture) struct HandedDown(Option<c_int>);

impl HandedDown {
    /// Leaves a stand-in's descriptor at the first of its numbers that is free. Where none is, it does without.
    pub(in crate::capture) fn of(stand_in: Option<&StandIn>) -> Self {
        let Some(stand_in) = stand_in else {
            return Self(None);
        };
        let fd = stand_in.descriptor.as_raw_fd();
        let numbers = NUMBERS.into_iter().map(u32::cast_signed);
        let mut left = numbers.filter(|number| {
            // SAFETY: takes no pointer.
            let free = unsafe { libc::fcntl(*number, libc::F_GETFD) } == -1;
            // SAFETY: takes no pointer, and closes nothing: the number is free.
            free && unsafe { libc::dup2(fd, *number) } == *number
        });
        Self(left.next())
    }

    /// The stand-in cannot run: what runs in its place is to inherit nothing.
    pub(in crate::capture) fn take_back(&mut self) {
        if let Some(number) = self.0.take() {
            // SAFETY: the number was free before `of` left the descriptor there.
            unsafe { libc::close(number) };
        }
    }
}
