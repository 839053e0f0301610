//! Probes by way of the helper executable, which stays for as long as gotrace wants any.
//!
//! ```text
//! request  'a', u32 number of the first function, path     (1 descriptor: the executable)
//! answer   'l'                                             (the links)
//!          'e'  text: why not
//! ```
//!
//! A probe is put into every process that runs the file, other users' too, and one in the middle of
//! an instruction would corrupt them. So the helper takes no places from anybody: it reads the
//! executable itself and finds those of the sets that are built into it. What an ordinary user can
//! ask for is that these few functions are watched in executables of a Go toolchain, which costs
//! whoever runs them less than a percent, and in executables of his own. What is seen there is shown
//! to nobody but who runs them: see `watcher` of gotrace.bpf.c.

use super::arm;
use super::attach::{Numbered, Programs};
use super::handover::{PACKET_BYTES, text_of};
use super::trial::Costs;
use crate::binary::elf::Elf;
use crate::binary::go::BuildInfo;
use crate::capture::linux::sys::{self, FileView};
use crate::capture::probes::Watch;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::process::Child;
use std::sync::{Mutex, PoisonError};

/// Executables that are watched for one gotrace at most.
const MOST: usize = 256;
/// The main packages of a Go toolchain that sets know.
const TOOLCHAIN: [&str; 6] = [
    "cmd/go",
    "cmd/compile",
    "cmd/link",
    "cmd/asm",
    "cmd/cgo",
    "cmd/vet",
];

/// The helper as gotrace sees it. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Assistant {
    /// None only while it is dropped: the helper ends when its end is closed.
    socket: Option<Mutex<OwnedFd>>,
    helper: Child,
    costs: Costs,
}

impl Assistant {
    pub(super) fn new(socket: OwnedFd, helper: Child, costs: Costs) -> Self {
        Self {
            socket: Some(Mutex::new(socket)),
            helper,
            costs,
        }
    }

    /// What a hit costs, as the helper has tried.
    pub(super) fn costs(&self) -> Costs {
        self.costs
    }

    /// Asks for the probes of an executable; returns what keeps them.
    pub(super) fn attach(&self, file: &File, of: Numbered<'_>) -> io::Result<Vec<OwnedFd>> {
        let Some(socket) = &self.socket else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let socket = socket.lock().unwrap_or_else(PoisonError::into_inner);
        let first = u32::try_from(of.first).map_err(io::Error::other)?;
        let packet = [b"a", &first.to_le_bytes()[..], of.path].concat();
        sys::send(socket.as_fd(), &packet, &[file.as_fd()])?;
        let mut buffer = [0; PACKET_BYTES];
        let (length, links) = sys::receive(socket.as_fd(), &mut buffer)?;
        match buffer.get(..length) {
            Some([b'l']) => Ok(links),
            Some([b'e', text @ ..]) => {
                let text = String::from_utf8_lossy(text);
                Err(io::Error::other(format!("the helper says: {text}")))
            }
            _ => Err(io::Error::other("the helper is gone")),
        }
    }
}

impl Drop for Assistant {
    fn drop(&mut self) {
        self.socket = None;
        drop(self.helper.wait());
    }
}

/// The helper's side: answers until gotrace has closed its end, or is gone.
pub(super) fn serve(socket: BorrowedFd<'_>, programs: &Programs, watch: &Watch) -> io::Result<()> {
    let mut buffer = [0; PACKET_BYTES];
    for number in 0.. {
        let (length, descriptors) = sys::receive(socket, &mut buffer)?;
        let Some(packet) = buffer.get(..length).filter(|packet| !packet.is_empty()) else {
            break;
        };
        let links = match number < MOST {
            true => answer(packet, descriptors, programs, watch),
            false => Err(format!("no more than {MOST} executables are watched")),
        };
        match links {
            Ok(links) => {
                let links: Vec<_> = links.iter().map(OwnedFd::as_fd).collect();
                sys::send(socket, b"l", &links)?;
            }
            Err(text) => sys::send(socket, &text_of(b'e', &text), &[])?,
        }
    }
    Ok(())
}

fn answer(
    packet: &[u8],
    descriptors: Vec<OwnedFd>,
    programs: &Programs,
    watch: &Watch,
) -> Result<Vec<OwnedFd>, String> {
    let wanted = "expected 'a', a number and a path, and one descriptor";
    let Ok([file]) = <[OwnedFd; 1]>::try_from(descriptors) else {
        return Err(wanted.to_owned());
    };
    let (number, path) = packet
        .strip_prefix(b"a")
        .and_then(|rest| rest.split_first_chunk())
        .ok_or_else(|| wanted.to_owned())?;
    let first = u32::from_le_bytes(*number) as usize;
    let file = File::from(file);
    may_be_watched(&file)?;
    let places = arm::places_of(watch, &file, Numbered { path, first })?;
    let attached = programs
        .attach(&file, &places)
        .map_err(|error| error.to_string())?;
    match attached.refused.into_iter().next() {
        None => Ok(attached.links),
        Some((offset, error)) => Err(format!("no probe at offset {offset:#x}: {error}")),
    }
}

/// Whether a file is the caller's own, or of a Go toolchain.
fn may_be_watched(file: &File) -> Result<(), String> {
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("not a plain file".to_owned());
    }
    let caller = nix::unistd::getuid().as_raw();
    if caller == 0 || metadata.uid() == caller {
        return Ok(());
    }
    let view = FileView::map(file).map_err(|error| error.to_string())?;
    let info = Elf::parse(view.bytes()).and_then(|elf| BuildInfo::of(&elf));
    match info {
        Ok(info) if TOOLCHAIN.contains(&info.path.as_str()) => Ok(()),
        _ => Err("it is neither yours nor of a Go toolchain: sudo gotrace run ...".to_owned()),
    }
}
