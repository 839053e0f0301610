//! Signs Mach-O files for nobody in particular: in go the bytes of a file, signed or not, out comes
//! the same file with a new signature. Only the last part of `__LINKEDIT` and what the load
//! commands say of it become others.
//!
//! ```text
//! before   header  load commands  __TEXT ... __LINKEDIT [ symbols ... | old signature ]
//! after    header  load commands  __TEXT ... __LINKEDIT [ symbols ... | new signature ]
//!                  LC_SEGMENT_64 __LINKEDIT: sizes      16-aligned ^
//!                  LC_CODE_SIGNATURE: place and size; added where there was none
//! ```
//!
//! Certificates, team, requirements, launch constraints and resources of the old signature are
//! gone, and so are its flags: a hardened program is no longer hardened.

use super::maker::{Manner, Statement};
use super::{HashKind, Signature};
use crate::binary::macho::room::{length, narrow, put, put_u32, room};
use crate::binary::macho::{FileType, MachO, Slice, SliceOf, Slices, TableOf};
use crate::binary::{Error, FileOffset, bytes::Bytes};

const LC_CODE_SIGNATURE: u32 = 0x1d;
const COMMAND: u64 = 16;
/// Where a signature may begin, as Apple's tools and the kernel have it.
const ALIGN: u64 = 16;
const FAT_64: [u8; 4] = [0xca, 0xfe, 0xba, 0xbf];
/// The largest alignment of a slice, as lipo has it: 32 KiB.
const MOST_ALIGN: u32 = 15;
/// 4 KiB, as Go's linker has it, and `codesign` had for long.
const PAGE_POWER: u8 = 12;

/// How a file is to be signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdHoc {
    /// What a program is called whose old signature does not say it: its file's name.
    pub name: String,
    /// It is called so even where the old signature says otherwise: linkers call it by where they wrote it.
    pub renames: bool,
    /// Entitlements: keys that are true.
    pub entitlements: Vec<String>,
    /// After whose manner.
    pub manner: Manner,
}

impl AdHoc {
    /// Whether each slice of a file can have a signature: programs, libraries and plug-ins can,
    /// objects and archives cannot.
    #[must_use]
    pub fn takes(data: &[u8]) -> bool {
        let Ok(slices) = Slices::of(data) else {
            return false;
        };
        !slices.slices.is_empty()
            && slices
                .slices
                .iter()
                .all(|slice| matches!(MachO::parse(slice), Ok(image) if is_linked(image.file_type)))
    }

    /// The file with a new signature in each slice.
    ///
    /// # Errors
    ///
    /// When it is no Mach-O file, or a slice is of a kind that has no signature, cannot be read,
    /// has no room for the load command, or has something behind `__LINKEDIT` or the old signature.
    pub fn sign(&self, data: &[u8]) -> Result<Vec<u8>, Error> {
        let slices = Slices::of(data)?;
        if let Some(archive) = slices.slices.iter().find(|slice| is_member(slice)) {
            return Err(Error::Unexpected {
                what: "slice",
                offset: archive.offset.0,
                expected: "a program or a library".to_owned(),
                found: "a member of an archive".to_owned(),
            });
        }
        let signed = slices.slices.iter().map(|slice| {
            let signed = self.sign_slice(slice);
            signed.map_err(|error| error.further(slice.offset.0))
        });
        let signed: Vec<Vec<u8>> = signed.collect::<Result<_, _>>()?;
        match (slices.slices.first().map(|slice| &slice.of), signed.len()) {
            (Some(SliceOf::Thin), 1) => Ok(signed.into_iter().next().unwrap_or_default()),
            _ => fat(data, &signed),
        }
    }

    /// Offsets in errors count from the start of the slice.
    fn sign_slice(&self, slice: &Slice<'_>) -> Result<Vec<u8>, Error> {
        // Within, offsets count from the slice, so that each error is moved once.
        let slice = Slice {
            of: SliceOf::Thin,
            offset: FileOffset(0),
            data: slice.data,
        };
        let image = MachO::parse(&slice)?;
        if !is_linked(image.file_type) {
            return Err(Error::Unexpected {
                what: "file type",
                offset: 12,
                expected: "an executable or a library, which can be signed".to_owned(),
                found: image.file_type.to_string(),
            });
        }
        let old = Signature::of(&image).ok().flatten();
        let directory = old.as_ref().and_then(Signature::directory);
        let text = image
            .segment("__TEXT")
            .map_or((0, 0), |text| (text.offset, text.file_size));
        let statement = Statement {
            manner: self.manner,
            identifier: match directory {
                Some(directory) if !self.renames => directory.identifier,
                _ => self.name.as_bytes(),
            },
            entitlements: &self.entitlements,
            page_power: match directory {
                Some(directory) if directory.hash == HashKind::Sha256 => {
                    match directory.page_size {
                        // 16 KiB, a page of Apple Silicon.
                        0x4000 => 14,
                        _ => PAGE_POWER,
                    }
                }
                _ => PAGE_POWER,
            },
            text,
            is_program: image.file_type == FileType::Executable,
            information: image
                .section("__TEXT", "__info_plist")
                .map(|section| section.data),
        };
        let place = Place::find(&image)?;
        let mut signed = place.code(&image)?;
        let size = statement.size(place.start);
        let padded = match self.manner {
            // Go's linker gives it as many bytes as it has.
            Manner::Linker => size,
            Manner::Tool => size.next_multiple_of(ALIGN),
        };
        place.state(&mut signed, padded, self.manner, &image)?;
        let mut signature = statement.sign(&signed);
        signature.resize(length(padded)?, 0);
        signed.append(&mut signature);
        Ok(signed)
    }
}

const fn is_member(slice: &Slice<'_>) -> bool {
    matches!(slice.of, SliceOf::Archive(..))
}

const fn is_linked(file_type: FileType) -> bool {
    matches!(
        file_type,
        FileType::Executable | FileType::Library | FileType::Bundle
    )
}

/// Where the signature of a slice is, or will be.
struct Place {
    /// Where it begins.
    start: u64,
    /// Where its load command is.
    command: u64,
    /// Whether that command is to be added.
    is_new: bool,
    /// Where the load command of `__LINKEDIT` is.
    linkedit: u64,
}

impl Place {
    fn find(image: &MachO<'_>) -> Result<Self, Error> {
        let linkedit = image.segment("__LINKEDIT").ok_or(Error::Missing {
            what: "segment __LINKEDIT, which holds a signature",
        })?;
        let end = linkedit.offset.saturating_add(linkedit.file_size);
        let size = image.data.len() as u64;
        if end != size {
            return Err(Error::Unexpected {
                what: "end of __LINKEDIT",
                offset: linkedit.command.0.saturating_add(48),
                expected: format!("{size:#x}, the end of the file"),
                found: format!("{end:#x}"),
            });
        }
        let command = image
            .commands
            .iter()
            .find(|command| command.number == LC_CODE_SIGNATURE);
        let old = match (command, image.table(TableOf::Signature)) {
            (Some(_), Some(old)) => {
                let end = old.offset.saturating_add(old.size);
                if end != size || old.offset < linkedit.offset {
                    return Err(Error::Unexpected {
                        what: "end of the old signature",
                        offset: old.offset,
                        expected: format!("{size:#x}, the end of __LINKEDIT and of the file"),
                        found: format!("{end:#x}"),
                    });
                }
                old.offset
            }
            _ => size,
        };
        Ok(Self {
            start: old.next_multiple_of(ALIGN),
            command: match command {
                Some(command) => command.offset.0,
                None => room(image, COMMAND, "LC_CODE_SIGNATURE")?,
            },
            is_new: command.is_none(),
            linkedit: linkedit.command.0,
        })
    }

    /// The bytes before the signature, as they are in the file.
    fn code(&self, image: &MachO<'_>) -> Result<Vec<u8>, Error> {
        let kept = self.start.min(image.data.len() as u64);
        let mut code = Bytes(image.data).slice("code", 0, kept)?.to_vec();
        code.resize(length(self.start)?, 0);
        Ok(code)
    }

    /// Has the load commands say where the signature is.
    fn state(
        &self,
        code: &mut [u8],
        size: u64,
        manner: Manner,
        image: &MachO<'_>,
    ) -> Result<(), Error> {
        if self.is_new {
            let count = Bytes(code).u32("number of load commands", 16)?;
            let commands = Bytes(code).u32("size of the load commands", 20)?;
            put_u32(code, 16, count.saturating_add(1).into())?;
            put_u32(code, 20, u64::from(commands).saturating_add(COMMAND))?;
            put_u32(code, self.command, LC_CODE_SIGNATURE.into())?;
            put_u32(code, self.command.saturating_add(4), COMMAND)?;
        }
        put_u32(code, self.command.saturating_add(8), self.start)?;
        put_u32(code, self.command.saturating_add(12), size)?;
        let Some(linkedit) = image.segment("__LINKEDIT") else {
            return Ok(());
        };
        let end = self.start.saturating_add(size);
        let file_size = end.saturating_sub(linkedit.offset);
        let page = if image.cpu.is_arm64() { 0x4000 } else { 0x1000 };
        let memory = match manner {
            // Go's linker states the size in the file; what is enough is left alone.
            Manner::Linker if file_size <= linkedit.size => linkedit.size,
            _ => file_size.next_multiple_of(page),
        };
        let last = linkedit.address.0.saturating_add(memory);
        let mut others = image.segments().iter();
        let in_the_way = others.find(|other| {
            other.size > 0 && other.address > linkedit.address && other.address.0 < last
        });
        if let Some(other) = in_the_way {
            return Err(Error::Unexpected {
                what: "address of a segment",
                offset: other.command.0.saturating_add(24),
                expected: format!("{last:#x} or more, behind __LINKEDIT and its signature"),
                found: format!("{}, {}", other.address, other.name),
            });
        }
        put(
            code,
            self.linkedit.saturating_add(32),
            &memory.to_le_bytes(),
        )?;
        put(
            code,
            self.linkedit.saturating_add(48),
            &file_size.to_le_bytes(),
        )
    }
}

/// The slices behind each other, aligned as the table of the old file has it.
fn fat(data: &[u8], slices: &[Vec<u8>]) -> Result<Vec<u8>, Error> {
    let wide = data.starts_with(&FAT_64);
    let entry = if wide { 32 } else { 20_u64 };
    let table = entry.saturating_mul(slices.len() as u64).saturating_add(8);
    let mut whole = Bytes(data).slice("table of slices", 0, table)?.to_vec();
    for (number, slice) in (0_u64..).zip(slices) {
        let at = number.saturating_mul(entry).saturating_add(8);
        let field = |offset: u64| at.saturating_add(offset);
        let power =
            Bytes(data).u32_be("alignment of a slice", field(if wide { 24 } else { 16 }))?;
        let align = 1_usize.checked_shl(power).filter(|_| power <= MOST_ALIGN);
        let align = align.ok_or_else(|| Error::Unexpected {
            what: "alignment of a slice",
            offset: field(if wide { 24 } else { 16 }),
            expected: format!("2^{MOST_ALIGN} at most"),
            found: format!("2^{power}"),
        })?;
        let start = whole.len().next_multiple_of(align);
        whole.resize(start, 0);
        whole.extend_from_slice(slice);
        let (start, size) = (start as u64, slice.len() as u64);
        if wide {
            put(&mut whole, field(8), &start.to_be_bytes())?;
            put(&mut whole, field(16), &size.to_be_bytes())?;
        } else {
            put(
                &mut whole,
                field(8),
                &narrow(field(8), start)?.to_be_bytes(),
            )?;
            put(
                &mut whole,
                field(12),
                &narrow(field(12), size)?.to_be_bytes(),
            )?;
        }
    }
    Ok(whole)
}
