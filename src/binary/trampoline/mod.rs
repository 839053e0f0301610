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
//! No address of the original changes, no call is moved, and nothing is put on the stack, so that Go's runtime and
//! every table of the executable see what they saw before. [`Survey`] proves for each place that it can be replaced so;
//! a function of which one place cannot is left as it is. [`ring`] has the memory that records go to.

mod code;
mod copy;
mod exempt;
mod hole;
mod place;
pub mod ring;
mod targets;

pub use code::ASSEMBLED;
pub use copy::{Copied, Marked, copy};
pub use exempt::Exempt;
pub use place::{Place, Unpatched};

use super::Error;
use super::elf::{Elf, Kind, Machine};
use super::go::{Function, GoroutineFields, RuntimeLayout, Version};
use super::instruction::SiteEdge;
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
    elf: &'a Elf<'a>,
    fields: GoroutineFields,
    holes: Holes,
    /// On amd64 alone: on arm64 nothing leads into a single instruction.
    targets: Targets,
}

impl<'a> Survey<'a> {
    /// Reads what code and data of an executable lead to.
    ///
    /// # Errors
    ///
    /// Why no copy is made of it.
    pub fn of(elf: &'a Elf<'a>) -> Result<Self, NoCopy> {
        let Some(holes) = Holes::of(elf.machine) else {
            return Err(NoCopy::Kind("trampolines are there for amd64 and arm64"));
        };
        if matches!(elf.kind, Kind::Other(_)) || elf.entry.0 == 0 {
            return Err(NoCopy::Kind("it is no executable"));
        }
        let layout = RuntimeLayout::of(elf).map_err(NoCopy::NotGo)?;
        if layout.version < FIRST || layout.assumed {
            return Err(NoCopy::Version {
                found: layout.version,
            });
        }
        Ok(Self {
            elf,
            fields: layout.fields,
            holes,
            targets: match elf.machine {
                Machine::Amd64 => Targets::of(elf),
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
        let code = self.elf.memory().bytes_from("code", function.entry());
        let code = code.map_err(|_unreadable| Unpatched::NoCode)?;
        let places = place::of(self.elf.machine, function, code, exits)?;
        for place in &places {
            if let Some(to) = self.targets.inside(place.address, place.length()) {
                return Err(Unpatched::Target(to));
            }
        }
        Ok(places)
    }
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
