//! What an ELF file tells the dynamic loader: bytes in; libraries, versions, symbols, relocations
//! and stubs out. Files of 32 and of 64 bits, little-endian.
//!
//! All is found as a loader finds it, by the segments and the dynamic section. Section headers,
//! which a file need not have, are asked for two things alone: where stubs are, and how many symbols
//! there are.

mod layout;
mod relocation;
mod stub;
mod symbol;
mod version;

pub use layout::Class;
pub use relocation::{Counts, Kind as RelocationKind, Relocation as DynamicRelocation};
pub use symbol::{DynamicSymbol, Reach, Visibility};
pub use version::Version;

use super::Machine;
use crate::binary::{Error, FileOffset, Load, Memory, Svma, bytes::Bytes};
use version::Versions;

const MAGIC: &[u8] = b"\x7fELF";
const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_SONAME: u64 = 14;
const DT_SYMBOLIC: u64 = 16;
const DT_BIND_NOW: u64 = 24;
const DT_FLAGS: u64 = 30;
const DT_FLAGS_1: u64 = 0x6fff_fffb;

/// How a file wants to be bound (`DT_FLAGS`, `DT_FLAGS_1` and the tags that were there before).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// All when it is loaded, nothing at the first call.
    pub bind_now: bool,
    /// Its own definitions first.
    pub symbolic: bool,
    /// Within the group that it was loaded with (`DF_1_GROUP`).
    pub group: bool,
    /// It is an executable for any address.
    pub pie: bool,
}

/// The dynamic part of an ELF file.
#[derive(Clone, Debug)]
pub struct Dynamic<'a> {
    /// Width of its words.
    pub class: Class,
    /// Instruction set.
    pub machine: Machine,
    /// Path of the dynamic loader, if the file names one; empty where its bytes are not there.
    pub interpreter: Option<&'a [u8]>,
    data: &'a [u8],
    memory: Memory<'a>,
    /// Tags and values; none in a static file.
    entries: Vec<(u64, u64)>,
    strings: Option<Bytes<'a>>,
    symbols: Option<Bytes<'a>>,
    versions: Versions<'a>,
}

impl<'a> Dynamic<'a> {
    /// Reads headers, dynamic section and versions. A static file is no error: it wants nothing.
    ///
    /// # Errors
    ///
    /// When the bytes are no little-endian ELF file, or its table of segments is cut short.
    pub fn parse(data: &'a [u8]) -> Result<Self, Error> {
        if !data.starts_with(MAGIC) {
            return Err(Error::NotElf {
                found: data.get(..4).unwrap_or(data).to_vec(),
            });
        }
        let file = Bytes(data);
        let class = match file.u8("ELF class", 4)? {
            1 => Class::Bits32,
            2 => Class::Bits64,
            found => {
                return Err(Error::Unsupported {
                    what: "ELF class",
                    expected: "1 (32-bit) or 2 (64-bit)",
                    found: found.into(),
                });
            }
        };
        let order = file.u8("ELF byte order", 5)?;
        if order != 1 {
            return Err(Error::Unsupported {
                what: "ELF byte order",
                expected: "1 (little-endian)",
                found: order.into(),
            });
        }
        let mut dynamic = Self {
            class,
            machine: Machine::of(file.u16("machine", 18)?),
            interpreter: None,
            data,
            memory: Memory::new(data, Vec::new()),
            entries: Vec::new(),
            strings: None,
            symbols: None,
            versions: Versions::default(),
        };
        dynamic.read_segments()?;
        dynamic.strings = dynamic.bytes("dynamic names", DT_STRTAB);
        dynamic.symbols = dynamic.symbol_bytes();
        dynamic.versions = Versions::of(&dynamic);
        Ok(dynamic)
    }

    fn read_segments(&mut self) -> Result<(), Error> {
        let file = Bytes(self.data);
        let (class, header, layout) = (self.class, self.class.header(), self.class.segment());
        let table = class.word(file, "segment table offset", header.segments)?;
        let count = u64::from(file.u16("segment count", header.segment_count)?);
        let size = u64::from(file.u16("segment header size", header.segment_size)?);
        if count > 0 && size != layout.size {
            return Err(Error::Unsupported {
                what: "segment header size",
                expected: "32 or 56, by the ELF class",
                found: size,
            });
        }
        let table = file.slice("segment table", table, count.saturating_mul(size))?;
        let mut loads = Vec::new();
        let step = usize::try_from(layout.size).unwrap_or(usize::MAX);
        for segment in table.chunks_exact(step).map(Bytes) {
            let offset = class.word(segment, "segment offset", layout.offset)?;
            let file_size = class.word(segment, "segment file size", layout.file_size)?;
            let flags = segment.u32("segment flags", layout.flags)?;
            let contents = file.slice("segment", offset, file_size).ok();
            match segment.u32("segment type", 0)? {
                PT_LOAD => loads.push(Load {
                    address: Svma(class.word(segment, "segment address", layout.address)?),
                    size: class.word(segment, "segment memory size", layout.memory_size)?,
                    offset: FileOffset(offset),
                    file_size,
                    executable: flags & 1 != 0,
                    writable: flags & 2 != 0,
                }),
                PT_DYNAMIC => self.entries = entries(class, contents.unwrap_or_default()),
                PT_INTERP => {
                    let path = contents.unwrap_or_default();
                    self.interpreter = Some(path.strip_suffix(b"\0").unwrap_or(path));
                }
                _ => {}
            }
        }
        self.memory = Memory::new(self.data, loads);
        Ok(())
    }

    /// What the file puts where in memory.
    #[must_use]
    pub fn segments(&self) -> &[Load] {
        self.memory.loads()
    }

    /// The libraries that it needs, in its order (`DT_NEEDED`).
    pub fn needed(&self) -> impl Iterator<Item = &'a [u8]> {
        let needed = self.entries.iter().filter(|(tag, _)| *tag == DT_NEEDED);
        needed.filter_map(|(_, at)| self.string(*at))
    }

    /// The name by which others need it (`DT_SONAME`).
    #[must_use]
    pub fn own_name(&self) -> Option<&'a [u8]> {
        self.string(self.value(DT_SONAME)?)
    }

    /// How it wants to be bound.
    #[must_use]
    pub fn flags(&self) -> Flags {
        let flags = self.value(DT_FLAGS).unwrap_or(0);
        let flags_1 = self.value(DT_FLAGS_1).unwrap_or(0);
        Flags {
            bind_now: flags & 8 != 0 || flags_1 & 1 != 0 || self.value(DT_BIND_NOW).is_some(),
            symbolic: flags & 2 != 0 || self.value(DT_SYMBOLIC).is_some(),
            group: flags_1 & 4 != 0,
            pie: flags_1 & 0x0800_0000 != 0,
        }
    }

    /// The value of the first entry with a tag.
    fn value(&self, wanted: u64) -> Option<u64> {
        let found = self.entries.iter().find(|(tag, _)| *tag == wanted);
        found.map(|(_, value)| *value)
    }

    fn string(&self, at: u64) -> Option<&'a [u8]> {
        self.strings?.string("dynamic name", at).ok()
    }

    /// A table by the tags of its address and of its size, as far as the file has it.
    fn table(&self, what: &'static str, address: u64, size: u64) -> Option<&'a [u8]> {
        let bytes = self.bytes(what, address)?.0;
        let size = usize::try_from(self.value(size)?).ok()?;
        Some(bytes.get(..size).unwrap_or(bytes))
    }
}

/// The entries of a dynamic section, up to its end.
fn entries(class: Class, contents: &[u8]) -> Vec<(u64, u64)> {
    let word = class.word_size();
    let size = usize::try_from(word.saturating_mul(2)).unwrap_or(usize::MAX);
    contents
        .chunks_exact(size)
        .map_while(|entry| {
            let entry = Bytes(entry);
            let tag = class.word(entry, "dynamic tag", 0).ok()?;
            let value = class.word(entry, "dynamic value", word).ok()?;
            (tag != DT_NULL).then_some((tag, value))
        })
        .collect()
}
