//! The bytes of a Mach-O file in; slices, load commands, symbols, bindings, signatures out.
//!
//! [`Slices`] takes a file apart: one for each architecture of a fat file, one for each member of
//! an archive. [`MachO`] reads the header and the load commands of one; whatever they point to is
//! read when it is asked for. Offsets in errors count from the start of the whole file.
//!
//! Read are 64-bit little-endian files (amd64, arm64, arm64e), which are all that macOS still
//! runs; slices of other architectures are listed, and not looked into.
//! Whether what is read makes sense is judged in [`crate::analyze::inspect`].

mod addition;
mod binding;
mod chain;
mod command;
mod cpu;
mod cursor;
mod export;
mod function_starts;
mod header;
mod name;
mod platform;
mod room;
mod segment;
pub mod signature;
mod slice;
mod stub;
mod symbol;
mod symbol_binding;
mod unwind;

pub use addition::{Addition, Gap, NewSegment};
pub use binding::{Bind, How, Provider};
pub use chain::Chained;
pub use command::{
    Command, Dylib, DylibUse, DynamicSymbols, Entry, LoadCommand, LoaderTables, Table, TableOf,
};
pub use cpu::Cpu;
pub use export::{Export, Exported};
pub use header::{FileType, Flags, MachO};
pub use name::{NamedPlace, plain_name};
pub use platform::{Platform, Target, Triple};
pub use segment::{Protection, Section, SectionType, Segment};
pub use slice::{Slice, SliceOf, Slices};
pub use stub::{NoStub, Stub};
pub use symbol::{Indirect, Place, Symbol, SymbolKind, Symbols};
pub use unwind::Unwinding;
