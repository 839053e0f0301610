//! Where a function's entry and exits can be probed, by its instructions.
//!
//! A kernel that has put a breakpoint on an instruction emulates it where it can (push, nop,
//! relative jumps and calls on amd64; branches and `ret` on arm64), and else executes it elsewhere
//! with a single step, which costs about 30 times as much on a virtual machine. Some it refuses.
//!
//! An entry is seen behind the check of the stack's size, for a function whose stack must grow
//! begins again at its first instruction; its place is passed exactly once a call: no branch
//! leads to it, and none comes before it but the check's own. Exits are each return and each jump
//! out of the function. Nothing is ever put on the return address: Go's runtime reads those.

pub(in crate::binary) mod amd64;
pub(in crate::binary) mod arm64;

use super::Svma;
use super::elf::Machine;
use super::go::Function;
use std::fmt;

/// How the kernel gets past an instruction under a breakpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stepping {
    /// It does what the instruction would.
    Emulated,
    /// It has the processor execute a copy, and stop after it.
    SingleStepped,
}

/// Which edge of a function a place is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SiteEdge {
    /// The function has begun.
    Entry,
    /// It returns.
    Return,
    /// It jumps to another function, which returns in its place.
    TailJump,
}

/// A place that can be probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The instruction's address.
    pub address: Svma,
    /// What it is for its function.
    pub edge: SiteEdge,
    /// What it costs.
    pub stepping: Stepping,
    /// Bytes by which the stack pointer lies below where it was at the function's first
    /// instruction.
    pub stack_depth: u32,
    /// The instruction: `push rbp`.
    pub text: String,
}

/// Why there is no place for a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoSite {
    /// The function has no instruction that can be read.
    NoCode,
    /// Calls cannot be told from rounds of a loop: branches lead to its beginning.
    Looped,
    /// The kernel does not probe this instruction.
    Refused(String),
    /// Where it jumps to is known only when it does.
    Indirect(String),
    /// Whether it leaves the function is known only when it does.
    Conditional(String),
    /// How large the stack is there is not known.
    UnknownDepth,
    /// Instructions of this processor are not known.
    Machine,
}

impl fmt::Display for NoSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCode => f.write_str("it has no code that can be read"),
            Self::Looped => f.write_str("branches lead to its first instruction"),
            Self::Refused(text) => write!(f, "the kernel probes no `{text}`"),
            Self::Indirect(text) => write!(f, "`{text}` may leave it"),
            Self::Conditional(text) => write!(f, "`{text}` may leave it or not"),
            Self::UnknownDepth => f.write_str("how large its stack is there is not known"),
            Self::Machine => f.write_str("instructions of this processor are not known"),
        }
    }
}

/// All places of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionSites {
    /// Where its entry is seen, or why it cannot be.
    pub entry: Result<Site, NoSite>,
    /// Where its entry is seen while its first argument is still where it was passed: the same,
    /// unless that comes after other instructions.
    pub entry_with_argument: Result<Site, NoSite>,
    /// Where its exits are seen.
    pub exits: Vec<Site>,
    /// Exits that cannot be seen.
    pub blind_exits: Vec<(Svma, NoSite)>,
    /// Go's register for g (amd64 R14, arm64 X28) holds it at all of these places.
    pub g_in_register: bool,
}

impl FunctionSites {
    fn without(why: NoSite) -> Self {
        Self {
            entry: Err(why.clone()),
            entry_with_argument: Err(why),
            exits: Vec::new(),
            blind_exits: Vec::new(),
            g_in_register: false,
        }
    }
}

/// Finds the places of a function in its code, from its first byte on.
#[must_use]
pub fn sites(machine: Machine, function: &Function<'_>, code: &[u8]) -> FunctionSites {
    let size = function.end().offset_from(function.entry()).unwrap_or(0);
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let code = code.get(..size).unwrap_or(code);
    match machine {
        Machine::Amd64 => amd64::sites(function, code),
        Machine::Arm64 => arm64::sites(function, code),
        Machine::Other(_) => FunctionSites::without(NoSite::Machine),
    }
}

/// A place, where the stack's depth is known.
fn site(
    function: &Function<'_>,
    address: u64,
    (edge, stepping): (SiteEdge, Stepping),
    text: String,
) -> Result<Site, NoSite> {
    let depth = function.stack_depth(Svma(address)).ok().flatten();
    Ok(Site {
        address: Svma(address),
        edge,
        stepping,
        stack_depth: depth.ok_or(NoSite::UnknownDepth)?,
        text,
    })
}
