//! Images: files with code, and where processes mapped them.

use super::{Arch, Avma, ImageOffset, Nanos, ProcessId, StringId};

/// A file whose code ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Image {
    /// Path, as the kernel named it when it was mapped.
    pub path: StringId,
    /// Build id (ELF note: the linker's, or where it left none, Go's) or UUID (Mach-O); empty when
    /// there is none.
    pub build_id: Vec<u8>,
    /// Instruction set, where known.
    pub arch: Arch,
    /// What kind of file or memory it is.
    pub kind: ImageKind,
}

/// What an image is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ImageKind {
    /// An executable or a library on disk.
    #[default]
    File,
    /// Code that the kernel provides in user memory (`[vdso]`).
    Kernel,
    /// Executable memory without a file.
    Anonymous,
}

/// One executable range of a process that shows an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// When it was mapped.
    pub time: Nanos,
    /// In which program.
    pub process: ProcessId,
    /// What.
    pub image: super::ImageId,
    /// First address.
    pub start: Avma,
    /// Address after the last.
    pub end: Avma,
    /// Offset in the file that `start` shows.
    pub offset: ImageOffset,
}

/// An image is no longer mapped where it was, and nothing else is in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unmapping {
    /// When that was seen.
    pub time: Nanos,
    /// In which program.
    pub process: ProcessId,
    /// What.
    pub image: super::ImageId,
    /// The first address of its [`Mapping`].
    pub start: Avma,
}
