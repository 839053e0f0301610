//! The rules, and what happens where one is broken.

use crate::binary::FileOffset;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It works, and something else is misled, or was passed over.
    Warning,
    /// It does not build or load, is killed, or crashes.
    Error,
}

impl Level {
    /// `error`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

macro_rules! rules {
    ($($rule:ident, $level:ident, $id:literal, $holds:literal, $else:literal;)+) => {
        /// What must hold for a Mach-O file. One rule has one id.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Rule {
            $(#[doc = $holds] $rule,)+
        }

        impl Rule {
            /// All rules, in the order in which they are checked.
            pub const ALL: &[Self] = &[$(Self::$rule),+];

            /// What the rule is called: letters and dashes.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$rule => $id),+ }
            }

            /// What holds where it is not broken.
            #[must_use]
            pub const fn holds(self) -> &'static str {
                match self { $(Self::$rule => $holds),+ }
            }

            /// What happens where it is.
            #[must_use]
            pub const fn consequence(self) -> &'static str {
                match self { $(Self::$rule => $else),+ }
            }

            /// How bad that is.
            #[must_use]
            pub const fn level(self) -> Level {
                match self { $(Self::$rule => Level::$level),+ }
            }
        }
    };
}

rules! {
    SegmentFile, Error, "segment-file", "The bytes of a segment are in the file, and no more than its memory holds.",
        "the kernel refuses to run it: malformed Mach-O file";
    SegmentOverlap, Error, "segment-overlap", "No two segments lie on each other in memory.",
        "the kernel or dyld refuses to load it";
    SectionBounds, Error, "section-bounds", "A section lies within its segment.",
        "dyld refuses to load it when it was built with SDK 11 or newer, and tools read beyond it";
    SegmentOrder, Error, "segment-order", "Load commands have segments in the order of their addresses.",
        "dyld refuses to load it: programs built with SDK 26 or newer must keep the order";
    SegmentName, Error, "segment-name", "No two segments have one name.",
        "dyld refuses to load it: programs built with SDK 26 or newer must have unique names";
    TextWritable, Error, "text-writable", "__TEXT may be run and not be written to.",
        "dyld refuses to load it, and the kernel kills it when a page is first run";
    LinkEditWritable, Error, "linkedit-writable", "__LINKEDIT may only be read.",
        "dyld refuses to load it: programs built with SDK 26 or newer must have it read-only";
    DataProtection, Error, "data-protection", "Segments of data may be read and written to, and not run.",
        "dyld refuses to load it: programs built with SDK 26 or newer must have them so";
    DataConstFlag, Error, "data-const-flag", "The segment of constant data is marked to be read-only once it is filled.",
        "dyld refuses to load it: __DATA_CONST segment missing SG_READ_ONLY flag";
    EntryOutside, Error, "entry-outside", "The program begins in code.",
        "the process crashes before its first instruction";
    UuidMissing, Error, "uuid-missing", "There is a UUID.",
        "dyld refuses to load it: missing LC_UUID load command";
    LibraryNone, Error, "library-none", "Some library is needed, if only libSystem.",
        "dyld refuses to load it: missing LC_LOAD_DYLIB";
    LibraryTwice, Error, "library-twice", "No library is named twice.",
        "dyld refuses to load it: programs built with SDK 26 or newer may name a library once";
    RunPathTwice, Error, "rpath-twice", "No folder is searched twice.",
        "dyld refuses to load it: programs built with SDK 26 or newer may name an rpath once";
    TableUnread, Error, "table-unread", "Symbols, imports and exports can be read.",
        "dyld refuses to load it: malformed tables";
    BindLibrary, Error, "bind-library", "An import names a library that there is.",
        "dyld refuses to load it: the number of the library is out of range";
    BindPlace, Error, "bind-place", "An import is put into a segment that may be written to.",
        "dyld refuses to load it, or crashes when it writes there";
    SlotUnbound, Error, "slot-unbound", "The pointer of an import is filled.",
        "the process crashes at the first call: it jumps to address 0";
    SlotTwice, Error, "slot-bound-twice", "A pointer is filled once.",
        "which of two functions a call reaches depends on the order in which dyld reads its tables";
    StubSize, Error, "stub-size", "A section of stubs holds whole stubs.",
        "the last stub is cut, and a call of it runs into what follows";
    StubEmpty, Error, "stub-empty", "No stub is zeroes or padding.",
        "the process crashes when it calls this import: the stub was never filled";
    StubCode, Error, "stub-code", "A stub jumps through a pointer, and does nothing else.",
        "a call of this import runs other code";
    StubTarget, Error, "stub-target", "A stub jumps through the pointer of its own symbol.",
        "a call of one function reaches another one";
    IndirectSymbol, Warning, "indirect-symbol", "The table of indirect symbols names what is bound.",
        "debuggers, disassemblers and profilers show the wrong name for calls through it";
    SignatureMissing, Error, "signature-missing", "A file for arm64 is signed, if only ad hoc.",
        "the kernel kills the process when it starts: Code Signature Invalid";
    SignatureForm, Error, "signature-form", "The signature can be read.",
        "the kernel refuses the signature and kills the process when it starts";
    SignatureLimit, Error, "signature-limit", "All that stands before the signature is signed, page by page.",
        "the kernel kills the process when it reads what is not covered";
    SpecialSlot, Error, "special-slot", "Hashes of requirements and entitlements are those of what is there.",
        "the kernel refuses the signature and kills the process when it starts";
    PageHash, Error, "page-hash", "The hash of each page is the one that was signed.",
        "the kernel kills the process when the page is first read: Code Signature Invalid";
}

/// A rule that is broken, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which one.
    pub rule: Rule,
    /// `__TEXT,__text`, or a segment, where it is in one.
    pub section: Option<String>,
    /// Where in the file.
    pub offset: FileOffset,
    /// What had to be there.
    pub expected: String,
    /// What is.
    pub found: String,
}
