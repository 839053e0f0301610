//! Places of a function that a jump can replace.

mod amd64;
mod arm64;

use super::Exempt;
use crate::binary::Svma;
use crate::binary::elf::Machine;
use crate::binary::go::Function;
use crate::binary::instruction::SiteEdge;
use std::fmt;

/// A stretch of code that can be replaced, and what it is for its function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its first address.
    pub address: Svma,
    /// What passing it means.
    pub edge: SiteEdge,
    /// Bytes by which the stack pointer lies below where it was at the function's first instruction.
    pub stack_depth: u32,
    /// The instructions that a jump is put over.
    pub(super) replaced: Vec<u8>,
    /// What runs in their place, behind the record.
    pub(super) moved: Vec<u8>,
    /// Where the program goes on behind that; a return leaves it open.
    pub(super) next: Option<Svma>,
}

impl Place {
    /// How many bytes are replaced.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.replaced.len() as u64
    }

    fn behind(&self) -> Svma {
        Svma(self.address.0.saturating_add(self.length()))
    }
}

/// Why a function is left as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unpatched {
    /// Whatever its code.
    Exempt(Exempt),
    /// The function has no code that can be read.
    NoCode,
    /// It was written in assembly, which may use the register of g for something else.
    Assembly,
    /// It puts something else into the register of g.
    WritesG,
    /// It does not begin with a check of its stack's size, which proves that the register holds g.
    NoCheck,
    /// Its entry has no room for a jump.
    Entry,
    /// An exit has no room for a jump, or may be one.
    Exit(Svma),
    /// Code or data leads into what would be replaced.
    Target(Svma),
    /// Go's own tables have another size of the stack there.
    Stack(Svma),
}

impl fmt::Display for Unpatched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exempt(why) => why.fmt(f),
            Self::NoCode => f.write_str("it has no code that can be read"),
            Self::Assembly => f.write_str("it is written in assembly"),
            Self::WritesG => f.write_str("it uses the register of g for something else"),
            Self::NoCheck => f.write_str("it does not check its stack's size"),
            Self::Entry => f.write_str("its entry has no room for a jump (a frame of size 0)"),
            Self::Exit(at) => write!(f, "its exit at {at} has no room for a jump"),
            Self::Target(to) => {
                write!(f, "something leads into what a jump replaces at {to}")
            }
            Self::Stack(at) => write!(f, "Go's tables tell another size of its stack at {at}"),
        }
    }
}

/// The entry of a function, and its exits where they are asked for.
pub(super) fn of(
    machine: Machine,
    function: &Function<'_>,
    code: &[u8],
    exits: bool,
) -> Result<Vec<Place>, Unpatched> {
    if !function.keeps_conventions() {
        return Err(Unpatched::Assembly);
    }
    let size = function.end().offset_from(function.entry()).unwrap_or(0);
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let code = code.get(..size).unwrap_or(code);
    let places = match machine {
        Machine::Amd64 => amd64::of(function.entry(), code, exits)?,
        Machine::Arm64 => arm64::of(function.entry(), code, exits)?,
        Machine::Other(_) => return Err(Unpatched::NoCode),
    };
    for place in &places {
        let depth = function.stack_depth(place.address).ok().flatten();
        if depth != Some(place.stack_depth) {
            return Err(Unpatched::Stack(place.address));
        }
    }
    Ok(places)
}
