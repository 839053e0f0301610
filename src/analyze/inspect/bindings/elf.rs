//! Imports of an ELF file: what the dynamic loader looks up by name, for a relocation or without one.

use super::{FOR_THE_LINKER, Import};
use crate::analyze::inspect::text;
use crate::binary::elf::{
    Binding, Dynamic, DynamicRelocation, DynamicSymbol, Elf, Kind, Reach, RelocationKind, Section,
    Visibility,
};
use crate::binary::{Error, Svma};
use std::collections::{BTreeMap, BTreeSet};

/// `ET_REL`.
const OBJECT: Kind = Kind::Other(1);
/// Bytes of names for each byte of the file at most: a relocation has 24, a name of C++ a few hundred.
const MOST_NAMES: usize = 16;

/// All imports of a file: first those with a relocation, in the order of its tables.
pub(in crate::analyze::inspect) fn imports(
    data: &[u8],
    elf: &Elf<'_>,
) -> Result<Vec<Import>, Error> {
    if elf.kind == OBJECT {
        return bounded(data, undefined(elf));
    }
    let file = File::of(data, elf)?;
    let bound: BTreeSet<u32> = file
        .looked_up()
        .map(|(relocation, _)| relocation.symbol)
        .collect();
    let unused = file.dynamic.undefined();
    let unused = unused.filter(|(number, _)| !bound.contains(number));
    let imports = file
        .looked_up()
        .map(|(relocation, symbol)| file.bound(&relocation, &symbol));
    bounded(
        data,
        imports.chain(unused.map(|(_, symbol)| file.import(&symbol))),
    )
}

/// Tables can name one long symbol again and again.
fn bounded(data: &[u8], imports: impl Iterator<Item = Import>) -> Result<Vec<Import>, Error> {
    let most = data.len().saturating_mul(MOST_NAMES);
    let mut length = 0_usize;
    let imports = imports.map(|import| {
        length = length.saturating_add(import.symbol.len());
        if length > most {
            return Err(Error::Malformed {
                what: "names of imports, by their length",
                offset: 0,
                value: length as u64,
            });
        }
        Ok(import)
    });
    imports.collect()
}

/// What an object needs: from where is for the linker to find out.
fn undefined<'a>(elf: &Elf<'a>) -> impl Iterator<Item = Import> + use<'a> {
    let symbols = elf.symbols().iter();
    let needed = symbols.filter(|symbol| symbol.is_undefined() && !symbol.name.is_empty());
    needed.map(|symbol| Import {
        symbol: text(symbol.name),
        provider: FOR_THE_LINKER.to_owned(),
        how: "undefined",
        weak: symbol.binding == Binding::Weak,
        ..Import::default()
    })
}

/// What is asked of a file again and again.
struct File<'a> {
    dynamic: Dynamic<'a>,
    /// Numbers of the libraries, from 1.
    libraries: BTreeMap<&'a [u8], u64>,
    stubs: BTreeMap<Svma, Svma>,
    /// What is in memory, by its first address.
    sections: BTreeMap<u64, Section<'a>>,
}

impl<'a> File<'a> {
    fn of(data: &'a [u8], elf: &Elf<'a>) -> Result<Self, Error> {
        let dynamic = Dynamic::parse(data)?;
        let sections = elf.sections().iter();
        let in_memory = sections.filter(|section| section.address.0 != 0 && section.size > 0);
        Ok(Self {
            libraries: dynamic.needed().zip(1..).collect(),
            stubs: dynamic.stubs(),
            sections: in_memory
                .map(|section| (section.address.0, *section))
                .collect(),
            dynamic,
        })
    }

    /// The relocations for which a symbol is looked up.
    fn looked_up(&self) -> impl Iterator<Item = (DynamicRelocation, DynamicSymbol<'a>)> + '_ {
        let named = self.dynamic.relocations().filter(|one| one.symbol != 0);
        named.filter_map(|relocation| {
            let symbol = self.dynamic.symbol(relocation.symbol)?;
            (!symbol.is_own()).then_some((relocation, symbol))
        })
    }

    fn bound(&self, relocation: &DynamicRelocation, symbol: &DynamicSymbol<'_>) -> Import {
        let calls = relocation.kind == RelocationKind::JumpSlot;
        Import {
            slot: Some(relocation.slot),
            section: self.section(relocation.slot),
            stub: self.stubs.get(&relocation.slot).copied(),
            how: match relocation.kind {
                RelocationKind::JumpSlot => "JUMP_SLOT",
                RelocationKind::GlobalData => "GLOB_DAT",
                RelocationKind::Copy => "COPY",
                RelocationKind::Absolute => "absolute",
                RelocationKind::ThreadLocal => "thread-local",
                RelocationKind::Relative
                | RelocationKind::IndirectRelative
                | RelocationKind::Other => "relocation",
            },
            lazy: calls && !self.dynamic.flags().bind_now,
            addend: relocation.addend,
            ..self.import(symbol)
        }
    }

    /// A symbol and who has it.
    fn import(&self, symbol: &DynamicSymbol<'_>) -> Import {
        let library = symbol.version.and_then(|version| version.file);
        Import {
            symbol: text(symbol.name),
            version: symbol.version.map(|version| text(version.name)),
            kind: match symbol.kind {
                1 => Some("object"),
                2 => Some("function"),
                6 => Some("thread-local"),
                10 => Some("indirect function"),
                _ => None,
            },
            provider: library.map_or_else(|| self.searched(symbol).to_owned(), text),
            library: library.and_then(|name| self.libraries.get(name).copied()),
            how: "no relocation",
            weak: symbol.is_undefined() && symbol.reach == Reach::Weak,
            ..Import::default()
        }
    }

    /// Where a symbol is looked for that no version leads to a library.
    fn searched(&self, symbol: &DynamicSymbol<'_>) -> &'static str {
        let keeps_own = self.dynamic.flags().symbolic || symbol.visibility == Visibility::Protected;
        match symbol.is_undefined() {
            true => "any loaded file",
            false if keeps_own => "this file",
            false => "this file, if no earlier one",
        }
    }

    fn section(&self, slot: Svma) -> Option<String> {
        let (start, section) = self.sections.range(..=slot.0).next_back()?;
        let into = slot.0.checked_sub(*start)?;
        (into < section.size).then(|| text(section.name))
    }
}
