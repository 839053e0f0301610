//! The bytes of an image's file in, the executable that ran out, of whichever format.
//!
//! A Mach-O file may hold one for each architecture. By its UUID the slice is known for sure, else by
//! the architecture of the program that loaded it, where only one is for that.

use super::functions::Functions;
use crate::binary::Memory;
use crate::binary::elf::Elf;
use crate::binary::go::Pclntab;
use crate::binary::macho::{MachO, Slices};
use crate::trace::{Arch, Unnamed};

/// An executable or a library, its headers read.
#[derive(Debug)]
pub(super) struct Executable<'a> {
    /// Its bytes; of a Mach-O file those of the slice alone.
    pub(super) data: &'a [u8],
    format: Format<'a>,
}

#[derive(Debug)]
enum Format<'a> {
    Elf(Box<Elf<'a>>),
    MachO(Box<MachO<'a>>),
}

impl<'a> Executable<'a> {
    /// Reads the headers of a file, or of the slice of it that has this build id; without one, of the
    /// slice that is for this architecture.
    pub(super) fn of(file: &'a [u8], build_id: &[u8], arch: Arch) -> Result<Self, Unnamed> {
        if Slices::begins(file) {
            return slice(file, build_id, arch).map(Self::of_slice);
        }
        let elf = Elf::parse(file).map_err(|_error| Unnamed::BadFile)?;
        Ok(Self {
            data: file,
            format: Format::Elf(Box::new(elf)),
        })
    }

    /// The slice of a Mach-O file, or a library of dyld's shared cache.
    pub(super) fn of_slice(image: MachO<'a>) -> Self {
        Self {
            data: image.data,
            format: Format::MachO(Box::new(image)),
        }
    }

    /// What of a file of debug information, found beside the executable, is of the same build.
    pub(super) fn debug<'d>(&self, file: &'d [u8]) -> Option<Executable<'d>> {
        match &self.format {
            // By build id or checksum it was found.
            Format::Elf(_) => Executable::of(file, &[], Arch::Unknown).ok(),
            Format::MachO(image) => {
                let same = Slices::of(file).ok()?.with_uuid(&image.uuid()?)?;
                Some(Executable::of_slice(same))
            }
        }
    }

    /// What it puts where in memory. Offsets in a Mach-O file are those of the slice, as dyld counts.
    pub(super) fn memory(&self) -> &Memory<'a> {
        match &self.format {
            Format::Elf(elf) => elf.memory(),
            Format::MachO(image) => image.memory(),
        }
    }

    /// Go's own table, in programs of Go.
    pub(super) fn pclntab(&self) -> Option<Pclntab<'a>> {
        match &self.format {
            Format::Elf(elf) => Pclntab::of(elf.as_ref()).ok(),
            Format::MachO(image) => Pclntab::of(image.as_ref()).ok(),
        }
    }

    /// Adds the functions that its tables of symbols name.
    pub(super) fn add_functions(&self, to: &mut Functions<'a>) {
        match &self.format {
            Format::Elf(elf) => to.add_elf(elf),
            Format::MachO(image) => to.add_macho(image),
        }
    }
}

/// The slice of a Mach-O file that ran.
pub(super) fn slice<'a>(file: &'a [u8], build_id: &[u8], arch: Arch) -> Result<MachO<'a>, Unnamed> {
    let slices = Slices::of(file).map_err(|_error| Unnamed::BadFile)?;
    if !build_id.is_empty() {
        return slices.with_uuid(build_id).ok_or(Unnamed::FileChanged);
    }
    let images: Vec<MachO<'a>> = slices.images().collect();
    if images.is_empty() {
        return Err(Unnamed::BadFile);
    }
    let fits = |image: &MachO<'_>| match arch {
        Arch::Unknown => true,
        Arch::Amd64 => image.cpu.is_amd64(),
        Arch::Arm64 => image.cpu.is_arm64(),
        Arch::X86 => false,
    };
    let mut fitting = images.into_iter().filter(fits);
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(Unnamed::WrongSlice),
    }
}
