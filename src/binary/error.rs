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
