//! The tables of a slice as one kind of rows, in the order of addresses.

use super::image::{Format, Image};
use super::{Table, Witness};
use crate::binary::dwarf::Dwarf;
use crate::binary::elf::{Elf, Symbols};
use crate::binary::macho::{MachO, NamedPlace};
use crate::binary::{Error, Svma};
use std::borrow::Cow;

/// How far back a function is looked for that holds labels.
const LABELS: usize = 16;

/// What a table says of one function or variable.
#[derive(Clone, Debug)]
pub(super) struct Entry<'m> {
    pub(super) start: u64,
    /// Address after the last; where the table does not say, that of what follows.
    pub(super) end: u64,
    /// The table itself says where it ends.
    pub(super) sized: bool,
    /// Number of its section, where the table says that.
    pub(super) section: Option<u16>,
    pub(super) name: Cow<'m, [u8]>,
}

/// One table.
#[derive(Debug)]
pub(super) struct Entries<'m> {
    pub(super) by: Witness,
    pub(super) entries: Vec<Entry<'m>>,
}

impl<'m> Entries<'m> {
    fn of(by: Witness, mut entries: Vec<Entry<'m>>) -> Self {
        entries.sort_by(|one, other| {
            let key = |entry: &Entry<'_>| (entry.start, !entry.sized);
            key(one)
                .cmp(&key(other))
                .then_with(|| one.name.cmp(&other.name))
        });
        Self { by, entries }
    }

    /// What holds an address: all that begin at the nearest place before it, and where these are
    /// but labels, the function around them.
    pub(super) fn covering(&self, address: Svma) -> impl Iterator<Item = &Entry<'m>> {
        let after = self
            .entries
            .partition_point(|entry| entry.start <= address.0);
        let before = self.entries.get(..after).unwrap_or_default();
        let nearest = before.last().map_or(0, |entry| entry.start);
        let here = before.iter().rev();
        let here = here.take_while(move |entry| entry.start == nearest);
        let holds = move |entry: &&Entry<'m>| address.0 < entry.end;
        let labels = !here.clone().any(|entry| entry.sized && holds(&entry));
        let mut around = before.iter().rev().take(LABELS);
        let around = around.find(|entry| labels && entry.sized && holds(entry));
        let mut found: Vec<_> = here.filter(holds).collect();
        found.reverse();
        found.into_iter().chain(around)
    }
}

/// Where a table does not say where something ends, what follows is its end: the next place that
/// any table has, or the end of the section.
fn close(tables: &mut [Entries<'_>], image: &Image<'_>) {
    let all = tables.iter().flat_map(|table| &table.entries);
    let mut starts: Vec<u64> = all.map(|entry| entry.start).collect();
    starts.sort_unstable();
    starts.dedup();
    let open = tables.iter_mut().flat_map(|table| &mut table.entries);
    for entry in open.filter(|entry| !entry.sized) {
        let after = starts.partition_point(|start| *start <= entry.start);
        let next = starts.get(after).copied().unwrap_or(u64::MAX);
        let section = image.section_at(Svma(entry.start));
        let limit = section.map_or(entry.start, |section| section.end);
        entry.end = next.min(limit);
    }
}

/// The tables of a file but for Go's and DWARF; those that cannot be read say why.
pub(super) fn of_file<'m>(
    image: &'m Image<'_>,
    debug_file: bool,
) -> (Vec<Entries<'m>>, Vec<String>) {
    let mut unread = Vec::new();
    let tables = match &image.format {
        Format::MachO(macho) => of_macho(macho),
        Format::Elf(elf) => of_elf(elf),
    };
    let read = tables.into_iter().filter_map(|(table, entries)| {
        let by = Witness { table, debug_file };
        match entries {
            Ok(entries) if entries.is_empty() => None,
            Ok(entries) => Some(Entries::of(by, entries)),
            Err(error) => {
                unread.push(format!("{by}: {error}"));
                None
            }
        }
    });
    let mut read: Vec<Entries<'m>> = read.collect();
    if !image.is_relative() {
        close(&mut read, image);
    }
    (read, unread)
}

type Read<'m> = (Table, Result<Vec<Entry<'m>>, Error>);

fn of_macho<'m>(image: &MachO<'m>) -> Vec<Read<'m>> {
    let entry = |address: Svma, section, name| Entry {
        start: address.0,
        end: address.0,
        sized: false,
        section,
        name,
    };
    let named = |places: Vec<NamedPlace<'m>>| {
        let places = places.into_iter();
        places
            .map(|place| entry(place.address, place.section.map(u16::from), place.name))
            .collect()
    };
    let starts = image.function_starts().map(|starts| {
        let starts = starts.into_iter();
        starts
            .map(|start| entry(start, None, Cow::Borrowed(&[][..])))
            .collect()
    });
    vec![
        (Table::Symbols, image.named_symbols().map(named)),
        (Table::Exports, image.named_exports().map(named)),
        (Table::FunctionStarts, starts),
    ]
}

/// A name without the calling convention that Go's linker adds to functions written in assembly:
/// its other tables leave it out.
pub(super) fn without_abi(name: &[u8]) -> &[u8] {
    name.strip_suffix(b".abi0")
        .or_else(|| name.strip_suffix(b".abiinternal"))
        .unwrap_or(name)
}

fn of_elf<'m>(elf: &Elf<'m>) -> Vec<Read<'m>> {
    let table = |symbols: Symbols<'m>| {
        let named = symbols.iter().filter(|symbol| {
            // Marks of assemblers for Arm: where code and where data begins.
            let mark = symbol.name.starts_with(b"$");
            (symbol.is_code() || symbol.is_object()) && !symbol.name.is_empty() && !mark
        });
        let entries = named.map(|symbol| Entry {
            start: symbol.address.0,
            end: symbol.address.0.saturating_add(symbol.size),
            sized: symbol.size > 0,
            section: Some(symbol.section()),
            name: Cow::Borrowed(symbol.name),
        });
        Ok(entries.collect())
    };
    vec![
        (Table::Symbols, table(elf.symbols())),
        (Table::DynamicSymbols, table(elf.dynamic_symbols())),
    ]
}

/// The functions of debug information.
pub(super) fn of_dwarf<'m>(dwarf: &'m Dwarf<'_>, debug_file: bool) -> Result<Entries<'m>, Error> {
    let entries = dwarf.subprograms()?.into_iter().map(|one| Entry {
        start: one.start.0,
        end: one.end.0,
        sized: true,
        section: None,
        name: Cow::Borrowed(one.name),
    });
    let by = Witness {
        table: Table::Dwarf,
        debug_file,
    };
    Ok(Entries::of(by, entries.collect()))
}
