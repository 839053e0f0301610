//! Tables of a report: images, by what ran in them and what linking them took, symbols that were bound, and by whom.

use super::columns::{Columns, NONE};
use super::rows::Rows;
use crate::analyze::bindings::{Bound, ImageRow, SymbolRow};
use crate::analyze::paths::Kind;
use crate::analyze::profile::{self, Weight};
use crate::analyze::{Analysis, Bindings, Filter, Name, Paths};
use crate::trace::Nanos;
use rustc_hash::FxHashMap;
use std::io;

/// Symbols that are kept: those that were bound most often.
const SYMBOLS: usize = 5_000;
/// Rows of who had them bound that are kept; where there are more, none.
const BINDS: usize = 100_000;

/// An image.
#[derive(Default)]
struct Image<'b> {
    name: Name,
    sampled: Nanos,
    processes: u64,
    code_bytes: u64,
    linked: Option<&'b ImageRow>,
}

/// Writes them; returns the row of each of [`Paths::images`].
pub(super) fn write(
    analysis: &Analysis<'_>,
    paths: &Paths,
    rows: &Rows,
    columns: &mut Columns<'_>,
) -> io::Result<Vec<u32>> {
    let bindings = Bindings::of(analysis, &Filter::default(), false);
    let images = write_images(analysis, paths, &bindings.images, columns)?;
    let symbols = &bindings.symbols;
    let kept = symbols.get(..SYMBOLS).unwrap_or(symbols);
    columns
        .table("symbols", kept)
        .names("name", |row| &*row.symbol)?
        .names("provider", |row| {
            row.provider.as_deref().unwrap_or("[none: weak]")
        })?
        .numbers("binds", |row: &SymbolRow| row.counts.total() as f64)?
        .numbers("lazy", |row| row.counts.lazy as f64)?
        .numbers("derived", |row| row.counts.derived as f64)?
        .words("importers", |row| word(row.importers))?
        .words("processes", |row| word(row.processes))?;
    columns.numbers("all_symbols.count", &[symbols.len() as f64])?;
    if !kept.is_empty() {
        write_binds(analysis, kept, rows, columns)?;
    }
    Ok(images)
}

/// Writes who had symbols bound, and when.
fn write_binds(
    analysis: &Analysis<'_>,
    symbols: &[SymbolRow],
    rows: &Rows,
    columns: &mut Columns<'_>,
) -> io::Result<()> {
    let bound = Bound::all(analysis, symbols, BINDS).unwrap_or_default();
    columns
        .table("binds", &bound)
        .words("symbol", |bound| word(bound.symbol as u64))?
        .words("process", |bound| rows.process(bound.process))?
        .moments("time", |bound| bound.time)?
        .words("count", |bound| word(bound.count))?;
    Ok(())
}

/// The time of samples that end in each image; where there are none, of the tools' own profiles.
fn sampled(paths: &Paths) -> Vec<profile::Row<Name>> {
    let ran = paths.cells.iter().any(|cell| cell.kind == Kind::Running);
    let kind = if ran { Kind::Running } else { Kind::Profile };
    let images = paths.images.iter().cloned();
    let mut rows: Vec<_> = images
        .map(|key| profile::Row {
            key,
            own: Weight::default(),
        })
        .collect();
    for cell in paths.cells.iter().filter(|cell| cell.kind == kind) {
        let image = cell.place.image.map(usize::from);
        if let Some(row) = image.and_then(|image| rows.get_mut(image)) {
            row.own += cell.weight;
        }
    }
    rows
}

fn write_images(
    analysis: &Analysis<'_>,
    paths: &Paths,
    linked: &[ImageRow],
    columns: &mut Columns<'_>,
) -> io::Result<Vec<u32>> {
    let mut of: FxHashMap<&Name, &ImageRow> = linked.iter().map(|row| (&row.image, row)).collect();
    let mut images: Vec<Image<'_>> = Vec::new();
    for row in analysis.images(&sampled(paths)).rows {
        images.push(Image {
            sampled: row.own.time,
            processes: row.places.processes,
            code_bytes: row.places.mapped_bytes,
            linked: of.remove(&row.name),
            name: row.name,
        });
    }
    let only_linked = linked.iter().filter(|row| of.contains_key(&row.image));
    images.extend(only_linked.map(|row| Image {
        name: row.image.clone(),
        processes: row.processes,
        linked: Some(row),
        ..Image::default()
    }));
    let count = |image: &Image<'_>, of: fn(&ImageRow) -> u64| image.linked.map_or(0, of) as f64;
    columns
        .table("images", &images)
        .names("name", |image| &*image.name)?
        .times("sampled", |image| image.sampled)?
        .words("processes", |image| word(image.processes))?
        .numbers("code_bytes", |image| image.code_bytes as f64)?
        .numbers("loads", |image| count(image, |row| row.loads))?
        .numbers("wants", |image| count(image, |row| row.wants.total()))?
        .numbers("gives", |image| count(image, |row| row.gives.total()))?
        .times("linking", |image| {
            image.linked.map_or(Nanos::ZERO, |row| row.estimate)
        })?;
    let rows: FxHashMap<&Name, u32> = images.iter().map(|image| &image.name).zip(0..).collect();
    let row = |name| rows.get(name).copied().unwrap_or(NONE);
    Ok(paths.images.iter().map(row).collect())
}

fn word(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(NONE)
}
