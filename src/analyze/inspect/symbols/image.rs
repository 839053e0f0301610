//! A slice that has symbols, of whichever format.

use super::super::macho::uuid_text;
use super::super::text;
use super::index::chain;
use crate::binary::dwarf::DebugSections;
use crate::binary::elf::{Elf, Kind};
use crate::binary::go::Pclntab;
use crate::binary::macho::{FileType, MachO, Slice, Slices};
use crate::binary::{Error, Svma};
use std::sync::Arc;

const SHF_ALLOC: u64 = 2;

/// A slice, its headers read.
#[derive(Debug)]
pub struct Image<'a> {
    pub(super) format: Format<'a>,
    data: &'a [u8],
    pub(super) sections: Vec<Stretch>,
}

#[derive(Debug)]
pub(super) enum Format<'a> {
    MachO(Box<MachO<'a>>),
    Elf(Box<Elf<'a>>),
}

/// A section, and where it is.
#[derive(Clone, Debug)]
pub(super) struct Stretch {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) name: Arc<str>,
    /// Its number, by which symbols of ELF name it.
    pub(super) number: u16,
}

impl<'a> Image<'a> {
    /// Reads the headers of a slice: a Mach-O file, or an ELF file that was found as one is.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub fn of(slice: &Slice<'a>) -> Result<Self, Error> {
        match Self::of_elf(slice.data) {
            Err(Error::NotElf { .. }) => Self::of_macho(slice),
            read => read,
        }
    }

    fn of_macho(slice: &Slice<'a>) -> Result<Self, Error> {
        let image = MachO::parse(slice)?;
        let sections = image
            .sections()
            .zip(1..=u16::MAX)
            .map(|(section, number)| Stretch {
                start: section.address.0,
                end: section.address.0.saturating_add(section.size),
                name: section.full_name().into(),
                number,
            });
        Ok(Self {
            data: slice.data,
            sections: in_order(sections.collect()),
            format: Format::MachO(Box::new(image)),
        })
    }

    fn of_elf(data: &'a [u8]) -> Result<Self, Error> {
        let elf = Elf::parse(data)?;
        let object = elf.kind == Kind::Other(1);
        let loaded = elf
            .sections()
            .iter()
            .zip(0..=u16::MAX)
            .filter(|(section, _)| {
                section.flags & SHF_ALLOC != 0 && (object || section.address.0 != 0)
            });
        let sections = loaded.map(|(section, number)| Stretch {
            start: section.address.0,
            end: section.address.0.saturating_add(section.size),
            name: text(section.name).into(),
            number,
        });
        Ok(Self {
            data,
            sections: in_order(sections.collect()),
            format: Format::Elf(Box::new(elf)),
        })
    }

    /// Whether addresses are offsets in sections, several of which begin at 0: an ELF object.
    pub(super) fn is_relative(&self) -> bool {
        matches!(&self.format, Format::Elf(elf) if elf.kind == Kind::Other(1))
    }

    /// The section that holds an address.
    pub(super) fn section_at(&self, address: Svma) -> Option<&Stretch> {
        let after = self.sections.partition_point(|one| one.start <= address.0);
        let before = self.sections.get(..after)?;
        // Empty ones, and thread-local ones of ELF, begin where others do.
        let mut near = before.iter().rev().take(4);
        near.find(|one| address.0 < one.end)
    }

    pub(super) fn pclntab(&self) -> Result<Pclntab<'a>, Error> {
        match &self.format {
            Format::MachO(image) => Pclntab::of(image.as_ref()),
            Format::Elf(elf) => Pclntab::of(elf.as_ref()),
        }
    }

    /// The debug information in it; none where there is none, else why it cannot be read.
    pub(super) fn dwarf(&self) -> Result<Option<DebugSections<'a>>, String> {
        let object = match &self.format {
            Format::MachO(image) => image.file_type == FileType::Object,
            Format::Elf(_) => self.is_relative(),
        };
        match DebugSections::of(self.data) {
            Err(Error::Missing { .. }) => Ok(None),
            Err(error) => Err(chain(&error)),
            Ok(_) if object => Err("its addresses are put in when the object is linked".to_owned()),
            Ok(sections) => Ok(Some(sections)),
        }
    }

    /// The slice of a file of debug information that belongs to this one: of the same identity.
    pub(super) fn debug_image<'d>(&self, data: &'d [u8]) -> Result<Image<'d>, String> {
        match &self.format {
            // By build id or checksum it was found.
            Format::Elf(_) => Image::of_elf(data).map_err(|error| error.to_string()),
            Format::MachO(image) => {
                let slices = Slices::of(data).map_err(|error| error.to_string())?;
                let mut others = Vec::new();
                for slice in &slices.slices {
                    let debug = Image::of_macho(slice).map_err(|error| error.to_string())?;
                    let Format::MachO(of) = &debug.format else {
                        continue;
                    };
                    if of.uuid().is_some() && of.uuid() == image.uuid() {
                        return Ok(debug);
                    }
                    others.extend(of.uuid().map(|uuid| uuid_text(&uuid)));
                }
                let own = image.uuid().map(|uuid| uuid_text(&uuid));
                Err(format!(
                    "of another build: expected {}, found {}",
                    own.as_deref().unwrap_or("a UUID in the file itself"),
                    others.join(", ")
                ))
            }
        }
    }
}

fn in_order(mut sections: Vec<Stretch>) -> Vec<Stretch> {
    sections.sort_by_key(|one| (one.start, one.end));
    sections
}
