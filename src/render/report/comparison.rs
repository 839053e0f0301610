//! Tables of a report: how the trace differs from others of the same build, with verdicts.

use super::columns::Columns;
use crate::analyze::compare::{Comparison, Row, Verdict};
use crate::render::change::{self, Figures};
use std::io;

/// Rows of each kind and measure that are kept: those that differ most.
const ROWS: usize = 300;

/// Writes them. Of sides that cannot be compared only why is written.
pub(super) fn write(comparison: &Comparison, columns: &mut Columns<'_>) -> io::Result<()> {
    let complaints: Vec<String> = comparison.complaints().map(change::fact).collect();
    let comparable = complaints.is_empty();
    columns
        .table("comparison", std::slice::from_ref(comparison))
        .bytes("comparable", |_| u8::from(comparable))?
        .names("sides", change::sides)?
        .names("runs", change::runs)?;
    let caveats = if comparable {
        change::caveats(comparison)
    } else {
        complaints
    };
    columns
        .table("caveats", &caveats)
        .names("words", |words| words)?;
    let mut rows = if comparable {
        comparison.leading(ROWS)
    } else {
        Vec::new()
    };
    rows.retain(|row| !row.is_zero());
    columns
        .table("compared", &rows)
        .names("kind", |row| row.key.subject.kind())?
        .names("name", |row| row.key.subject.name().to_string())?
        .names("measure", |row| row.key.measure.name())?
        .names("base", |row| Figures::of(row, None).base)?
        .names("new", |row| Figures::of(row, None).new)?
        .names("difference", |row| Figures::of(row, None).difference)?
        .names("ratio", |row| Figures::of(row, None).ratio)?
        .names("interval", |row| change::interval(row.ratio_interval()))?
        .names("verdict", |row| change::verdict(comparison, row))?
        .bytes("change", |row| change_of(row))?
        .numbers("size", |row| {
            // Of a cost that is no time, a part of base says how much it is.
            let part = row.ratio().map_or(0.0, |ratio| ratio - 1.0);
            if row.key.measure.is_time() {
                row.difference()
            } else {
                part
            }
        })?;
    Ok(())
}

/// Which way a row is said to have gone: 0 faster, 1 neither, 2 slower.
fn change_of(row: &Row) -> u8 {
    match row.verdict {
        Some(Verdict::Faster) => 0,
        Some(Verdict::Slower) => 2,
        _ => 1,
    }
}
