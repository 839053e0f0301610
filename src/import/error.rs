//! Why a recording cannot become a trace.

use crate::trace::file;

/// What is wrong with a recording. Displays do not name its file: they are not told which it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The trace cannot be written.
    #[error("the trace cannot be written")]
    Trace(#[from] file::Error),
    /// It has no bytes at all.
    #[error("expected perf.data or folded stacks, found an empty file")]
    Empty,
    /// It does not begin as perf.data does.
    #[error("offset 0: expected PERFILE2, as perf.data begins, found {found}")]
    NotPerf {
        /// The first bytes, in hexadecimal.
        found: String,
    },
    /// A machine of another byte order recorded it.
    #[error(
        "offset 0: expected perf.data of a little-endian machine, found that of a big-endian one"
    )]
    BigEndian,
    /// A part of perf.data is cut short or makes no sense.
    #[error("offset {offset:#x}: expected {expected}, found {found}")]
    Damaged {
        /// Where.
        offset: u64,
        /// What should be there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// The samples have no time, or do not say of which thread they are.
    #[error(
        "event {event}: expected samples with thread and time, found some without: record without --no-timestamp"
    )]
    NoTime {
        /// Which event.
        event: String,
    },
    /// No event of the recording tells CPU time.
    #[error(
        "expected samples of a clock or of cycles at a frequency, found events {found}: record with -e cpu-clock or -F"
    )]
    NoCpuTime {
        /// Their names.
        found: String,
    },
    /// Events of several layouts, and no samples say of which one they are.
    #[error("expected events that can be told apart, found several without PERF_SAMPLE_IDENTIFIER")]
    Indistinct,
    /// No line of the file is a folded stack.
    #[error("line {line}: expected folded stacks (`main;work 12`), found {found}")]
    NotFolded {
        /// The first line that is none.
        line: u64,
        /// How it begins.
        found: String,
    },
    /// Each line has two counts.
    #[error(
        "line {line}: expected folded stacks with one count, found two, as of a difference: import its two sides"
    )]
    Difference {
        /// The first line.
        line: u64,
    },
}
