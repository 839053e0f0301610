//! Hands a stand-in from the recorder to a shim: a path, and a descriptor with it.

pub(in crate::capture) use super::sys::handed_down::HandedDown;

use super::sys;
use crate::capture::StandIn;
use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// What stands before tools that have stand-ins, where there is one for this processor: `probes/shim`.
pub(in crate::capture) const SHIM: Option<&[u8]> = if cfg!(target_arch = "x86_64") {
    Some(include_bytes!(
        "../../../probes/prebuilt/linux-amd64/gotrace-shim"
    ))
} else if cfg!(target_arch = "aarch64") {
    Some(include_bytes!(
        "../../../probes/prebuilt/linux-arm64/gotrace-shim"
    ))
} else {
    None
};

/// As long as a path can be (`PATH_MAX`); the answer that there is none is one zero byte.
const LONGEST: usize = 4_096;
const NONE: &[u8] = b"\0";

/// Answers a shim.
pub(in crate::capture) fn send(to: &UnixStream, stand_in: Option<&StandIn>) -> io::Result<()> {
    match stand_in {
        Some(StandIn {
            program,
            descriptor,
            ..
        }) => {
            let path = program.as_os_str().as_bytes();
            sys::send(to.as_fd(), path, &[descriptor.as_fd()])
        }
        None => sys::send(to.as_fd(), NONE, &[]),
    }
}

/// The recorder's answer; none as well where it is gone, or does not answer in time.
pub(in crate::capture) fn receive(from: &UnixStream) -> Option<StandIn> {
    let mut packet = [0; LONGEST];
    let (length, descriptors) = sys::receive(from.as_fd(), &mut packet).ok()?;
    let path = packet.get(..length).filter(|path| path.starts_with(b"/"))?;
    Some(StandIn {
        program: OsStr::from_bytes(path).into(),
        descriptor: Arc::new(descriptors.into_iter().next()?),
        in_place: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_in_arrives_and_so_does_that_there_is_none() {
        let (recorder, shim) = UnixStream::pair().unwrap();
        let stand_in = StandIn {
            program: "/cache/a b/compile".into(),
            descriptor: Arc::new(std::fs::File::open("/dev/null").unwrap().into()),
            in_place: None,
        };
        send(&recorder, Some(&stand_in)).unwrap();
        let received = receive(&shim).unwrap();
        assert_eq!(received.program, stand_in.program);
        let link = format!(
            "/proc/self/fd/{}",
            std::os::fd::AsRawFd::as_raw_fd(&*received.descriptor)
        );
        assert_eq!(
            std::fs::read_link(link).unwrap().to_str(),
            Some("/dev/null")
        );
        send(&recorder, None).unwrap();
        assert!(receive(&shim).is_none());
        drop(recorder);
        assert!(receive(&shim).is_none());
    }
}
