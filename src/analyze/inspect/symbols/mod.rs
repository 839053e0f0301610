//! What is at an address, and where a name is: by every table that a file has.
//!
//! A slice comes in, with the file of debug information that belongs to it where there is one;
//! names, ranges, files and lines go out, each with the table that it is from. Tables are not
//! laid over each other: where two of them say different things, both are shown.

mod image;
mod index;
mod listing;
mod look_up;
mod tables;

pub use image::Image;
pub use index::Index;
pub use look_up::{Answer, Asked, Lookup, Place};

use super::placement::Placement;
use super::{Inspection, text};
use crate::binary::go::GoObject;
use crate::binary::macho::{Slice, SliceOf, Slices};
use crate::binary::{Error, FileOffset, Svma};
use index::Debug;
use std::fmt;
use std::sync::Arc;

/// A table that says where functions and variables are, the best for Go's code first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Go's own, for tracebacks: stripped files have it, too.
    Pclntab,
    /// Debug information.
    Dwarf,
    /// Symbols.
    Symbols,
    /// The symbols for the dynamic loader (ELF).
    DynamicSymbols,
    /// What is exported (Mach-O).
    Exports,
    /// Where functions begin, without names (Mach-O).
    FunctionStarts,
}

impl Table {
    const ALL: [Self; 6] = [
        Self::Pclntab,
        Self::Dwarf,
        Self::Symbols,
        Self::DynamicSymbols,
        Self::Exports,
        Self::FunctionStarts,
    ];

    /// `pclntab`, `symtab`, ...
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pclntab => "pclntab",
            Self::Dwarf => "DWARF",
            Self::Symbols => "symtab",
            Self::DynamicSymbols => "dynsym",
            Self::Exports => "exports",
            Self::FunctionStarts => "function starts",
        }
    }
}

/// Which table of which file says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Witness {
    /// The table.
    pub table: Table,
    /// It is in the file of debug information (a dSYM), not in the file itself.
    pub debug_file: bool,
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = if self.debug_file { "debug file's " } else { "" };
        write!(f, "{whose}{}", self.table.name())
    }
}

/// A set of witnesses: one bit for each table, and as many for the debug file's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Witnesses(u16);

impl Witnesses {
    /// One of them.
    #[must_use]
    pub const fn of(witness: Witness) -> Self {
        let bit = witness.table as u32 + if witness.debug_file { 8 } else { 0 };
        Self(match 1_u16.checked_shl(bit) {
            Some(bit) => bit,
            None => 0,
        })
    }

    /// Those of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// All of them, the best first.
    pub fn iter(self) -> impl Iterator<Item = Witness> {
        let both = [false, true].into_iter();
        let all = both.flat_map(|debug_file| {
            Table::ALL
                .into_iter()
                .map(move |table| Witness { table, debug_file })
        });
        all.filter(move |witness| self.0 & Self::of(*witness).0 != 0)
    }
}

/// A function or variable.
#[derive(Clone, Debug)]
pub struct Symbol {
    /// Name, without the low line that Mach-O puts before each; empty where only the place is known.
    pub name: String,
    /// First address; in an ELF object, its offset in the section.
    pub start: Svma,
    /// Bytes, as the most exact table has it: 0 where none does.
    pub size: u64,
    /// The section that it is in.
    pub section: Arc<str>,
    /// Source file; empty where it is not known.
    pub file: Arc<str>,
    /// Line, 0 where it is not known.
    pub line: u32,
    /// The tables that say so.
    pub by: Witnesses,
}

/// What is known of the symbols of a slice.
#[derive(Clone, Debug, Default)]
pub struct SymbolFacts {
    /// The tables that there are, and how many functions and variables each has.
    pub tables: Vec<(Witness, usize)>,
    /// Tables that there are and that could not be read, and why.
    pub unread: Vec<String>,
    /// The file of debug information that was used.
    pub debug_file: Option<String>,
    /// All symbols, where they were wanted.
    pub symbols: Option<Vec<Symbol>>,
    /// What was asked for, and what was found.
    pub lookups: Vec<Lookup>,
}

/// A file of debug information: what it is called, and its bytes.
#[derive(Clone, Copy, Debug)]
pub struct DebugFile<'a> {
    /// Its path.
    pub named: &'a str,
    /// Its bytes.
    pub data: &'a [u8],
}

/// Adds what is known of symbols to each slice of an inspected file: all of them where `all` says
/// so, and what `asked` asks for. Addresses are actual ones where a slice was placed in memory.
///
/// # Errors
///
/// When the bytes are not those that were inspected.
pub fn add(
    inspection: &mut Inspection,
    data: &[u8],
    debug: Option<DebugFile<'_>>,
    all: bool,
    asked: &[Asked],
) -> Result<(), Error> {
    let slices = if Slices::begins(data) {
        Slices::of(data)?.slices
    } else {
        vec![Slice {
            of: SliceOf::Thin,
            offset: FileOffset(0),
            data,
        }]
    };
    for (facts, slice) in inspection.slices.iter_mut().zip(&slices) {
        // Objects of Go have their symbols in tables for Go's linker alone.
        if facts.unread.is_none() && GoObject::of(slice.data).is_none() {
            let image = Image::of(slice)?;
            let placement = facts.placement.as_ref();
            facts.symbols = Some(of_slice(&image, placement, debug, all, asked));
        }
    }
    Ok(())
}

fn of_slice(
    image: &Image<'_>,
    placement: Option<&Placement>,
    debug: Option<DebugFile<'_>>,
    all: bool,
    asked: &[Asked],
) -> SymbolFacts {
    let mut refused = Vec::new();
    let debug_image = debug.and_then(|file| match image.debug_image(file.data) {
        Ok(found) => Some((file.named, found)),
        Err(why) => {
            refused.push(format!("{}: {why}", file.named));
            None
        }
    });
    let index = Index::of(image, debug_image.as_ref().map(|(_, image)| image));
    let (ready, mut unread) = index.debugging();
    unread.extend(refused);
    let debug = Debug::of(&ready, &mut unread);
    unread.extend_from_slice(index.unread());
    let lookups = asked
        .iter()
        .map(|asked| index.look_up(asked, placement, &debug));
    SymbolFacts {
        tables: index.counts(&debug.tables),
        lookups: lookups.collect(),
        symbols: all.then(|| index.symbols(&debug)),
        unread,
        debug_file: debug_image.as_ref().map(|(named, _)| (*named).to_owned()),
    }
}
