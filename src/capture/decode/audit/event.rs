//! One event: a cell's fields and its text in, [`Event`] out.

use super::layout::{cell, flag, kind};
use crate::capture::Monotonic;
use crate::trace::Tid;

/// One call of a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub time: Monotonic,
    /// In which thread.
    pub tid: Tid,
    /// What.
    pub what: What,
}

/// What a hook was told. Images are numbered in the order of their opening, from 1: the program
/// itself. 0 is an image that the library has lost sight of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The program's executable.
    Program(Vec<u8>),
    /// Its arguments, each ended by a zero byte.
    Arguments {
        /// The bytes.
        argv: Vec<u8>,
        /// There are more.
        cut: bool,
    },
    /// Its working directory.
    Folder(Vec<u8>),
    /// The package that the go command runs it for.
    Package(Vec<u8>),
    /// It starts others in another root, where nothing tells of them.
    Leaves,
    /// An image was opened.
    Opened {
        /// Its number.
        image: u32,
        /// Path as ld.so has it; empty for the program itself.
        path: Vec<u8>,
        /// Actual minus stated addresses.
        slide: u64,
        /// Namespace of symbols.
        namespace: u32,
        /// A fork has it from its parent.
        inherited: bool,
    },
    /// An image was closed.
    Closed(u32),
    /// A symbol was bound.
    Bound {
        /// Who names it.
        importer: u32,
        /// Who has it.
        provider: u32,
        /// Its name.
        symbol: Box<[u8]>,
        /// Where it is.
        address: u64,
        /// How that came about.
        how: How,
    },
    /// A library was looked for.
    Searched {
        /// By which image.
        image: u32,
        /// The name that was asked for, or a path that is tried.
        path: Vec<u8>,
        /// `LA_SER_...`.
        rule: u32,
    },
    /// The link map changes, or is consistent again: `LA_ACT_...`.
    Activity {
        /// The first image of the namespace.
        image: u32,
        /// What begins.
        action: u32,
        /// CPU time since relocation began, in nanoseconds, if the link map is consistent again.
        cpu_ns: u64,
    },
    /// The program's `main` is about to run.
    Started,
    /// The process ends by way of `exit`.
    Ending,
}

/// How a bind came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// When the importer was relocated.
    Eager,
    /// At the first call.
    Lazy,
    /// By `dlsym`.
    AskedFor,
}

/// The fields of a first cell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    pub(super) kind: u8,
    pub(super) count: u8,
    pub(super) text_bytes: u16,
    time: u64,
    tid: u32,
    image: u32,
    other: u32,
    flags: u32,
    address: u64,
}

impl Fields {
    /// Reads the fields; nothing where there are too few bytes.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            kind: *bytes.get(cell::KIND)?,
            count: *bytes.get(cell::COUNT)?,
            text_bytes: u16::from_ne_bytes(array(bytes, cell::TEXT_BYTES)?),
            time: u64::from_ne_bytes(array(bytes, cell::TIME)?),
            tid: u32::from_ne_bytes(array(bytes, cell::TID)?),
            image: u32::from_ne_bytes(array(bytes, cell::IMAGE)?),
            other: u32::from_ne_bytes(array(bytes, cell::OTHER)?),
            flags: u32::from_ne_bytes(array(bytes, cell::FLAGS)?),
            address: u64::from_ne_bytes(array(bytes, cell::ADDRESS)?),
        })
    }

    /// The event, with its text; nothing where its kind is not known.
    pub(super) fn event(&self, text: &[u8]) -> Option<Event> {
        let image = self.image;
        let what = match self.kind {
            kind::PROGRAM => What::Program(text.to_vec()),
            kind::ARGUMENTS => What::Arguments {
                argv: text.to_vec(),
                cut: self.flags & flag::CUT != 0,
            },
            kind::FOLDER => What::Folder(text.to_vec()),
            kind::PACKAGE => What::Package(text.to_vec()),
            kind::LEAVES => What::Leaves,
            kind::OPENED => What::Opened {
                image,
                path: text.to_vec(),
                slide: self.address,
                namespace: self.other,
                inherited: self.flags & flag::INHERITED != 0,
            },
            kind::CLOSED => What::Closed(image),
            kind::BOUND => What::Bound {
                importer: image,
                provider: self.other,
                symbol: text.into(),
                address: self.address,
                how: match self.flags {
                    flags if flags & flag::ASKED_FOR != 0 => How::AskedFor,
                    flags if flags & flag::LAZY != 0 => How::Lazy,
                    _ => How::Eager,
                },
            },
            kind::SEARCHED => What::Searched {
                image,
                path: text.to_vec(),
                rule: self.flags,
            },
            kind::ACTIVITY => What::Activity {
                image,
                action: self.flags,
                cpu_ns: self.address,
            },
            kind::STARTED => What::Started,
            kind::ENDING => What::Ending,
            _ => return None,
        };
        Some(Event {
            time: Monotonic(self.time),
            tid: Tid(self.tid),
            what,
        })
    }
}

/// `N` bytes at a place.
pub(super) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}
