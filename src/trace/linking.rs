//! Dynamic linking: the images that came into programs, what their symbols were bound to, what was
//! searched for, and what the files of images ask of the loader.

use super::{Avma, ImageId, ImageOffset, Nanos, ProcessId, StringId, Tid};

/// What led a dynamic loader to load images and to relocate them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkCause {
    /// The program began: what it needs, and what that needs.
    #[default]
    Start,
    /// The program asked for it while it ran (`dlopen`).
    Dlopen,
}

/// An image came into a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// When.
    pub time: Nanos,
    /// Into which program.
    pub process: ProcessId,
    /// By which thread.
    pub tid: Tid,
    /// What.
    pub image: ImageId,
    /// Why.
    pub cause: LinkCause,
    /// Which of the program's namespaces of symbols it came into: 0 the first one, others are
    /// made by `dlmopen`.
    pub namespace: u32,
    /// Where the first byte of its file lies, where that is known.
    pub address: Option<Avma>,
    /// How far it lies from where its file states it, where the loader tells: actual minus
    /// stated addresses, around the end of the address space.
    pub slide: Option<u64>,
    /// How its contents came.
    pub origin: LoadOrigin,
    /// The kernel fills its slots when it reads their pages: they are not told of one by one.
    pub paged_in: bool,
    /// Where code that was made of it ahead of time, for another processor, was mapped: first
    /// address, and the one after the last.
    pub translated: Option<(Avma, Avma)>,
}

/// How the contents of an image came into memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LoadOrigin {
    /// From its file.
    #[default]
    File,
    /// With the cache of libraries that all programs share (macOS).
    SharedCache,
}

/// An image left a program that goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unload {
    /// When.
    pub time: Nanos,
    /// Out of which program.
    pub process: ProcessId,
    /// By which thread.
    pub tid: Tid,
    /// What.
    pub image: ImageId,
    /// As [`Load::namespace`].
    pub namespace: u32,
}

/// A symbol that one image names was bound to the definition that another one has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Binding {
    /// When.
    pub time: Nanos,
    /// In which program.
    pub process: ProcessId,
    /// By which thread.
    pub tid: Tid,
    /// The image that names the symbol.
    pub importer: ImageId,
    /// The image that has it; `None` for a weak symbol that none has.
    pub provider: Option<ImageId>,
    /// The symbol, as the files have it.
    pub symbol: StringId,
    /// What it was bound to: 0 where there is no provider.
    pub address: Avma,
    /// The pointer that was filled, where that is known.
    pub slot: Option<Avma>,
    /// When and by whom.
    pub how: BindHow,
    /// What for.
    pub kind: BindKind,
}

/// How a bind came about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BindHow {
    /// When the importer was loaded.
    #[default]
    Eager,
    /// At the first call.
    Lazy,
    /// The program asked for the symbol by name (`dlsym`).
    Dlsym,
    /// It was not seen: worked out from the importer's relocations and the order of loads.
    Derived,
}

/// What a bind is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BindKind {
    /// Calls through a stub (`JUMP_SLOT`, `__got` of a stub).
    #[default]
    Call,
    /// A pointer to data or to a function (`GLOB_DAT`, `COPY`, ...).
    Data,
}

/// A time in which a loader relocated images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Linking {
    /// From when,
    pub from: Nanos,
    /// until when.
    pub to: Nanos,
    /// In which program.
    pub process: ProcessId,
    /// By which thread.
    pub tid: Tid,
    /// Why.
    pub cause: LinkCause,
    /// CPU time of the thread in it, where that was measured.
    pub cpu: Option<Nanos>,
}

/// A place where a loader looked for a library.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// When it first looked there.
    pub time: Nanos,
    /// In which program.
    pub process: ProcessId,
    /// The path that was tried.
    pub path: StringId,
    /// What sent it there (`LD_LIBRARY_PATH`, `runpath`, ...), or empty.
    pub rule: StringId,
    /// On behalf of which image, where that is known.
    pub importer: Option<ImageId>,
    /// What came of it.
    pub outcome: SearchOutcome,
    /// How often it looked there.
    pub count: u64,
}

/// What came of a search.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SearchOutcome {
    /// The library was not there.
    #[default]
    Missed,
    /// It was there, and was taken.
    Found,
    /// It was there, and could not be taken (another architecture, ...).
    Refused,
}

/// Which dynamic loader a program asks for: a fact of each program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interpreter {
    /// Which program.
    pub process: ProcessId,
    /// The loader that its file names (`/lib64/ld-linux-x86-64.so.2`); empty for a static program,
    /// which has nothing to bind, and where it is not known.
    pub path: StringId,
    /// Why what the loader did was not watched; empty where it was, or where there is none.
    pub unwatched: StringId,
}

/// What the file of an image asks of the loader, read once, when the command had ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageNeeds {
    /// Which.
    pub image: ImageId,
    /// The name by which others name it (`DT_SONAME`), or empty.
    pub own_name: StringId,
    /// Its segments: where they are to lie.
    pub segments: Vec<Segment>,
    /// The libraries that it names, in its order.
    pub libraries: Vec<StringId>,
    /// How much of it is relocated.
    pub relocations: RelocationCounts,
    /// It is bound when it is loaded, and not at first calls.
    pub bind_now: bool,
    /// It looks into itself first (`DT_SYMBOLIC`).
    pub symbolic: bool,
    /// The symbols that it wants bound.
    pub imports: Vec<Import>,
    /// Imports that were too many to be kept.
    pub left_out: u64,
    /// Of what it defines, the symbols that some image of the trace imports.
    pub offers: Vec<Offer>,
    /// Why some or all of this could not be read, or empty.
    pub unread: StringId,
}

/// A part of an image that is loaded as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Where it begins in the file.
    pub offset: ImageOffset,
    /// The address that the file states for that byte.
    pub stated: u64,
    /// Its length in memory.
    pub length: u64,
    /// How much of that is in the file.
    pub in_file: u64,
    /// Code may run there.
    pub executable: bool,
}

/// How many relocations of each kind an image has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RelocationCounts {
    /// The slide is added to a pointer: no symbol is looked up.
    pub relative: u64,
    /// Slots of calls.
    pub jump_slot: u64,
    /// Pointers to symbols.
    pub data: u64,
    /// Data that is copied out of a library.
    pub copy: u64,
    /// All else.
    pub other: u64,
}

impl RelocationCounts {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.relative
            .saturating_add(self.with_symbols())
            .saturating_add(self.other)
    }

    /// Those for which a symbol is looked up.
    #[must_use]
    pub const fn with_symbols(&self) -> u64 {
        self.jump_slot
            .saturating_add(self.data)
            .saturating_add(self.copy)
    }
}

/// A symbol that a file wants bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Import {
    /// The symbol.
    pub symbol: StringId,
    /// The version that it is to have (`GLIBC_2.34`), or empty.
    pub version: StringId,
    /// The library that is to have it, where the file names one (Mach-O by number, ELF by
    /// version), or empty.
    pub library: StringId,
    /// The stated address of the pointer that is filled, the first one where there are several.
    pub slot: u64,
    /// The stated address of the stub that jumps through it, where there is one.
    pub stub: Option<u64>,
    /// What for.
    pub kind: ImportKind,
    /// It may be missing.
    pub weak: bool,
    /// How many pointers are filled.
    pub places: u64,
}

/// What a symbol is wanted for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ImportKind {
    /// Calls through a stub.
    #[default]
    Call,
    /// A pointer to data or to a function.
    Data,
    /// A copy of a library's variable, within the program.
    Copy,
    /// A thread-local variable.
    ThreadLocal,
}

/// A symbol that a file defines, as a loader finds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Offer {
    /// The symbol.
    pub symbol: StringId,
    /// Its version, or empty.
    pub version: StringId,
    /// Number of the version in the file; 0 in a file without versions.
    pub number: u32,
    /// Only who names the version gets it.
    pub hidden: bool,
    /// There is one in the whole program, whatever is loaded from where (`STB_GNU_UNIQUE`).
    pub unique: bool,
    /// The file itself always keeps to it.
    pub protected: bool,
    /// It is a stub that stands for another library's function: not for calls.
    pub stub: bool,
}
