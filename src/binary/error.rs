//! What can be wrong with the bytes of an executable.

/// Why bytes could not be read as what they claim to be. Each names the object and the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file does not begin as an ELF file does.
    #[error("not an ELF file: expected 7f 45 4c 46 at its start, found {found:02x?}")]
    NotElf {
        /// Its first bytes, at most four.
        found: Vec<u8>,
    },
    /// The file does not begin as any file does that is read.
    #[error("neither an ELF nor a Mach-O file: it begins with {found:02x?}")]
    NoExecutable {
        /// Its first bytes, at most four.
        found: Vec<u8>,
    },
    /// The file does not begin as a Mach-O file does.
    #[error(
        "not a Mach-O file: expected cf fa ed fe, ca fe ba be or !<arch> at {offset:#x}, found {found:02x?}"
    )]
    NotMachO {
        /// Where it was to begin.
        offset: u64,
        /// Its first bytes, at most four.
        found: Vec<u8>,
    },
    /// A value is another one than what else the file says makes it.
    #[error("{what} at {offset:#x}: expected {expected}, found {found}")]
    Unexpected {
        /// What was read.
        what: &'static str,
        /// Offset in the file.
        offset: u64,
        /// What had to be there.
        expected: String,
        /// What was there.
        found: String,
    },
    /// A table that another reader could not make sense of.
    #[error("{what} at {offset:#x} cannot be read")]
    Table {
        /// Which one.
        what: &'static str,
        /// Offset in the file.
        offset: u64,
        /// Why.
        #[source]
        source: object::Error,
    },
    /// A format, or a version of one, that is not read.
    #[error("{what}: expected {expected}, found {found:#x}")]
    Unsupported {
        /// What was read.
        what: &'static str,
        /// What would have been understood.
        expected: &'static str,
        /// What was there.
        found: u64,
    },
    /// Something reaches beyond the end of what holds it.
    #[error("{what} at {offset:#x}: expected {length} bytes, found {available}")]
    CutShort {
        /// What was to be read.
        what: &'static str,
        /// Where it begins: an offset in the table or file that holds it.
        offset: u64,
        /// How long it is.
        length: u64,
        /// How much of it is there.
        available: u64,
    },
    /// A value contradicts what else the file says.
    #[error("{what} at {offset:#x}: {value:#x} cannot be")]
    Malformed {
        /// What was read.
        what: &'static str,
        /// Where: an offset in the table that holds it, or an address.
        offset: u64,
        /// What was there.
        value: u64,
    },
    /// The file does not have what was asked for.
    #[error("no {what}")]
    Missing {
        /// What.
        what: &'static str,
    },
    /// DWARF that could not be read.
    #[error("malformed debug information")]
    Dwarf(#[source] gimli::Error),
    /// A section of debug information that could not be read or unpacked.
    #[error("debug section {section} cannot be read")]
    DebugSection {
        /// Its name.
        section: &'static str,
        /// Why.
        #[source]
        source: object::Error,
    },
}

impl Error {
    /// The same, of bytes that begin `by` bytes further on than where it counts from.
    #[must_use]
    pub(super) fn further(mut self, by: u64) -> Self {
        match &mut self {
            Self::CutShort { offset, .. }
            | Self::Malformed { offset, .. }
            | Self::NotMachO { offset, .. }
            | Self::Unexpected { offset, .. }
            | Self::Table { offset, .. } => *offset = offset.saturating_add(by),
            _ => {}
        }
        self
    }
}
