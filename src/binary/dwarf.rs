//! Functions, files and lines of C, C++ and assembly code, from DWARF.
//!
//! The bytes are unpacked by `object`, read by `gimli` and searched by `addr2line`; what is here
//! bounds how much is unpacked, and speaks in this room's addresses and errors.

mod subprogram;

pub use subprogram::Subprogram;

use super::bytes::Bytes;
use super::elf::Elf;
use super::{Error, Svma};
use addr2line::Context;
use gimli::{EndianSlice, LittleEndian, SectionId};
use object::{Object as _, ObjectSection as _};
use std::borrow::Cow;
use std::sync::Arc;

/// Debug information of more than this many bytes, unpacked, is not read: function names are then
/// those of the symbol table.
pub const LARGEST: u64 = 64 << 20;

/// No compiler inlines deeper; a damaged file could go on for ever.
const DEEPEST: usize = 256;

/// Where a stripped file's debug information is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DebugLink<'a> {
    /// Name of the file, without a folder.
    pub name: &'a [u8],
    /// CRC-32 of all its bytes.
    pub checksum: u32,
}

/// Reads the link that `objcopy --add-gnu-debuglink` leaves in a stripped file, if it has one.
///
/// ```text
/// .gnu_debuglink   name of the file, zero byte, zeroes up to a multiple of 4, u32 checksum
/// ```
///
/// Source: the GDB manual, "Debugging Information in Separate Files".
#[must_use]
pub fn debug_link<'a>(elf: &Elf<'a>) -> Option<DebugLink<'a>> {
    let data = elf.section(b".gnu_debuglink")?.data;
    let end = data.iter().position(|&byte| byte == 0)?;
    let name = data.get(..end)?;
    let after = end.checked_add(1)?.checked_next_multiple_of(4)?;
    let checksum = Bytes(data)
        .u32("checksum", u64::try_from(after).ok()?)
        .ok()?;
    let is_name = !name.is_empty() && !name.contains(&b'/');
    is_name.then_some(DebugLink { name, checksum })
}

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// The debug sections of a file, unpacked where they were packed.
#[derive(Debug, Default)]
pub struct DebugSections<'a>(Vec<(SectionId, Cow<'a, [u8]>)>);

/// One function at one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Function, as the linker names it; empty when not known.
    pub function: Vec<u8>,
    /// Source file, or empty.
    pub file: Vec<u8>,
    /// Line, 0 when not known.
    pub line: u32,
}

/// Debug information, ready for look-ups.
pub struct Dwarf<'a> {
    context: Context<Slice<'a>>,
    sections: Arc<gimli::Dwarf<Slice<'a>>>,
}

impl std::fmt::Debug for Dwarf<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dwarf").finish_non_exhaustive()
    }
}

impl<'a> DebugSections<'a> {
    /// Finds and unpacks the debug sections of an executable, a library or a file of debug
    /// information.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] when there are none; when there are more than [`LARGEST`] bytes; when
    /// they cannot be unpacked.
    pub fn of(data: &'a [u8]) -> Result<Self, Error> {
        let file = object::File::parse(data).map_err(|source| Error::DebugSection {
            section: "table",
            source,
        })?;
        let mut sections = Vec::new();
        let mut unpacked = 0_u64;
        for id in WANTED {
            let Some(section) = file.section_by_name(id.name()) else {
                continue;
            };
            let failed = |source| Error::DebugSection {
                section: id.name(),
                source,
            };
            let packed = section.compressed_data().map_err(failed)?;
            unpacked = unpacked.saturating_add(packed.uncompressed_size);
            if unpacked > LARGEST {
                return Err(Error::Unsupported {
                    what: "bytes of debug information",
                    expected: "at most 64 MiB",
                    found: unpacked,
                });
            }
            sections.push((id, packed.decompress().map_err(failed)?));
        }
        if sections.is_empty() {
            return Err(Error::Missing {
                what: "debug information",
            });
        }
        Ok(Self(sections))
    }

    /// Makes them ready for look-ups.
    ///
    /// # Errors
    ///
    /// When the headers of the sections contradict one another.
    pub fn dwarf(&self) -> Result<Dwarf<'_>, Error> {
        let sections = gimli::Dwarf::load(|id| {
            let found = self.0.iter().find(|(section, _)| *section == id);
            let bytes: &[u8] = found.map_or(&[], |(_, bytes)| bytes);
            Ok(EndianSlice::new(bytes, LittleEndian))
        });
        let read = |sections| {
            let sections = Arc::new(sections);
            let context = Context::from_arc_dwarf(Arc::clone(&sections))?;
            Ok(Dwarf { context, sections })
        };
        sections.and_then(read).map_err(Error::Dwarf)
    }
}

/// What `addr2line` reads.
const WANTED: [SectionId; 10] = [
    SectionId::DebugAbbrev,
    SectionId::DebugAddr,
    SectionId::DebugAranges,
    SectionId::DebugInfo,
    SectionId::DebugLine,
    SectionId::DebugLineStr,
    SectionId::DebugRngLists,
    SectionId::DebugRanges,
    SectionId::DebugStr,
    // Of names by number, as clang writes them since DWARF 5.
    SectionId::DebugStrOffsets,
];

impl Dwarf<'_> {
    /// What a Go function's first parameter is, a method's receiver included, by the function's first
    /// address; `None` where nothing is known of the function.
    #[must_use]
    pub fn first_parameter(&self, function: Svma) -> Option<Parameter> {
        let unit = self
            .context
            .find_dwarf_and_unit(function.0)
            .skip_all_loads()?;
        let mut entries = unit.entries();
        let mut inside = None;
        while let Some(entry) = entries.next_dfs().ok()? {
            if let Some(of_function) = inside {
                if entry.depth() <= of_function {
                    return Some(Parameter::None);
                }
                if is_parameter(entry) {
                    let of = entry.attr_value(gimli::DW_AT_type)?;
                    return Some(parameter(&unit, of).unwrap_or(Parameter::Other));
                }
            } else if entry.tag() == gimli::DW_TAG_subprogram {
                let begins = entry.attr_value(gimli::DW_AT_low_pc);
                let begins = begins.and_then(|begins| unit.attr_address(begins).ok()?);
                inside = (begins == Some(function.0)).then_some(entry.depth());
            }
        }
        inside.map(|_| Parameter::None)
    }

    /// The functions at an address, the innermost inlined one first; none when no compilation
    /// unit covers it. For a return address, ask for the address before it.
    ///
    /// # Errors
    ///
    /// When the debug information is damaged.
    pub fn lines(&self, address: Svma) -> Result<Vec<Line>, Error> {
        // No code ends behind the last address; addr2line asks for the one after it.
        if address.0 == u64::MAX {
            return Ok(Vec::new());
        }
        let mut frames = self
            .context
            .find_frames(address.0)
            .skip_all_loads()
            .map_err(Error::Dwarf)?;
        let mut lines = Vec::new();
        while let Some(frame) = frames.next().map_err(Error::Dwarf)? {
            if lines.len() >= DEEPEST {
                break;
            }
            let function = frame
                .function
                .map(|function| function.name.slice().to_vec());
            let location = frame.location.unwrap_or(addr2line::Location {
                file: None,
                line: None,
                column: None,
            });
            lines.push(Line {
                function: function.unwrap_or_default(),
                file: file_name(location.file.unwrap_or_default()).into(),
                line: location.line.unwrap_or(0),
            });
        }
        Ok(lines)
    }
}

/// With `-trimpath` Go says that it compiled in `.`, from which names are that have no folder.
fn file_name(name: &str) -> &str {
    name.strip_prefix("./").unwrap_or(name)
}

/// What a parameter is, as far as that tells how to show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// There is none.
    None,
    /// A string.
    String,
    /// A signed integer of so many bytes.
    Signed(u8),
    /// An unsigned integer of so many bytes, or a boolean.
    Unsigned(u8),
    /// A floating-point or complex number.
    Float,
    /// Anything else.
    Other,
}

/// `DW_AT_go_kind` of `cmd/internal/dwarf`: the type's kind, numbered as in package reflect.
const GO_KIND: gimli::DwAt = gimli::DwAt(0x2900);

impl Parameter {
    fn of_kind(kind: u64) -> Self {
        match kind {
            1 | 8 => Self::Unsigned(1),
            2 | 6 => Self::Signed(8),
            3 => Self::Signed(1),
            4 => Self::Signed(2),
            5 => Self::Signed(4),
            9 => Self::Unsigned(2),
            10 => Self::Unsigned(4),
            7 | 11 | 12 => Self::Unsigned(8),
            13..=16 => Self::Float,
            24 => Self::String,
            _ => Self::Other,
        }
    }
}

/// The parameter whose type an attribute refers to: Go's linker puts types into a unit of their own.
fn parameter(
    unit: &gimli::UnitRef<'_, Slice<'_>>,
    of: gimli::AttributeValue<Slice<'_>>,
) -> Option<Parameter> {
    let read = |unit: &gimli::UnitRef<'_, Slice<'_>>, offset| {
        let entry = unit.entry(offset).ok()?;
        let kind = entry.attr_value(GO_KIND)?.udata_value()?;
        Some(Parameter::of_kind(kind))
    };
    match of {
        gimli::AttributeValue::UnitRef(offset) => read(unit, offset),
        gimli::AttributeValue::DebugInfoRef(offset) => {
            let mut headers = unit.dwarf.units();
            while let Some(header) = headers.next().ok()? {
                if let Some(offset) = offset.to_unit_offset(&header) {
                    let other = unit.dwarf.unit(header).ok()?;
                    return read(&other.unit_ref(unit.dwarf), offset);
                }
            }
            None
        }
        _ => None,
    }
}

/// A parameter that comes in; Go calls results parameters, too, and says that they are variable.
fn is_parameter(entry: &gimli::DebuggingInformationEntry<Slice<'_>>) -> bool {
    let result = entry.attr_value(gimli::DW_AT_variable_parameter);
    let result = matches!(result, Some(gimli::AttributeValue::Flag(true)));
    entry.tag() == gimli::DW_TAG_formal_parameter && !result
}
