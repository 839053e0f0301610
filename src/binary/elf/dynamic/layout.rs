//! Where things stand in the structures of files of 32 and of 64 bits.
//!
//! ```text
//!            32 bits                                 64 bits
//! file       28 phoff 32 shoff 42 phentsize 44 phnum 32 phoff 40 shoff 54 phentsize 56 phnum
//!            46 shentsize 48 shnum 50 shstrndx       58 shentsize 60 shnum 62 shstrndx
//! segment    0 type  4 offset 8 vaddr 16 filesz      0 type  8 offset 16 vaddr 32 filesz
//!            20 memsz 24 flags                       40 memsz 4 flags
//! section    0 name 12 addr 16 offset 20 size        0 name 16 addr 24 offset 32 size
//! dynamic    0 tag  4 value                          0 tag  8 value
//! symbol     0 name 4 value 12 info 13 other         0 name 4 info 5 other 6 section
//!            14 section                              8 value
//! rel(a)     0 address 4 info (8 bits of type)       0 address 8 info (32 bits of type)
//!            8 addend                                16 addend
//! ```
//!
//! Source: System V ABI, chapters 4 and 5.

use crate::binary::{Error, bytes::Bytes};

/// Width of a file's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// `ELFCLASS32`.
    Bits32,
    /// `ELFCLASS64`.
    Bits64,
}

/// A structure of a fixed size: how far apart two of them are, and where their fields are.
pub(super) struct Segment {
    pub(super) size: u64,
    pub(super) offset: u64,
    pub(super) address: u64,
    pub(super) file_size: u64,
    pub(super) memory_size: u64,
    pub(super) flags: u64,
}

pub(super) struct Section {
    pub(super) size: u64,
    pub(super) address: u64,
    pub(super) offset: u64,
    pub(super) length: u64,
}

pub(super) struct Symbol {
    pub(super) size: u64,
    pub(super) value: u64,
    pub(super) info: u64,
    pub(super) other: u64,
    pub(super) section: u64,
}

/// Offsets in the file's header.
pub(super) struct Header {
    pub(super) segments: u64,
    pub(super) segment_size: u64,
    pub(super) segment_count: u64,
    pub(super) sections: u64,
    pub(super) section_size: u64,
    pub(super) section_count: u64,
    pub(super) section_names: u64,
}

impl Class {
    /// Bytes of an address.
    pub(super) const fn word_size(self) -> u64 {
        match self {
            Self::Bits32 => 4,
            Self::Bits64 => 8,
        }
    }

    /// Reads an address.
    pub(super) fn word(
        self,
        bytes: Bytes<'_>,
        what: &'static str,
        offset: u64,
    ) -> Result<u64, Error> {
        match self {
            Self::Bits32 => bytes.u32(what, offset).map(u64::from),
            Self::Bits64 => bytes.u64(what, offset),
        }
    }

    /// Reads a number that may be negative.
    pub(super) fn signed(
        self,
        bytes: Bytes<'_>,
        what: &'static str,
        offset: u64,
    ) -> Result<i64, Error> {
        match self {
            Self::Bits32 => Ok(bytes.u32(what, offset)?.cast_signed().into()),
            Self::Bits64 => Ok(bytes.u64(what, offset)?.cast_signed()),
        }
    }

    /// What a relocation's `info` holds: its type, and the number of its symbol.
    #[expect(clippy::cast_possible_truncation, reason = "each half has 32 bits")]
    pub(super) const fn relocation(self, info: u64) -> (u32, u32) {
        match self {
            Self::Bits32 => ((info & 0xff) as u32, (info >> 8) as u32),
            Self::Bits64 => (info as u32, (info >> 32) as u32),
        }
    }

    pub(super) const fn header(self) -> Header {
        match self {
            Self::Bits32 => Header {
                segments: 28,
                segment_size: 42,
                segment_count: 44,
                sections: 32,
                section_size: 46,
                section_count: 48,
                section_names: 50,
            },
            Self::Bits64 => Header {
                segments: 32,
                segment_size: 54,
                segment_count: 56,
                sections: 40,
                section_size: 58,
                section_count: 60,
                section_names: 62,
            },
        }
    }

    pub(super) const fn segment(self) -> Segment {
        match self {
            Self::Bits32 => Segment {
                size: 32,
                offset: 4,
                address: 8,
                file_size: 16,
                memory_size: 20,
                flags: 24,
            },
            Self::Bits64 => Segment {
                size: 56,
                offset: 8,
                address: 16,
                file_size: 32,
                memory_size: 40,
                flags: 4,
            },
        }
    }

    pub(super) const fn section(self) -> Section {
        match self {
            Self::Bits32 => Section {
                size: 40,
                address: 12,
                offset: 16,
                length: 20,
            },
            Self::Bits64 => Section {
                size: 64,
                address: 16,
                offset: 24,
                length: 32,
            },
        }
    }

    pub(super) const fn symbol(self) -> Symbol {
        match self {
            Self::Bits32 => Symbol {
                size: 16,
                value: 4,
                info: 12,
                other: 13,
                section: 14,
            },
            Self::Bits64 => Symbol {
                size: 24,
                value: 8,
                info: 4,
                other: 5,
                section: 6,
            },
        }
    }
}
