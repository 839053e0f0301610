//! The headers of an ELF file.
//!
//! ```text
//! file header   0 magic  4 class  5 data  16 type  18 machine  24 entry  32 phoff  40 shoff
//!               54 phentsize  56 phnum  58 shentsize  60 shnum  62 shstrndx
//! segment       0 type  4 flags  8 offset  16 vaddr  32 filesz  40 memsz  48 align
//! section       0 name  4 type  8 flags  16 addr  24 offset  32 size  40 link  56 entsize
//! ```
//!
//! Source: System V ABI, chapter 4 and 5, for `ELFCLASS64`.

use super::{Relocations, Symbols, note, relocation};
use crate::binary::go::Container;
use crate::binary::{Error, FileOffset, Load, Memory, Svma, bytes::Bytes};

const MAGIC: &[u8] = b"\x7fELF";
const CLASS_64: u8 = 2;
const LITTLE_ENDIAN: u8 = 1;
const DT_STRTAB: u64 = 5;
const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const PT_NOTE: u32 = 4;
const PT_TLS: u32 = 7;
const SHT_NULL: u32 = 0;
const SHT_SYMTAB: u32 = 2;
const SHT_NOTE: u32 = 7;
const SHT_NOBITS: u32 = 8;
const SHT_DYNSYM: u32 = 11;
const SEGMENT_SIZE: u16 = 56;
const SECTION_SIZE: u16 = 64;

/// Instruction set of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// x86-64.
    Amd64,
    /// `AArch64`.
    Arm64,
    /// Another one, by its number in the ELF header.
    Other(u16),
}

impl Machine {
    /// The instruction set with this number.
    pub(super) const fn of(number: u16) -> Self {
        match number {
            62 => Self::Amd64,
            183 => Self::Arm64,
            other => Self::Other(other),
        }
    }
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An executable for fixed addresses.
    Executable,
    /// A shared library, or an executable for any address (PIE).
    Dynamic,
    /// An object file or a core, by its number in the ELF header.
    Other(u16),
}

/// Thread-local storage of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Bytes that each thread gets.
    pub size: u64,
    /// Their alignment.
    pub align: u64,
}

/// One section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// Name.
    pub name: &'a [u8],
    /// Address when loaded, 0 when it is not.
    pub address: Svma,
    /// Bytes; empty for a section without any in the file, or when they are not all there.
    pub data: &'a [u8],
    /// Size in memory.
    pub size: u64,
    /// `SHT_*`.
    pub section_type: u32,
    /// `SHF_*`.
    pub flags: u64,
    /// Number of the section that this one refers to.
    pub link: u32,
}

/// An ELF file.
#[derive(Clone, Debug)]
pub struct Elf<'a> {
    /// Instruction set.
    pub machine: Machine,
    /// What it is for.
    pub kind: Kind,
    /// Where it begins to run.
    pub entry: Svma,
    /// Thread-local storage, if any.
    pub tls: Option<Tls>,
    /// Path of the dynamic loader, if the file names one.
    pub interpreter: Option<&'a [u8]>,
    memory: Memory<'a>,
    sections: Vec<Section<'a>>,
    dynamic: Option<&'a [u8]>,
    notes: Vec<&'a [u8]>,
}

impl<'a> Elf<'a> {
    /// Reads the headers.
    ///
    /// # Errors
    ///
    /// When the bytes are no 64-bit little-endian ELF file, or its segments are cut short.
    pub fn parse(data: &'a [u8]) -> Result<Self, Error> {
        if !data.starts_with(MAGIC) {
            return Err(Error::NotElf {
                found: data.get(..4).unwrap_or(data).to_vec(),
            });
        }
        let bytes = Bytes(data);
        for (what, expected, offset, value) in [
            ("ELF class", "2 (64-bit)", 4, CLASS_64),
            ("ELF byte order", "1 (little-endian)", 5, LITTLE_ENDIAN),
        ] {
            let found = bytes.u8(what, offset)?;
            if found != value {
                return Err(Error::Unsupported {
                    what,
                    expected,
                    found: u64::from(found),
                });
            }
        }
        let mut elf = Self {
            machine: Machine::of(bytes.u16("machine", 18)?),
            kind: match bytes.u16("file type", 16)? {
                2 => Kind::Executable,
                3 => Kind::Dynamic,
                other => Kind::Other(other),
            },
            entry: Svma(bytes.u64("entry point", 24)?),
            tls: None,
            interpreter: None,
            memory: Memory::new(data, Vec::new()),
            sections: Vec::new(),
            dynamic: None,
            notes: Vec::new(),
        };
        elf.read_segments(bytes)?;
        elf.sections = sections(bytes).unwrap_or_default();
        Ok(elf)
    }

    fn read_segments(&mut self, bytes: Bytes<'a>) -> Result<(), Error> {
        let table = bytes.u64("segment table offset", 32)?;
        let size = bytes.u16("segment header size", 54)?;
        let count = bytes.u16("segment count", 56)?;
        if count > 0 && size != SEGMENT_SIZE {
            return Err(Error::Unsupported {
                what: "segment header size",
                expected: "56",
                found: u64::from(size),
            });
        }
        let table = bytes.slice(
            "segment table",
            table,
            u64::from(count).saturating_mul(SEGMENT_SIZE.into()),
        )?;
        let mut loads = Vec::new();
        for header in table.chunks_exact(SEGMENT_SIZE.into()).map(Bytes) {
            let offset = header.u64("segment offset", 8)?;
            let file_size = header.u64("segment file size", 32)?;
            let contents = bytes.slice("segment", offset, file_size).ok();
            match header.u32("segment type", 0)? {
                PT_LOAD => loads.push(Load {
                    address: Svma(header.u64("segment address", 16)?),
                    size: header.u64("segment memory size", 40)?,
                    offset: FileOffset(offset),
                    file_size,
                    executable: header.u32("segment flags", 4)? & 1 != 0,
                    writable: header.u32("segment flags", 4)? & 2 != 0,
                }),
                PT_DYNAMIC => self.dynamic = contents,
                PT_INTERP => {
                    self.interpreter =
                        contents.map(|path| path.strip_suffix(b"\0").unwrap_or(path));
                }
                PT_NOTE => self.notes.extend(contents),
                PT_TLS => {
                    self.tls = Some(Tls {
                        size: header.u64("segment memory size", 40)?,
                        align: header.u64("segment alignment", 48)?,
                    });
                }
                _ => {}
            }
        }
        self.memory = Memory::new(bytes.0, loads);
        Ok(())
    }

    /// What the file puts where in memory.
    #[must_use]
    pub const fn memory(&self) -> &Memory<'a> {
        &self.memory
    }

    /// Its sections; none when the file has no section headers that make sense.
    #[must_use]
    pub fn sections(&self) -> &[Section<'a>] {
        &self.sections
    }

    /// Finds a section by its name.
    #[must_use]
    pub fn section(&self, name: &[u8]) -> Option<&Section<'a>> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// The full table of symbols (`.symtab`), which `strip` removes.
    #[must_use]
    pub fn symbols(&self) -> Symbols<'a> {
        self.symbol_table(SHT_SYMTAB)
    }

    /// The symbols for the dynamic loader (`.dynsym`).
    #[must_use]
    pub fn dynamic_symbols(&self) -> Symbols<'a> {
        self.symbol_table(SHT_DYNSYM)
    }

    fn symbol_table(&self, section_type: u32) -> Symbols<'a> {
        let table = self
            .sections
            .iter()
            .find(|s| s.section_type == section_type);
        let strings = table
            .and_then(|table| self.sections.get(usize::try_from(table.link).ok()?))
            .map_or(&[][..], |strings| strings.data);
        Symbols::new(table.map_or(&[], |table| table.data), strings)
    }

    /// Relocations that the dynamic loader applies (`DT_RELA`).
    #[must_use]
    pub fn relocations(&self) -> Relocations<'a> {
        relocation::of_dynamic(self.dynamic.unwrap_or_default(), &self.memory)
    }

    /// The libraries that it needs (`DT_NEEDED`).
    pub fn needed(&self) -> impl Iterator<Item = &'a [u8]> {
        self.dynamic_strings(&[1])
    }

    /// The name by which others load it (`DT_SONAME`).
    #[must_use]
    pub fn own_name(&self) -> Option<&'a [u8]> {
        self.dynamic_strings(&[14]).next()
    }

    /// Where else they are looked for (`DT_RPATH`, `DT_RUNPATH`), as colons separate it.
    pub fn run_paths(&self) -> impl Iterator<Item = &'a [u8]> {
        self.dynamic_strings(&[15, 29])
    }

    /// Of these, what `LD_LIBRARY_PATH` comes before (`DT_RUNPATH`); where there is any, loaders ignore
    /// the other kind.
    pub fn late_run_paths(&self) -> impl Iterator<Item = &'a [u8]> {
        self.dynamic_strings(&[29])
    }

    /// What entries of the dynamic section with these tags name.
    fn dynamic_strings(&self, tags: &'static [u64]) -> impl Iterator<Item = &'a [u8]> {
        let entries = self.dynamic.unwrap_or_default().chunks_exact(16);
        let entries = entries.filter_map(|entry| {
            let entry = Bytes(entry);
            let tag = entry.u64("dynamic tag", 0).ok()?;
            Some((tag, entry.u64("dynamic value", 8).ok()?))
        });
        let mut tables = entries.clone().filter(|(tag, _)| *tag == DT_STRTAB);
        let names = tables.next().and_then(|(_, address)| {
            let names = self.memory.bytes_from("dynamic names", Svma(address));
            names.ok().map(Bytes)
        });
        entries
            .filter(|(tag, _)| tags.contains(tag))
            .filter_map(move |(_, at)| names?.string("dynamic name", at).ok())
    }

    /// The build id that the linker made (`NT_GNU_BUILD_ID`).
    #[must_use]
    pub fn build_id(&self) -> Option<&'a [u8]> {
        self.note(b"GNU\0", 3)
    }

    /// The build id that the go command made (`go tool buildid FILE`).
    #[must_use]
    pub fn go_build_id(&self) -> Option<&'a [u8]> {
        self.note(b"Go\0\0", 4)
    }

    /// Looks in the segments, which are loaded, and then in the sections: Go's linker puts its
    /// own note alone in a segment.
    fn note(&self, owner: &[u8], kind: u32) -> Option<&'a [u8]> {
        let of_section = |section: &&Section<'_>| section.section_type == SHT_NOTE;
        let sections = self.sections.iter().filter(of_section);
        self.notes
            .iter()
            .copied()
            .chain(sections.map(|section| section.data))
            .find_map(|notes| note::find(notes, owner, kind))
    }
}

impl<'a> Container<'a> for Elf<'a> {
    fn memory(&self) -> &Memory<'a> {
        &self.memory
    }

    /// In position-independent executables Go's read-only data may be named `.data.rel.ro.*`.
    fn go_section(&self, name: &str) -> Option<(Svma, &'a [u8])> {
        let places = [format!(".{name}"), format!(".data.rel.ro.{name}")];
        let found = places
            .iter()
            .find_map(|name| self.section(name.as_bytes()))?;
        Some((found.address, found.data))
    }

    fn start_of_go_code(&self) -> Option<Svma> {
        let mut symbols = self.symbols().iter();
        let found = symbols.find(|symbol| symbol.name == b"runtime.text");
        found.map(|symbol| symbol.address)
    }

    fn addresses(&self) -> impl Iterator<Item = (Svma, Svma)> {
        let relocations = self.relocations().iter();
        relocations.filter_map(|relocation| Some((relocation.address, relocation.relative()?)))
    }
}

fn sections(bytes: Bytes<'_>) -> Result<Vec<Section<'_>>, Error> {
    let table = bytes.u64("section table offset", 40)?;
    let size = bytes.u16("section header size", 58)?;
    let count = bytes.u16("section count", 60)?;
    let names = bytes.u16("number of the section of names", 62)?;
    if table == 0 || size != SECTION_SIZE {
        return Ok(Vec::new());
    }
    let table = bytes.slice(
        "section table",
        table,
        u64::from(count).saturating_mul(SECTION_SIZE.into()),
    )?;
    let contents = |header: Bytes<'_>| {
        let offset = header.u64("section offset", 24)?;
        let size = header.u64("section size", 32)?;
        let empty = matches!(header.u32("section type", 4)?, SHT_NOBITS | SHT_NULL);
        bytes.slice("section", offset, if empty { 0 } else { size })
    };
    let names = table
        .chunks_exact(SECTION_SIZE.into())
        .nth(usize::from(names))
        .and_then(|header| contents(Bytes(header)).ok())
        .unwrap_or_default();
    table
        .chunks_exact(SECTION_SIZE.into())
        .map(Bytes)
        .map(|header| {
            let name = u64::from(header.u32("section name", 0)?);
            Ok(Section {
                name: Bytes(names)
                    .string("section name", name)
                    .unwrap_or_default(),
                address: Svma(header.u64("section address", 16)?),
                data: contents(header).unwrap_or_default(),
                size: header.u64("section size", 32)?,
                section_type: header.u32("section type", 4)?,
                flags: header.u64("section flags", 8)?,
                link: header.u32("section link", 40)?,
            })
        })
        .collect()
}
