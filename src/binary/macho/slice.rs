//! Takes a file apart: fat files into architectures, archives into members.
//!
//! ```text
//! fat header, big-endian   0 u32 cafebabe (cafebabf: 64-bit)   4 u32 number of slices
//! slice                    0 u32 cputype   4 u32 cpusubtype   8 u32 offset  12 u32 size  16 u32 align
//! slice, 64-bit            0 u32 cputype   4 u32 cpusubtype   8 u64 offset  16 u64 size  24 u32 align
//!                          28 u32 reserved
//! ```
//!
//! Source: `<mach-o/fat.h>`. A Java class begins with `cafebabe`, too, and then has its version
//! where the number of slices is: at least 45, while no fat file has that many.
//! Archives (`ar`) are read by the `object` crate.

use super::{Cpu, MachO};
use crate::binary::{Error, FileOffset, bytes::Bytes};
use object::read::archive::ArchiveFile;

const FAT: [u8; 4] = [0xca, 0xfe, 0xba, 0xbe];
const FAT_64: [u8; 4] = [0xca, 0xfe, 0xba, 0xbf];
const THIN_64: [u8; 4] = [0xcf, 0xfa, 0xed, 0xfe];
const THIN_32: [u8; 4] = [0xce, 0xfa, 0xed, 0xfe];
/// Files for PowerPC.
const THIN_64_BE: [u8; 4] = [0xfe, 0xed, 0xfa, 0xcf];
const THIN_32_BE: [u8; 4] = [0xfe, 0xed, 0xfa, 0xce];
const THIN: [[u8; 4]; 4] = [THIN_64, THIN_32, THIN_64_BE, THIN_32_BE];
const ARCHIVE: &[u8] = b"!<arch>\n";
/// More slices than this are none: see the module's note on Java.
const MOST_SLICES: u32 = 44;

/// What a slice is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SliceOf {
    /// The file is this slice.
    Thin,
    /// A fat file, whose table says that the slice is for this.
    Fat(Cpu),
    /// An archive, where it has this name; within a fat file for this.
    Archive(String, Option<Cpu>),
}

/// A piece of a file that is one Mach-O file.
#[derive(Clone, Debug)]
pub struct Slice<'a> {
    /// Where it comes from.
    pub of: SliceOf,
    /// Where in the file it begins.
    pub offset: FileOffset,
    /// Its bytes.
    pub data: &'a [u8],
}

/// How a file is put together.
#[derive(Clone, Debug)]
pub struct Slices<'a> {
    /// `Mach-O`, `fat Mach-O`, `fat Mach-O (64-bit)` or `archive`.
    pub format: &'static str,
    /// Its pieces, in the order of the file. Members of an archive that are no Mach-O files are
    /// among them.
    pub slices: Vec<Slice<'a>>,
}

impl<'a> Slices<'a> {
    /// Whether a file begins as one that is read here.
    #[must_use]
    pub fn begins(data: &[u8]) -> bool {
        let starts = |magic: &[u8]| data.starts_with(magic);
        THIN.iter().any(|magic| starts(magic))
            || starts(ARCHIVE)
            || (starts(&FAT) || starts(&FAT_64))
                && Bytes(data)
                    .u32_be("number of slices", 4)
                    .is_ok_and(|count| count <= MOST_SLICES)
    }

    /// Takes a file apart.
    ///
    /// # Errors
    ///
    /// When it is no Mach-O file, no fat file and no archive; when a slice reaches beyond the end
    /// of the file or lies on another one.
    pub fn of(data: &'a [u8]) -> Result<Self, Error> {
        match data.get(..4) {
            _ if !Self::begins(data) => Err(Error::NotMachO {
                offset: 0,
                found: data.get(..4).unwrap_or(data).to_vec(),
            }),
            Some(start) if start == FAT || start == FAT_64 => fat(data),
            Some(start) if THIN.iter().any(|magic| start == magic) => Ok(Self {
                format: "Mach-O",
                slices: vec![Slice {
                    of: SliceOf::Thin,
                    offset: FileOffset(0),
                    data,
                }],
            }),
            _ => Ok(Self {
                format: "archive",
                slices: members(data, FileOffset(0), None)?,
            }),
        }
    }

    /// The headers of the pieces, of those that have any that can be read.
    pub fn images(&self) -> impl Iterator<Item = MachO<'a>> {
        let slices = self.slices.iter();
        slices.filter_map(|slice| MachO::parse(slice).ok())
    }

    /// The piece with this UUID.
    #[must_use]
    pub fn with_uuid(&self, uuid: &[u8]) -> Option<MachO<'a>> {
        let has = |image: &MachO<'_>| image.uuid().is_some_and(|own| own == uuid);
        self.images().find(has)
    }
}

fn fat(data: &[u8]) -> Result<Slices<'_>, Error> {
    let bytes = Bytes(data);
    let wide = data.starts_with(&FAT_64);
    let size = if wide { 32 } else { 20 };
    let count = bytes.u32_be("number of slices", 4)?;
    let mut slices: Vec<Slice<'_>> = Vec::new();
    for number in 0..u64::from(count) {
        let at = number.saturating_mul(size).saturating_add(8);
        let field = |offset: u64| at.saturating_add(offset);
        let cpu = Cpu {
            family: bytes.u32_be("architecture of a slice", field(0))?,
            subtype: bytes.u32_be("architecture of a slice", field(4))?,
        };
        let (offset, length) = if wide {
            let offset = bytes.u64_be("offset of a slice", field(8))?;
            (offset, bytes.u64_be("size of a slice", field(16))?)
        } else {
            let offset = bytes.u32_be("offset of a slice", field(8))?;
            let length = bytes.u32_be("size of a slice", field(12))?;
            (u64::from(offset), u64::from(length))
        };
        let slice = Slice {
            of: SliceOf::Fat(cpu),
            offset: FileOffset(offset),
            data: bytes.slice("slice", offset, length)?,
        };
        refuse_overlap(&slices, &slice, field(8))?;
        if slice.data.starts_with(ARCHIVE) {
            slices.extend(members(slice.data, slice.offset, Some(cpu))?);
        } else {
            slices.push(slice);
        }
    }
    Ok(Slices {
        format: if wide {
            "fat Mach-O (64-bit)"
        } else {
            "fat Mach-O"
        },
        slices,
    })
}

fn refuse_overlap(earlier: &[Slice<'_>], slice: &Slice<'_>, at: u64) -> Result<(), Error> {
    let end = |slice: &Slice<'_>| slice.offset.0.saturating_add(slice.data.len() as u64);
    let other = earlier
        .iter()
        .find(|other| other.offset.0 < end(slice) && slice.offset.0 < end(other));
    other.map_or(Ok(()), |other| {
        Err(Error::Unexpected {
            what: "offset of a slice",
            offset: at,
            expected: format!("one behind {:#x}, the end of another slice", end(other)),
            found: format!("{:#x}", slice.offset.0),
        })
    })
}

fn members(data: &[u8], start: FileOffset, cpu: Option<Cpu>) -> Result<Vec<Slice<'_>>, Error> {
    let unread = |source| Error::Table {
        what: "archive",
        offset: start.0,
        source,
    };
    let archive = ArchiveFile::parse(data).map_err(unread)?;
    let mut members = Vec::new();
    for member in archive.members() {
        let member = member.map_err(unread)?;
        let (offset, _) = member.file_range();
        members.push(Slice {
            of: SliceOf::Archive(String::from_utf8_lossy(member.name()).into_owned(), cpu),
            offset: FileOffset(start.0.saturating_add(offset)),
            data: member.data(data).map_err(unread)?,
        });
    }
    Ok(members)
}
