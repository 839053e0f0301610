//! Load commands.
//!
//! ```text
//! any               0 u32 command   4 u32 size
//! LC_SYMTAB         8 u32 offset of symbols  12 u32 number  16 u32 offset of names  20 u32 size
//! LC_DYSYMTAB      56 u32 offset of indirect symbols  60 u32 number
//!                  64 u32 offset of external relocations  68 u32 number
//! LC_*_DYLIB        8 u32 offset of the path in the command  16 u32 version  20 u32 compatible with
//!                  12 u32 time, or 1a741800 where flags follow (macOS 15)  24 u32 flags: 1 weak,
//!                     2 re-exported, 4 upward, 8 initialized late
//! LC_RPATH, LC_LOAD_DYLINKER   8 u32 offset of the path in the command
//! LC_UUID           8 16 bytes
//! LC_BUILD_VERSION  8 u32 platform  12 u32 minimum  16 u32 sdk  20 u32 number of tools
//! LC_VERSION_MIN_*  8 u32 minimum  12 u32 sdk
//! LC_SOURCE_VERSION 8 u64 a.b.c.d.e in 24, 10, 10, 10, 10 bits
//! LC_MAIN           8 u64 offset from the start of __TEXT  16 u64 size of the stack
//! LC_UNIXTHREAD     8 u32 flavour  12 u32 size in words  16 registers
//! LC_DYLD_INFO      8 u32 offset and size of: rebase, 16 bind, 24 weak bind, 32 lazy bind, 40 exports
//! LC_*, in LINKEDIT 8 u32 offset  12 u32 size
//! ```
//!
//! Source: `<mach-o/loader.h>`. Offsets of tables count from the start of the slice.

use super::platform::{Platform, Target, Triple};
use super::symbol::Place;
use crate::binary::{Error, FileOffset, Svma, bytes::Bytes};

/// Set where the dynamic loader must know the command.
const REQUIRED: u32 = 0x8000_0000;
const SEGMENT_64: u32 = 0x19;

/// A load command and where it is.
#[derive(Clone, Debug)]
pub struct LoadCommand<'a> {
    /// `LC_*`.
    pub number: u32,
    /// Where it begins in the slice.
    pub offset: FileOffset,
    /// How many bytes it has.
    pub size: u32,
    /// What it says.
    pub command: Command<'a>,
}

/// What a load command says.
#[derive(Clone, Debug)]
pub enum Command<'a> {
    /// A segment: in [`super::MachO::segments`], in the same order.
    Segment,
    /// Where symbols and their names are.
    Symbols(Place),
    /// Where tables of symbols for the dynamic loader are, of which two are read.
    DynamicSymbols(DynamicSymbols),
    /// A library.
    Dylib(Dylib<'a>),
    /// The name of the library that this file is.
    OwnName(&'a [u8]),
    /// A folder that `@rpath` stands for.
    Rpath(&'a [u8]),
    /// The dynamic loader.
    Loader(&'a [u8]),
    /// Identity.
    Uuid([u8; 16]),
    /// What it is built for.
    Target(Target),
    /// Version of the source, `a.b.c.d.e`, as Apple's linker writes it.
    SourceVersion(String),
    /// Where the program begins.
    Entry(Entry),
    /// Tables for the dynamic loader (`LC_DYLD_INFO`).
    LoaderTables(LoaderTables),
    /// A table in `__LINKEDIT`.
    Table(TableOf, Table),
    /// Another one.
    Other,
}

/// Where a program begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// `LC_MAIN`: counted from the start of `__TEXT`.
    Offset(u64),
    /// `LC_UNIXTHREAD`: the program counter.
    Address(Svma),
}

/// How a library is needed: as every other one, or in some of these ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DylibUse(u32);

impl DylibUse {
    /// It may be missing.
    pub const WEAK: Self = Self(1);
    /// What it exports is exported by this file, too.
    pub const REEXPORTED: Self = Self(2);
    /// It is part of a cycle.
    pub const UPWARD: Self = Self(4);
    /// Its initializers run when it is first used.
    pub const DELAYED: Self = Self(8);
    /// It is loaded when it is first used; a command of its own says so, and no flag.
    pub const LAZY: Self = Self(1 << 31);
    const OF_FLAGS: u32 = 0xf;

    /// Whether it is needed in a way.
    #[must_use]
    pub const fn has(self, way: Self) -> bool {
        self.0 & way.0 != 0
    }

    /// `required`, or the ways: `weak, delayed`.
    #[must_use]
    pub fn words(self) -> String {
        let ways = [
            (Self::WEAK, "weak"),
            (Self::REEXPORTED, "reexported"),
            (Self::LAZY, "lazy"),
            (Self::UPWARD, "upward"),
            (Self::DELAYED, "delayed"),
        ];
        let ways = ways.into_iter().filter(|(way, _)| self.has(*way));
        let words: Vec<&str> = ways.map(|(_, word)| word).collect();
        match words.as_slice() {
            [] => "required".to_owned(),
            words => words.join(", "),
        }
    }
}

/// What stands for the time of a library where flags follow (`DYLIB_USE_MARKER`).
const FLAGS_FOLLOW: u32 = 0x1a74_1800;

/// A library that a file is linked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dylib<'a> {
    /// Where it is looked for.
    pub path: &'a [u8],
    /// Its version when this file was linked; 0.0 where the linker did not look.
    pub version: Triple,
    /// The oldest version that will do.
    pub compatible: Triple,
    /// How it is needed.
    pub used: DylibUse,
}

/// Where a table is in the slice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// First byte.
    pub offset: u64,
    /// How many.
    pub size: u64,
}

/// Tables of `LC_DYSYMTAB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DynamicSymbols {
    /// Which symbols pointers and stubs are of.
    pub indirect: Table,
    /// Where else addresses of imports are put.
    pub relocations: Table,
}

/// The tables of `LC_DYLD_INFO`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoaderTables {
    /// Where addresses of the file itself are.
    pub rebase: Table,
    /// Which imports go where.
    pub bind: Table,
    /// Which symbols are the same as those of other files.
    pub weak_bind: Table,
    /// Which imports may go where when they are first called.
    pub lazy_bind: Table,
    /// What is exported.
    pub exports: Table,
}

/// What a table in `__LINKEDIT` is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableOf {
    /// The code signature.
    Signature,
    /// How the linker may move the file's parts.
    SplitInfo,
    /// Where functions begin.
    FunctionStarts,
    /// What is data in code.
    DataInCode,
    /// What was said to the linker for later.
    OptimizationHints,
    /// What is exported.
    Exports,
    /// Chains of places that are filled at load time.
    ChainedFixups,
}

impl TableOf {
    /// What it is called in errors.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Signature => "code signature",
            Self::SplitInfo => "segment split information",
            Self::FunctionStarts => "function starts",
            Self::DataInCode => "data in code",
            Self::OptimizationHints => "linker optimization hints",
            Self::Exports => "export trie",
            Self::ChainedFixups => "chained fixups",
        }
    }
}

impl LoadCommand<'_> {
    /// Its name as `<mach-o/loader.h>` has it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self.number & !REQUIRED {
            0x01 => "LC_SEGMENT",
            0x02 => "LC_SYMTAB",
            0x04 => "LC_THREAD",
            0x05 => "LC_UNIXTHREAD",
            0x0b => "LC_DYSYMTAB",
            0x0c => "LC_LOAD_DYLIB",
            0x0d => "LC_ID_DYLIB",
            0x0e => "LC_LOAD_DYLINKER",
            0x0f => "LC_ID_DYLINKER",
            0x12 => "LC_SUB_FRAMEWORK",
            0x18 => "LC_LOAD_WEAK_DYLIB",
            0x19 => "LC_SEGMENT_64",
            0x1b => "LC_UUID",
            0x1c => "LC_RPATH",
            0x1d => "LC_CODE_SIGNATURE",
            0x1e => "LC_SEGMENT_SPLIT_INFO",
            0x1f => "LC_REEXPORT_DYLIB",
            0x20 => "LC_LAZY_LOAD_DYLIB",
            0x21 => "LC_ENCRYPTION_INFO",
            0x22 => "LC_DYLD_INFO",
            0x23 => "LC_LOAD_UPWARD_DYLIB",
            0x24 => "LC_VERSION_MIN_MACOSX",
            0x25 => "LC_VERSION_MIN_IPHONEOS",
            0x26 => "LC_FUNCTION_STARTS",
            0x27 => "LC_DYLD_ENVIRONMENT",
            0x28 => "LC_MAIN",
            0x29 => "LC_DATA_IN_CODE",
            0x2a => "LC_SOURCE_VERSION",
            0x2b => "LC_DYLIB_CODE_SIGN_DRS",
            0x2c => "LC_ENCRYPTION_INFO_64",
            0x2d => "LC_LINKER_OPTION",
            0x2e => "LC_LINKER_OPTIMIZATION_HINT",
            0x2f => "LC_VERSION_MIN_TVOS",
            0x30 => "LC_VERSION_MIN_WATCHOS",
            0x31 => "LC_NOTE",
            0x32 => "LC_BUILD_VERSION",
            0x33 => "LC_DYLD_EXPORTS_TRIE",
            0x34 => "LC_DYLD_CHAINED_FIXUPS",
            0x35 => "LC_FILESET_ENTRY",
            0x36 => "LC_ATOM_INFO",
            0x37 => "LC_FUNCTION_VARIANTS",
            0x38 => "LC_FUNCTION_VARIANT_FIXUPS",
            0x39 => "LC_TARGET_TRIPLE",
            _ => "LC_unknown",
        }
    }
}

/// The command at an offset; all commands end at `end`.
pub(super) fn read<'a>(bytes: Bytes<'a>, at: u64, end: u64) -> Result<LoadCommand<'a>, Error> {
    let number = bytes.u32("load command", at)?;
    let size = bytes.u32("size of a load command", at.saturating_add(4))?;
    let rest = end.saturating_sub(at);
    if size < 8 || size % 4 != 0 || u64::from(size) > rest {
        return Err(Error::Unexpected {
            what: "size of a load command",
            offset: at.saturating_add(4),
            expected: format!("a multiple of 4 from 8 to {rest}"),
            found: size.to_string(),
        });
    }
    let body = Bytes(bytes.slice("load command", at, size.into())?);
    let command = if number == SEGMENT_64 {
        Command::Segment
    } else {
        contents(number, body).map_err(|error| error.further(at))?
    };
    Ok(LoadCommand {
        number,
        offset: FileOffset(at),
        size,
        command,
    })
}

fn contents<'a>(number: u32, body: Bytes<'a>) -> Result<Command<'a>, Error> {
    let word = |at| body.u32("load command", at);
    let path = || {
        let offset = u64::from(word(8)?);
        let rest = body.from("path in a load command", offset)?;
        let end = memchr::memchr(0, rest.0).unwrap_or(rest.0.len());
        Ok::<_, Error>(rest.0.get(..end).unwrap_or_default())
    };
    let table = |at: u64| {
        Ok::<_, Error>(Table {
            offset: word(at)?.into(),
            size: word(at.saturating_add(4))?.into(),
        })
    };
    let dylib = |used: DylibUse| {
        let flags = match word(12)? {
            FLAGS_FOLLOW => word(24)? & DylibUse::OF_FLAGS,
            _ => 0,
        };
        Ok::<_, Error>(Command::Dylib(Dylib {
            path: path()?,
            version: Triple(word(16)?),
            compatible: Triple(word(20)?),
            used: DylibUse(used.0 | flags),
        }))
    };
    Ok(match number & !REQUIRED {
        0x02 => Command::Symbols(Place {
            symbols: word(8)?.into(),
            count: word(12)?.into(),
            names: table(16)?,
        }),
        0x05 => Command::Entry(Entry::Address(program_counter(body)?)),
        0x0b => Command::DynamicSymbols(DynamicSymbols {
            indirect: table(56)?,
            relocations: table(64)?,
        }),
        0x0c => dylib(DylibUse::default())?,
        0x0d => Command::OwnName(path()?),
        0x0e => Command::Loader(path()?),
        0x18 => dylib(DylibUse::WEAK)?,
        0x1b => Command::Uuid(uuid(body)?),
        0x1c => Command::Rpath(path()?),
        0x1f => dylib(DylibUse::REEXPORTED)?,
        0x20 => dylib(DylibUse::LAZY)?,
        0x22 => Command::LoaderTables(LoaderTables {
            rebase: table(8)?,
            bind: table(16)?,
            weak_bind: table(24)?,
            lazy_bind: table(32)?,
            exports: table(40)?,
        }),
        0x23 => dylib(DylibUse::UPWARD)?,
        minimum @ (0x24 | 0x25 | 0x2f | 0x30) => Command::Target(Target {
            platform: Platform(match minimum {
                0x24 => 1,
                0x25 => 2,
                0x2f => 3,
                _ => 4,
            }),
            minimum: Triple(word(8)?),
            sdk: Triple(word(12)?),
        }),
        0x28 => Command::Entry(Entry::Offset(body.u64("load command", 8)?)),
        0x2a => Command::SourceVersion(source_version(body.u64("load command", 8)?)),
        0x32 => Command::Target(Target {
            platform: Platform(word(8)?),
            minimum: Triple(word(12)?),
            sdk: Triple(word(16)?),
        }),
        other => match table_of(other) {
            Some(of) => Command::Table(of, table(8)?),
            None => Command::Other,
        },
    })
}

const fn table_of(number: u32) -> Option<TableOf> {
    Some(match number {
        0x1d => TableOf::Signature,
        0x1e => TableOf::SplitInfo,
        0x26 => TableOf::FunctionStarts,
        0x29 => TableOf::DataInCode,
        0x2e => TableOf::OptimizationHints,
        0x33 => TableOf::Exports,
        0x34 => TableOf::ChainedFixups,
        _ => return None,
    })
}

fn uuid(body: Bytes<'_>) -> Result<[u8; 16], Error> {
    let bytes = body.slice("UUID", 8, 16)?;
    bytes.try_into().map_err(|_other| Error::CutShort {
        what: "UUID",
        offset: 8,
        length: 16,
        available: bytes.len() as u64,
    })
}

/// Of the registers of a thread: `rip` is the 17th of amd64 (flavour 4), `pc` the 33rd of arm64
/// (flavour 6).
fn program_counter(body: Bytes<'_>) -> Result<Svma, Error> {
    let flavour = body.u32("registers of the first thread", 8)?;
    let register = match flavour {
        4 => 16_u64,
        6 => 32,
        other => {
            return Err(Error::Unsupported {
                what: "registers of the first thread",
                expected: "4 (amd64) or 6 (arm64)",
                found: other.into(),
            });
        }
    };
    let at = register.saturating_mul(8).saturating_add(16);
    body.u64("registers of the first thread", at).map(Svma)
}

fn source_version(packed: u64) -> String {
    let part = |shift: u32| packed.checked_shr(shift).unwrap_or(0) & 0x3ff;
    let major = packed.checked_shr(40).unwrap_or(0);
    let parts = [major, part(30), part(20), part(10), part(0)];
    let last = parts.iter().rposition(|&part| part > 0).unwrap_or(0).max(1);
    let parts: Vec<String> = parts.iter().map(u64::to_string).collect();
    parts.get(..=last).unwrap_or(&parts).join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use object::macho::{LC_ATOM_INFO, LC_FUNCTION_VARIANT_FIXUPS, LC_FUNCTION_VARIANTS};
    use object::macho::{LC_DYLD_CHAINED_FIXUPS, LC_TARGET_TRIPLE};

    /// A command with a path, whose words are as `object` has the structure.
    fn library(number: u32, time: u32, flags: Option<u32>) -> Result<DylibUse, Error> {
        let offset = if flags.is_some() { 28 } else { 24 };
        let words = [number, 0, offset, time, 0x0001_0000, 0x0001_0000];
        let words = words.into_iter().chain(flags).map(u32::to_le_bytes);
        let mut body = words.collect::<Vec<_>>().concat();
        body.extend(b"/usr/lib/libz.dylib\0");
        match contents(number, Bytes(&body))? {
            Command::Dylib(dylib) => {
                assert_eq!(dylib.path, b"/usr/lib/libz.dylib");
                Ok(dylib.used)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn flags_behind_a_library_are_read() {
        use object::macho::{
            DYLIB_USE_DELAYED_INIT, DYLIB_USE_MARKER, DYLIB_USE_REEXPORT, DYLIB_USE_UPWARD,
            DYLIB_USE_WEAK_LINK, LC_LOAD_DYLIB, LC_LOAD_WEAK_DYLIB,
        };
        for (flags, words) in [
            (0, "required"),
            (DYLIB_USE_WEAK_LINK.0, "weak"),
            (DYLIB_USE_REEXPORT.0, "reexported"),
            (DYLIB_USE_UPWARD.0, "upward"),
            (
                DYLIB_USE_WEAK_LINK.0 | DYLIB_USE_DELAYED_INIT.0,
                "weak, delayed",
            ),
            // What none is yet.
            (0x8000_0010, "required"),
        ] {
            let used = library(LC_LOAD_DYLIB.0, DYLIB_USE_MARKER, Some(flags)).unwrap();
            assert_eq!(used.words(), words);
        }
        let weak = library(LC_LOAD_WEAK_DYLIB.0, DYLIB_USE_MARKER, Some(8)).unwrap();
        assert_eq!(weak.words(), "weak, delayed");
        // Without the mark there are none: the path may stand there.
        let plain = library(LC_LOAD_DYLIB.0, 2, None).unwrap();
        assert_eq!(plain, DylibUse::default());
        let cut = [0xc, 0, 8, DYLIB_USE_MARKER, 0, 0]
            .map(u32::to_le_bytes)
            .concat();
        let cut = contents(0xc, Bytes(&cut)).unwrap_err();
        assert!(matches!(cut, Error::CutShort { offset: 24, .. }), "{cut}");
    }

    #[test]
    fn newest_commands_have_names() {
        for (number, name) in [
            (LC_DYLD_CHAINED_FIXUPS, "LC_DYLD_CHAINED_FIXUPS"),
            (LC_ATOM_INFO, "LC_ATOM_INFO"),
            (LC_FUNCTION_VARIANTS, "LC_FUNCTION_VARIANTS"),
            (LC_FUNCTION_VARIANT_FIXUPS, "LC_FUNCTION_VARIANT_FIXUPS"),
            (LC_TARGET_TRIPLE, "LC_TARGET_TRIPLE"),
        ] {
            let command = LoadCommand {
                number: number.0,
                offset: FileOffset(0),
                size: 8,
                command: Command::Other,
            };
            assert_eq!(command.name(), name);
        }
    }
}
