//! The trace file: append-only blocks of columns, see `docs/trace-format.md`.

mod error;
mod samples;
mod writer;

pub use error::Error;
pub use samples::{SampleBlock, SampleBlocks};
pub use writer::Writer;

/// What was found to be wrong with a file when it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Integrity {
    /// The file has no footer: its recorder was killed, or the file was cut.
    pub unsealed: bool,
    /// Bytes at the end that hold no whole block.
    pub cut_bytes: u64,
    /// Blocks that fail their checksum or do not decode, and were left out.
    pub damaged_blocks: u64,
}
