//! Finds the runtime's description of the program (`runtime.firstmoduledata`).
//!
//! ```text
//!   0 address of pclntab's header    8 slices: names, units, files, pc values, functions, index
//! 152 findfunctab  160 minpc  168 maxpc  176 text  184 etext
//! and the address that offsets of funcdata count from:
//! 304 gofunc, Go 1.18 and 1.19     320 gofunc, Go 1.20 to 1.26     344 gofunc, Go 1.27
//! 296 types: start, end            (Go 1.27: start, size of the descriptions, end)
//! ```
//!
//! Source: `moduledata` in `runtime/symtab.go` of each release. There is no version number in
//! it. In position-independent executables the
//! addresses are relocations.

use super::Container;
use super::pclntab::Format;
use crate::binary::bytes::Bytes;
use crate::binary::{Load, Svma};

const NAMES: u64 = 8;
const TEXT: u64 = 176;
const END_OF_TEXT: u64 = 184;
const TYPES: u64 = 296;
/// How much of it is read.
const SIZE: u64 = 360;
const WORDS: usize = 45;
const WORD: usize = 8;
/// How many places are looked at that have the address of pclntab: a program has one or two.
const MOST_PLACES: usize = 16;

/// What pclntab does not say itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ModuleData {
    /// What offsets of functions count from.
    pub(super) text: Svma,
    /// End of the Go code.
    pub(super) text_end: Svma,
    /// What offsets of funcdata count from.
    pub(super) gofunc: Option<Svma>,
}

/// Its words, relocations applied.
struct Words<'a> {
    memory: Bytes<'a>,
    relocated: Vec<(u64, Svma)>,
}

impl Words<'_> {
    fn get(&self, offset: u64) -> Option<Svma> {
        let relocated = self.relocated.iter().find(|(at, _)| *at == offset);
        match relocated {
            Some((_, address)) => Some(*address),
            None => self.memory.u64("module data", offset).ok().map(Svma),
        }
    }
}

/// Looks for it: it begins with the address of pclntab, and goes on with that of the names.
pub(super) fn find<'a>(
    image: &impl Container<'a>,
    pclntab: Svma,
    names: Svma,
    format: Format,
) -> Option<ModuleData> {
    in_place(image, pclntab)
        .into_iter()
        .chain(relocated(image, pclntab))
        .filter(|words| words.get(NAMES) == Some(names))
        .find_map(|words| read(image, &words, format))
}

fn read<'a>(image: &impl Container<'a>, words: &Words<'_>, format: Format) -> Option<ModuleData> {
    let text = words.get(TEXT)?;
    let text_end = words.get(END_OF_TEXT)?;
    if !image.memory().is_code(text) || text_end < text {
        return None;
    }
    let place = match format {
        Format::Go116 => None,
        Format::Go118 => Some(304),
        Format::Go120 if has_type_sizes(words) => Some(344),
        Format::Go120 => Some(320),
    };
    let of_field = place.and_then(|place| {
        let address = words.get(place)?;
        let filled = image.memory().offset_of(address).is_some();
        (filled && address.0 != 0).then_some(address)
    });
    let of_section = image.go_section("go.func").map(|(address, _)| address);
    Some(ModuleData {
        text,
        text_end,
        gofunc: of_field.or(of_section),
    })
}

/// Whether the types are {start, size of the descriptions, end}, as since Go 1.27, and not
/// {start, end} followed by the read-only data, which begins before the types.
fn has_type_sizes(words: &Words<'_>) -> bool {
    let word = |index: u64| words.get(TYPES.saturating_add(index.saturating_mul(8)));
    let (Some(start), Some(size), Some(end)) = (word(0), word(1), word(2)) else {
        return false;
    };
    start
        .checked_add(size.0)
        .is_some_and(|within| within <= end)
}

/// The places where the file itself has the address of pclntab: first in the sections that
/// releases of Go put it, then in all data.
fn in_place<'a>(image: &impl Container<'a>, pclntab: Svma) -> Vec<Words<'a>> {
    const SECTIONS: [&str; 4] = ["go.module", "noptrdata", "data.rel.ro", "data"];
    let of_sections = SECTIONS
        .iter()
        .filter_map(|name| image.go_section(name))
        .find_map(|(_, data)| places(data, pclntab).into_iter().next());
    if let Some(found) = of_sections {
        return vec![found];
    }
    let writable = |load: &&Load| load.writable;
    let loads = image.memory().loads().iter().filter(writable);
    loads
        .flat_map(|load| places(image.memory().contents(load), pclntab))
        .collect()
}

fn places(data: &[u8], pclntab: Svma) -> Vec<Words<'_>> {
    let wanted = pclntab.0.to_le_bytes();
    let words = data.chunks_exact(WORD).enumerate();
    words
        .filter(|(_, word)| *word == wanted)
        .filter_map(|(index, _)| data.get(index.checked_mul(WORD)?..))
        .map(|memory| Words {
            memory: Bytes(memory),
            relocated: Vec::new(),
        })
        .collect()
}

/// The places where the dynamic loader writes the address of pclntab.
fn relocated<'a>(image: &impl Container<'a>, pclntab: Svma) -> Vec<Words<'a>> {
    let starts: Vec<Svma> = image
        .addresses()
        .filter(|(_, address)| *address == pclntab)
        .map(|(place, _)| place)
        .take(MOST_PLACES)
        .collect();
    let words = starts.into_iter().filter_map(|start| {
        let memory = image.memory().bytes_from("module data", start).ok()?;
        let relocated = image
            .addresses()
            .filter_map(|(place, address)| {
                let offset = place.offset_from(start)?;
                (offset < SIZE).then_some((offset, address))
            })
            .take(WORDS)
            .collect();
        Some(Words {
            memory: Bytes(memory),
            relocated,
        })
    });
    words.collect()
}
