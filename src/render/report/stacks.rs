//! Tables of a report: functions, the paths in which they call each other, and what was spent in each path by
//! whom, when, and in what.

use super::columns::{Columns, NONE};
use super::rows::Rows;
use crate::analyze::paths::{Cell, Function, Kind, Limits, Path};
use crate::analyze::profile::Weight;
use crate::analyze::{Analysis, Paths, PhaseIndex, PhaseRow, Phases};
use crate::render::flamegraph::Origin;
use crate::trace::{Nanos, ProcessId};
use rustc_hash::FxHashMap;
use std::io;

/// What a page holds at most: about a megabyte and a half of it.
pub(super) const LIMITS: Limits = Limits {
    paths: 50_000,
    cells: 100_000,
};

/// The shortest time that cells are told apart by: as a word it lasts for twelve hours.
const UNIT: Nanos = Nanos(10_000);

/// Which rows of other tables cells are about.
pub(super) struct Places<'a> {
    pub(super) rows: &'a Rows,
    /// By position in [`PhaseIndex::rows`].
    pub(super) phases: Vec<u32>,
    /// By position in [`Paths::images`].
    pub(super) images: Vec<u32>,
}

/// The phases, by the samples of paths.
pub(super) fn phases(analysis: &Analysis<'_>, index: &PhaseIndex, paths: &Paths) -> Phases {
    let mut sums = vec![Weight::default(); index.rows().len()];
    let mut cpu = Weight::default();
    for cell in paths.cells.iter().filter(|cell| cell.kind == Kind::Running) {
        cpu += cell.weight;
        for phase in [cell.place.phase, cell.place.beside].into_iter().flatten() {
            if let Some(sum) = sums.get_mut(usize::from(phase)) {
                *sum += cell.weight;
            }
        }
    }
    Phases::of_sums(analysis, index, cpu, &sums)
}

/// The row of each phase of an index.
pub(super) fn rows_of_phases(index: &PhaseIndex, phases: &Phases) -> Vec<u32> {
    let is_of = |known: &PhaseRow, row: &PhaseRow| {
        (&known.track, &known.phase, known.beside) == (&row.track, &row.phase, row.beside)
    };
    let row = |known: &PhaseRow| phases.rows.iter().position(|row| is_of(known, row));
    let rows = index.rows().iter().map(row);
    rows.map(|row| row.and_then(|row| u32::try_from(row).ok()).unwrap_or(NONE))
        .collect()
}

/// Writes them.
pub(super) fn write(
    analysis: &Analysis<'_>,
    base: Option<&Analysis<'_>>,
    paths: &Paths,
    places: &Places<'_>,
    columns: &mut Columns<'_>,
) -> io::Result<()> {
    let unit = Nanos(UNIT.0.max(analysis.end.0.div_ceil(u64::from(NONE))));
    columns
        .table("origins", &Origin::ALL)
        .names("words", |origin| origin.words())?
        .names("colour", |origin| origin.colour().to_string())?;
    columns
        .table("sampling", &[paths])
        .times("unit", |_| unit)?
        .times("step", |paths| paths.step)?
        .numbers("folded", |paths| paths.folded as f64)?
        .numbers("added_up", |paths| paths.added_up as f64)?;
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
    let of_base = write_base_processes(base, columns)?;
    let row = |position: Option<u16>, rows: &[u32]| {
        let row = position.and_then(|position| rows.get(usize::from(position)));
        row.copied().unwrap_or(NONE)
    };
    columns
        .table("cells", &paths.cells)
        .bytes("kind", |cell| cell.kind as u8)?
        .words("process", |cell| match cell.kind {
            Kind::Base => of_base.get(&cell.process).copied().unwrap_or(NONE),
            _ => places.rows.process(cell.process),
        })?
        .words("phase", |cell| row(cell.place.phase, &places.phases))?
        .words("beside", |cell| row(cell.place.beside, &places.phases))?
        .words("image", |cell| row(cell.place.image, &places.images))?
        .words("path", |cell| cell.path)?
        .words("to", |cell| units(cell.to))?
        .words("length", length)?
        .times("time", |cell| cell.weight.time)?
        .words("count", |cell| {
            u32::try_from(cell.weight.samples).unwrap_or(u32::MAX)
        })?;
    Ok(())
}

/// Writes what the programs of base are; returns their rows.
fn write_base_processes(
    base: Option<&Analysis<'_>>,
    columns: &mut Columns<'_>,
) -> io::Result<FxHashMap<ProcessId, u32>> {
    let roles: Vec<_> = base
        .into_iter()
        .flat_map(|base| base.roles.iter())
        .collect();
    columns
        .table("base_processes", &roles)
        .names("tool", |(_, role)| role.tool.name())?
        .names("package", |(_, role)| {
            role.package.as_deref().unwrap_or_default()
        })?;
    Ok(roles.iter().map(|(id, _)| *id).zip(0..).collect())
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
