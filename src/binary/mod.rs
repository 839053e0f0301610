//! Bytes of executables in, facts out: ELF, Mach-O, stubs of libraries, Go's pclntab and build info.
//! No I/O, no trace.
//!
//! Whatever is read here may be cut short or made to mislead: every read is checked, an offset
//! out of bounds is an [`Error`], and nothing is read before it is asked for.
#![warn(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation
)]

mod address;
mod bytes;
pub mod dwarf;
pub mod elf;
mod error;
pub mod go;
pub mod instruction;
pub mod linkable;
pub mod macho;
mod memory;
pub mod tbd;
pub mod trampoline;

pub use address::{FileOffset, Svma};
pub use error::Error;
pub use memory::{Load, Memory};
