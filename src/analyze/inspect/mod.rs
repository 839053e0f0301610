//! What a binary is, what it needs, and whether a Mac would take it.
//!
//! The bytes of a file come in; an [`Inspection`] goes out: facts of each slice, its imports, and,
//! where they are asked for, the [`Finding`]s of every [`Rule`] that a slice breaks. Each rule is
//! a thing that the kernel, the dynamic loader or a caller trips over; what that does to the user
//! is part of it. Rules are for Mach-O files: for ELF there are none.

mod bindings;
mod elf;
mod go;
mod layout;
mod macho;
pub mod placement;
mod rule;
mod signing;
mod stubs;
pub mod symbols;

pub use bindings::Import;
pub use go::{GoFacts, LinkedBy, Module};
pub use rule::{Finding, Level, Rule};

use crate::binary::elf::Elf;
use crate::binary::go::GoObject;
use crate::binary::macho::{MachO, Slice, SliceOf, Slices};
use crate::binary::{Error, FileOffset, Svma};

/// What is wanted beyond the facts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Each import and where it is put.
    pub bindings: bool,
    /// The findings of the rules.
    pub findings: bool,
}

/// A file.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// `Mach-O`, `fat Mach-O`, `archive`, `ELF`.
    pub format: &'static str,
    /// Size of the file.
    pub size: u64,
    /// Its slices: one for each architecture, one for each member of an archive.
    pub slices: Vec<SliceFacts>,
}

/// A stretch of memory that the file fills.
#[derive(Clone, Debug)]
pub struct SegmentFacts {
    /// Name; empty where the format has none.
    pub name: String,
    /// First address.
    pub address: Svma,
    /// Size in memory.
    pub size: u64,
    /// Where its bytes are in the file.
    pub offset: FileOffset,
    /// How many there are.
    pub file_size: u64,
    /// `r-x`.
    pub protection: String,
}

/// A load command.
#[derive(Clone, Debug)]
pub struct CommandFacts {
    /// `LC_MAIN`.
    pub name: &'static str,
    /// Its number.
    pub number: u32,
    /// Where it is in the file.
    pub offset: FileOffset,
    /// How many bytes it has.
    pub size: u32,
}

/// A library that is needed.
#[derive(Clone, Debug)]
pub struct LibraryFacts {
    /// Where it is looked for.
    pub path: String,
    /// Its version when the file was linked, where that was written down.
    pub version: Option<String>,
    /// `required`, or some of `weak`, `reexported`, `lazy`, `upward` and `delayed`.
    pub used: String,
}

/// For what a slice was built.
#[derive(Clone, Debug)]
pub struct PlatformFacts {
    /// `macOS`.
    pub name: String,
    /// The oldest version that it runs on; empty where that is not said.
    pub minimum: String,
    /// The SDK that it was built with, where there was one.
    pub sdk: Option<String>,
}

/// The signature of a slice.
#[derive(Clone, Debug)]
pub struct SignatureFacts {
    /// `ad hoc`, `hardened`, `linker-signed`, ...
    pub flags: Vec<String>,
    /// What the program is called.
    pub identifier: String,
    /// The developer's team.
    pub team: Option<String>,
    /// How pages are hashed.
    pub hash: String,
    /// How many are.
    pub pages: u32,
    /// Bytes in a page.
    pub page_size: u64,
    /// What names this version of the program to the kernel, in hexadecimal.
    pub cdhash: Option<String>,
    /// Whether it has certificates.
    pub certificates: bool,
    /// What the program is allowed beyond the ordinary.
    pub entitlements: Vec<String>,
    /// What these bytes cannot tell.
    pub undecided: Vec<&'static str>,
}

/// What a slice tells of how its code is to be called and unwound.
#[derive(Clone, Debug, Default)]
pub struct AbiFacts {
    /// `compact`, `eh_frame`; none for Go, whose tracebacks come from its own tables.
    pub unwind: Vec<&'static str>,
    /// Pointers are signed.
    pub signed_pointers: bool,
    /// Whether functions of Go keep frame pointers: they do.
    pub frame_pointers: Option<bool>,
    /// How functions are unwound, or why that cannot be read; `None` where no table says so.
    pub unwound: Option<Result<Unwound, String>>,
}

/// How many functions are unwound in which way, by the tables of the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unwound {
    /// By their frame pointer.
    pub frame_pointer: u64,
    /// Without one, by the size of their frame.
    pub frameless: u64,
    /// By DWARF (`__eh_frame`).
    pub dwarf: u64,
    /// In no such way, as Go's, which have tables of their own.
    pub nothing: u64,
}

/// What is known of one slice.
#[derive(Clone, Debug, Default)]
pub struct SliceFacts {
    /// `amd64`, `arm64`, `arm64e`.
    pub arch: String,
    /// Name in the archive.
    pub member: Option<String>,
    /// Where it begins in the file.
    pub offset: FileOffset,
    /// How many bytes it has.
    pub size: u64,
    /// `executable`, `library`, `object`; empty when it could not be read.
    pub kind: String,
    /// Why nothing else is known of it.
    pub unread: Option<String>,
    /// What it is built for.
    pub platforms: Vec<PlatformFacts>,
    /// Flags of its header.
    pub flags: Vec<String>,
    /// Identity: UUID, or build id.
    pub identity: Option<String>,
    /// The name by which others need a library: SONAME, or install name.
    pub own_name: Option<String>,
    /// Dynamic loader.
    pub loader: Option<String>,
    /// Where the program begins.
    pub entry: Option<Svma>,
    /// Version of the source, as Apple's linker writes it.
    pub source_version: Option<String>,
    /// What it fills memory with.
    pub segments: Vec<SegmentFacts>,
    /// Load commands.
    pub commands: Vec<CommandFacts>,
    /// The libraries that it needs, in the order of their numbers.
    pub libraries: Vec<LibraryFacts>,
    /// Where else libraries are looked for.
    pub run_paths: Vec<String>,
    /// How its code is called and unwound.
    pub abi: AbiFacts,
    /// What Go left in it.
    pub go: Option<GoFacts>,
    /// Whether it has DWARF.
    pub debug_information: bool,
    /// Its signature.
    pub signature: Option<SignatureFacts>,
    /// Its imports, where they were wanted.
    pub imports: Vec<Import>,
    /// Rules that it breaks, where they were wanted; `None` where no rules apply.
    pub findings: Option<Vec<Finding>>,
    /// Where it is in memory, where that was said or asked.
    pub placement: Option<placement::Placement>,
    /// Its symbols, where they were wanted.
    pub symbols: Option<symbols::SymbolFacts>,
}

impl Inspection {
    /// Looks into a file.
    ///
    /// # Errors
    ///
    /// When it is neither a Mach-O file, fat file or archive nor an ELF file, or when its headers
    /// cannot be read, or its imports where they are wanted. A slice of a fat file that cannot be
    /// read is no error.
    pub fn of(data: &[u8], wanted: Wanted) -> Result<Self, Error> {
        let size = data.len() as u64;
        if !Slices::begins(data) {
            if let Some(object) = GoObject::of(data) {
                return Ok(Self {
                    format: "Go",
                    size,
                    slices: vec![go::object(object, size)],
                });
            }
            let elf = Elf::parse(data).map_err(|error| match error {
                Error::NotElf { found } => Error::NoExecutable { found },
                other => other,
            })?;
            return Ok(Self {
                format: "ELF",
                size,
                slices: vec![elf::facts(data, &elf, wanted)?],
            });
        }
        let slices = Slices::of(data)?;
        let only = slices.slices.len() == 1;
        let read = slices.slices.iter().map(|slice| {
            let facts = member(slice, wanted);
            let facts = match facts {
                Ok(facts) => facts,
                Err(error) if only && slice.of == SliceOf::Thin => return Err(error),
                Err(error) => SliceFacts {
                    unread: Some(error.to_string()),
                    ..SliceFacts::default()
                },
            };
            Ok(placed(facts, slice))
        });
        Ok(Self {
            format: slices.format,
            size,
            slices: read.collect::<Result<_, _>>()?,
        })
    }

    /// Says where each slice is in memory: the one that `place` finds by what the slice states. Of a fat
    /// file a process has one slice: where one is found, the others are left out.
    pub fn place(&mut self, place: impl Fn(&placement::Stated<'_>) -> placement::Placement) {
        let macho = self.format != "ELF";
        for slice in &mut self.slices {
            if slice.unread.is_none() && slice.kind != "object" {
                slice.placement = Some(place(&placement::Stated::of(slice, macho)));
            }
        }
        let is_in_memory =
            |slice: &SliceFacts| slice.placement.as_ref().map(|one| one.slide.is_some());
        if self
            .slices
            .iter()
            .any(|slice| is_in_memory(slice) == Some(true))
        {
            self.slices
                .retain(|slice| is_in_memory(slice) != Some(false));
        }
    }

    /// Whether a slice is where none can be, or not as a whole.
    #[must_use]
    pub fn is_misplaced(&self) -> bool {
        let mut places = self
            .slices
            .iter()
            .filter_map(|slice| slice.placement.as_ref());
        places.any(|placement| !placement.problems.is_empty())
    }

    /// Whether a rule of error level is broken.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        let findings = self
            .slices
            .iter()
            .filter_map(|slice| slice.findings.as_ref());
        findings
            .flatten()
            .any(|finding| finding.rule.level() == Level::Error)
    }
}

/// Archives hold objects of any format.
fn member(slice: &Slice<'_>, wanted: Wanted) -> Result<SliceFacts, Error> {
    let size = slice.data.len() as u64;
    if let Some(object) = GoObject::of(slice.data) {
        return Ok(go::object(object, size));
    }
    match Elf::parse(slice.data) {
        Err(Error::NotElf { .. }) => {
            MachO::parse(slice).and_then(|image| macho::facts(&image, wanted))
        }
        elf => elf::facts(slice.data, &elf?, wanted),
    }
}

fn placed(facts: SliceFacts, slice: &Slice<'_>) -> SliceFacts {
    let (member, cpu) = match &slice.of {
        SliceOf::Thin => (None, None),
        SliceOf::Fat(cpu) => (None, Some(*cpu)),
        SliceOf::Archive(name, cpu) => (Some(name.clone()), *cpu),
    };
    let arch = if facts.arch.is_empty() {
        cpu.map_or_else(String::new, |cpu| cpu.to_string())
    } else {
        facts.arch.clone()
    };
    SliceFacts {
        arch,
        member,
        offset: slice.offset,
        size: slice.data.len() as u64,
        ..facts
    }
}

/// Bytes as hexadecimal digits.
fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
