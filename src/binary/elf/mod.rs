//! The bytes of an ELF file in; segments, sections, symbols and notes out.
//!
//! Read are 64-bit little-endian files (amd64, arm64), and for [`Dynamic`] 32-bit ones, too. Only the headers are read at once;
//! damaged or missing section headers are no error, for a program runs without them.

mod dynamic;
mod header;
mod note;
mod relocation;
mod symbol;

pub use dynamic::{
    Class, Counts, Dynamic, DynamicRelocation, DynamicSymbol, Flags, Reach, RelocationKind,
    Version, Visibility,
};
pub use header::{Elf, Kind, Machine, Section, Tls};
pub use relocation::{Relocation, Relocations};
pub use symbol::{Binding, Symbol, Symbols};
