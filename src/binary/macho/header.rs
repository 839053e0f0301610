//! The header of a Mach-O file, and what its load commands say together.
//!
//! ```text
//! 0 u32 feedfacf   4 u32 cputype   8 u32 cpusubtype   12 u32 filetype   16 u32 number of commands
//! 20 u32 size of all commands   24 u32 flags   28 u32 reserved   32 load commands
//! ```
//!
//! Source: `<mach-o/loader.h>`.

use super::command::{self, Command, Dylib, Entry, LoadCommand, Table, TableOf};
use super::{Cpu, Section, Segment, Slice, SliceOf, Symbols, Target};
use crate::binary::go::Container;
use crate::binary::{Error, FileOffset, Load, Memory, Svma, bytes::Bytes};
use std::fmt;

const MAGIC_64: u32 = 0xfeed_facf;
const MAGIC_32: u32 = 0xfeed_face;
const MAGIC_64_BE: u32 = MAGIC_64.swap_bytes();
const MAGIC_32_BE: u32 = MAGIC_32.swap_bytes();
/// Size of the header.
const HEADER: u64 = 32;

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    /// Not linked yet (`MH_OBJECT`).
    Object,
    /// A program (`MH_EXECUTE`).
    Executable,
    /// A shared library (`MH_DYLIB`).
    Library,
    /// A plug-in (`MH_BUNDLE`).
    Bundle,
    /// Debug information that dsymutil took out of another file (`MH_DSYM`).
    DebugInformation,
    /// Another one, by its number.
    Other(u32),
}

impl fmt::Display for FileType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Object => "object",
            Self::Executable => "executable",
            Self::Library => "library",
            Self::Bundle => "bundle",
            Self::DebugInformation => "debug information",
            Self::Other(number) => return write!(f, "file type {number}"),
        })
    }
}

/// `MH_*` flags of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(pub u32);

impl Flags {
    /// Each import names the library that it comes from (`MH_TWOLEVEL`). Go's own linker does not
    /// set it, and names them all the same.
    pub const TWO_LEVEL: u32 = 0x80;
    /// May be loaded anywhere (`MH_PIE`).
    pub const PIE: u32 = 0x20_0000;

    /// Whether a flag is set.
    #[must_use]
    pub const fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }

    /// Names of those that are set, without `MH_`, the lowest bit first; others as numbers.
    #[must_use]
    pub fn names(self) -> Vec<String> {
        const NAMES: [&str; 27] = [
            "NOUNDEFS",
            "INCRLINK",
            "DYLDLINK",
            "BINDATLOAD",
            "PREBOUND",
            "SPLIT_SEGS",
            "LAZY_INIT",
            "TWOLEVEL",
            "FORCE_FLAT",
            "NOMULTIDEFS",
            "NOFIXPREBINDING",
            "PREBINDABLE",
            "ALLMODSBOUND",
            "SUBSECTIONS_VIA_SYMBOLS",
            "CANONICAL",
            "WEAK_DEFINES",
            "BINDS_TO_WEAK",
            "ALLOW_STACK_EXECUTION",
            "ROOT_SAFE",
            "SETUID_SAFE",
            "NO_REEXPORTED_DYLIBS",
            "PIE",
            "DEAD_STRIPPABLE_DYLIB",
            "HAS_TLV_DESCRIPTORS",
            "NO_HEAP_EXECUTION",
            "APP_EXTENSION_SAFE",
            "NLIST_OUTOFSYNC_WITH_DYLDINFO",
        ];
        let set = (0_u32..32).filter(|&bit| self.0.checked_shr(bit).unwrap_or(0) & 1 != 0);
        set.map(|bit| {
            let name = NAMES.get(usize::try_from(bit).unwrap_or(usize::MAX));
            name.map_or_else(|| format!("bit {bit}"), |&name| name.to_owned())
        })
        .collect()
    }
}

/// One Mach-O file, or one slice of a fat one.
#[derive(Clone, Debug)]
pub struct MachO<'a> {
    /// Its bytes.
    pub data: &'a [u8],
    /// Where they begin in the whole file.
    pub start: FileOffset,
    /// Architecture.
    pub cpu: Cpu,
    /// What it is for.
    pub file_type: FileType,
    /// `MH_*`.
    pub flags: Flags,
    /// Load commands, in the order of the file.
    pub commands: Vec<LoadCommand<'a>>,
    segments: Vec<Segment<'a>>,
    memory: Memory<'a>,
}

impl<'a> MachO<'a> {
    /// Reads header and load commands of a slice.
    ///
    /// # Errors
    ///
    /// When the bytes are no 64-bit little-endian Mach-O file, or the load commands are cut short
    /// or do not fit in the size that the header states.
    pub fn parse(slice: &Slice<'a>) -> Result<Self, Error> {
        Self::read(slice).map_err(|error| error.further(slice.offset.0))
    }

    /// Reads the header and the load commands of a library in dyld's shared cache, where they lie in one
    /// file, from `header` on, and the tables that they point to in another, all of which is `tables`. Bytes
    /// of segments and sections are not to be had.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`].
    pub fn in_cache(header: &'a [u8], tables: &'a [u8]) -> Result<Self, Error> {
        let image = Self::parse(&Slice {
            of: SliceOf::Thin,
            offset: FileOffset(0),
            data: header,
        })?;
        let loads = image.memory.loads().to_vec();
        Ok(Self {
            data: tables,
            memory: Memory::new(&[], loads),
            ..image
        })
    }

    fn read(slice: &Slice<'a>) -> Result<Self, Error> {
        let data = slice.data;
        let bytes = Bytes(data);
        let not_macho = Error::NotMachO {
            offset: 0,
            found: data.get(..4).unwrap_or(data).to_vec(),
        };
        match bytes.u32("magic", 0) {
            Ok(MAGIC_64) => {}
            Ok(other @ (MAGIC_32 | MAGIC_32_BE | MAGIC_64_BE)) => {
                return Err(not_read(bytes, other));
            }
            _ => return Err(not_macho),
        }
        let field = |what, offset| bytes.u32(what, offset);
        let count = field("number of load commands", 16)?;
        let size = field("size of the load commands", 20)?;
        bytes.slice("load commands", HEADER, size.into())?;
        let mut read = Self {
            data,
            start: slice.offset,
            cpu: Cpu {
                family: field("cpu type", 4)?,
                subtype: field("cpu subtype", 8)?,
            },
            file_type: match field("file type", 12)? {
                1 => FileType::Object,
                2 => FileType::Executable,
                6 => FileType::Library,
                8 => FileType::Bundle,
                10 => FileType::DebugInformation,
                other => FileType::Other(other),
            },
            flags: Flags(field("flags", 24)?),
            commands: Vec::new(),
            segments: Vec::new(),
            memory: Memory::new(data, Vec::new()),
        };
        let end = HEADER.saturating_add(size.into());
        let mut at = HEADER;
        for _ in 0..count {
            let command = command::read(bytes, at, end)?;
            at = at.saturating_add(u64::from(command.size));
            if let Command::Segment = command.command {
                read.segments
                    .push(Segment::read(bytes, command.offset.0, command.size)?);
            }
            read.commands.push(command);
        }
        read.memory = Memory::new(data, read.segments.iter().filter_map(load).collect());
        Ok(read)
    }

    /// Where a byte of the slice is in the whole file.
    #[must_use]
    pub const fn in_file(&self, offset: u64) -> FileOffset {
        FileOffset(self.start.0.saturating_add(offset))
    }

    /// Segments, in the order of the load commands.
    #[must_use]
    pub fn segments(&self) -> &[Segment<'a>] {
        &self.segments
    }

    /// The segment of this name.
    #[must_use]
    pub fn segment(&self, name: &str) -> Option<&Segment<'a>> {
        self.segments.iter().find(|segment| segment.name == name)
    }

    /// Sections of all segments, in the order of the load commands, which is the order by which
    /// symbols number them.
    pub fn sections(&self) -> impl Iterator<Item = &Section<'a>> {
        self.segments.iter().flat_map(|segment| &segment.sections)
    }

    /// The section of this name in a segment of this name.
    #[must_use]
    pub fn section(&self, segment: &str, name: &str) -> Option<&Section<'a>> {
        self.sections()
            .find(|section| section.segment == segment && section.name == name)
    }

    /// The first section of this name, in whichever segment.
    #[must_use]
    pub fn section_named(&self, name: &str) -> Option<&Section<'a>> {
        self.sections().find(|section| section.name == name)
    }

    /// The section that holds an address.
    #[must_use]
    pub fn section_at(&self, address: Svma) -> Option<&Section<'a>> {
        self.sections().find(|section| section.holds(address))
    }

    /// What the segments put where in memory.
    #[must_use]
    pub const fn memory(&self) -> &Memory<'a> {
        &self.memory
    }

    /// What the load commands say one by one; `pick` takes out what is asked for.
    fn find<T>(&self, pick: impl Fn(&Command<'a>) -> Option<T>) -> Option<T> {
        self.commands.iter().find_map(|one| pick(&one.command))
    }

    /// `LC_UUID`.
    #[must_use]
    pub fn uuid(&self) -> Option<[u8; 16]> {
        self.find(|command| match command {
            Command::Uuid(uuid) => Some(*uuid),
            _ => None,
        })
    }

    /// What it is built for; a library for macOS and Mac Catalyst has two.
    pub fn targets(&self) -> impl Iterator<Item = Target> {
        self.commands.iter().filter_map(|one| match one.command {
            Command::Target(target) => Some(target),
            _ => None,
        })
    }

    /// The libraries that it is linked against; the number of one, counted from 1, is how imports
    /// name it.
    pub fn dylibs(&self) -> impl Iterator<Item = &Dylib<'a>> {
        self.commands.iter().filter_map(|one| match &one.command {
            Command::Dylib(dylib) => Some(dylib),
            _ => None,
        })
    }

    /// The name by which others link against it, where it is a library.
    #[must_use]
    pub fn own_name(&self) -> Option<&'a [u8]> {
        self.commands.iter().find_map(|one| match one.command {
            Command::OwnName(name) => Some(name),
            _ => None,
        })
    }

    /// Folders that `@rpath` stands for.
    pub fn rpaths(&self) -> impl Iterator<Item = &'a [u8]> {
        self.commands.iter().filter_map(|one| match one.command {
            Command::Rpath(path) => Some(path),
            _ => None,
        })
    }

    /// Where a program begins.
    #[must_use]
    pub fn entry(&self) -> Option<Svma> {
        let entry = self.find(|command| match command {
            Command::Entry(entry) => Some(*entry),
            _ => None,
        })?;
        match entry {
            Entry::Address(address) => Some(address),
            // LC_MAIN counts from the start of __TEXT, which holds the header.
            Entry::Offset(offset) => self.segment("__TEXT")?.address.checked_add(offset),
        }
    }

    /// Where a table of `__LINKEDIT` is.
    #[must_use]
    pub fn table(&self, of: TableOf) -> Option<Table> {
        self.find(|command| match command {
            Command::Table(found, table) if *found == of => Some(*table),
            _ => None,
        })
        .filter(|table| table.size > 0)
    }

    /// The bytes of a table, empty when there is none.
    ///
    /// # Errors
    ///
    /// When it reaches beyond the end of the slice.
    pub fn table_bytes(&self, of: TableOf) -> Result<&'a [u8], Error> {
        let Some(table) = self.table(of) else {
            return Ok(&[]);
        };
        Bytes(self.data)
            .slice(of.name(), table.offset, table.size)
            .map_err(|error| error.further(self.start.0))
    }

    /// The table of symbols, empty where there is none.
    ///
    /// # Errors
    ///
    /// When it reaches beyond the end of the slice.
    pub fn symbols(&self) -> Result<Symbols<'a>, Error> {
        let symbols = self.find(|command| match command {
            Command::Symbols(symbols) => Some(*symbols),
            _ => None,
        });
        let read = || match symbols {
            Some(place) => Symbols::read(Bytes(self.data), place),
            None => Ok(Symbols::default()),
        };
        read().map_err(|error| error.further(self.start.0))
    }
}

/// Why a file of the past, or of a watch, is not read.
fn not_read(bytes: Bytes<'_>, magic: u32) -> Error {
    let big_endian = matches!(magic, MAGIC_32_BE | MAGIC_64_BE);
    let field = |offset| match big_endian {
        true => bytes.u32_be("cpu type", offset).unwrap_or(0),
        false => bytes.u32("cpu type", offset).unwrap_or(0),
    };
    let cpu = Cpu {
        family: field(4),
        subtype: field(8),
    };
    let bits = match magic {
        MAGIC_64_BE => "64 bits, big-endian",
        MAGIC_32_BE => "32 bits, big-endian",
        _ => "32 bits",
    };
    Error::Unexpected {
        what: "Mach-O file",
        offset: 0,
        expected: "64 bits, little-endian".to_owned(),
        found: format!("{bits}, for {cpu}"),
    }
}

fn load(segment: &Segment<'_>) -> Option<Load> {
    let file_size = segment.file_size.min(segment.size);
    (file_size > 0).then_some(Load {
        address: segment.address,
        size: segment.size,
        offset: FileOffset(segment.offset),
        file_size,
        executable: segment.initial.executable(),
        writable: segment.initial.writable(),
    })
}

impl<'a> Container<'a> for MachO<'a> {
    fn memory(&self) -> &Memory<'a> {
        &self.memory
    }

    fn go_section(&self, name: &str) -> Option<(Svma, &'a [u8])> {
        let section = self.section_named(&format!("__{}", name.replace('.', "_")))?;
        Some((section.address, section.data))
    }

    fn start_of_go_code(&self) -> Option<Svma> {
        let symbols = self.symbols().ok()?;
        let mut symbols = symbols.iter();
        // Mach-O puts a low line before each name of C, and Go's linker does, too.
        let found = symbols.find(|symbol| {
            matches!(symbol.name, b"_runtime.text" | b"runtime.text") && symbol.is_defined()
        });
        found.map(|symbol| symbol.address)
    }

    fn addresses(&self) -> impl Iterator<Item = (Svma, Svma)> {
        // Rebase opcodes leave the address itself in the file; chains do not.
        let fixed = self.chained().unwrap_or_default();
        fixed.rebases.into_iter()
    }
}
