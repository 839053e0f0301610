//! Dynamic symbols: what a file offers to others, and what it wants of them.
//!
//! ```text
//! DT_HASH       0 u32 buckets  4 u32 number of symbols
//! DT_GNU_HASH   0 u32 buckets  4 u32 first symbol  8 u32 words of the filter  12 u32 shift
//!               then the filter, the buckets (u32, first symbol of each chain or 0), and for each symbol
//!               from the first one on u32 hash, whose lowest bit ends a chain
//! ```

use super::{Dynamic, Version};
use crate::binary::{Svma, bytes::Bytes};

const DT_HASH: u64 = 4;
const DT_SYMTAB: u64 = 6;
const DT_GNU_HASH: u64 = 0x6fff_fef5;
const SHN_UNDEF: u16 = 0;
const SHN_ABS: u16 = 0xfff1;
const STT_TLS: u8 = 6;

/// How far a symbol reaches, and who wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// This file alone.
    Local,
    /// Every file. The first definition wins.
    Global,
    /// As [`Self::Global`], and it may be missing where it is wanted.
    Weak,
    /// Every file of the process: there is one definition, whatever is loaded from where.
    Unique,
}

/// Who binds to a symbol that a file defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// Whoever finds it first.
    Default,
    /// The file itself (`STV_HIDDEN`, `STV_INTERNAL`).
    Hidden,
    /// Whoever finds it, and the file itself always to its own.
    Protected,
}

/// One dynamic symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DynamicSymbol<'a> {
    /// Name.
    pub name: &'a [u8],
    /// Its version, if it has one.
    pub version: Option<Version<'a>>,
    /// Number of the version in the file; none in a file without versions.
    pub version_number: Option<u16>,
    /// Only who names the version gets it.
    pub version_hidden: bool,
    /// Who wins.
    pub reach: Reach,
    /// Who binds to it.
    pub visibility: Visibility,
    /// Stated address.
    pub value: Svma,
    /// `STT_*`.
    pub kind: u8,
    section: u16,
}

impl DynamicSymbol<'_> {
    /// It is wanted, and defined elsewhere.
    #[must_use]
    pub const fn is_undefined(&self) -> bool {
        self.section == SHN_UNDEF
    }

    /// The loader takes it for a definition when it looks a name up: it has a value, which what
    /// is undefined has, too, where an executable's own stub stands for a function.
    #[must_use]
    pub const fn is_offered(&self) -> bool {
        let valued = self.value.0 != 0 || self.section == SHN_ABS || self.kind == STT_TLS;
        // Sections, files and what no loader knows are never found.
        let known = matches!(self.kind, 0 | 1 | 2 | 5 | 6 | 10);
        let open = !matches!(self.reach, Reach::Local);
        valued && known && open && !matches!(self.visibility, Visibility::Hidden)
    }

    /// A relocation of this symbol is bound within the file, without being looked up.
    #[must_use]
    pub const fn is_own(&self) -> bool {
        matches!(self.reach, Reach::Local) || matches!(self.visibility, Visibility::Hidden)
    }
}

impl<'a> Dynamic<'a> {
    /// A dynamic symbol by its number; none beyond the end, and for one whose name cannot be read.
    #[must_use]
    pub fn symbol(&self, number: u32) -> Option<DynamicSymbol<'a>> {
        let layout = self.class.symbol();
        let entry = self.symbols?.slice(
            "dynamic symbol",
            u64::from(number).checked_mul(layout.size)?,
            layout.size,
        );
        let entry = Bytes(entry.ok()?);
        let info = entry.u8("dynamic symbol", layout.info).ok()?;
        let other = entry.u8("dynamic symbol", layout.other).ok()?;
        let name = entry.u32("dynamic symbol", 0).ok()?;
        let versioned = self.versions.of_symbol(number);
        Some(DynamicSymbol {
            name: self.string(name.into())?,
            version: versioned.and_then(|found| found.version),
            version_number: versioned.map(|found| found.number),
            version_hidden: versioned.is_some_and(|found| found.hidden),
            reach: match info >> 4 {
                0 => Reach::Local,
                2 => Reach::Weak,
                10 => Reach::Unique,
                _ => Reach::Global,
            },
            visibility: match other & 3 {
                0 => Visibility::Default,
                3 => Visibility::Protected,
                _ => Visibility::Hidden,
            },
            value: Svma(
                self.class
                    .word(entry, "dynamic symbol", layout.value)
                    .ok()?,
            ),
            kind: info & 0xf,
            section: entry.u16("dynamic symbol", layout.section).ok()?,
        })
    }

    /// What the loader finds in this file when it looks a name up, in the order of the table.
    pub fn offers(&self) -> impl Iterator<Item = DynamicSymbol<'a>> + '_ {
        let (first, end) = self.hashed().unwrap_or_default();
        (first..end)
            .filter_map(|number| self.symbol(number))
            .filter(DynamicSymbol::is_offered)
    }

    /// What it wants of other files, with the number of each. Of a file without section headers, which
    /// alone say how many symbols there are, those that its hash table leaves out before others.
    pub fn undefined(&self) -> impl Iterator<Item = (u32, DynamicSymbol<'a>)> + '_ {
        let count = self.section(b".dynsym").map(|(_, table)| {
            let count = (table.len() as u64).checked_div(self.class.symbol().size);
            u32::try_from(count.unwrap_or(0)).unwrap_or(u32::MAX)
        });
        let end = count.or_else(|| Some(self.hashed()?.1)).unwrap_or(0);
        (1..end)
            .filter_map(|number| Some((number, self.symbol(number)?)))
            .filter(|(_, symbol)| symbol.is_undefined() && !symbol.name.is_empty())
    }

    /// The numbers of the symbols that can be looked up: first, and the one after the last.
    fn hashed(&self) -> Option<(u32, u32)> {
        self.gnu_hashed().or_else(|| {
            let table = self.bytes("hash table", DT_HASH)?;
            Some((1, self.there_are(table.u32("hash table", 4).ok()?)))
        })
    }

    /// No more than there are bytes for.
    fn there_are(&self, count: u32) -> u32 {
        let bytes = self.symbols.map_or(0, |symbols| symbols.0.len() as u64);
        let room = bytes.checked_div(self.class.symbol().size).unwrap_or(0);
        u32::try_from(room).unwrap_or(u32::MAX).min(count)
    }

    fn gnu_hashed(&self) -> Option<(u32, u32)> {
        let table = self.bytes("hash table", DT_GNU_HASH)?;
        let what = "hash table";
        let buckets = table.u32(what, 0).ok()?;
        let first = table.u32(what, 4).ok()?;
        let filter = u64::from(table.u32(what, 8).ok()?).checked_mul(self.class.word_size())?;
        let buckets_at = filter.checked_add(16)?;
        let chains_at = u64::from(buckets).checked_mul(4)?.checked_add(buckets_at)?;
        let length = u64::from(buckets).checked_mul(4)?;
        let heads = table.slice(what, buckets_at, length).ok()?;
        let heads = heads.chunks_exact(4).map(Bytes);
        let mut last = heads.filter_map(|head| head.u32(what, 0).ok()).max()?;
        if last < first {
            return Some((first, first));
        }
        loop {
            let into = u64::from(last.checked_sub(first)?).checked_mul(4)?;
            let hash = table.u32(what, chains_at.checked_add(into)?).ok()?;
            last = last.checked_add(1)?;
            if hash & 1 != 0 {
                return Some((first, self.there_are(last)));
            }
        }
    }

    pub(super) fn symbol_bytes(&self) -> Option<Bytes<'a>> {
        self.bytes("dynamic symbols", DT_SYMTAB)
    }
}
