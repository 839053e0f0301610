//! What can be watched, as tables.

use super::page::{Page, Tone};
use super::table::{Cell, Column, Table, left_out};
use crate::binary::instruction::Stepping;
use crate::render::units;
use std::io;

/// A function that can be probed.
#[derive(Clone, Debug)]
pub struct Probed {
    /// Its name.
    pub function: String,
    /// Its first address.
    pub address: String,
    /// Where in the file its entry is seen.
    pub offset: u64,
    /// The instruction there.
    pub instruction: String,
    /// What that costs.
    pub stepping: Stepping,
    /// At how many places its exits are seen.
    pub exits: usize,
    /// Why one cannot be seen.
    pub unseen_exit: Option<String>,
}

/// A function of a set.
#[derive(Clone, Debug)]
pub struct OfSet {
    /// Of which executables.
    pub image: String,
    /// Which.
    pub function: String,
    /// Its exits are watched, too.
    pub exits: bool,
    /// The phase that it marks.
    pub phase: String,
    /// The releases of Go that have it.
    pub releases: String,
}

/// Writes functions that can be probed, and those that cannot with why, at most `top` of each.
///
/// # Errors
///
/// Those of the writer.
pub fn list(
    probed: &[Probed],
    refused: &[(String, String)],
    top: usize,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut table = Table::new(vec![
        Column::name("function"),
        Column::number("address").optional(3),
        Column::number("file offset").optional(2),
        Column::name("entry"),
        Column::word("cost"),
        Column::number("exits"),
        Column::name("exit not seen").optional(1),
    ]);
    for function in probed.iter().take(top) {
        table.push(row(function));
    }
    if !probed.is_empty() {
        table.write(page, out)?;
        left_out(probed.len().saturating_sub(top), FUNCTIONS, page, out)?;
    }
    if refused.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(vec![Column::name("cannot be probed"), Column::name("why")]);
    for (function, why) in refused.iter().take(top) {
        table.push(vec![function.as_str().into(), why.as_str().into()]);
    }
    table.write(page, out)?;
    left_out(refused.len().saturating_sub(top), FUNCTIONS, page, out)
}

fn row(function: &Probed) -> Vec<Cell> {
    vec![
        function.function.as_str().into(),
        function.address.as_str().into(),
        format!("{:#x}", function.offset).into(),
        function.instruction.as_str().into(),
        match function.stepping {
            Stepping::Emulated => "emulated".into(),
            Stepping::SingleStepped => Cell::toned("single-stepped", Tone::Warning),
        },
        units::count(function.exits as u64).into(),
        Cell::toned(function.unseen_exit.as_deref().unwrap_or(""), Tone::Warning),
    ]
}

/// How [`left_out`] calls rows.
const FUNCTIONS: (&str, &str) = ("more function is", "more functions are");

/// How many functions there are, and of which kinds.
#[must_use]
pub fn totals(probed: &[Probed], refused: usize) -> String {
    let emulated = |function: &&Probed| function.stepping == Stepping::Emulated;
    let emulated = probed.iter().filter(emulated).count();
    let exits: usize = probed.iter().map(|function| function.exits).sum();
    format!(
        "{} can be probed, {} at an instruction that the kernel emulates, with {}; {} cannot",
        units::counted(probed.len() as u64, "function", "functions"),
        units::count(emulated as u64),
        units::counted(exits as u64, "exit", "exits"),
        units::count(refused as u64),
    )
}

/// Writes a set, and what it watches.
///
/// # Errors
///
/// Those of the writer.
pub fn set(
    title: &str,
    functions: &[OfSet],
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    writeln!(out, "{}", page.paint(title, Tone::Strong))?;
    let mut table = Table::new(vec![
        Column::word("image"),
        Column::name("function"),
        Column::word("edges").optional(2),
        Column::word("phase"),
        Column::word("Go").optional(1),
    ])
    .indented(2);
    for function in functions {
        table.push(vec![
            function.image.as_str().into(),
            function.function.as_str().into(),
            if function.exits {
                "entry, exits"
            } else {
                "entry"
            }
            .into(),
            function.phase.as_str().into(),
            function.releases.as_str().into(),
        ]);
    }
    table.write(page, out)
}
