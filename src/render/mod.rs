//! Draws for eyes: text tables, flamegraphs, timelines. Values in, text or SVG out.
//!
//! - [`units`] writes durations, sizes, shares and counts as people read them;
//! - [`gaps`] says in a line what was lost or not seen;
//! - [`change`] writes how much a figure differs between two groups of runs;
//! - [`comparison`] draws such figures;
//! - [`markdown`] writes such a comparison for a pull request;
//! - [`report`] writes a page to walk through;
//! - [`text`] draws summaries, tables and timelines for terminals and pipes;
//! - [`view`] draws the screens of a trace that is walked through on a terminal.
//!
//! Nothing here opens a file or looks at the terminal: the caller hands in a [`text::Page`]
//! that says how wide it is and what it can show, and a writer.

pub mod axis;
pub mod change;
pub mod comparison;
pub mod flamegraph;
pub mod gaps;
pub mod markdown;
pub mod palette;
pub mod report;
pub mod text;
pub mod timeline;
pub mod units;
pub mod view;
pub mod xml;
