//! The trace file as the recorder sees it: an error of the disk is kept for later, for the
//! command goes on whatever becomes of its trace.

use crate::trace::file::{Error, Writer};
use crate::trace::{Binding, CallEvent, CallTreeRow, ClockAnchor, Nanos, Record, Sample, StringId};

use crate::capture::{Monotonic, Redaction};

/// The writer, and the first thing that went wrong with it.
#[derive(Debug)]
pub(super) struct Sink {
    pub(super) writer: Writer,
    pub(super) failure: Option<Error>,
    /// What is taken out of texts before they are written.
    pub(super) redaction: Redaction,
    anchor: ClockAnchor,
}

impl Sink {
    pub(super) const fn new(writer: Writer, anchor: ClockAnchor, redaction: Redaction) -> Self {
        Self {
            writer,
            failure: None,
            redaction,
            anchor,
        }
    }

    /// The trace time of a reading of the clock.
    pub(super) const fn at(&self, time: Monotonic) -> Nanos {
        self.anchor.at(time.0)
    }

    /// The trace time of a wall-clock time in nanoseconds since 1970.
    pub(super) const fn at_unix(&self, nanos: u64) -> Nanos {
        Nanos(nanos.saturating_sub(self.anchor.unix_ns))
    }

    pub(super) fn string(&mut self, bytes: &[u8]) -> StringId {
        self.writer.string(bytes)
    }

    /// One line of commands, or of other text that may hold secrets, without them.
    pub(super) fn redacted(&mut self, line: &[u8]) -> StringId {
        self.writer.string(&self.redaction.line(line))
    }

    pub(super) fn record(&mut self, record: Record) {
        let outcome = self.writer.record(record);
        self.keep(outcome);
    }

    pub(super) fn sample(&mut self, sample: Sample) {
        let outcome = self.writer.sample(sample);
        self.keep(outcome);
    }

    pub(super) fn call(&mut self, event: CallEvent) {
        let outcome = self.writer.call(event);
        self.keep(outcome);
    }

    pub(super) fn call_tree(&mut self, rows: &[CallTreeRow], from: Nanos, to: Nanos) {
        let outcome = self.writer.call_tree(rows, from, to);
        self.keep(outcome);
    }

    pub(super) fn binding(&mut self, binding: Binding) {
        let outcome = self.writer.binding(binding);
        self.keep(outcome);
    }

    pub(super) fn flush_if_due(&mut self) {
        let outcome = self.writer.flush_if_due();
        self.keep(outcome);
    }

    fn keep(&mut self, outcome: Result<(), Error>) {
        if let Err(error) = outcome {
            self.failure.get_or_insert(error);
        }
    }
}
