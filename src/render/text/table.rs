//! Tables: columns and rows in, lines that fit the page out.

use super::page::{Page, Tone};
use super::width;
use crate::render::units;
use std::io;

/// Spaces between columns.
const GAP: usize = 2;
/// A column of names is never made narrower than this for the sake of another column.
const NARROWEST: usize = 16;
/// Nor is one that takes what is left.
const STRETCHED: usize = 34;

/// One column of a [`Table`].
#[derive(Clone, Debug)]
pub struct Column {
    title: String,
    right: bool,
    flexible: bool,
    rank: u8,
    least: usize,
    stretched: bool,
}

impl Column {
    /// Numbers with their unit, right-aligned, never cut.
    #[must_use]
    pub fn number(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            right: true,
            flexible: false,
            rank: 0,
            least: 0,
            stretched: false,
        }
    }

    /// A word or a bar, left-aligned, never cut.
    #[must_use]
    pub fn word(title: &str) -> Self {
        Self {
            right: false,
            ..Self::number(title)
        }
    }

    /// A name, left-aligned, which loses its middle where the page is too narrow.
    #[must_use]
    pub fn name(title: &str) -> Self {
        Self {
            flexible: true,
            ..Self::word(title)
        }
    }

    /// At least so wide, whatever it holds.
    #[must_use]
    pub fn at_least(mut self, columns: usize) -> Self {
        self.least = columns;
        self
    }

    /// Takes what the others leave of the page, as the first such column of its table.
    #[must_use]
    pub fn stretched(mut self) -> Self {
        self.stretched = true;
        self
    }

    /// Left out where the page is too narrow; the highest rank goes first.
    #[must_use]
    pub fn optional(mut self, rank: u8) -> Self {
        self.rank = rank;
        self
    }
}

/// One field of a row.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    /// What stands before the text, and is never cut.
    lead: String,
    text: String,
    tone: Tone,
}

impl Cell {
    /// A field in a tone.
    #[must_use]
    pub fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self {
            lead: String::new(),
            text: text.into(),
            tone,
        }
    }

    /// The field behind a text that is not cut with it.
    #[must_use]
    pub fn behind(mut self, lead: &str) -> Self {
        self.lead.insert_str(0, lead);
        self
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::toned(text, Tone::Plain)
    }
}

/// Rows under headings.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    indent: usize,
    headings: bool,
}

impl Table {
    /// A table without rows.
    #[must_use]
    pub fn new(columns: Vec<Column>) -> Self {
        Self {
            columns,
            rows: Vec::new(),
            indent: 0,
            headings: true,
        }
    }

    /// Moves all lines to the right.
    #[must_use]
    pub fn indented(mut self, columns: usize) -> Self {
        self.indent = columns;
        self
    }

    /// Leaves the line of headings out.
    #[must_use]
    pub fn without_headings(mut self) -> Self {
        self.headings = false;
        self
    }

    /// Adds a row; fields beyond the last column are not shown.
    pub fn push(&mut self, row: Vec<Cell>) {
        self.rows.push(row);
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes headings and rows, each line at most as wide as the page where that can be had.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write(&self, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
        let rows: Vec<Vec<Cell>> = self
            .rows
            .iter()
            .map(|row| row.iter().map(|cell| cell.safe(page)).collect())
            .collect();
        let widths = self.widths(page, &rows);
        if self.headings {
            let headings: Vec<Cell> = self
                .columns
                .iter()
                .map(|column| Cell::toned(page.safe(&column.title), Tone::Dim))
                .collect();
            self.write_row(page, &headings, &widths, out)?;
        }
        rows.iter()
            .try_for_each(|row| self.write_row(page, row, &widths, out))
    }

    /// The width of each column; `None` for one that is left out.
    fn widths(&self, page: &Page, rows: &[Vec<Cell>]) -> Vec<Option<usize>> {
        let natural: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| {
                let cells = rows.iter().filter_map(|row| row.get(at));
                let title = if self.headings {
                    width::columns(&column.title)
                } else {
                    0
                };
                cells
                    .map(|cell| width::columns(&cell.lead) + width::columns(&cell.text))
                    .max()
                    .unwrap_or(0)
                    .max(title)
                    .max(column.least)
            })
            .collect();
        let mut widths: Vec<Option<usize>> = natural.iter().copied().map(Some).collect();
        loop {
            let over = self
                .total(&self.narrowest(&widths))
                .saturating_sub(page.columns);
            if over == 0 {
                break;
            }
            let Some(victim) = self.most_optional(&widths) else {
                break;
            };
            if let Some(width) = widths.get_mut(victim) {
                *width = None;
            }
        }
        self.shrink(widths, page)
    }

    fn total(&self, widths: &[Option<usize>]) -> usize {
        let shown = widths.iter().flatten().filter(|&&width| width > 0);
        let (count, sum) = shown.fold((0_usize, 0), |(count, sum), width| (count + 1, sum + width));
        self.indent + sum + count.saturating_sub(1) * GAP
    }

    fn narrowest(&self, widths: &[Option<usize>]) -> Vec<Option<usize>> {
        let pairs = widths.iter().zip(&self.columns);
        pairs
            .map(|(width, column)| {
                width.map(|width| match (column.stretched, column.flexible) {
                    // Whatever is in it now: what is scrolled into view moves no column.
                    (true, _) => STRETCHED,
                    (false, true) => width.min(NARROWEST),
                    (false, false) => width,
                })
            })
            .collect()
    }

    fn most_optional(&self, widths: &[Option<usize>]) -> Option<usize> {
        let shown = self.columns.iter().enumerate().zip(widths);
        shown
            .filter(|((_, column), width)| column.rank > 0 && width.is_some())
            .max_by_key(|((_, column), _)| column.rank)
            .map(|((at, _), _)| at)
    }

    /// Takes columns from the widest names until the line fits or nothing is left to take.
    fn shrink(&self, mut widths: Vec<Option<usize>>, page: &Page) -> Vec<Option<usize>> {
        let mut over = self.total(&widths).saturating_sub(page.columns);
        while over > 0 {
            let widest = self
                .columns
                .iter()
                .zip(widths.iter_mut())
                .filter(|(column, _)| column.flexible)
                .filter_map(|(_, width)| width.as_mut())
                .max_by_key(|width| **width);
            match widest {
                Some(width) if *width > 1 => *width -= 1,
                _ => break,
            }
            over -= 1;
        }
        let left = page.columns.saturating_sub(self.total(&widths));
        let mut columns = self.columns.iter().zip(widths.iter_mut());
        if let Some((_, Some(width))) = columns.find(|(column, _)| column.stretched) {
            *width += left;
        }
        widths
    }

    fn write_row(
        &self,
        page: &Page,
        row: &[Cell],
        widths: &[Option<usize>],
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let mut line = " ".repeat(self.indent);
        let mut pending = 0;
        let nothing = Cell::default();
        for (at, (column, width)) in self.columns.iter().zip(widths).enumerate() {
            let Some(width) = width.filter(|&width| width > 0) else {
                continue;
            };
            let cell = row.get(at).unwrap_or(&nothing);
            let ellipsis = if page.unicode { '…' } else { '~' };
            let room = width.saturating_sub(width::columns(&cell.lead));
            let text = if column.flexible {
                width::middle(&cell.text, room, ellipsis)
            } else {
                cell.text.clone()
            };
            let padding = room.saturating_sub(width::columns(&text));
            let (before, after) = if column.right {
                (padding, 0)
            } else {
                (0, padding)
            };
            pending += before;
            if !text.is_empty() || !cell.lead.is_empty() {
                line.extend(std::iter::repeat_n(' ', pending));
                line.push_str(&cell.lead);
                line.push_str(&page.paint(&text, cell.tone));
                pending = 0;
            }
            pending += after + GAP;
        }
        writeln!(out, "{line}")
    }
}

impl Cell {
    fn safe(&self, page: &Page) -> Self {
        Self {
            lead: page.safe(&self.lead),
            text: page.safe(&self.text),
            tone: self.tone,
        }
    }
}

/// Says how many rows a table leaves out, where it does: `more row is` for one, `more rows are` for others.
///
/// # Errors
///
/// Those of the writer.
pub(super) fn left_out(
    rows: usize,
    (one, many): (&str, &str),
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    if rows == 0 {
        return Ok(());
    }
    let rows = units::counted(rows as u64, one, many);
    let words = format!("{rows} left out: --top 0 shows all");
    writeln!(out, "{}", page.paint(&words, Tone::Dim))
}

/// How [`left_out`] calls rows of no special kind.
pub(super) const ROWS: (&str, &str) = ("more row is", "more rows are");

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new(vec![
            Column::name("package"),
            Column::number("CPU"),
            Column::number("wall").optional(1),
            Column::word("").optional(2),
        ]);
        table.push(vec![
            Cell::toned("cmd/compile/internal/ssa", Tone::Strong),
            "6.31 s".into(),
            "7.00 s".into(),
            "████".into(),
        ]);
        table.push(vec![
            "fmt".into(),
            "0.12 s".into(),
            "12.00 s".into(),
            "".into(),
        ]);
        table.push(vec!["日本\n".into(), "-".into()]);
        table
    }

    fn text(table: &Table, page: Page) -> String {
        let mut out = Vec::new();
        table.write(&page, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn narrow(columns: usize) -> Page {
        Page {
            columns,
            ..Page::default()
        }
    }

    #[test]
    fn numbers_are_right_aligned_and_nothing_trails() {
        assert_eq!(
            text(&sample(), Page::default()),
            "package                      CPU     wall\n\
             cmd/compile/internal/ssa  6.31 s   7.00 s  ████\n\
             fmt                       0.12 s  12.00 s\n\
             日本\\n                         -\n"
        );
    }

    #[test]
    fn what_is_optional_goes_before_names_become_unreadable() {
        assert_eq!(
            text(&sample(), narrow(34)),
            "package               CPU     wall\n\
             cmd/c…nternal/ssa  6.31 s   7.00 s\n\
             fmt                0.12 s  12.00 s\n\
             日本\\n                  -\n"
        );
        assert_eq!(
            text(&sample(), narrow(24)),
            "package              CPU\n\
             cmd/c…ternal/ssa  6.31 s\n\
             fmt               0.12 s\n\
             日本\\n                 -\n"
        );
    }

    #[test]
    fn every_line_fits_where_it_can() {
        for columns in [12, 20, 40, 80, 120] {
            for line in text(&sample(), narrow(columns)).lines() {
                assert!(width::columns(line) <= columns, "{columns}: {line:?}");
            }
        }
    }

    #[test]
    fn a_stretched_column_takes_what_is_left() {
        let mut table = Table::new(vec![
            Column::number("n").at_least(4),
            Column::name("name").stretched(),
            Column::number("end"),
        ]);
        table.push(vec!["1".into(), "a".into(), "2".into()]);
        let expected = "   n  name     end\n   1  a          2\n";
        assert_eq!(text(&table, narrow(18)), expected);
        assert_eq!(text(&table, narrow(1)), "   n  …  end\n   1  a    2\n");
    }

    #[test]
    fn what_leads_a_name_is_not_cut_with_it() {
        let mut table = Table::new(vec![Column::name("")]);
        table.push(vec![Cell::from("abcdefgh").behind("  + ")]);
        assert_eq!(text(&table, narrow(9)), "\n  + a…fgh\n");
        assert_eq!(text(&table, narrow(40)), "\n  + abcdefgh\n");
    }

    #[test]
    fn colour_does_not_change_the_layout() {
        let page = Page {
            colour: true,
            ..Page::default()
        };
        let painted = text(&sample(), page);
        assert!(painted.contains("\x1b[1mcmd/compile/internal/ssa\x1b[0m  6.31 s"));
        let plain = painted
            .replace("\x1b[1m", "")
            .replace("\x1b[2m", "")
            .replace("\x1b[0m", "");
        assert_eq!(plain, text(&sample(), Page::default()));
    }

    #[test]
    fn ascii_pages_stay_ascii() {
        let page = Page {
            unicode: false,
            columns: 30,
            ..Page::default()
        };
        assert!(text(&sample(), page).is_ascii());
    }
}
