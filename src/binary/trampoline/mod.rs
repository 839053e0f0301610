//! Copies of executables in which chosen functions tell of their entries and exits: bytes in, bytes out.
//!
//! ```text
//! original                       copy                              beside it
//! push rbp; mov; sub rsp, 40 ──► jmp ────────────────────────────► writes a record; push rbp; mov; sub rsp, 40
//! ...                            ... ◄───────────────────────────── jmp
//! add rsp, 40; pop rbp; ret  ──► jmp ────────────────────────────► writes a record; add rsp, 40; pop rbp; ret
//!
//! str x30, [sp, #-48]!       ──► b ──────────────────────────────► writes a record; str x30, [sp, #-48]!
//! ...                            ... ◄───────────────────────────── b
//! ret                        ──► b ──────────────────────────────► writes a record; ret
//! ```
//!
//! No address of the original changes, no call is moved, and nothing stays on the stack, so that Go's runtime and
//! every table of the executable see what they saw before. (On amd64 trampolines call what writes the record, which is
//! there once: while that runs, its return address lies below the frame. The runtime walks no stack of a thread that is
//! at an address which it does not know, and takes that for no place at which it may be stopped: `isAsyncSafePoint` in
//! runtime/preempt.go.) [`Survey`] proves for each place that it can be replaced so;
//! a function of which one place cannot is left as it is. [`ring`] has the memory that records go to.

mod code;
mod copy;
mod exempt;
mod graft;
mod hole;
mod macho_copy;
mod place;
pub mod ring;
mod targets;
mod text;

pub use code::ASSEMBLED;
pub use copy::{Copied, copy};
pub use exempt::Exempt;
pub use graft::{Graft, Piece};
pub use macho_copy::{CODE_SEGMENT, MEMORY_SECTION, MEMORY_SEGMENT, image_of, macho_copy};
pub use place::{Place, Unpatched};
pub use text::Marked;

use super::elf::{Elf, Kind, Machine};
use super::go::{BuildInfo, Container, Function, GoroutineFields, Pclntab, RuntimeLayout, Version};
use super::instruction::SiteEdge;
use super::macho::{FileType, MachO};
use super::{Error, Memory, Svma};
use hole::Holes;
use targets::Targets;

/// The releases of Go whose structures and conventions are known to be as they are used here.
const FIRST: Version = Version {
    major: 1,
    minor: 21,
};

/// Why no copy of an executable is made.
#[derive(Debug, thiserror::Error)]
pub enum NoCopy {
    /// It is no Go program that can be read.
    #[error("it has no Go runtime that can be read")]
    NotGo(#[source] Error),
    /// Another release.
    #[error("expected a program of {FIRST} to {last}, found {found}", last = RuntimeLayout::LAST)]
    Version {
        /// Which.
        found: Version,
    },
    /// Another processor, or a library.
    #[error("{0}")]
    Kind(&'static str),
}

/// An executable, and what is to be known of it before places in it are replaced.
#[derive(Debug)]
pub struct Survey<'a> {
    memory: Memory<'a>,
    machine: Machine,
    /// Of an ELF file alone.
    entry: Svma,
    fields: GoroutineFields,
    holes: Holes,
    /// On amd64 alone: on arm64 nothing leads into a single instruction.
    targets: Targets,
}

impl<'a> Survey<'a> {
    /// Reads what code and data of an executable for Linux lead to.
    ///
    /// # Errors
    ///
    /// Why no copy is made of it.
    pub fn of(elf: &Elf<'a>) -> Result<Self, NoCopy> {
        if matches!(elf.kind, Kind::Other(_)) || elf.entry.0 == 0 {
            return Err(NoCopy::Kind("it is no executable"));
        }
        Self::new(elf, elf.machine, elf.entry)
    }

    /// The same of an executable for macOS, where the runtime keeps its structures as it does on Linux: of what they
    /// hold, the mask of signals alone has another size, and room for that of Linux.
    ///
    /// # Errors
    ///
    /// Why no copy is made of it.
    pub fn of_macho(image: &MachO<'a>) -> Result<Self, NoCopy> {
        if image.file_type != FileType::Executable {
            return Err(NoCopy::Kind("it is no executable"));
        }
        if image.segment(CODE_SEGMENT).is_some() {
            return Err(NoCopy::Kind("it has trampolines already"));
        }
        let machine = match image.cpu {
            cpu if cpu.is_amd64() => Machine::Amd64,
            cpu if cpu.is_arm64() && !cpu.is_arm64e() => Machine::Arm64,
            _ => Machine::Other(0),
        };
        Self::new(image, machine, Svma::default())
    }

    fn new(image: &impl Container<'a>, machine: Machine, entry: Svma) -> Result<Self, NoCopy> {
        let Some(holes) = Holes::of(machine) else {
            return Err(NoCopy::Kind("trampolines are there for amd64 and arm64"));
        };
        let version = release(image).map_err(NoCopy::NotGo)?;
        let fields = GoroutineFields::of(version).map_err(NoCopy::NotGo)?;
        if version < FIRST || version > RuntimeLayout::LAST {
            return Err(NoCopy::Version { found: version });
        }
        Ok(Self {
            memory: image.memory().clone(),
            machine,
            entry,
            fields,
            holes,
            targets: match machine {
                Machine::Amd64 => Targets::of(image),
                _ => Targets::default(),
            },
        })
    }

    /// The places of a function: of its entry, and with `exits` of each of its exits.
    ///
    /// # Errors
    ///
    /// Why one of them cannot be replaced.
    pub fn places(&self, function: &Function<'_>, exits: bool) -> Result<Vec<Place>, Unpatched> {
        let name = function.linker_name().unwrap_or_default();
        let lines = function.lines(function.entry()).unwrap_or_default();
        let file = lines.last().map_or(&b""[..], |line| line.file);
        if let Some(why) = exempt::why(name, file) {
            return Err(Unpatched::Exempt(why));
        }
        let code = self.memory.bytes_from("code", function.entry());
        let code = code.map_err(|_unreadable| Unpatched::NoCode)?;
        let places = place::of(self.machine, function, code, exits)?;
        for place in &places {
            if let Some(to) = self.targets.inside(place.address, place.length()) {
                return Err(Unpatched::Target(to));
            }
        }
        Ok(places)
    }
}

/// The release of Go that a program is of, if its functions can be read.
fn release<'a>(image: &impl Container<'a>) -> Result<Version, Error> {
    let version = BuildInfo::of(image)?.version().ok_or(Error::Missing {
        what: "Go version in the build info",
    })?;
    Pclntab::of(image).map(|_table| version)
}

/// What of a record's number tells its edge.
#[must_use]
pub const fn edge_bits(edge: SiteEdge) -> u32 {
    match edge {
        SiteEdge::Entry => 0,
        SiteEdge::Return => ring::RETURN,
        SiteEdge::TailJump => ring::TAIL_JUMP,
    }
}
