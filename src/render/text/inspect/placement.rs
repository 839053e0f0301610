//! What `gotrace inspect --slide` and `--at-runtime` show.

use super::title_of;
use crate::analyze::inspect::Inspection;
use crate::analyze::inspect::placement::{Placement, slide_text};
use crate::render::text::{Column, Page, Tone};
use std::io;

/// Writes where each slice is in memory, and what one slide does not explain.
///
/// # Errors
///
/// Those of the writer.
pub fn placement(
    named: &str,
    inspection: &Inspection,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    for slice in &inspection.slices {
        let name = title_of(named, slice);
        let Some(placement) = &slice.placement else {
            let why = slice.unread.as_deref();
            let why = why.unwrap_or("an object has no addresses before it is linked");
            let line = format!("{name}: {}: not placed: {why}", slice.arch);
            writeln!(out, "{}", page.safe(&line))?;
            continue;
        };
        let title = format!("{name}: {}: {}", slice.arch, place(placement));
        writeln!(out, "{}", page.paint(&page.safe(&title), Tone::Strong))?;
        segments(placement, page, out)?;
        super::rows("problem", placement.problems.iter().cloned(), page, out)?;
        let elsewhere = placement.elsewhere.iter().map(|one| {
            let [start, size, offset] = [one.start.0, one.size, one.offset.0];
            format!("{start:#x} shows {size:#x} bytes from {offset:#x}, not by the loader")
        });
        super::rows("elsewhere", elsewhere, page, out)?;
    }
    Ok(())
}

fn place(placement: &Placement) -> String {
    let (Some(slide), Some(loaded)) = (placement.slide, placement.loaded) else {
        return "not in memory".to_owned();
    };
    let verdict = if placement.problems.is_empty() {
        "which explains every segment"
    } else {
        "which does not explain everything"
    };
    format!("loaded at {loaded}, slide {}, {verdict}", slide_text(slide))
}

fn segments(placement: &Placement, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let columns = vec![
        Column::word("segment"),
        Column::number("stated"),
        Column::number("actual"),
        Column::number("size"),
    ];
    let rows = placement.segments.iter().map(|segment| {
        let actual = segment.actual.filter(|_| placement.slide.is_some());
        let actual = actual.map_or_else(|| "-".to_owned(), |actual| actual.to_string());
        vec![
            super::or_dash(&segment.name),
            segment.stated.to_string().into(),
            actual.into(),
            format!("{:#x}", segment.size).into(),
        ]
    });
    super::table(columns, rows, page, out)
}
