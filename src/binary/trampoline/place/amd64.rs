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

use super::{Place, Unpatched};
use crate::binary::Svma;
use crate::binary::instruction::SiteEdge;
use crate::binary::instruction::amd64::Body;
use iced_x86::{FlowControl, Instruction, Mnemonic, Register};

const RET: u8 = 0xc3;

/// The entry of the function that begins at an address, and its exits where they are asked for.
pub(super) fn of(start: Svma, code: &[u8], exits: bool) -> Result<Vec<Place>, Unpatched> {
    let body = Body::decode(start.0, code);
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
        if let Some(to) = body.target_inside(place.address.0, place.behind().0) {
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
        next: Some(behind(push.ip(), &replaced)),
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
    let next = match (edge, body.bytes(last)) {
        (SiteEdge::Return, [RET]) => {
            moved.push(RET);
            None
        }
        (SiteEdge::Return, _) => return Err(none),
        _ => Some(behind(above.ip(), &replaced)),
    };
    Ok(Place {
        address: Svma(above.ip()),
        edge,
        stack_depth: frame.saturating_add(8),
        next,
        replaced,
        moved,
    })
}

fn behind(address: u64, replaced: &[u8]) -> Svma {
    Svma(address.saturating_add(replaced.len() as u64))
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
