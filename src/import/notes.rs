//! Words of an importer in, records about the trace as a whole out.

use crate::trace::file::{self, Writer};
use crate::trace::{BlindSpot, Loss, Nanos, Record, Setting};

/// A setting that the recording tells of itself.
pub(super) fn setting(writer: &mut Writer, key: &str, value: &[u8]) -> Result<(), file::Error> {
    let setting = Setting {
        key: writer.string(key.as_bytes()),
        value: writer.string(value),
        source: writer.string(b"import"),
    };
    writer.record(Record::Setting(setting))
}

/// What the recording does not tell.
pub(super) fn unseen(
    writer: &mut Writer,
    time: Nanos,
    what: &str,
    why: &str,
) -> Result<(), file::Error> {
    let spot = BlindSpot {
        time,
        what: writer.string(what.as_bytes()),
        why: writer.string(why.as_bytes()),
    };
    writer.record(Record::BlindSpot(spot))
}

/// What the recording lost, or the importer could not take.
pub(super) fn lost(
    writer: &mut Writer,
    time: Nanos,
    what: &str,
    count: u64,
    why: &str,
) -> Result<(), file::Error> {
    if count == 0 {
        return Ok(());
    }
    let loss = Loss {
        from: time,
        to: time,
        what: writer.string(what.as_bytes()),
        count,
        why: writer.string(why.as_bytes()),
    };
    writer.record(Record::Loss(loss))
}
