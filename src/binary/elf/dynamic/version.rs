//! Versions of dynamic symbols: which a file needs of which library, which it defines.
//!
//! ```text
//! DT_VERSYM    u16 for each symbol: its version's number, and 0x8000 where only who names the version
//!              gets the symbol; 0 is "local", 1 "without a version"
//! DT_VERNEED   0 u16 1  2 u16 count  4 u32 file  8 u32 to first version  12 u32 to next library
//!   version    0 u32 hash  4 u16 flags  6 u16 number  8 u32 name  12 u32 to next version
//! DT_VERDEF    0 u16 1  2 u16 flags  4 u16 number  6 u16 count  8 u32 hash  12 u32 to first name
//!              16 u32 to next definition;  name: 0 u32 name  4 u32 to next
//! ```
//!
//! Source: Linux Standard Base, chapter "Symbol Versioning".

use super::Dynamic;
use crate::binary::{Svma, bytes::Bytes};
use std::collections::BTreeMap;

const DT_VERSYM: u64 = 0x6fff_fff0;
const DT_VERDEF: u64 = 0x6fff_fffc;
const DT_VERDEFNUM: u64 = 0x6fff_fffd;
const DT_VERNEED: u64 = 0x6fff_fffe;
const DT_VERNEEDNUM: u64 = 0x6fff_ffff;
/// The definition is of the file itself, not of symbols.
const VER_FLG_BASE: u16 = 1;
const HIDDEN: u16 = 0x8000;

/// A version of a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version<'a> {
    /// Its name, as in `GLIBC_2.34`.
    pub name: &'a [u8],
    /// The library that has to define it; none where the file itself does.
    pub file: Option<&'a [u8]>,
}

/// What the table of versions says of a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Versioned<'a> {
    /// Its version; none without one, and where the file itself is the version.
    pub(super) version: Option<Version<'a>>,
    /// Number of the version in the file.
    pub(super) number: u16,
    /// Only who names the version gets the symbol: it is not the default one.
    pub(super) hidden: bool,
}

/// All versions of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Versions<'a> {
    of_symbols: Option<Bytes<'a>>,
    by_number: BTreeMap<u16, Version<'a>>,
}

impl<'a> Versions<'a> {
    pub(super) fn of(dynamic: &Dynamic<'a>) -> Self {
        let mut versions = Self {
            of_symbols: dynamic.bytes("versions of symbols", DT_VERSYM),
            by_number: BTreeMap::new(),
        };
        // What of them cannot be read is not there, as in a file without versions.
        let _needed = versions.needed(dynamic);
        let _defined = versions.defined(dynamic);
        versions
    }

    fn needed(&mut self, dynamic: &Dynamic<'a>) -> Option<()> {
        let table = dynamic.bytes("needed versions", DT_VERNEED)?;
        // There are no more numbers for versions.
        let mut room = u16::MAX;
        let mut at = 0_u64;
        for _ in 0..dynamic.value(DT_VERNEEDNUM)?.min(u16::MAX.into()) {
            let file = dynamic.string(table.u32("library", at.checked_add(4)?).ok()?.into());
            let mut version = at.checked_add(next(table, at.checked_add(8)?)?)?;
            for _ in 0..table.u16("number of versions", at.checked_add(2)?).ok()? {
                room = room.checked_sub(1)?;
                let number = table.u16("version", version.checked_add(6)?).ok()?;
                let name = table.u32("version", version.checked_add(8)?).ok()?;
                if let Some(name) = dynamic.string(name.into()) {
                    self.by_number
                        .insert(number & !HIDDEN, Version { name, file });
                }
                match next(table, version.checked_add(12)?)? {
                    0 => break,
                    by => version = version.checked_add(by)?,
                }
            }
            match next(table, at.checked_add(12)?)? {
                0 => break,
                by => at = at.checked_add(by)?,
            }
        }
        Some(())
    }

    fn defined(&mut self, dynamic: &Dynamic<'a>) -> Option<()> {
        let table = dynamic.bytes("defined versions", DT_VERDEF)?;
        let mut at = 0_u64;
        for _ in 0..dynamic.value(DT_VERDEFNUM)?.min(u16::MAX.into()) {
            let flags = table.u16("version", at.checked_add(2)?).ok()?;
            let number = table.u16("version", at.checked_add(4)?).ok()?;
            let first = at.checked_add(next(table, at.checked_add(12)?)?)?;
            let name = dynamic.string(table.u32("version", first).ok()?.into());
            if let Some(name) = name.filter(|_| flags & VER_FLG_BASE == 0) {
                let version = Version { name, file: None };
                self.by_number.insert(number & !HIDDEN, version);
            }
            match next(table, at.checked_add(16)?)? {
                0 => break,
                by => at = at.checked_add(by)?,
            }
        }
        Some(())
    }

    /// Those that the file itself defines, in their order.
    pub(super) fn own(&self) -> impl Iterator<Item = &'a [u8]> {
        let versions = self.by_number.values();
        versions
            .filter(|version| version.file.is_none())
            .map(|version| version.name)
    }

    /// The version of a symbol; none in a file without versions.
    pub(super) fn of_symbol(&self, index: u32) -> Option<Versioned<'a>> {
        let at = u64::from(index).checked_mul(2)?;
        let word = self.of_symbols?.u16("version of a symbol", at).ok()?;
        let number = word & !HIDDEN;
        Some(Versioned {
            version: self.by_number.get(&number).copied(),
            number,
            hidden: word & HIDDEN != 0,
        })
    }
}

/// How far on the next structure is.
fn next(table: Bytes<'_>, at: u64) -> Option<u64> {
    table.u32("distance", at).ok().map(u64::from)
}

impl<'a> Dynamic<'a> {
    /// The versions that the file defines, without the one that is its name.
    pub fn versions(&self) -> impl Iterator<Item = &'a [u8]> {
        self.versions.own()
    }

    /// The bytes that an entry of the dynamic section points to, up to the end of their segment.
    pub(super) fn bytes(&self, what: &'static str, tag: u64) -> Option<Bytes<'a>> {
        let address = Svma(self.value(tag)?);
        self.memory.bytes_from(what, address).ok().map(Bytes)
    }
}
