//! What dyld prints of a process, as macOS writes it to `DYLD_PRINT_TO_FILE`: bytes in, events out.
//!
//! ```text
//! bytes ─► demux: whose line is it ─► line: what form has it ─► process: what does it belong to ─► Event
//! ```
//!
//! The file has no times, and one pid may be of several programs, one after the other. What cannot be
//! told from it:
//!
//! - a program that replaces another in the same process, or gets the number of one that has ended,
//!   begins with `Kernel mapped`, and is told by that alone: without `DYLD_PRINT_SEGMENTS` it is not;
//!   whether it is the same process is not in the file either way;
//! - when a process ends; so what is known of one is kept until others need the room;
//! - which slots of an image with chained fixups were written: the kernel fills them as their pages
//!   are first touched, and dyld prints the targets alone ([`Event::PagedIn`]; some images are linked
//!   so by dyld itself, and say nothing). Where dyld fixes such an image up at once it prints slots
//!   and values, and the symbol is told by the value;
//! - libraries in the dyld cache are bound when the cache is made: they are loaded, and bind nothing;
//! - why a program did not start: dyld says that on the standard error, in lines of the same form
//!   ([`Event::Failed`]), and never in this file.

mod demux;
mod images;
mod line;
mod pattern;
mod process;
#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "the numbers of tests are small"
)]
mod tests;

use crate::trace::{Avma, ImageOffset, Pid};
use demux::Demux;
use process::Processes;
use std::sync::Arc;

/// A path or a name, kept once for each process.
pub type Name = Arc<[u8]>;

/// How an image came to be in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The kernel mapped it: the program itself.
    Kernel,
    /// dyld mapped a file: what it needs begins there, in a file of several architectures.
    File {
        /// Offset in the file.
        slice: u64,
    },
    /// It is a part of the dyld cache.
    Cache,
    /// The lines that would say it were not printed.
    Unsaid,
}

/// A segment in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// `__TEXT`, ...
    pub name: Vec<u8>,
    /// `r.x`, ...
    pub rights: Vec<u8>,
    /// First address.
    pub start: Avma,
    /// Address after the last. Of a file only what is in it: zeroes behind it are not counted.
    pub end: Avma,
}

/// An image was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Its path.
    pub path: Name,
    /// Its UUID.
    pub uuid: Option<[u8; 16]>,
    /// Where it came from.
    pub origin: Origin,
    /// Its segments, where they were printed, without that of translated code.
    pub segments: Vec<Segment>,
    /// Where Rosetta put the code that it had translated before, if it had.
    pub translated: Option<(Avma, Avma)>,
    /// By `dlopen`, not at the start.
    pub opened: bool,
}

impl Loaded {
    /// Where its header is.
    #[must_use]
    pub fn header(&self) -> Option<Avma> {
        images::header(&self.segments)
    }
}

/// A slot that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Where.
    pub address: Avma,
    /// Distance from its image's header, where it lies in an image that was printed.
    pub offset: Option<ImageOffset>,
    /// The number of the target was printed with it. If not, it is the one with this address.
    pub numbered: bool,
}

/// How a symbol was bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// To this address.
    Bound(Avma),
    /// To nothing, which was allowed.
    Missing,
}

/// A symbol was bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Which image needs it: its path, or its name where its path was not printed.
    pub importer: Name,
    /// Which symbol; empty where dyld did not say.
    pub symbol: Vec<u8>,
    /// Which image has it, or was expected to; `None` where dyld did not say or there is none.
    pub provider: Option<Name>,
    /// To what.
    pub outcome: Outcome,
    /// Which slot was written; `None` where none was printed.
    pub slot: Option<Slot>,
    /// It may be overridden by a definition in another image.
    pub weak: bool,
    /// While a `dlopen` was under way.
    pub opened: bool,
}

/// How the look at a path ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Looked {
    /// It was taken; dyld's word for how.
    Found(Vec<u8>),
    /// There is nothing.
    Missing,
    /// The system said no: an error number.
    Errno(u64),
    /// There is something that cannot be used, and why.
    Unusable(Vec<u8>),
}

/// One thing that dyld told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A program begins in this process, and whatever ran in it before has ended.
    Began {
        /// Path of the program.
        path: Name,
    },
    /// An image was loaded.
    Loaded(Loaded),
    /// An image was taken out of memory.
    Unloaded {
        /// Its path.
        path: Name,
        /// Where it was.
        range: (Avma, Avma),
    },
    /// The kernel links this image page by page: its slots are not printed.
    PagedIn {
        /// Its path.
        path: Name,
    },
    /// A symbol was bound.
    Bound(Bound),
    /// An initializer runs.
    Initializer {
        /// Its function.
        address: Avma,
        /// The image's path.
        path: Name,
    },
    /// A path was looked at for a library.
    Searched {
        /// What was asked for.
        wanted: Name,
        /// Where it was looked for.
        path: Vec<u8>,
        /// How that ended.
        looked: Looked,
    },
    /// Binds to an address go to another one.
    Interposed {
        /// The library that asks for it.
        by: Vec<u8>,
        /// The symbol.
        symbol: Vec<u8>,
        /// From this address.
        from: Avma,
        /// To this one.
        to: Avma,
    },
    /// The program looked a symbol up by name.
    LookedUp {
        /// The symbol.
        symbol: Vec<u8>,
        /// Where it is; `None` where it is not.
        address: Option<Avma>,
        /// The image that this lies in, where its segments were printed.
        provider: Option<Name>,
    },
    /// A program or a `dlopen` failed: dyld's words.
    Failed {
        /// All lines.
        why: Vec<u8>,
    },
}

/// What is known to be missing from the events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shortfall {
    /// Lines that could be of one process or another, and were given to the one that began first.
    pub ambiguous: u64,
    /// Lines of no process, of no known form, or without an end.
    pub unread: u64,
    /// Slots whose target was not printed before.
    pub unjoined: u64,
    /// Targets that were given up to keep memory within bounds.
    pub forgotten: u64,
}

impl Shortfall {
    /// Adds that of another log.
    pub fn add(&mut self, other: &Self) {
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        add(&mut self.ambiguous, other.ambiguous);
        add(&mut self.unread, other.unread);
        add(&mut self.unjoined, other.unjoined);
        add(&mut self.forgotten, other.forgotten);
    }

    /// What is missing: of what, how many, and why.
    #[must_use]
    pub const fn words(&self) -> [(&'static str, u64, &'static str); 4] {
        [
            (
                "lines of dyld",
                self.unread,
                "of no known form, of no process, or without an end",
            ),
            (
                "lines of dyld",
                self.ambiguous,
                "processes wrote at once, and it could not be told whose they are: some are with another process",
            ),
            (
                "slots of binds",
                self.unjoined,
                "their targets were not printed before",
            ),
            ("slots of binds", self.forgotten, "too many targets at once"),
        ]
    }
}

/// Reads a log, in pieces of any size.
#[derive(Debug, Default)]
pub struct DyldLog {
    demux: Demux,
    processes: Processes,
}

impl DyldLog {
    /// Reads on. Events of a process come in the order in which they happened.
    pub fn feed(&mut self, bytes: &[u8], out: &mut dyn FnMut(Pid, Event)) {
        let Self { demux, processes } = self;
        demux.feed(bytes, &mut |pid, line| processes.line(pid, line, out));
    }

    /// The log ends here: tells what was still open, and what is missing.
    pub fn finish(&mut self, out: &mut dyn FnMut(Pid, Event)) -> Shortfall {
        let Self { demux, processes } = self;
        let untold = demux.finish(&mut |pid, line| processes.line(pid, line, out));
        let missing = processes.finish(out);
        let lines = [
            untold.strays,
            untold.unfinished,
            untold.too_long,
            missing.unknown,
        ];
        Shortfall {
            ambiguous: untold.ambiguous,
            unread: lines.into_iter().fold(0, u64::saturating_add),
            unjoined: missing.unjoined,
            forgotten: missing.forgotten,
        }
    }
}
