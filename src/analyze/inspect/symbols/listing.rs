//! All symbols of a slice: what several tables say alike is one row.

use super::index::{Debug, Index};
use super::tables::{Entry, without_abi};
use super::{Symbol, Table, Witness, Witnesses, text};
use crate::binary::Svma;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// What one table says, before it is put together with others.
struct Row<'r> {
    start: u64,
    /// Number of the section, where addresses are offsets in sections; else 0.
    section: u16,
    name: &'r [u8],
    size: u64,
    /// How little the size is worth: 0 is the best.
    doubt: u8,
    by: Witness,
    /// Number of the function in Go's table.
    go: Option<u64>,
}

/// Where a row is: its section, where addresses are offsets in sections, and its address.
const fn place(row: &Row<'_>) -> (u16, u64) {
    (row.section, row.start)
}

fn witnesses(rows: &[Row<'_>]) -> Witnesses {
    rows.iter().fold(Witnesses::default(), |all, row| {
        all.and(Witnesses::of(row.by))
    })
}

/// Texts that occur again and again, each kept once.
#[derive(Default)]
struct Texts(FxHashMap<Vec<u8>, Arc<str>>);

impl Texts {
    fn get(&mut self, bytes: &[u8]) -> Arc<str> {
        if let Some(found) = self.0.get(bytes) {
            return Arc::clone(found);
        }
        let made: Arc<str> = text(bytes).into();
        self.0.insert(bytes.to_vec(), Arc::clone(&made));
        made
    }
}

impl Index<'_> {
    /// All symbols, in the order of addresses.
    pub(super) fn symbols(&self, debug: &Debug<'_>) -> Vec<Symbol> {
        let rows = self.rows(debug);
        let mut texts = Texts::default();
        let places = rows.chunk_by(|one, other| place(one) == place(other));
        let mut symbols = Vec::new();
        for rows in places {
            // Function starts have no names: they belong to whatever begins there.
            let unnamed = rows.partition_point(|row| !row.name.is_empty());
            let (named, unnamed) = rows.split_at_checked(unnamed).unwrap_or((rows, &[]));
            let also = witnesses(unnamed);
            let names =
                named.chunk_by(|one, other| without_abi(one.name) == without_abi(other.name));
            let names = names.chain(named.is_empty().then_some(unnamed));
            symbols.extend(names.filter_map(|rows| self.symbol(rows, also, debug, &mut texts)));
        }
        symbols
    }

    fn rows<'r>(&'r self, debug: &'r Debug<'_>) -> Vec<Row<'r>> {
        let mut rows = Vec::new();
        if let Some(go) = self.go() {
            for (number, function) in (0..).zip(go.functions()) {
                let Ok(function) = function else { continue };
                let (start, end) = (function.entry().0, function.end().0);
                rows.push(Row {
                    start,
                    section: 0,
                    name: function.linker_name().unwrap_or_default(),
                    size: end.saturating_sub(start),
                    doubt: 1,
                    by: Witness {
                        table: Table::Pclntab,
                        debug_file: false,
                    },
                    go: Some(number),
                });
            }
        }
        let relative = self.image.is_relative();
        for table in debug.tables.iter().chain(self.entries()) {
            rows.extend(table.entries.iter().map(|entry: &Entry<'_>| Row {
                start: entry.start,
                section: entry.section.filter(|_| relative).unwrap_or(0),
                name: &entry.name,
                size: entry.end.saturating_sub(entry.start),
                doubt: if entry.sized { 0 } else { 2 },
                by: table.by,
                go: None,
            }));
        }
        rows.sort_by(|one, other| {
            // Those without a name come behind the others of their place.
            let key = |row: &Row<'_>| (place(row), row.name.is_empty());
            key(one)
                .cmp(&key(other))
                .then_with(|| without_abi(one.name).cmp(without_abi(other.name)))
                .then_with(|| one.name.cmp(other.name))
        });
        rows
    }

    fn symbol(
        &self,
        group: &[Row<'_>],
        also: Witnesses,
        debug: &Debug<'_>,
        texts: &mut Texts,
    ) -> Option<Symbol> {
        let first = group.first()?;
        let best = group.iter().min_by_key(|row| row.doubt)?;
        let start = Svma(first.start);
        let section = if self.image.is_relative() {
            let mut sections = self.image.sections.iter();
            sections.find(|one| one.number == first.section)
        } else {
            self.image.section_at(start)
        };
        let (file, line) = self.source(group, start, debug, texts);
        Some(Symbol {
            name: text(first.name),
            start,
            size: best.size,
            section: section.map_or_else(|| Arc::from(""), |one| Arc::clone(&one.name)),
            file,
            line,
            by: witnesses(group).and(also),
        })
    }

    /// The file and line at which a function begins.
    fn source(
        &self,
        group: &[Row<'_>],
        start: Svma,
        debug: &Debug<'_>,
        texts: &mut Texts,
    ) -> (Arc<str>, u32) {
        let number = group.iter().find_map(|row| row.go);
        let function = number.and_then(|number| self.go()?.function(number).ok());
        if let Some(function) = function
            && let Ok(lines) = function.lines(start)
            && let Some(line) = lines.last()
        {
            return (texts.get(line.file), line.line);
        }
        let is_function = group.iter().any(|row| row.by.table == Table::Dwarf);
        let lines = debug.lines(start).find(|_| is_function);
        let last = lines.and_then(|(_, mut lines)| lines.pop());
        last.map_or_else(
            || (Arc::from(""), 0),
            |line| (texts.get(&line.file), line.line),
        )
    }
}
