//! Comma-separated values (RFC 4180): a table in, its names on the first line and its rows out.
//!
//! Lines end with CR and LF. A value is quoted where it holds what the format uses itself, and
//! where it is an empty text: what is not there at all is nothing between commas.

use super::tables::{Cell, Source, Table};
use std::io::{self, Write};

/// Writes a table; returns how many blocks of the trace could not be read.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn write(table: &dyn Table, source: &Source<'_>, out: &mut impl Write) -> io::Result<u64> {
    let names: Vec<_> = table.columns().iter().map(|column| column.name).collect();
    write!(out, "{}\r\n", names.join(","))?;
    table.rows(source, &mut |row| {
        for (position, cell) in row.enumerate() {
            if position > 0 {
                out.write_all(b",")?;
            }
            match cell {
                Cell::None => {}
                Cell::Unsigned(number) => write!(out, "{number}")?,
                Cell::Signed(number) => write!(out, "{number}")?,
                Cell::Truth(truth) => write!(out, "{truth}")?,
                Cell::Text(text) => put_text(&text, out)?,
            }
        }
        out.write_all(b"\r\n")
    })
}

fn put_text(text: &str, out: &mut impl Write) -> io::Result<()> {
    let plain = !text.is_empty() && !text.contains(['"', ',', '\r', '\n']);
    if plain {
        return out.write_all(text.as_bytes());
    }
    write!(out, "\"{}\"", text.replace('"', "\"\""))
}
