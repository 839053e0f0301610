//! Places of a function on amd64 that a jump can replace.
//!
//! ```text
//! entry   55 48 89 e5 48 83 ec xx          push rbp; mov rbp, rsp; sub rsp, xx
//!         55 48 89 e5 48 81 ec xx xx xx xx
//!         55 48 89 e5 48 83 c4 80                                  add rsp, -128
//! exit    48 83 c4 xx 5d                   add rsp, xx; pop rbp
//!         48 81 c4 xx xx xx xx 5d
//!         48 83 ec 80 5d                   sub rsp, -128
//!         behind them nops, and then ret, or a jump to another function
//! ```
//!
//! So `cmd/internal/obj/x86/obj6.go` writes them where a function has a frame. None of these instructions can fault,
//! none depends on its address, and each of the two stretches has room for a jump of five bytes.

use super::Exempt;
use crate::binary::Svma;
use crate::binary::go::Function;
use crate::binary::instruction::SiteEdge;
use crate::binary::instruction::amd64::Body;
use iced_x86::{FlowControl, Instruction, Mnemonic, Register};
use std::fmt;

/// Bytes of a jump.
pub(super) const JUMP: usize = 5;
const RET: u8 = 0xc3;

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
    /// What runs in their place, behind the record: the same, and at a return that.
    pub(super) moved: Vec<u8>,
}

impl Place {
    /// How many bytes are replaced.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.replaced.len() as u64
    }

    /// The program goes on behind the place, and does not return at once.
    pub(super) fn goes_on(&self) -> bool {
        self.edge != SiteEdge::Return
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
                write!(f, "something leads to {to}, inside of what a jump replaces")
            }
            Self::Stack(at) => write!(f, "Go's tables tell another size of its stack at {at}"),
        }
    }
}

/// The entry of a function, and its exits where they are asked for.
pub(super) fn of(
    function: &Function<'_>,
    code: &[u8],
    exits: bool,
) -> Result<Vec<Place>, Unpatched> {
    if !function.keeps_conventions() {
        return Err(Unpatched::Assembly);
    }
    let size = function.end().offset_from(function.entry()).unwrap_or(0);
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let body = Body::decode(function.entry().0, code.get(..size).unwrap_or(code));
    if body.writes_g() {
        return Err(Unpatched::WritesG);
    }
    let mut places = vec![entry(&body)?];
    if exits {
        for (at, instruction) in body.instructions().iter().enumerate() {
            if let Some(edge) = edge(&body, instruction) {
                places.push(exit(&body, at, edge)?);
            }
        }
    }
    for place in &places {
        let depth = function.stack_depth(place.address).ok().flatten();
        if depth != Some(place.stack_depth) {
            return Err(Unpatched::Stack(place.address));
        }
        let behind = place.address.0.saturating_add(place.length());
        if let Some(to) = body.target_inside(place.address.0, behind) {
            return Err(Unpatched::Target(Svma(to)));
        }
    }
    Ok(places)
}

fn entry(body: &Body<'_>) -> Result<Place, Unpatched> {
    let first = body.behind_check();
    let compare = first.checked_sub(2);
    let compare = compare.and_then(|at| body.instructions().get(at));
    if compare.is_none_or(|compare| compare.memory_base() != Register::R14) {
        return Err(Unpatched::NoCheck);
    }
    let end = first.saturating_add(3);
    let Some(begin @ [push, copy, below]) = body.instructions().get(first..end) else {
        return Err(Unpatched::Entry);
    };
    let opens = body.bytes(push) == [0x55]
        && body.bytes(copy) == [0x48, 0x89, 0xe5]
        && is_frame(below, body.bytes(below), Mnemonic::Sub).is_some();
    // Branches that lead to it would make rounds of a loop of its calls.
    if !opens || body.is_target(push.ip()) {
        return Err(Unpatched::Entry);
    }
    let replaced: Vec<u8> = begin
        .iter()
        .flat_map(|at| body.bytes(at))
        .copied()
        .collect();
    Ok(Place {
        address: Svma(push.ip()),
        edge: SiteEdge::Entry,
        stack_depth: 0,
        moved: replaced.clone(),
        replaced,
    })
}

/// What an instruction is for the function, if that ends with it.
fn edge(body: &Body<'_>, instruction: &Instruction) -> Option<SiteEdge> {
    let leaves = || body.leaves(instruction);
    match instruction.flow_control() {
        FlowControl::Return => Some(SiteEdge::Return),
        FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch if leaves() => {
            Some(SiteEdge::TailJump)
        }
        _ => None,
    }
}

/// The exit that ends with the instruction of this number.
fn exit(body: &Body<'_>, at: usize, edge: SiteEdge) -> Result<Place, Unpatched> {
    let instructions = body.instructions();
    let last = instructions.get(at).ok_or(Unpatched::NoCode)?;
    let none = Unpatched::Exit(Svma(last.ip()));
    if last.flow_control() == FlowControl::ConditionalBranch {
        return Err(none);
    }
    let before = instructions.get(..at).unwrap_or_default();
    let nops = before.iter().rev();
    let nops = nops
        .take_while(|nop| nop.mnemonic() == Mnemonic::Nop)
        .count();
    let before = before.get(..at.saturating_sub(nops)).unwrap_or_default();
    let [.., above, pop] = before else {
        return Err(none);
    };
    let frame = is_frame(above, body.bytes(above), Mnemonic::Add);
    let (Some(frame), [0x5d]) = (frame, body.bytes(pop)) else {
        return Err(none);
    };
    // A branch to the return alone would leave without being seen.
    let alone = instructions.get(at.saturating_sub(nops)..=at);
    let mut alone = alone.unwrap_or_default().iter();
    if alone.any(|instruction| body.is_target(instruction.ip())) {
        return Err(none);
    }
    let replaced = [body.bytes(above), body.bytes(pop)].concat();
    let mut moved = replaced.clone();
    match (edge, body.bytes(last)) {
        (SiteEdge::Return, [RET]) => moved.push(RET),
        (SiteEdge::Return, _) => return Err(none),
        _ => {}
    }
    Ok(Place {
        address: Svma(above.ip()),
        edge,
        stack_depth: frame.saturating_add(8),
        replaced,
        moved,
    })
}

/// How much an instruction makes the frame larger (`Sub`) or smaller (`Add`), in one of the forms above.
fn is_frame(instruction: &Instruction, bytes: &[u8], mnemonic: Mnemonic) -> Option<u32> {
    let frame = match (mnemonic, bytes) {
        (Mnemonic::Sub, [0x48, 0x83, 0xec, size]) | (Mnemonic::Add, [0x48, 0x83, 0xc4, size])
            if *size < 0x80 =>
        {
            i32::from(*size)
        }
        (Mnemonic::Sub, [0x48, 0x83, 0xc4, 0x80]) | (Mnemonic::Add, [0x48, 0x83, 0xec, 0x80]) => {
            128
        }
        (Mnemonic::Sub, [0x48, 0x81, 0xec, size @ ..])
        | (Mnemonic::Add, [0x48, 0x81, 0xc4, size @ ..]) => {
            i32::from_le_bytes(size.try_into().ok()?)
        }
        _ => return None,
    };
    debug_assert!(instruction.len() == bytes.len());
    u32::try_from(frame).ok().filter(|frame| *frame > 0)
}
