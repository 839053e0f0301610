//! What dynamic loaders did, on its way from a backend to the recorder: in batches, for there may be
//! thousands of binds a millisecond.

use super::Monotonic;
use crate::trace::{BindHow, BindKind, ImageKind, LinkCause, LoadOrigin, Pid, SearchOutcome, Tid};

/// What the loader of one process did, in the order in which it did it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Which process.
    pub pid: Pid,
    /// What it did.
    pub events: Vec<Event>,
}

/// One thing that a loader did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When; of an interval, when it began.
    pub time: Monotonic,
    /// By which thread; the process's own number where that is not known.
    pub tid: Tid,
    /// What.
    pub what: What,
}

/// A number that a backend gives an image in one process, when it is loaded. It may be given
/// again when the image is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageNumber(pub u32);

/// What a loader did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// An image was loaded.
    Loaded(Box<Loaded>),
    /// An image was unloaded.
    Unloaded(ImageNumber),
    /// A symbol was bound.
    Bound(Bound),
    /// Images were relocated.
    Relocated {
        /// Until when.
        to: Monotonic,
        /// Why.
        cause: LinkCause,
        /// CPU time of the thread in it, in nanoseconds, where that was measured.
        cpu_ns: Option<u64>,
    },
    /// A library was looked for.
    Searched(Box<Searched>),
    /// Which loader the program asks for.
    Asks {
        /// Path of the loader as the program has it; empty for a static program.
        interpreter: Vec<u8>,
        /// Why the loader is not watched; empty where it is, or where there is none.
        unwatched: String,
    },
}

/// An image that was loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// What binds will call it.
    pub number: ImageNumber,
    /// Path as the loader has it; empty for the program itself; `[vdso]` for what the kernel has.
    pub path: Vec<u8>,
    /// Build id or UUID, or empty: then the recorder looks into the file.
    pub build_id: Vec<u8>,
    /// What it is.
    pub kind: ImageKind,
    /// As [`crate::trace::Load::cause`].
    pub cause: LinkCause,
    /// As [`crate::trace::Load::namespace`].
    pub namespace: u32,
    /// As [`crate::trace::Load::address`].
    pub address: Option<u64>,
    /// As [`crate::trace::Load::slide`].
    pub slide: Option<u64>,
    /// As [`crate::trace::Load::origin`].
    pub origin: LoadOrigin,
    /// As [`crate::trace::Load::paged_in`].
    pub paged_in: bool,
    /// As [`crate::trace::Load::translated`].
    pub translated: Option<(u64, u64)>,
}

/// A symbol that was bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// Who names the symbol.
    pub importer: ImageNumber,
    /// Who has it; `None` for a weak symbol that nobody has.
    pub provider: Option<ImageNumber>,
    /// The symbol.
    pub symbol: Box<[u8]>,
    /// What it was bound to.
    pub address: u64,
    /// The pointer that was filled, where that is known.
    pub slot: Option<u64>,
    /// How it came about.
    pub how: BindHow,
    /// What for.
    pub kind: BindKind,
}

/// A place where a library was looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Searched {
    /// The path that was tried.
    pub path: Vec<u8>,
    /// What sent the loader there, or empty.
    pub rule: &'static str,
    /// On behalf of which image, where that is known.
    pub importer: Option<ImageNumber>,
    /// What came of it.
    pub outcome: SearchOutcome,
    /// How often.
    pub count: u64,
}
