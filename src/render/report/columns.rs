//! The data of a report: tables of columns, as typed arrays of a browser can lie over them.
//!
//! ```text
//! "gotrace\x01"
//! column, column, ...          to the end
//!
//! column:
//!    0  u8    kind: 0 bytes, 1 words (u32), 2 numbers (f64), 3 names (u32)
//!    1  u8    0
//!    2  u16   length of its name
//!    4  u32   count of its values
//!    8        its name, `table.column`, UTF-8
//!             zeros up to a multiple of 8
//!             its values
//!             zeros up to a multiple of 8
//! ```
//!
//! All is little-endian. All columns of a table have one count. A name is its number: the text from
//! `strings.ends[n - 1]` to `strings.ends[n]` of `strings.text`. Moments are nanoseconds since
//! the command began, lengths of time nanoseconds; as f64 they are exact for a hundred days. A row that is none is [`NONE`].

use super::names::Names;
use crate::trace::Nanos;
use std::io::{self, Write};

/// What every report's data begins with: its last byte is the version.
pub(super) const MAGIC: &[u8; 8] = b"gotrace\x01";

/// The row of a table that is none.
pub(super) const NONE: u32 = u32::MAX;

const ALIGNMENT: usize = 8;

#[derive(Clone, Copy)]
enum Kind {
    Bytes = 0,
    Words = 1,
    Numbers = 2,
    Names = 3,
}

/// Writes columns as they come.
pub(super) struct Columns<'w> {
    out: &'w mut dyn Write,
    /// When the command began: moments count from then.
    start: Nanos,
    /// The names that occurred so far.
    pub(super) names: Names,
}

impl<'w> Columns<'w> {
    /// Begins the data of a command that began at `start`.
    pub(super) fn begin(out: &'w mut dyn Write, start: Nanos) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        Ok(Self {
            out,
            start,
            names: Names::default(),
        })
    }

    /// Writes columns of a table, of which each row makes one value.
    pub(super) fn table<'c, R>(
        &'c mut self,
        name: &'static str,
        rows: &'c [R],
    ) -> Table<'c, 'w, R> {
        Table {
            columns: self,
            name,
            rows,
        }
    }

    /// A column of numbers that are no table's rows: the values over time of a chart.
    pub(super) fn numbers(&mut self, name: &str, values: &[f64]) -> io::Result<()> {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        self.column(Kind::Numbers, name, values.len(), bytes)
    }

    /// A column of words that is no table's: what rows point into.
    pub(super) fn words(&mut self, name: &str, values: &[u32]) -> io::Result<()> {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        self.column(Kind::Words, name, values.len(), bytes)
    }

    /// Writes the names last, for only then all are known.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let names = std::mem::take(&mut self.names);
        let (text, ends) = names.columns();
        self.words("strings.ends", ends)?;
        let bytes = text.iter().copied();
        self.column(Kind::Bytes, "strings.text", text.len(), bytes)
    }

    fn column(
        &mut self,
        kind: Kind,
        name: &str,
        count: usize,
        values: impl Iterator<Item = u8>,
    ) -> io::Result<()> {
        let too_many = || io::Error::other(format!("{name}: too much for a report"));
        let count = u32::try_from(count).map_err(|_overflow| too_many())?;
        let length = u16::try_from(name.len()).map_err(|_overflow| too_many())?;
        let mut head = vec![kind as u8, 0];
        head.extend(length.to_le_bytes());
        head.extend(count.to_le_bytes());
        head.extend(name.bytes());
        head.resize(head.len().next_multiple_of(ALIGNMENT), 0);
        self.out.write_all(&head)?;
        let mut piece = Vec::with_capacity(PIECE);
        let mut written = 0_usize;
        for byte in values {
            piece.push(byte);
            if piece.len() == PIECE {
                self.out.write_all(&piece)?;
                written += piece.len();
                piece.clear();
            }
        }
        written += piece.len();
        piece.resize(
            piece.len() + written.next_multiple_of(ALIGNMENT) - written,
            0,
        );
        self.out.write_all(&piece)
    }
}

/// Bytes that are written at once.
const PIECE: usize = 32 * 1024;

/// A table whose columns are being written.
pub(super) struct Table<'c, 'w, R> {
    columns: &'c mut Columns<'w>,
    name: &'static str,
    rows: &'c [R],
}

impl<'c, R> Table<'c, '_, R> {
    fn column<const N: usize>(
        self,
        kind: Kind,
        column: &str,
        value: impl Fn(&'c R, &mut Names) -> [u8; N],
    ) -> io::Result<Self> {
        let name = format!("{}.{column}", self.name);
        let mut names = std::mem::take(&mut self.columns.names);
        let bytes = self.rows.iter().flat_map(|row| value(row, &mut names));
        let written = self.columns.column(kind, &name, self.rows.len(), bytes);
        self.columns.names = names;
        written.map(|()| self)
    }

    /// A column of small numbers: kinds, flags.
    pub(super) fn bytes(self, column: &str, value: impl Fn(&'c R) -> u8) -> io::Result<Self> {
        self.column(Kind::Bytes, column, |row, _| [value(row)])
    }

    /// A column of counts, or of rows of other tables.
    pub(super) fn words(self, column: &str, value: impl Fn(&'c R) -> u32) -> io::Result<Self> {
        self.column(Kind::Words, column, |row, _| value(row).to_le_bytes())
    }

    /// A column of numbers.
    pub(super) fn numbers(self, column: &str, value: impl Fn(&'c R) -> f64) -> io::Result<Self> {
        self.column(Kind::Numbers, column, |row, _| value(row).to_le_bytes())
    }

    /// A column of moments of the trace.
    pub(super) fn moments(self, column: &str, value: impl Fn(&'c R) -> Nanos) -> io::Result<Self> {
        let start = self.columns.start.0 as f64;
        self.numbers(column, |row| value(row).0 as f64 - start)
    }

    /// A column of lengths of time.
    pub(super) fn times(self, column: &str, value: impl Fn(&'c R) -> Nanos) -> io::Result<Self> {
        self.numbers(column, |row| value(row).0 as f64)
    }

    /// A column of names.
    pub(super) fn names<S: AsRef<str>>(
        self,
        column: &str,
        value: impl Fn(&'c R) -> S,
    ) -> io::Result<Self> {
        self.column(Kind::Names, column, |row, names| {
            names.id(value(row).as_ref()).to_le_bytes()
        })
    }

    /// A column of names that have their number already.
    pub(super) fn named(self, column: &str, value: impl Fn(&'c R) -> u32) -> io::Result<Self> {
        self.column(Kind::Names, column, |row, _| value(row).to_le_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_lies_as_it_is_drawn() {
        let mut out = Vec::new();
        let mut columns = Columns::begin(&mut out, Nanos(5)).unwrap();
        columns
            .table("t", &[(Nanos(7), "é"), (Nanos(9), "")])
            .times("at", |row| row.0)
            .unwrap()
            .moments("on", |row| row.0)
            .unwrap()
            .names("name", |row| row.1)
            .unwrap();
        columns.finish().unwrap();
        let mut expected = b"gotrace\x01".to_vec();
        for (head, name, values) in [
            (
                [2, 0, 4, 0, 2, 0, 0, 0],
                &b"t.at\0\0\0\0"[..],
                // 7.0 and 9.0, as IEEE 754 has them.
                &b"\0\0\0\0\0\0\x1c\x40\0\0\0\0\0\0\x22\x40"[..],
            ),
            (
                [2, 0, 4, 0, 2, 0, 0, 0],
                b"t.on\0\0\0\0",
                // Two and four after the command began at 5.
                b"\0\0\0\0\0\0\0\x40\0\0\0\0\0\0\x10\x40",
            ),
            (
                [3, 0, 6, 0, 2, 0, 0, 0],
                b"t.name\0\0",
                b"\x01\0\0\0\0\0\0\0",
            ),
            (
                [1, 0, 12, 0, 2, 0, 0, 0],
                b"strings.ends\0\0\0\0",
                b"\0\0\0\0\x02\0\0\0",
            ),
            (
                [0, 0, 12, 0, 2, 0, 0, 0],
                b"strings.text\0\0\0\0",
                b"\xc3\xa9\0\0\0\0\0\0",
            ),
        ] {
            expected.extend(head);
            expected.extend(name);
            expected.extend(values);
        }
        assert_eq!(out, expected);
    }
}
