//! Relocations: what the dynamic loader writes into memory before a program runs.
//!
//! ```text
//! entry of DT_RELA   0 u64 address   8 u32 type   12 u32 symbol   16 i64 addend
//! ```

use crate::binary::{Memory, Svma, bytes::Bytes};

const DT_RELA: u64 = 7;
const DT_RELASZ: u64 = 8;
const ENTRY: usize = 24;

/// One relocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relocation {
    /// Where the loader writes.
    pub address: Svma,
    /// `R_*` of the machine.
    pub kind: u32,
    /// Symbol, 0 for none.
    pub symbol: u32,
    /// What it adds.
    pub addend: i64,
}

/// A table of relocations.
#[derive(Clone, Copy, Debug)]
pub struct Relocations<'a>(&'a [u8]);

impl<'a> Relocations<'a> {
    /// All entries, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = Relocation> + use<'a> {
        self.0.chunks_exact(ENTRY).filter_map(|entry| {
            let entry = Bytes(entry);
            Some(Relocation {
                address: Svma(entry.u64("relocation", 0).ok()?),
                kind: entry.u32("relocation", 8).ok()?,
                symbol: entry.u32("relocation", 12).ok()?,
                addend: entry.u64("relocation", 16).ok()?.cast_signed(),
            })
        })
    }
}

impl Relocation {
    /// The address that the loader writes (plus the slide), when it is one within the file.
    #[must_use]
    pub fn relative(&self) -> Option<Svma> {
        // R_X86_64_RELATIVE is 8, R_AARCH64_RELATIVE 1027.
        matches!(self.kind, 8 | 1027).then(|| Svma(self.addend.cast_unsigned()))
    }

    /// The offset from the start of the file's thread-local storage, when it is one.
    #[must_use]
    pub fn thread_local(&self) -> Option<i64> {
        // R_X86_64_TPOFF64 is 18, R_AARCH64_TLS_TPREL64 1030.
        (matches!(self.kind, 18 | 1030) && self.symbol == 0).then_some(self.addend)
    }
}

pub(super) fn of_dynamic<'a>(dynamic: &[u8], memory: &Memory<'a>) -> Relocations<'a> {
    let value = |wanted: u64| {
        dynamic.chunks_exact(16).map(Bytes).find_map(|entry| {
            let tag = entry.u64("dynamic tag", 0).ok()?;
            (tag == wanted).then(|| entry.u64("dynamic value", 8).ok())?
        })
    };
    let table = value(DT_RELA)
        .zip(value(DT_RELASZ))
        .and_then(|(address, size)| {
            let bytes = memory.bytes_from("relocations", Svma(address)).ok()?;
            bytes.get(..usize::try_from(size).ok()?.min(bytes.len()))
        });
    Relocations(table.unwrap_or_default())
}
