//! A trace as one page that opens from disk: the whole of it, to walk through.
//!
//! The page is an app (`app/`, TypeScript, built to `app.js` by `scripts/build-report`) and the data that it
//! draws. Here the data is written, as tables of columns ([`columns`](self) in the module of that name has the
//! format); the app only lays out and draws: what has to be worked out is worked out by `analyze`.
//!
//! | table | a row is |
//! |---|---|
//! | `run`, `tax`, `host` | the run; there is one row, or none |
//! | `toolchains`, `settings`, `findings` | what the command used, how it was recorded, what doctor found |
//! | `gaps`, `losses`, `blind_spots` | what was lost or not seen: in all, and where it happened |
//! | `colours` | a colour, for light and for dark pages |
//! | `builds`, `actions`, `path`, `what_if` | the builds, what they did, the critical path, what would help |
//! | `processes`, `packages`, `tools`, `phases` | what they are and cost |
//! | `chart`, `cpu`, `under_way`, `waiting` | cores in use, bars under way, actions that waited for a slot, bin by bin |
//! | `tracks`, `spans`, `folding` | the rows of the timeline, and what lies on them |
//! | `marks` | what loaders did |
//! | `images`, `symbols`, `all_symbols` | what was mapped and bound, and how many symbols there are |
//! | `binds` | how often a program had a symbol bound, and when; none, if there would be too many |
//! | `origins`, `functions`, `paths` | where code comes from, what it is, and who calls whom |
//! | `cells`, `sampling` | what a program spent in a path, when and in what, and how much of that was merged |
//! | `comparison`, `caveats`, `compared` | with a base: how the trace differs from it |
//! | `base_processes`, `base_chart`, `base_cpu` | its programs, and the cores that it used, bin by bin |
//!
//! A view of the page has a module here that writes its tables, called by [`write()`], and a module of the app
//! that is named in `app/views.ts`, where it is said what a view gets and must do.

mod actors;
mod build;
mod columns;
mod comparison;
mod head;
mod linking;
mod marks;
mod names;
mod page;
mod programs;
mod rows;
mod spans;
mod stacks;
mod tracks;

use crate::analyze::bindings::Happened;
use crate::analyze::{Analysis, Comparison, Paths, PhaseIndex};
use columns::Columns;
use rows::Rows;
use std::io;

/// Spans of the timeline that are kept where nobody says otherwise: what a browser draws at thirty frames a second.
pub const SPANS: usize = 300_000;

/// What a trace is laid beside.
#[derive(Clone, Copy, Debug)]
pub struct Base<'a> {
    /// A trace of the same build: its lanes are drawn below those of the report's own.
    pub analysis: &'a Analysis<'a>,
    /// It, or several such traces, against the report's own, which is new.
    pub comparison: &'a Comparison,
}

/// What a report is to hold.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Spans on the timeline, unless there are as many tracks.
    pub spans: usize,
    /// What it is laid beside.
    pub base: Option<Base<'a>>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            spans: SPANS,
            base: None,
        }
    }
}

/// Writes the page. Returns how many blocks of samples could not be read.
///
/// # Errors
///
/// Those of the writer.
pub fn write(
    analysis: &Analysis<'_>,
    options: Options<'_>,
    out: &mut dyn io::Write,
) -> io::Result<u64> {
    page::write(out, |data| {
        let mut columns = Columns::begin(data, analysis.builds.critical_path.start())?;
        let unreadable_blocks = fill(analysis, options, &mut columns)?;
        columns.finish()?;
        Ok(unreadable_blocks)
    })
}

fn fill(
    analysis: &Analysis<'_>,
    options: Options<'_>,
    columns: &mut Columns<'_>,
) -> io::Result<u64> {
    let costs = analysis.costs();
    let index = PhaseIndex::of(analysis);
    let base = options.base.map(|base| base.analysis);
    let paths = Paths::of(analysis, &index, base, stacks::LIMITS);
    let phases = stacks::phases(analysis, &index, &paths);
    let linked = Happened::of(analysis);
    let rows = Rows::of(analysis, &phases);
    head::write(analysis, &costs, &phases, paths.unreadable_blocks, columns)?;
    build::write(analysis, &rows, columns)?;
    programs::write(analysis, &rows, &costs, &linked, columns)?;
    programs::write_costs(&costs, &phases, &rows, columns)?;
    marks::write(&linked, &rows, columns)?;
    let places = stacks::Places {
        rows: &rows,
        phases: stacks::rows_of_phases(&index, &phases),
        images: linking::write(analysis, &paths, &rows, columns)?,
    };
    if let Some(base) = options.base {
        comparison::write(base.comparison, columns)?;
    }
    stacks::write(analysis, base, &paths, &places, columns)?;
    let unread_stacks = paths.unreadable_blocks;
    drop(paths);
    let unread_spans = spans::write(analysis, &rows, &index, options, columns)?;
    Ok(unread_spans.max(unread_stacks))
}
