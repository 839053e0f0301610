//! Tables of a report: functions, the paths in which they call each other, and what was spent in each path by
//! whom and when.

use super::columns::{Columns, NONE};
use super::rows::Rows;
use crate::analyze::paths::{Cell, Function, Limits, Path};
use crate::analyze::{Analysis, Paths};
use crate::render::flamegraph::Origin;
use crate::trace::Nanos;
use std::io;

/// What a page holds at most: about a megabyte and a half of it.
const LIMITS: Limits = Limits {
    paths: 50_000,
    cells: 100_000,
};

/// The shortest time that cells are told apart by: as a word it lasts for twelve hours.
const UNIT: Nanos = Nanos(10_000);

/// Writes them; returns how many blocks of samples or calls could not be read.
pub(super) fn write(
    analysis: &Analysis<'_>,
    rows: &Rows,
    columns: &mut Columns<'_>,
) -> io::Result<u64> {
    let paths = Paths::of(analysis, LIMITS);
    let unit = Nanos(UNIT.0.max(analysis.end.0.div_ceil(u64::from(NONE))));
    columns
        .table("origins", &Origin::ALL)
        .names("words", |origin| origin.words())?
        .names("colour", |origin| origin.colour().to_string())?;
    columns
        .table("sampling", &[&paths])
        .times("unit", |_| unit)?
        .times("step", |paths| paths.step)?
        .numbers("folded", |paths| paths.folded as f64)?;
    columns
        .table("functions", &paths.functions)
        .names("name", |function| &*function.name)?
        .names("file", |function| &*function.file)?
        .bytes("origin", |function| place(origin_of(analysis, function)))?
        .names("colour", |function| {
            let origin = origin_of(analysis, function);
            origin.shade(&function.name).to_string()
        })?;
    // Callers stand near above: as a distance they take a fifth of the bytes.
    let placed: Vec<(u32, &Path)> = (0..).zip(&paths.paths).collect();
    columns
        .table("paths", &placed)
        .words("above", |(place, path)| place - path.parent)?
        .words("function", |(_, path)| path.function)?
        .words("line", |(_, path)| path.line)?
        .bytes("inlined", |(_, path)| u8::from(path.inlined))?;
    let start = analysis.builds.critical_path.start();
    let units = |time: Nanos| u32::try_from(time.since(start).0 / unit.0).unwrap_or(NONE);
    let length = |cell: &Cell| units(cell.to).saturating_sub(units(cell.from));
    columns
        .table("cells", &paths.cells)
        .bytes("kind", |cell| cell.kind as u8)?
        .words("process", |cell| rows.process(cell.process))?
        .words("path", |cell| cell.path)?
        .words("to", |cell| units(cell.to))?
        .words("length", length)?
        .times("time", |cell| cell.weight.time)?
        .words("count", |cell| {
            u32::try_from(cell.weight.samples).unwrap_or(u32::MAX)
        })?;
    Ok(paths.unreadable_blocks)
}

fn origin_of(analysis: &Analysis<'_>, function: &Function) -> Origin {
    let Function { name, file, named } = function;
    Origin::of_frame(analysis.trace, name, file, *named)
}

/// The row of an origin.
fn place(origin: Origin) -> u8 {
    let mut all = (0..).zip(Origin::ALL);
    let found = all.find(|(_, one)| *one == origin);
    found.map_or(0, |(row, _)| row)
}
