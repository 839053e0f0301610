//! perf.data to a trace: header, records in the order of time, programs, samples.
//!
//! - [`header`] reads what events were recorded, and what is known of the machine;
//! - [`records`] gives the records of the data section one after the other, unpacked;
//! - [`order`] puts them into the order of time;
//! - [`event`] reads what is within a record;
//! - [`programs`] follows who ran what and where files were mapped;
//! - [`story`] tells a trace of it.
//!
//! The layouts are those of Linux: `tools/perf/Documentation/perf.data-file-format.txt`, and
//! `include/uapi/linux/perf_event.h` for what the kernel writes.

mod event;
mod header;
mod order;
mod programs;
mod records;
mod space;
mod story;

use super::{Error, Imported};
use crate::trace::ClockAnchor;
use crate::trace::file::Writer;
use header::Header;
use order::Ordered;

/// A recording of `perf record`.
#[derive(Debug)]
pub struct PerfData<'a> {
    file: &'a [u8],
    header: Header<'a>,
    /// The first moment, by perf's clock, in nanoseconds.
    begin: u64,
}

/// Whether a file begins as perf.data does, of either byte order.
pub(super) fn begins(file: &[u8]) -> bool {
    file.starts_with(header::MAGIC) || file.starts_with(header::SWAPPED)
}

impl<'a> PerfData<'a> {
    /// Reads the header, and finds the first moment.
    ///
    /// # Errors
    ///
    /// When it is no perf.data, is cut short before the first record, or has no samples from which
    /// CPU time could be told.
    pub fn open(file: &'a [u8]) -> Result<Self, Error> {
        let header = Header::read(file)?;
        let mut records = Ordered::of(file, &header);
        let first = records.find(|record| record.time > 0);
        let begin = first.map_or(0, |record| record.time);
        drop(records);
        Ok(Self {
            file,
            header,
            begin,
        })
    }

    /// The clocks at the first moment. The wall clock is known where `perf record -k` has noted it.
    pub(super) const fn anchor(&self) -> ClockAnchor {
        let unix_ns = match self.header.clock {
            Some(clock) => {
                let since = self.begin.saturating_sub(clock.time);
                let before = clock.time.saturating_sub(self.begin);
                clock.unix_ns.saturating_add(since).saturating_sub(before)
            }
            None => 0,
        };
        ClockAnchor {
            monotonic_ns: self.begin,
            unix_ns,
        }
    }

    /// Writes its programs and samples.
    pub(super) fn write(&self, writer: &mut Writer) -> Result<Imported, Error> {
        story::tell(self, writer)
    }
}
