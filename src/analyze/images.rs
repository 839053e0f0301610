//! Images by what happened in them and by where they lay: samples, programs, bytes of code, slides.

use super::Name;
use super::profile::{Row, Weight};
use super::slides::{Mismatch, Places, Slides};
use crate::trace::{ImageId, Trace};
use rustc_hash::FxHashMap;

/// All images of one path, and what stands for code in none.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageRow {
    /// Path, or `[kernel]` and the like.
    pub name: Name,
    /// Samples whose innermost frame it is.
    pub own: Weight,
    /// Where it lay, in all programs of the trace.
    pub places: Places,
    /// Mappings that do not lie as its file says.
    pub mismatches: u64,
}

/// Images with samples and images that were mapped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Images {
    /// By own time, then by programs, largest first.
    pub rows: Vec<ImageRow>,
    /// What does not lie as its file says.
    pub mismatches: Vec<(Name, Mismatch)>,
}

impl Images {
    /// Joins the images of samples with all that were mapped.
    #[must_use]
    pub fn of(trace: &Trace, sampled: &[Row<Name>]) -> Self {
        let Slides { images, mismatches } = Slides::of(trace);
        let mut rows: FxHashMap<Name, ImageRow> = FxHashMap::default();
        for seen in sampled {
            row(&mut rows, seen.key.clone()).own += seen.own;
        }
        let name = |image: ImageId| {
            let path = trace.images.get(image.index()).map(|image| image.path);
            path.map_or(Name::default(), |path| Name::from(trace.strings.get(path)))
        };
        for (image, places) in images {
            row(&mut rows, name(image)).places.add(&places);
        }
        let mismatches = mismatches.into_iter();
        let mismatches: Vec<(Name, Mismatch)> =
            mismatches.map(|one| (name(one.image), one)).collect();
        for (name, _) in &mismatches {
            row(&mut rows, name.clone()).mismatches += 1;
        }
        let mut rows: Vec<ImageRow> = rows.into_values().collect();
        rows.sort_unstable_by(|a, b| {
            let order = |row: &ImageRow| (row.own.time, row.places.processes);
            order(b).cmp(&order(a)).then_with(|| a.name.cmp(&b.name))
        });
        Self { rows, mismatches }
    }
}

/// The row of a path, a new one where there is none.
fn row(rows: &mut FxHashMap<Name, ImageRow>, name: Name) -> &mut ImageRow {
    rows.entry(name).or_insert_with_key(|name| ImageRow {
        name: name.clone(),
        own: Weight::default(),
        places: Places::default(),
        mismatches: 0,
    })
}
