//! Segments and their sections.
//!
//! ```text
//! LC_SEGMENT_64  8 name, 16 bytes   24 u64 address  32 u64 size  40 u64 offset  48 u64 size in file
//!               56 u32 most protection  60 u32 first protection  64 u32 number of sections
//!               68 u32 flags  72 sections
//! section        0 name, 16 bytes  16 name of its segment  32 u64 address  40 u64 size
//!               48 u32 offset  52 u32 alignment, a power  56 u32 offset of relocations
//!               60 u32 number of them  64 u32 flags, type in the lowest 8 bits
//!               68 u32 reserved1  72 u32 reserved2  76 u32 reserved3
//! ```
//!
//! Source: `<mach-o/loader.h>`.

use crate::binary::{Error, FileOffset, Svma, bytes::Bytes};
use std::fmt;

const COMMAND: u64 = 72;
const SECTION: u64 = 80;
const PURE_INSTRUCTIONS: u32 = 0x8000_0000;
const SOME_INSTRUCTIONS: u32 = 0x400;

/// What may be done with memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Protection(pub u32);

impl Protection {
    /// It may be read.
    #[must_use]
    pub const fn readable(self) -> bool {
        self.0 & 1 != 0
    }

    /// It may be written to.
    #[must_use]
    pub const fn writable(self) -> bool {
        self.0 & 2 != 0
    }

    /// Code may run there.
    #[must_use]
    pub const fn executable(self) -> bool {
        self.0 & 4 != 0
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = |set, letter| if set { letter } else { '-' };
        write!(
            f,
            "{}{}{}",
            letter(self.readable(), 'r'),
            letter(self.writable(), 'w'),
            letter(self.executable(), 'x')
        )
    }
}

/// One segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Name.
    pub name: String,
    /// First address.
    pub address: Svma,
    /// Size in memory.
    pub size: u64,
    /// Where its bytes are in the slice.
    pub offset: u64,
    /// How many there are.
    pub file_size: u64,
    /// What it may ever be made.
    pub most: Protection,
    /// What it is when the program begins.
    pub initial: Protection,
    /// `SG_*`.
    pub flags: u32,
    /// Where its load command is in the slice.
    pub command: FileOffset,
    /// Sections, in the order of the file.
    pub sections: Vec<Section<'a>>,
}

/// What a section holds, where that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionType {
    /// Nothing in the file: zeroes.
    Zeroes,
    /// Pointers that are filled when the file is loaded.
    Pointers,
    /// Pointers that may be filled when they are first used.
    LazyPointers,
    /// Code that jumps through pointers.
    Stubs,
    /// Another one, by its number.
    Other(u8),
}

/// One section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// Name.
    pub name: String,
    /// Name of its segment, as the section has it.
    pub segment: String,
    /// First address.
    pub address: Svma,
    /// Size in memory.
    pub size: u64,
    /// Where its bytes are in the slice.
    pub offset: u64,
    /// Its bytes; empty for zeroes, and when they are not, or not all, there.
    pub data: &'a [u8],
    /// Type and attributes.
    pub flags: u32,
    /// For pointers and stubs: number of the first entry in the table of indirect symbols.
    pub reserved1: u32,
    /// For stubs: size of each, as the linker says; Go's says 6 on arm64, too, where it is 12.
    pub reserved2: u32,
    /// Where its header is in the slice.
    pub header: FileOffset,
}

impl Section<'_> {
    /// What it holds.
    #[must_use]
    pub const fn kind(&self) -> SectionType {
        match self.flags & 0xff {
            1 | 0xc | 0x12 => SectionType::Zeroes,
            6 => SectionType::Pointers,
            7 => SectionType::LazyPointers,
            8 => SectionType::Stubs,
            other => SectionType::Other(other.to_le_bytes()[0]),
        }
    }

    /// Whether it is of machine code, in whole or in part (`S_ATTR_PURE_INSTRUCTIONS`,
    /// `S_ATTR_SOME_INSTRUCTIONS`).
    #[must_use]
    pub const fn is_code(&self) -> bool {
        self.flags & (PURE_INSTRUCTIONS | SOME_INSTRUCTIONS) != 0
    }

    /// Whether an address lies in it.
    #[must_use]
    pub fn holds(&self, address: Svma) -> bool {
        address
            .offset_from(self.address)
            .is_some_and(|into| into < self.size)
    }

    /// `__TEXT,__text`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{},{}", self.segment, self.name)
    }
}

impl<'a> Segment<'a> {
    pub(super) fn read(bytes: Bytes<'a>, at: u64, size: u32) -> Result<Self, Error> {
        let command = Bytes(bytes.slice("segment", at, size.into())?);
        let read = || {
            let what = "segment";
            let count = u64::from(command.u32(what, 64)?);
            let needed = count.saturating_mul(SECTION).saturating_add(COMMAND);
            if needed > u64::from(size) {
                return Err(Error::Unexpected {
                    what: "number of sections",
                    offset: 64,
                    expected: format!(
                        "{} at most",
                        u64::from(size).saturating_sub(COMMAND) / SECTION
                    ),
                    found: count.to_string(),
                });
            }
            let section = |number: u64| {
                let into = number.saturating_mul(SECTION).saturating_add(COMMAND);
                Section::read(bytes, at.saturating_add(into))
            };
            Ok(Self {
                name: name(command, 8)?,
                address: Svma(command.u64(what, 24)?),
                size: command.u64(what, 32)?,
                offset: command.u64(what, 40)?,
                file_size: command.u64(what, 48)?,
                most: Protection(command.u32(what, 56)?),
                initial: Protection(command.u32(what, 60)?),
                flags: command.u32(what, 68)?,
                command: FileOffset(at),
                sections: (0..count).map(section).collect::<Result<_, _>>()?,
            })
        };
        read().map_err(|error: Error| error.further(at))
    }

    /// First address after it.
    #[must_use]
    pub const fn end(&self) -> Svma {
        Svma(self.address.0.saturating_add(self.size))
    }

    /// Whether an address lies in it.
    #[must_use]
    pub fn holds(&self, address: Svma) -> bool {
        self.address <= address && address < self.end()
    }
}

impl<'a> Section<'a> {
    /// Errors count from `at`'s own origin, the start of the slice, for the caller adds nothing.
    fn read(bytes: Bytes<'a>, at: u64) -> Result<Self, Error> {
        let header = Bytes(bytes.slice("section", at, SECTION)?);
        let what = "section";
        let mut section = Self {
            name: name(header, 0)?,
            segment: name(header, 16)?,
            address: Svma(header.u64(what, 32)?),
            size: header.u64(what, 40)?,
            offset: header.u32(what, 48)?.into(),
            data: &[],
            flags: header.u32(what, 64)?,
            reserved1: header.u32(what, 68)?,
            reserved2: header.u32(what, 72)?,
            header: FileOffset(at),
        };
        // A file begins with its header: what dsymutil makes has sections without their bytes there.
        if section.kind() != SectionType::Zeroes && section.offset != 0 {
            let found = bytes.slice(what, section.offset, section.size);
            section.data = found.unwrap_or_default();
        }
        Ok(section)
    }
}

/// A name of 16 bytes, of which those behind it are zero.
fn name(bytes: Bytes<'_>, at: u64) -> Result<String, Error> {
    let name = bytes.slice("name", at, 16)?;
    let end = memchr::memchr(0, name).unwrap_or(name.len());
    Ok(String::from_utf8_lossy(name.get(..end).unwrap_or_default()).into_owned())
}
