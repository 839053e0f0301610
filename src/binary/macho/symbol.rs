//! Symbols, and the table of indirect symbols that says which of them a stub or a pointer is for.
//!
//! ```text
//! symbol      0 u32 offset of the name  4 u8 type  5 u8 section, from 1  6 u16 description  8 u64 value
//! type        e0: debugging, with the whole byte as its kind; 10: private; 0e: 0 undefined,
//!             2 absolute, e in a section, a another symbol; 01: seen outside
//! indirect    u32 number of a symbol; 80000000: a private one, 40000000: an absolute one
//! ```
//!
//! Source: `<mach-o/nlist.h>`, `<mach-o/loader.h>`.

use super::command::{Command, DynamicSymbols, Table};
use super::header::MachO;
use crate::binary::{Error, Svma, bytes::Bytes};

const ENTRY: usize = 16;
const DEBUGGING: u8 = 0xe0;
const OUTSIDE: u8 = 0x01;
const KIND: u8 = 0x0e;
const LOCAL: u32 = 0x8000_0000;
const ABSOLUTE: u32 = 0x4000_0000;
/// In descriptions: an import that may be missing, and a definition that others may take the place of.
const WEAK_REFERENCE: u16 = 0x40;
const WEAK_DEFINITION: u16 = 0x80;

/// Where symbols and their names are in a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// First symbol.
    pub symbols: u64,
    /// How many.
    pub count: u64,
    /// Their names.
    pub names: Table,
}

/// What a symbol is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SymbolKind {
    /// Not in this file.
    Undefined,
    /// A number.
    Absolute,
    /// In the section of this number, counted from 1.
    Section(u8),
    /// The same as another one.
    Indirect,
    /// For debuggers (`N_*`): objects, source files, functions.
    Debugging(u8),
    /// Something else.
    Other,
}

/// One symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol<'a> {
    /// Name, with the low line that C and Go put before it.
    pub name: &'a [u8],
    /// Address.
    pub address: Svma,
    /// What it is of.
    pub kind: SymbolKind,
    /// Other files see it.
    pub external: bool,
    /// `n_desc`: for imports the number of the library in the upper 8 bits, where the file has
    /// two-level names.
    pub description: u16,
}

impl Symbol<'_> {
    /// It is in this file, and not for debuggers alone.
    #[must_use]
    pub const fn is_defined(&self) -> bool {
        matches!(self.kind, SymbolKind::Section(_) | SymbolKind::Absolute)
    }

    /// It is not in this file. What is undefined and has a size is a variable of C that any file
    /// may define.
    #[must_use]
    pub fn is_needed(&self) -> bool {
        self.kind == SymbolKind::Undefined && self.external && self.address == Svma(0)
    }

    /// It is imported, and may be missing.
    #[must_use]
    pub const fn may_be_missing(&self) -> bool {
        !self.is_defined() && self.description & WEAK_REFERENCE != 0
    }

    /// It is in this file, unless another loaded file has it first.
    #[must_use]
    pub const fn is_weak_definition(&self) -> bool {
        self.is_defined() && self.external && self.description & WEAK_DEFINITION != 0
    }
}

/// A table of symbols.
#[derive(Clone, Copy, Debug, Default)]
pub struct Symbols<'a> {
    entries: &'a [u8],
    names: &'a [u8],
}

impl<'a> Symbols<'a> {
    pub(super) fn read(bytes: Bytes<'a>, place: Place) -> Result<Self, Error> {
        let size = place.count.saturating_mul(ENTRY as u64);
        Ok(Self {
            entries: bytes.slice("symbols", place.symbols, size)?,
            names: bytes.slice("names of symbols", place.names.offset, place.names.size)?,
        })
    }

    /// How many.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len() / ENTRY
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The symbol of a number; `None` beyond the last. A name that cannot be read is empty.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<Symbol<'a>> {
        let start = usize::try_from(number).ok()?.checked_mul(ENTRY)?;
        let entry = self.entries.get(start..start.checked_add(ENTRY)?)?;
        self.symbol(entry)
    }

    /// All of them, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = Symbol<'a>> + use<'a> {
        let table = *self;
        let entries = self.entries.chunks_exact(ENTRY);
        entries.filter_map(move |entry| table.symbol(entry))
    }

    fn symbol(&self, entry: &[u8]) -> Option<Symbol<'a>> {
        let entry = Bytes(entry);
        let name = u64::from(entry.u32("symbol", 0).ok()?);
        let kind = entry.u8("symbol", 4).ok()?;
        let section = entry.u8("symbol", 5).ok()?;
        let name = Bytes(self.names).string("name of a symbol", name);
        Some(Symbol {
            name: name.unwrap_or_default(),
            address: Svma(entry.u64("symbol", 8).ok()?),
            kind: match (kind & DEBUGGING, kind & KIND) {
                (0, 0x0) => SymbolKind::Undefined,
                (0, 0x2) => SymbolKind::Absolute,
                (0, 0xe) => SymbolKind::Section(section),
                (0, 0xa) => SymbolKind::Indirect,
                (0, _) => SymbolKind::Other,
                _ => SymbolKind::Debugging(kind),
            },
            external: kind & DEBUGGING == 0 && kind & OUTSIDE != 0,
            description: entry.u16("symbol", 6).ok()?,
        })
    }
}

/// An entry of the table of indirect symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indirect {
    /// The symbol of this number.
    Symbol(u32),
    /// A symbol of this file that nobody else sees: nothing is bound.
    Private,
}

impl<'a> MachO<'a> {
    /// The tables of `LC_DYSYMTAB`, empty where there is none.
    pub(super) fn dynamic_symbols(&self) -> DynamicSymbols {
        let mut tables = self.commands.iter().filter_map(|one| match one.command {
            Command::DynamicSymbols(tables) => Some(tables),
            _ => None,
        });
        tables.next().unwrap_or_default()
    }

    /// The table of indirect symbols, empty where there is none.
    ///
    /// # Errors
    ///
    /// When it reaches beyond the end of the slice.
    pub fn indirect_symbols(&self) -> Result<Vec<Indirect>, Error> {
        let place = self.dynamic_symbols().indirect;
        if place.size == 0 {
            return Ok(Vec::new());
        }
        let size = place.size.saturating_mul(4);
        let table = Bytes(self.data)
            .slice("indirect symbols", place.offset, size)
            .map_err(|error| error.further(self.start.0))?;
        let numbers = table.as_chunks::<4>().0.iter();
        Ok(numbers
            .map(|number| match u32::from_le_bytes(*number) {
                number if number & (LOCAL | ABSOLUTE) != 0 => Indirect::Private,
                number => Indirect::Symbol(number),
            })
            .collect())
    }
}
