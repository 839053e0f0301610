//! What `gotrace inspect --symbols` and `--lookup` show.

use super::title_of;
use crate::analyze::inspect::symbols::{Answer, Asked, Lookup, Symbol, SymbolFacts};
use crate::analyze::inspect::{Inspection, SliceFacts};
use crate::binary::Svma;
use crate::render::text::{Cell, Column, Page, Tone};
use crate::render::units;
use std::io;

/// Columns of an address, and of a size in memory.
const ADDRESS: usize = 18;
const SIZE: usize = 10;

/// Writes all symbols of each slice, and by which tables each is known.
///
/// # Errors
///
/// Those of the writer.
pub fn symbols(
    named: &str,
    inspection: &Inspection,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    for slice in &inspection.slices {
        let name = title_of(named, slice);
        let Some((facts, symbols)) = slice
            .symbols
            .as_ref()
            .and_then(|facts| Some((facts, facts.symbols.as_ref()?)))
        else {
            unread(&name, slice, page, out)?;
            continue;
        };
        let count = units::count(symbols.len() as u64);
        let title = format!("{name}: {count} symbols of {}", slice.arch);
        writeln!(out, "{}", page.paint(&page.safe(&title), Tone::Strong))?;
        tables(facts, page, out)?;
        let sections = symbols.iter().map(|symbol| symbol.section.len());
        let width = sections.max().unwrap_or(0);
        for symbol in symbols {
            writeln!(out, "{}", page.safe(&line(symbol, width)))?;
        }
    }
    Ok(())
}

fn unread(name: &str, slice: &SliceFacts, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let why = slice.unread.as_deref();
    let why = why.unwrap_or("its symbols are for Go's linker alone");
    let line = format!("{name}: {}: not read: {why}", slice.arch);
    writeln!(out, "{}", page.safe(&line))
}

fn tables(facts: &SymbolFacts, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let counts = facts.tables.iter().map(|(by, count)| {
        let count = units::count(*count as u64);
        format!("{by} {count}")
    });
    let counts: Vec<String> = counts.collect();
    if !counts.is_empty() {
        super::row("tables", &counts.join(", "), page, out)?;
    }
    if let Some(path) = &facts.debug_file {
        super::row("debug file", path, page, out)?;
    }
    super::rows("not read", facts.unread.iter().cloned(), page, out)
}

fn line(symbol: &Symbol, section: usize) -> String {
    let by: Vec<String> = symbol.by.iter().map(|by| by.to_string()).collect();
    let name = if symbol.name.is_empty() {
        "-"
    } else {
        &symbol.name
    };
    let place = place(&symbol.file, symbol.line);
    let place = place.map_or_else(String::new, |place| format!("  {place}"));
    format!(
        "{:>ADDRESS$} {:>SIZE$}  {:section$}  {name}{place}  [{}]",
        symbol.start.to_string(),
        format!("{:#x}", symbol.size),
        symbol.section,
        by.join(", ")
    )
}

fn place(file: &str, line: u32) -> Option<String> {
    match (file.is_empty(), line) {
        (true, _) => None,
        (false, 0) => Some(file.to_owned()),
        (false, line) => Some(format!("{file}:{line}")),
    }
}

/// Writes what was asked for of each slice, and what each table says.
///
/// # Errors
///
/// Those of the writer.
pub fn lookups(
    named: &str,
    inspection: &Inspection,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    for slice in &inspection.slices {
        let name = title_of(named, slice);
        let Some(facts) = &slice.symbols else {
            unread(&name, slice, page, out)?;
            continue;
        };
        for found in &facts.lookups {
            lookup(&name, slice, found, page, out)?;
        }
        super::rows("not read", facts.unread.iter().cloned(), page, out)?;
    }
    Ok(())
}

fn lookup(
    name: &str,
    slice: &SliceFacts,
    found: &Lookup,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let asked = match &found.asked {
        Asked::Address(address) => match found.stated {
            Some(stated) => format!("{address:#x}, {stated} of the file"),
            None => format!("{address:#x}"),
        },
        Asked::Name(name) => name.clone(),
    };
    let section = found.section.as_ref();
    let section = section.map_or_else(String::new, |section| format!(", in {section}"));
    let title = format!("{name}: {asked} of {}{section}", slice.arch);
    writeln!(out, "{}", page.paint(&page.safe(&title), Tone::Strong))?;
    if let Some(why) = found.refused {
        return super::row("not known", why, page, out);
    }
    if found.answers.is_empty() {
        let what = match &found.asked {
            Asked::Address(_) if found.section.is_none() => "outside of every section",
            Asked::Address(_) => "no table knows a function or variable there",
            Asked::Name(_) => "no table has this name",
        };
        super::row("not found", what, page, out)?;
        return super::rows("near", found.near.iter().cloned(), page, out);
    }
    let columns = vec![
        Column::word("by"),
        Column::name("symbol"),
        Column::number("from"),
        Column::number("to"),
        Column::word("file").optional(1),
    ];
    let rows = found.answers.iter().flat_map(|one| rows(one, found));
    super::table(columns, rows, page, out)?;
    let names: Vec<&str> = found.names().into_iter().collect();
    if names.len() > 1 && matches!(found.asked, Asked::Address(_)) {
        let line = format!("{} names: {}", names.len(), names.join(", "));
        super::row("differing", &line, page, out)?;
    }
    Ok(())
}

/// A row for what the table says, and one for each call that was inlined at the address.
fn rows(answer: &Answer, found: &Lookup) -> Vec<Vec<Cell>> {
    let into = match found.asked {
        Asked::Address(asked) => {
            let address = found.stated.unwrap_or(Svma(asked));
            address.offset_from(answer.start).filter(|into| *into > 0)
        }
        Asked::Name(_) => None,
    };
    let name = match (answer.name.is_empty(), into) {
        (true, _) => "-".to_owned(),
        (false, None) => answer.name.clone(),
        (false, Some(into)) => format!("{}+{into:#x}", answer.name),
    };
    let mut places = answer.places.iter().rev();
    let outer = places.next().and_then(|one| place(&one.file, one.line));
    let first = vec![
        answer.by.to_string().into(),
        name.into(),
        answer.start.to_string().into(),
        answer.end.to_string().into(),
        outer.unwrap_or_default().into(),
    ];
    let inlined = places.map(|one| {
        vec![
            "".into(),
            format!("inlined {}", one.function).into(),
            "".into(),
            "".into(),
            place(&one.file, one.line).unwrap_or_default().into(),
        ]
    });
    [first].into_iter().chain(inlined).collect()
}
