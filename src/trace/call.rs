//! Function entries and exits: the places that were watched, and what happened there.

use super::{Goid, ImageId, ImageOffset, Nanos, ProbeId, ProcessId, StringId, Tid};

/// One function of one image whose entries, and perhaps exits, were recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probe {
    /// Its number.
    pub id: ProbeId,
    /// The function's image.
    pub image: ImageId,
    /// The function, as a Go developer writes it.
    pub function: StringId,
    /// Its source file, or empty.
    pub file: StringId,
    /// Where an entry is seen.
    pub entry: ImageOffset,
    /// The instruction there (`push rbp`).
    pub instruction: StringId,
    /// What one entry costs on this machine, as calibrated.
    pub entry_cost: Nanos,
    /// At how many places its exits are seen; 0 where only entries were asked for.
    pub exits: u32,
    /// What one exit costs on this machine, as calibrated.
    pub exit_cost: Nanos,
    /// The set that named it, or empty where the user did.
    pub set: StringId,
    /// The phase that it marks, if any.
    pub phase: Option<PhaseMark>,
    /// How its first argument is to be read.
    pub argument: ArgumentKind,
}

impl Probe {
    /// The set of the function that gotrace watches for itself where it pairs calls: what
    /// goroutines end with.
    pub const ENDS_OF_GOROUTINES: &str = "ends of goroutines";
}

/// What a function's calls tell of the phases of its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseMark {
    /// What the phase is a part of (`compile`, `link`, `runtime`): phases of one track follow
    /// each other or lie in each other.
    pub track: StringId,
    /// Its name (`ssa`); empty where the call ends the track's phase and begins none.
    pub phase: StringId,
    /// When it is over.
    pub lasts: PhaseLasts,
    /// It goes on beside the tool's own phases (garbage collection), and is not one of them.
    pub beside: bool,
}

impl PhaseMark {
    /// The track whose marks divide the time of a goroutine, the one on whose stack or on whose
    /// behalf they were made, instead of that of its process.
    pub const GOROUTINES: &str = "goroutine";
}

/// When a phase that began with a call is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PhaseLasts {
    /// With the call.
    #[default]
    Call,
    /// With the next mark of its track that is no [`PhaseLasts::Call`], or with the process.
    UntilNext,
}

/// How the first argument of a function is to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ArgumentKind {
    /// It was not recorded.
    #[default]
    None,
    /// One machine word, of a type that is not known or no integer.
    Integer,
    /// A Go string, of which the first 64 bytes were recorded.
    Text,
    /// A signed integer of so many bytes: the lowest of the word that was recorded.
    Signed(u8),
    /// An unsigned integer of so many bytes, likewise.
    Unsigned(u8),
}

impl ArgumentKind {
    /// The number that a recorded word stands for. Registers hold anything above an integer that is
    /// narrower.
    #[must_use]
    pub fn number(self, word: u64) -> i128 {
        let unused = |bytes: u8| u64::BITS.saturating_sub(u32::from(bytes) * 8).min(63);
        match self {
            Self::Signed(bytes) => {
                let unused = unused(bytes);
                i128::from(word.cast_signed() << unused >> unused)
            }
            Self::Unsigned(bytes) => {
                let unused = unused(bytes);
                i128::from(word << unused >> unused)
            }
            Self::None | Self::Integer | Self::Text => i128::from(word),
        }
    }
}

/// A probe was taken away while the command ran, for it cost too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeDropped {
    /// Which.
    pub probe: ProbeId,
    /// When.
    pub at: Nanos,
    /// Hits until then.
    pub hits: u64,
    /// Of these, how many were not recorded.
    pub unrecorded: u64,
    /// Why, in words (`9.1 % of the command's CPU time, the limit is 4 %`).
    pub why: StringId,
}

/// A function was entered or left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallEvent {
    /// When.
    pub time: Nanos,
    /// In which program.
    pub process: ProcessId,
    /// On which thread.
    pub tid: Tid,
    /// On whose stack.
    pub stack: StackOwner,
    /// Which function.
    pub probe: ProbeId,
    /// Entered or left.
    pub edge: CallEdge,
    /// How many bytes below the high end of its stack the function's return address lies: equal
    /// at the entry and the exit of one call, whatever thread it is on and however often the
    /// stack has moved; larger in what it calls. Of stacks whose end is not known
    /// ([`StackOwner::Foreign`]), the distance from the end of the address space, the lowest 32
    /// bits: compare by the sign of the wrapped difference.
    pub depth: u32,
    /// First argument, at an entry, where it was asked for and could be read.
    pub argument: Option<Argument>,
}

/// All calls of a function that had the same callers, added up while they were recorded.
///
/// Rows come in preorder: a row's caller is the nearest one before it whose level is one less. Time that
/// a function spent itself is its total without those of the rows that it is the caller of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallTreeRow {
    /// In which program.
    pub process: ProcessId,
    /// How many callers it has in the tree; 0 for a root.
    pub level: u32,
    /// Which function.
    pub probe: ProbeId,
    /// Calls that ended: by a return, by a panic, with their process or with the recording. 0 where the
    /// row only leads to others, because these calls are in another block or did not end yet.
    pub calls: u64,
    /// Of these, how many ended without an exit that was seen.
    pub open: u64,
    /// Time from entry to end of all of them.
    pub total: Nanos,
}

/// Which of a function's edges was passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CallEdge {
    /// It began.
    #[default]
    Entry,
    /// It returned.
    Exit,
    /// It ended with a jump to another function, which returns in its place.
    TailJump,
}

/// Whose stack a call was on. Calls of different owners of one program do not nest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StackOwner {
    /// A goroutine's.
    Goroutine(Goid),
    /// A goroutine's whose number could not be read; the address of its `g` tells it from others
    /// that live at the same time.
    Unnumbered(u64),
    /// The thread's system stack (g0), perhaps on behalf of a goroutine.
    System(Option<Goid>),
    /// The thread's signal stack (gsignal).
    Signal,
    /// The thread's, which has no `g` (C code) or whose `g` could not be found.
    #[default]
    Foreign,
    /// A forked child that has not called exec: a copy of its parent's stack.
    Forked,
}

impl StackOwner {
    /// The number of the goroutine that it belongs to or works for, where that is known.
    #[must_use]
    pub const fn goroutine(self) -> Option<Goid> {
        match self {
            Self::Goroutine(goid) => Some(goid),
            Self::System(goid) => goid,
            Self::Unnumbered(_) | Self::Signal | Self::Foreign | Self::Forked => None,
        }
    }
}

/// The first argument of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Argument {
    /// One machine word.
    Integer(u64),
    /// The first bytes of a string.
    Text(StringId),
}
