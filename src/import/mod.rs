//! Recordings of other tools to traces: perf.data, and folded stacks.
//!
//! Bytes come in, records go to a [`Writer`]. What a foreign format does not hold (arguments,
//! actions, names) stands in the trace as a blind spot, and the setting [`crate::trace::IMPORTED`] says where
//! it is from. Nothing here looks at another file: names are looked up afterwards, by who has the binaries.

#![warn(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation
)]

mod bytes;
mod error;
mod folded;
mod notes;
mod perf;

pub use error::Error;
pub use folded::Folded;
pub use perf::PerfData;

use crate::trace::ClockAnchor;
use crate::trace::file::Writer;

/// What a recording can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// What `perf record` writes, to a file or to a pipe.
    Perf,
    /// Folded stacks: a line for each, as flamegraph tools read them.
    Folded,
}

/// A recording that is to become a trace.
#[derive(Debug)]
pub enum Foreign<'a> {
    /// Of `perf record`.
    Perf(Box<PerfData<'a>>),
    /// Folded stacks.
    Folded(Folded<'a>),
}

/// What was read of a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Samples; of folded stacks, lines.
    pub samples: u64,
    /// Programs.
    pub processes: u64,
}

impl<'a> Foreign<'a> {
    /// Reads what stands before the first sample. Without a format, what begins as perf.data does is
    /// that, and all else folded stacks.
    ///
    /// # Errors
    ///
    /// When it is of no format that is read; the error names the offset or line.
    pub fn open(bytes: &'a [u8], format: Option<Format>) -> Result<Self, Error> {
        let found = if perf::begins(bytes) {
            Format::Perf
        } else {
            Format::Folded
        };
        match format.unwrap_or(found) {
            Format::Perf => PerfData::open(bytes).map(|perf| Self::Perf(Box::new(perf))),
            Format::Folded => Folded::open(bytes).map(Self::Folded),
        }
    }

    /// The clocks that its trace is to be begun with.
    #[must_use]
    pub const fn anchor(&self) -> ClockAnchor {
        match self {
            Self::Perf(perf) => perf.anchor(),
            Self::Folded(_) => ClockAnchor {
                monotonic_ns: 0,
                unix_ns: 0,
            },
        }
    }

    /// Which format it is of.
    #[must_use]
    pub const fn format(&self) -> Format {
        match self {
            Self::Perf(_) => Format::Perf,
            Self::Folded(_) => Format::Folded,
        }
    }

    /// Writes it as a trace that `writer` has begun. Memory is bounded by the length of the
    /// recording.
    ///
    /// # Errors
    ///
    /// When the trace cannot be written.
    pub fn write(&self, writer: &mut Writer) -> Result<Imported, Error> {
        match self {
            Self::Perf(perf) => perf.write(writer),
            Self::Folded(folded) => folded.write(writer),
        }
    }
}
