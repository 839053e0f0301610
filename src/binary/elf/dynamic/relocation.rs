//! What the dynamic loader does to a file before it runs: kinds of relocations, their tables,
//! how many there are.
//!
//! ```text
//! DT_RELA, DT_REL      data; DT_JMPREL the pointers of the PLT, in the format of DT_PLTREL
//! DT_RELR              an even word is an address to be relocated; an odd one a set of bits, one
//!                      for each of the words that follow the last address
//! ```
//!
//! Source: System V ABI with its supplements for amd64, 386 and `AArch64`; RELR as in the gABI since 2022.

use super::{Dynamic, layout::Class};
use crate::binary::{Svma, bytes::Bytes, elf::Machine};

const DT_PLTRELSZ: u64 = 2;
const DT_RELA: u64 = 7;
const DT_RELASZ: u64 = 8;
const DT_REL: u64 = 17;
const DT_RELSZ: u64 = 18;
const DT_PLTREL: u64 = 20;
const DT_JMPREL: u64 = 23;
const DT_RELRSZ: u64 = 35;
const DT_RELR: u64 = 36;

/// What a relocation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Adds the slide to an address of the file itself.
    Relative,
    /// The pointer of a call through the PLT: bound at its first call, or at start.
    JumpSlot,
    /// A pointer to data or to a function (`GLOB_DAT`).
    GlobalData,
    /// An address of a symbol within data.
    Absolute,
    /// Copies a variable of a library into the executable.
    Copy,
    /// Calls a function of the file that chooses an address.
    IndirectRelative,
    /// Thread-local storage.
    ThreadLocal,
    /// Another one.
    Other,
}

/// One relocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relocation {
    /// Where the loader writes: the slot.
    pub slot: Svma,
    /// What it is for.
    pub kind: Kind,
    /// Number of its symbol in the table of dynamic symbols, 0 for none.
    pub symbol: u32,
    /// What is added; 0 where the table has no room for it, and it stands in the slot.
    pub addend: i64,
}

/// How many relocations of each kind a file has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// [`Kind::Relative`], those of `DT_RELR` included.
    pub relative: u64,
    /// Those of them that `DT_RELR` packs.
    pub packed: u64,
    /// [`Kind::JumpSlot`].
    pub jump_slot: u64,
    /// [`Kind::GlobalData`].
    pub global_data: u64,
    /// [`Kind::Absolute`].
    pub absolute: u64,
    /// [`Kind::Copy`].
    pub copy: u64,
    /// [`Kind::IndirectRelative`].
    pub indirect_relative: u64,
    /// [`Kind::ThreadLocal`].
    pub thread_local: u64,
    /// [`Kind::Other`].
    pub other: u64,
}

impl Kind {
    const fn of(machine: Machine, number: u32) -> Self {
        match machine {
            Machine::Amd64 => match number {
                8 | 38 => Self::Relative,
                7 => Self::JumpSlot,
                6 => Self::GlobalData,
                1 | 10 | 11 => Self::Absolute,
                5 => Self::Copy,
                37 => Self::IndirectRelative,
                16..=18 | 36 => Self::ThreadLocal,
                _ => Self::Other,
            },
            Machine::Arm64 => match number {
                1027 => Self::Relative,
                1026 => Self::JumpSlot,
                1025 => Self::GlobalData,
                257 | 258 => Self::Absolute,
                1024 => Self::Copy,
                1032 => Self::IndirectRelative,
                1028..=1031 => Self::ThreadLocal,
                _ => Self::Other,
            },
            // EM_386.
            Machine::Other(3) => match number {
                8 => Self::Relative,
                7 => Self::JumpSlot,
                6 => Self::GlobalData,
                1 => Self::Absolute,
                5 => Self::Copy,
                42 => Self::IndirectRelative,
                14 | 35..=37 | 41 => Self::ThreadLocal,
                _ => Self::Other,
            },
            Machine::Other(_) => Self::Other,
        }
    }
}

impl Counts {
    const fn add(&mut self, kind: Kind) {
        let count = match kind {
            Kind::Relative => &mut self.relative,
            Kind::JumpSlot => &mut self.jump_slot,
            Kind::GlobalData => &mut self.global_data,
            Kind::Absolute => &mut self.absolute,
            Kind::Copy => &mut self.copy,
            Kind::IndirectRelative => &mut self.indirect_relative,
            Kind::ThreadLocal => &mut self.thread_local,
            Kind::Other => &mut self.other,
        };
        *count = count.saturating_add(1);
    }
}

/// A table of entries with or without an addend.
#[derive(Clone, Copy, Debug)]
struct Table<'a> {
    bytes: &'a [u8],
    addends: bool,
}

impl<'a> Table<'a> {
    fn iter(self, class: Class, machine: Machine) -> impl Iterator<Item = Relocation> + use<'a> {
        let word = class.word_size();
        let words = if self.addends { 3 } else { 2 };
        let size = usize::try_from(word.saturating_mul(words)).unwrap_or(usize::MAX);
        self.bytes.chunks_exact(size).filter_map(move |entry| {
            let entry = Bytes(entry);
            let (number, symbol) = class.relocation(class.word(entry, "relocation", word).ok()?);
            Some(Relocation {
                slot: Svma(class.word(entry, "relocation", 0).ok()?),
                kind: Kind::of(machine, number),
                symbol,
                addend: match self.addends {
                    true => class
                        .signed(entry, "relocation", word.saturating_mul(2))
                        .ok()?,
                    false => 0,
                },
            })
        })
    }
}

impl<'a> Dynamic<'a> {
    /// All relocations but those of `DT_RELR`: first data, then the pointers of the PLT. A table
    /// that reaches beyond the end of the file is read up to there.
    pub fn relocations(&self) -> impl Iterator<Item = Relocation> + use<'a> {
        let (class, machine) = (self.class, self.machine);
        let tables = self.relocation_tables().into_iter();
        tables.flat_map(move |table| table.iter(class, machine))
    }

    fn relocation_tables(&self) -> [Table<'a>; 3] {
        let table = |address, size, addends| Table {
            bytes: self.table("relocations", address, size).unwrap_or_default(),
            addends,
        };
        [
            table(DT_RELA, DT_RELASZ, true),
            table(DT_REL, DT_RELSZ, false),
            table(
                DT_JMPREL,
                DT_PLTRELSZ,
                self.value(DT_PLTREL) == Some(DT_RELA),
            ),
        ]
    }

    /// How many there are of each kind.
    #[must_use]
    pub fn relocation_counts(&self) -> Counts {
        let mut counts = Counts::default();
        for relocation in self.relocations() {
            counts.add(relocation.kind);
        }
        counts.packed = self.packed_relocations();
        counts.relative = counts.relative.saturating_add(counts.packed);
        counts
    }

    fn packed_relocations(&self) -> u64 {
        let table = self.table("packed relocations", DT_RELR, DT_RELRSZ);
        let size = usize::try_from(self.class.word_size()).unwrap_or(8);
        let words = table.unwrap_or_default().chunks_exact(size);
        words
            .filter_map(|word| self.class.word(Bytes(word), "packed relocation", 0).ok())
            .map(|word| match word & 1 {
                0 => 1,
                _ => u64::from((word >> 1).count_ones()),
            })
            .fold(0, u64::saturating_add)
    }
}
