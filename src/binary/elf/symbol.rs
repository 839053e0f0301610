//! Symbol tables.
//!
//! ```text
//! symbol   0 u32 name   4 u8 type and binding   6 u16 section   8 u64 address   16 u64 size
//! ```

use crate::binary::{Svma, bytes::Bytes};

const ENTRY: usize = 24;
const STT_NOTYPE: u8 = 0;
const STT_OBJECT: u8 = 1;
const STT_FUNC: u8 = 2;
const STT_TLS: u8 = 6;
const STT_GNU_IFUNC: u8 = 10;
const SHN_UNDEF: u16 = 0;
const SHN_ABS: u16 = 0xfff1;

/// Who sees a symbol, in the order in which a name is preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Binding {
    /// Every file.
    Global,
    /// Every file, unless another one has it too.
    Weak,
    /// This file alone.
    Local,
}

/// One symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol<'a> {
    /// Name.
    pub name: &'a [u8],
    /// Address; for thread-local ones the offset in the file's block.
    pub address: Svma,
    /// Size, 0 where its maker did not say.
    pub size: u64,
    /// Who sees it.
    pub binding: Binding,
    kind: u8,
    section: u16,
}

impl Symbol<'_> {
    /// It names code: a function, or a label in code written in assembly.
    #[must_use]
    pub const fn is_code(&self) -> bool {
        self.is_function() || (self.kind == STT_NOTYPE && self.is_defined())
    }

    /// It names a function.
    #[must_use]
    pub const fn is_function(&self) -> bool {
        matches!(self.kind, STT_FUNC | STT_GNU_IFUNC) && self.is_defined()
    }

    /// It names a variable.
    #[must_use]
    pub const fn is_object(&self) -> bool {
        self.kind == STT_OBJECT && self.is_defined()
    }

    /// It names a thread-local variable.
    #[must_use]
    pub const fn is_thread_local(&self) -> bool {
        self.kind == STT_TLS && self.is_defined()
    }

    /// Number of the section that it is in.
    #[must_use]
    pub const fn section(&self) -> u16 {
        self.section
    }

    /// It is needed, and defined elsewhere.
    #[must_use]
    pub const fn is_undefined(&self) -> bool {
        self.section == SHN_UNDEF
    }

    const fn is_defined(&self) -> bool {
        !matches!(self.section, SHN_UNDEF | SHN_ABS)
    }
}

/// A table of symbols.
#[derive(Clone, Copy, Debug)]
pub struct Symbols<'a> {
    entries: &'a [u8],
    strings: &'a [u8],
}

impl<'a> Symbols<'a> {
    pub(super) const fn new(entries: &'a [u8], strings: &'a [u8]) -> Self {
        Self { entries, strings }
    }

    /// Whether the file has no such table.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All symbols, in the order of the file; those without a readable name are left out.
    pub fn iter(&self) -> impl Iterator<Item = Symbol<'a>> + use<'a> {
        let strings = Bytes(self.strings);
        self.entries.chunks_exact(ENTRY).filter_map(move |entry| {
            let entry = Bytes(entry);
            let info = entry.u8("symbol", 4).ok()?;
            let name = entry.u32("symbol", 0).ok()?;
            Some(Symbol {
                name: strings.string("symbol name", u64::from(name)).ok()?,
                address: Svma(entry.u64("symbol", 8).ok()?),
                size: entry.u64("symbol", 16).ok()?,
                binding: match info >> 4 {
                    0 => Binding::Local,
                    2 => Binding::Weak,
                    _ => Binding::Global,
                },
                kind: info & 0xf,
                section: entry.u16("symbol", 6).ok()?,
            })
        })
    }
}
