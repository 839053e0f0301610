//! Places of a function on arm64 that a jump can replace: single instructions.
//!
//! ```text
//! entry   f81.0ffe                         str x30, [sp, #-N]!
//!         d1.....  x20, or x27             sub x20, sp, #N
//!         d2....., f2....., b2.....        mov x27, #N: of a frame that is too large for that
//! exit    d65f03c0                         ret
//!         14......                         b to another function
//! ```
//!
//! So `cmd/internal/obj/arm64/obj7.go` writes them behind the check of the stack's size, and behind what takes the
//! frame away. The first of them stores to the stack, which the check has found to be large enough; the others touch
//! no memory. Where the last one leads is known, and is led to again.

use super::{Place, Unpatched};
use crate::binary::Svma;
use crate::binary::instruction::SiteEdge;
use crate::binary::instruction::arm64::{Body, Instruction};

const RET: u32 = 0xd65f_03c0;

/// The entry of the function that begins at an address, and its exits where they are asked for.
pub(super) fn of(start: Svma, code: &[u8], exits: bool) -> Result<Vec<Place>, Unpatched> {
    let body = Body::decode(start.0, code);
    if body.writes_g() {
        return Err(Unpatched::WritesG);
    }
    let mut places = vec![entry(&body)?];
    if exits {
        for instruction in body.instructions() {
            places.extend(exit(&body, instruction)?);
        }
    }
    Ok(places)
}

fn entry(body: &Body) -> Result<Place, Unpatched> {
    let first = body.behind_check();
    if first == 0 {
        return Err(Unpatched::NoCheck);
    }
    let first = body.instructions().get(first).ok_or(Unpatched::Entry)?;
    // Branches that lead to it would make rounds of a loop of its calls.
    if !opens_frame(first.word) || body.is_target(first.address) {
        return Err(Unpatched::Entry);
    }
    let place = Place {
        address: Svma(first.address),
        edge: SiteEdge::Entry,
        stack_depth: 0,
        replaced: first.word.to_le_bytes().to_vec(),
        moved: first.word.to_le_bytes().to_vec(),
        next: None,
    };
    let next = Some(place.behind());
    Ok(Place { next, ..place })
}

/// In one of the forms above: with X20, or X27, which code that Go's assembler adds has for itself.
const fn opens_frame(word: u32) -> bool {
    let own = matches!(word & 0x1f, 20 | 27);
    match word {
        // str x30, [sp, #-N]!
        _ if word & 0xfff0_0fff == 0xf810_0ffe => true,
        // sub, of a number that is shifted or not
        _ if word & 0xff80_03e0 == 0xd100_03e0 => own,
        // movn, movz, movk; orr with a number, of xzr
        _ if word & 0x9f80_0000 == 0x9280_0000 => own,
        _ if word & 0xff80_03e0 == 0xb200_03e0 => own,
        _ => false,
    }
}

/// The exit that an instruction is, if it is one.
fn exit(body: &Body, instruction: &Instruction) -> Result<Option<Place>, Unpatched> {
    let address = Svma(instruction.address);
    let leads = body.leaves(instruction);
    let (edge, moved, next) = match (instruction.word, leads) {
        (RET, _) => (SiteEdge::Return, RET.to_le_bytes().to_vec(), None),
        (word, Some(to)) if word >> 26 == 0b000101 => (SiteEdge::TailJump, vec![], Some(Svma(to))),
        (word, leads) if leads.is_some() || Instruction::is_return(word) => {
            return Err(Unpatched::Exit(address));
        }
        _ => return Ok(None),
    };
    Ok(Some(Place {
        address,
        edge,
        stack_depth: 0,
        replaced: instruction.word.to_le_bytes().to_vec(),
        moved,
        next,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECK: [u32; 3] = [
        0xf940_0b90, // ldr x16, [x28, #16]
        0xeb30_63ff, // cmp sp, x16
        0x54ff_ffc9, // b.ls -8, as if that made the stack grow
    ];

    fn places(rest: &[u32]) -> Result<Vec<Place>, Unpatched> {
        let words = CHECK.iter().chain(rest);
        let code: Vec<u8> = words.flat_map(|word| word.to_le_bytes()).collect();
        of(Svma(0x1000), &code, true)
    }

    #[test]
    fn an_exit_that_may_be_none_is_refused() {
        const STR: u32 = 0xf81e_0ffe;
        assert_eq!(places(&[STR, RET]).map(|places| places.len()), Ok(2));
        // b.ne far away; ret x1; b to the entry
        for (bad, why) in [
            (0x5400_8001, Unpatched::Exit(Svma(0x1010))),
            (0xd65f_0020, Unpatched::Exit(Svma(0x1010))),
            (0x17ff_ffff, Unpatched::Entry),
        ] {
            assert_eq!(places(&[STR, bad, RET]), Err(why), "{bad:#x}");
        }
        let tail = places(&[STR, 0x1400_0400]).unwrap();
        assert_eq!(tail[1].next, Some(Svma(0x1010 + 0x1000)));
    }

    #[test]
    fn an_entry_is_one_of_few_instructions() {
        for (word, good) in [
            (0xf81e_0ffe_u32, true), // str x30, [sp, #-32]!
            (0xd10c_43f4, true),     // sub x20, sp, #784
            (0xd294_001b, true),     // mov x27, #40960
            (0xd10c_43e0, false),    // sub x0, sp, #784
            (0xf940_0000, false),    // ldr x0, [x0]
            (0x1000_001b, false),    // adr x27, .
        ] {
            assert_eq!(places(&[word, RET]).is_ok(), good, "{word:#x}");
        }
    }

    #[test]
    fn constants_behind_a_function_are_no_instructions() {
        // ldr x27, +12; ret; nop; then a constant whose bytes are those of a jump away
        let code = [
            0xf81e_0ffe,
            0x5800_007b,
            RET,
            0xd503_201f,
            0x1440_0000,
            0x1440_0000,
        ];
        let edges: Vec<_> = places(&code)
            .unwrap()
            .iter()
            .map(|place| place.edge)
            .collect();
        assert_eq!(edges, [SiteEdge::Entry, SiteEdge::Return]);
    }
}
