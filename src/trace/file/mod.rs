//! The trace file: append-only blocks of columns, see `docs/trace-format.md`.
//!
//! Records and samples come in and become bytes; bytes come in and become a [`Trace`], with
//! [`Integrity`] saying what was wrong with them. Nothing here knows what the records mean.
//!
//! [`Trace`]: crate::trace::Trace

#![warn(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation
)]

mod bindings;
mod blocks;
mod bytes;
mod call_trees;
mod calls;
mod columns;
mod disk;
mod error;
mod intern;
mod layout;
mod reader;
mod records;
mod recover;
mod samples;
mod sink;
mod tables;
mod threads;
mod writer;

pub use bindings::BindingBlock;
pub use blocks::Blocks;
pub use call_trees::CallTreeBlock;
pub use calls::CallBlock;
pub use error::Error;
pub use layout::MAGIC;
pub use recover::{Recovered, recover};
pub use samples::SampleBlock;
pub use writer::Writer;

/// All samples of a trace.
pub type SampleBlocks = Blocks<SampleBlock>;
/// All function entries and exits of a trace.
pub type CallBlocks = Blocks<CallBlock>;
/// All call trees of a trace.
pub type CallTreeBlocks = Blocks<CallTreeBlock>;
/// All bindings of a trace.
pub type BindingBlocks = Blocks<BindingBlock>;

/// What was found to be wrong with a file when it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Integrity {
    /// The file has no footer: its recorder was killed, or the file was cut.
    pub unsealed: bool,
    /// The header fails its checksum: wall-clock times are not known.
    pub damaged_header: bool,
    /// Bytes at the end that hold no whole block.
    pub cut_bytes: u64,
    /// Blocks that fail their checksum or do not decode, and were left out.
    pub damaged_blocks: u64,
    /// Rows of tables and records that were in damaged blocks, as far as that is known.
    pub missing_rows: u64,
    /// Samples that were in damaged blocks, as far as that is known.
    pub lost_samples: u64,
    /// Function entries and exits, and rows of call trees, that were in damaged blocks, likewise.
    pub lost_calls: u64,
    /// Bindings that were in damaged blocks, likewise.
    pub lost_bindings: u64,
    /// Records, or parts of them, that name something that is not there, and were left out.
    pub undefined: u64,
    /// Blocks of kinds that only a later gotrace knows.
    pub unknown_blocks: u64,
    /// Records of kinds that only a later gotrace knows.
    pub unknown_records: u64,
}
