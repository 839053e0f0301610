//! A program with segments more, and a library more that dyld loads where it is there: bytes in, bytes out.
//!
//! ```text
//! before   header  load commands            __TEXT ... __DATA ...                | __LINKEDIT
//! after    header  load commands, 3 more    __TEXT ... __DATA ...  | new | new   | __LINKEDIT
//! ```
//!
//! All but `__LINKEDIT` stays where it is, in the file and in memory. dyld numbers segments by their load commands
//! (rebase and bind opcodes, chains), so the new ones come behind all that have pointers; it numbers libraries, so the
//! new one comes last. What points into `__LINKEDIT` are offsets in load commands; one that is not known is refused.
//! Chained fixups have an entry for each segment, of which macOS 27 counts on there being as many as segments.
//!
//! Source: `<mach-o/loader.h>`, `<mach-o/fixup-chains.h>`; dyld-1378, `mach_o/Header.cpp`. The signature does not hold
//! any more: [`super::signature::AdHoc`] makes a new one.

use super::room::{HEADER, length, put, put_u32, room};
use super::{Command, FileType, LoadCommand, MachO, Protection, Segment, TableOf};
use crate::binary::{Error, Svma, bytes::Bytes};

/// A page of Apple Silicon; of Intel's it is four.
const PAGE: u64 = 0x4000;
const LC_SEGMENT_64: u32 = 0x19;
const LC_LOAD_WEAK_DYLIB: u32 = 0x8000_0018;
/// Size of a segment's load command, of a section in it, and of a library's without its path.
const SEGMENT: usize = 72;
const SECTION: usize = 80;
const LIBRARY: usize = 24;
/// 1.0.0, as libraries have it that nobody counts.
const VERSION: u32 = 0x0001_0000;
/// What the list of segments in chained fixups grows by, which is enough for [`MOST`]: a signature begins at a multiple
/// of 16.
const GROWTH: u64 = 16;
const MOST: usize = 4;

/// Where new segments begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// In memory.
    pub address: Svma,
    /// In the file.
    pub offset: u64,
}

/// A segment of one section.
#[derive(Clone, Copy, Debug)]
pub struct NewSegment<'a> {
    /// At most 16 bytes.
    pub name: &'static str,
    /// At most 16 bytes.
    pub section: &'static str,
    /// What may be done with its memory.
    pub protection: Protection,
    /// Type and attributes of the section.
    pub flags: u32,
    /// Its bytes.
    pub contents: &'a [u8],
}

/// What a program is to have more: four segments at most.
#[derive(Clone, Copy, Debug)]
pub struct Addition<'a> {
    /// Behind each other, each at the next page of 16 KiB.
    pub segments: &'a [NewSegment<'a>],
    /// The path of a library that need not be there (`LC_LOAD_WEAK_DYLIB`).
    pub library: &'a str,
}

impl Gap {
    /// In front of `__LINKEDIT`.
    ///
    /// # Errors
    ///
    /// When the file is no program, or `__LINKEDIT` is not its last segment and its end.
    pub fn of(image: &MachO<'_>) -> Result<Self, Error> {
        let linkedit = linkedit(image)?;
        let others = image.segments().iter();
        let others = others.filter(|segment| segment.command != linkedit.command);
        let end = others.map(Segment::end).max().unwrap_or_default();
        Ok(Self {
            address: Svma(paged(end.0)),
            offset: paged(linkedit.offset),
        })
    }
}

/// The last segment, at which the file ends.
fn linkedit<'i, 'a>(image: &'i MachO<'a>) -> Result<&'i Segment<'a>, Error> {
    if image.file_type != FileType::Executable {
        return Err(Error::Unexpected {
            what: "file type",
            offset: 12,
            expected: "an executable".to_owned(),
            found: image.file_type.to_string(),
        });
    }
    let last = image.segments().last();
    let linkedit = last
        .filter(|last| last.name == "__LINKEDIT")
        .ok_or(Error::Missing {
            what: "segment __LINKEDIT behind all others",
        })?;
    let end = linkedit.offset.saturating_add(linkedit.file_size);
    let mut others = image.segments().iter();
    let behind = others.find(|other| {
        other.command != linkedit.command
            && (other.end() > linkedit.address
                || other.offset.saturating_add(other.file_size) > linkedit.offset)
    });
    match behind {
        Some(other) => Err(Error::Unexpected {
            what: "segment",
            offset: other.command.0,
            expected: "one in front of __LINKEDIT".to_owned(),
            found: format!("{} at {}", other.name, other.address),
        }),
        None if end != image.data.len() as u64 => Err(Error::Unexpected {
            what: "end of __LINKEDIT",
            offset: linkedit.command.0.saturating_add(48),
            expected: format!("{:#x}, the end of the file", image.data.len()),
            found: format!("{end:#x}"),
        }),
        None => Ok(linkedit),
    }
}

/// The next address or offset at which a segment can begin.
const fn paged(at: u64) -> u64 {
    at.div_ceil(PAGE).saturating_mul(PAGE)
}

impl Addition<'_> {
    /// The program with what it is to have more. `data` are its bytes, of which those that are in no table of
    /// `__LINKEDIT`, and no load command, may have been changed.
    ///
    /// # Errors
    ///
    /// As [`Gap::of`]; and when there is no room for the load commands, one of those that are there is not known, or
    /// the file becomes too large.
    pub fn to(&self, image: &MachO<'_>, data: &[u8]) -> Result<Vec<u8>, Error> {
        let linkedit = linkedit(image)?;
        let gap = Gap::of(image)?;
        let mut at = gap;
        let (mut commands, mut contents) = (Vec::new(), Vec::new());
        for segment in self.segments {
            commands.extend(segment.command(at)?);
            let size = paged(segment.contents.len() as u64);
            contents.extend_from_slice(segment.contents);
            at.address.0 = at.address.0.saturating_add(size);
            at.offset = at.offset.saturating_add(size);
            contents.resize(length(at.offset.saturating_sub(gap.offset))?, 0);
        }
        let mut library = library(self.library)?;
        let more = commands.len().saturating_add(library.len()) as u64;
        let end = room(image, more, "segments and a library")?;

        let moved = Moved::of(image, at.offset.saturating_sub(linkedit.offset))?;
        let mut file = Bytes(image.data).slice("header", 0, HEADER)?.to_vec();
        put_u32(&mut file, 16, self.count(image))?;
        put_u32(
            &mut file,
            20,
            end.saturating_sub(HEADER).saturating_add(more),
        )?;
        let is_library = |command: &LoadCommand<'_>| matches!(command.command, Command::Dylib(_));
        let last_library = image.commands.iter().rposition(is_library);
        for (number, command) in image.commands.iter().enumerate() {
            let size = command.size.into();
            let mut bytes = Bytes(image.data)
                .slice("load command", command.offset.0, size)?
                .to_vec();
            moved.command(command.number, &mut bytes)?;
            if command.offset == linkedit.command {
                file.append(&mut commands);
                put(&mut bytes, 24, &at.address.0.to_le_bytes())?;
                put(&mut bytes, 40, &at.offset.to_le_bytes())?;
                let size = linkedit.file_size.saturating_add(moved.growth());
                put(&mut bytes, 32, &paged(size).to_le_bytes())?;
                put(&mut bytes, 48, &size.to_le_bytes())?;
            }
            file.append(&mut bytes);
            if Some(number) == last_library {
                file.append(&mut library);
            }
        }
        file.append(&mut library);
        let rest = file.len() as u64;
        let rest = Bytes(data).slice("code", rest, linkedit.offset.saturating_sub(rest))?;
        file.extend_from_slice(rest);
        file.resize(length(gap.offset)?, 0);
        file.append(&mut contents);
        file.append(&mut moved.tables(image, linkedit, self.segments.len())?);
        Ok(file)
    }

    /// How many load commands there are then.
    fn count(&self, image: &MachO<'_>) -> u64 {
        let more = self.segments.len().saturating_add(1);
        image.commands.len().saturating_add(more) as u64
    }
}

impl NewSegment<'_> {
    /// Its load command.
    fn command(&self, at: Gap) -> Result<Vec<u8>, Error> {
        let size = paged(self.contents.len() as u64);
        let protection = self.protection.0;
        let mut bytes = vec![0; SEGMENT.saturating_add(SECTION)];
        let section = SEGMENT as u64;
        for (field, value) in [
            (0, LC_SEGMENT_64.into()),
            (4, bytes.len() as u64),
            (56, protection.into()),
            (60, protection.into()),
            (64, 1),
            (section.saturating_add(48), at.offset),
            (section.saturating_add(52), PAGE.trailing_zeros().into()),
            (section.saturating_add(64), self.flags.into()),
        ] {
            put_u32(&mut bytes, field, value)?;
        }
        for (field, value) in [
            (24, at.address.0),
            (32, size),
            (40, at.offset),
            (48, size),
            (section.saturating_add(32), at.address.0),
            (section.saturating_add(40), self.contents.len() as u64),
        ] {
            put(&mut bytes, field, &value.to_le_bytes())?;
        }
        for (field, name) in [
            (8, self.name),
            (section, self.section),
            (section.saturating_add(16), self.name),
        ] {
            put(&mut bytes, field, name.as_bytes())?;
        }
        Ok(bytes)
    }
}

/// The load command of a library that need not be there.
fn library(path: &str) -> Result<Vec<u8>, Error> {
    let size = LIBRARY.saturating_add(path.len()).saturating_add(1);
    let mut bytes = vec![0; size.next_multiple_of(8)];
    let size = bytes.len() as u64;
    for (field, value) in [
        (0, LC_LOAD_WEAK_DYLIB.into()),
        (4, size),
        (8, LIBRARY as u64),
        // The time at which it was made: linkers write 2.
        (12, 2),
        (16, VERSION.into()),
        (20, VERSION.into()),
    ] {
        put_u32(&mut bytes, field, value)?;
    }
    put(&mut bytes, LIBRARY as u64, path.as_bytes())?;
    Ok(bytes)
}

/// How far the tables of `__LINKEDIT` move.
struct Moved {
    /// All of them.
    by: u64,
    /// Those from here on [`GROWTH`] more; where chained fixups, if there are any, have their list of segments.
    grown_at: Option<u64>,
}

impl Moved {
    fn of(image: &MachO<'_>, by: u64) -> Result<Self, Error> {
        let Some(table) = image.table(TableOf::ChainedFixups) else {
            return Ok(Self { by, grown_at: None });
        };
        let bytes = Bytes(image.table_bytes(TableOf::ChainedFixups)?);
        let starts = u64::from(bytes.u32("chained fixups", 4)?);
        let count = bytes.u32("number of segments in chained fixups", starts)?;
        if usize::try_from(count) != Ok(image.segments().len()) {
            return Err(Error::Unexpected {
                what: "number of segments in chained fixups",
                offset: table.offset.saturating_add(starts),
                expected: format!("{}, as many as there are", image.segments().len()),
                found: count.to_string(),
            });
        }
        let end = u64::from(count).saturating_mul(4).saturating_add(4);
        let end = starts.saturating_add(end);
        Ok(Self {
            by,
            grown_at: Some(table.offset.saturating_add(end)),
        })
    }

    fn growth(&self) -> u64 {
        self.grown_at.map_or(0, |_| GROWTH)
    }

    /// Where what began at an offset begins then.
    fn offset(&self, old: u64) -> u64 {
        let grown = self.grown_at.is_some_and(|at| old >= at);
        let growth = if grown { GROWTH } else { 0 };
        old.saturating_add(self.by).saturating_add(growth)
    }

    /// Has a load command point to where its tables are then. Those that have none are left as they are.
    fn command(&self, number: u32, bytes: &mut [u8]) -> Result<(), Error> {
        for &field in offsets(number)? {
            let old = u64::from(Bytes(bytes).u32("load command", field)?);
            if old != 0 {
                put_u32(bytes, field, self.offset(old))?;
            }
        }
        if number & !REQUIRED == CHAINED_FIXUPS {
            let size = u64::from(Bytes(bytes).u32("load command", 12)?);
            put_u32(bytes, 12, size.saturating_add(self.growth()))?;
        }
        Ok(())
    }

    /// What `__LINKEDIT` then holds.
    fn tables(
        &self,
        image: &MachO<'_>,
        linkedit: &Segment<'_>,
        more: usize,
    ) -> Result<Vec<u8>, Error> {
        let bytes = Bytes(image.data);
        let old = bytes.slice("__LINKEDIT", linkedit.offset, linkedit.file_size)?;
        let mut tables = old.to_vec();
        let (Some(at), Some(table)) = (self.grown_at, image.table(TableOf::ChainedFixups)) else {
            return Ok(tables);
        };
        let into = |offset: u64| offset.saturating_sub(linkedit.offset);
        let header = into(table.offset);
        let starts = u64::from(bytes.u32("chained fixups", table.offset.saturating_add(4))?);
        let list = header.saturating_add(starts);
        let count = image.segments().len();
        let mut entries = Vec::new();
        for number in 0..count as u64 {
            let at = list
                .saturating_add(number.saturating_mul(4))
                .saturating_add(4);
            entries.push(Bytes(old).u32("starts of a segment", at)?);
        }
        if more > MOST {
            return Err(Error::Unsupported {
                what: "number of new segments",
                expected: "4 at most",
                found: more as u64,
            });
        }
        // The new ones have no pointers; __LINKEDIT has none either.
        entries.resize(count.saturating_add(more), 0);
        let split = length(into(at))?;
        let growth = length(GROWTH)?;
        tables.splice(split..split, std::iter::repeat_n(0, growth));
        put_u32(&mut tables, list, entries.len() as u64)?;
        for (number, entry) in (0_u64..).zip(&entries) {
            let at = list
                .saturating_add(number.saturating_mul(4))
                .saturating_add(4);
            let further = if *entry == 0 { 0 } else { GROWTH };
            put_u32(&mut tables, at, u64::from(*entry).saturating_add(further))?;
        }
        // Imports and names, from the table's own start.
        for field in [8_u64, 12] {
            let at = header.saturating_add(field);
            let old = u64::from(Bytes(&tables).u32("chained fixups", at)?);
            if old > starts {
                put_u32(&mut tables, at, old.saturating_add(GROWTH))?;
            }
        }
        Ok(tables)
    }
}

/// `LC_REQ_DYLD`: loaders that do not know a command are to refuse the file.
const REQUIRED: u32 = 0x8000_0000;
const CHAINED_FIXUPS: u32 = 0x34;

/// Where in a load command offsets of tables in `__LINKEDIT` stand.
fn offsets(number: u32) -> Result<&'static [u64], Error> {
    Ok(match number & !REQUIRED {
        // LC_SYMTAB
        0x02 => &[8, 16],
        // LC_DYSYMTAB
        0x0b => &[32, 40, 48, 56, 64, 72],
        // LC_TWOLEVEL_HINTS
        0x16 => &[8],
        // LC_DYLD_INFO
        0x22 => &[8, 16, 24, 32, 40],
        // Tables of one kind: signature, split segments, functions, data in code, requirements, hints, exports,
        // chains, atoms, variants.
        0x1d | 0x1e | 0x26 | 0x29 | 0x2b | 0x2e | 0x33 | 0x34 | 0x36 | 0x37 | 0x38 => &[8],
        // Segments, entries, libraries, loaders, names, paths, versions: no tables.
        0x04 | 0x05 | 0x0c..=0x0f | 0x12..=0x15 | 0x17..=0x1c | 0x1f | 0x20 | 0x23..=0x25 => &[],
        0x27 | 0x28 | 0x2a | 0x2d | 0x2f | 0x30 | 0x32 | 0x39 => &[],
        other => {
            return Err(Error::Unsupported {
                what: "load command",
                expected: "one of which is known where its tables are",
                found: other.into(),
            });
        }
    })
}
