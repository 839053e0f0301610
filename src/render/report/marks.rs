//! Table of a report: what loaders did, as marks on the timeline.

use super::columns::Columns;
use super::rows::Rows;
use crate::analyze::Name;
use crate::analyze::bindings::Happened;
use crate::trace::{Nanos, ProcessId};
use std::io;

/// A mark: an image that was loaded, or a time in which symbols were bound.
struct Mark {
    process: ProcessId,
    from: Nanos,
    to: Nanos,
    /// The image, or what was done.
    label: Name,
    /// Symbols that were bound; zero for an image.
    binds: u64,
}

/// Writes the marks, by program and time.
pub(super) fn write(linked: &Happened, rows: &Rows, columns: &mut Columns<'_>) -> io::Result<()> {
    let loads = linked.marks.iter().map(|mark| Mark {
        process: mark.load.process,
        from: mark.load.time,
        to: mark.load.time,
        label: mark.image.clone(),
        binds: 0,
    });
    let relocations = linked.spans.iter().map(|span| Mark {
        process: span.linking.process,
        from: span.linking.from,
        to: span.linking.to,
        label: span.name().into(),
        binds: span.binds,
    });
    let late = linked.late.iter().map(|late| Mark {
        process: late.process,
        from: late.from,
        to: late.to,
        label: "binds at first calls".into(),
        binds: late.binds,
    });
    let mut marks: Vec<Mark> = loads.chain(relocations).chain(late).collect();
    marks.sort_by_key(|mark| (rows.process(mark.process), mark.from));
    columns
        .table("marks", &marks)
        .words("process", |mark| rows.process(mark.process))?
        .moments("from", |mark| mark.from)?
        .moments("to", |mark| mark.to)?
        .names("label", |mark| &*mark.label)?
        .numbers("binds", |mark| mark.binds as f64)?;
    Ok(())
}
