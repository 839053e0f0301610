//! What Rosetta 2 keeps of the programs that it translates.
//!
//! Two kinds of facts. Those that xnu and dyld promise: which register of the machine holds which of the
//! program's ([`registers`]), the tags of Rosetta's memory ([`regions`]), and the chain of frames, which is the
//! program's own ([`super::frames`]). And private structures of one runtime, known by its UUID: the tree of translated
//! pieces ([`fragments`]) and the map from each piece's instructions back to the program's ([`offset_map`]). These
//! are experimental: what is not exactly as expected is refused, and the sample has no innermost frame.
//!
//! Nothing here locks anything: Rosetta changes its tree while it is read. Every step checks what it reads.

pub mod fragments;
pub mod offset_map;
pub mod regions;
pub mod registers;

/// Why a translated place has no place in the program: something was not as expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Torn {
    /// Memory that must be there is not.
    #[error("Rosetta's memory at {0:#x}: cannot be read")]
    Unmapped(u64),
    /// A pointer to a piece that points to nowhere.
    #[error("translated piece at {0:#x}: no address of one")]
    Pointer(u64),
    /// A piece without code, or with more than a piece has.
    #[error("translated piece at {0:#x}: {1} bytes of code")]
    Size(u64, u32),
    /// A piece of a kind that has not been seen.
    #[error("translated piece at {0:#x}: expected kind 0 or 4, found {1}")]
    Kind(u64, u8),
    /// The tree has no end.
    #[error("tree of translated pieces: deeper than {0}")]
    Depth(u32),
    /// A translated piece without a map.
    #[error("translated piece at {0:#x}: has no map")]
    NoMap(u64),
    /// A map that is coded in a way that has not been seen.
    #[error("map of a translated piece at {0:#x}: unknown coding")]
    Coding(u64),
    /// Parts of a map that do not fit into it.
    #[error("map of a translated piece at {0:#x}: its parts do not fit")]
    Parts(u64),
    /// The map's code ends in the middle of a step, or makes a step of no length.
    #[error("map of a translated piece at {0:#x}: its code is damaged")]
    Code(u64),
    /// The map leads out of the piece.
    #[error("map of a translated piece at {0:#x}: leads behind its end")]
    Outside(u64),
}
