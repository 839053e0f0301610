//! Stand-ins of programs: there are none on macOS that a recorder hands to a shim.

use crate::capture::StandIn;
use std::io;
use std::os::unix::net::UnixStream;

/// There is none that has no more to do than to ask for them.
pub(in crate::capture) const SHIM: Option<&[u8]> = None;

/// Answers a shim, which does not ask here.
pub(in crate::capture) fn send(_to: &UnixStream, _stand_in: Option<&StandIn>) -> io::Result<()> {
    Ok(())
}

/// No answer.
pub(in crate::capture) fn receive(_from: &UnixStream) -> Option<StandIn> {
    None
}

/// What a stand-in would find: there is none.
#[derive(Debug)]
pub(in crate::capture) struct HandedDown;

impl HandedDown {
    pub(in crate::capture) const fn of(_stand_in: Option<&StandIn>) -> Self {
        Self
    }

    pub(in crate::capture) const fn take_back(&mut self) {}
}
