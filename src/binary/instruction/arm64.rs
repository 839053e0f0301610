//! Places in arm64 code.
//!
//! ```text
//! ldr x16, [x28, #16]     the check of the stack's size, in one of its forms
//! cmp sp, x16
//! b.ls grow
//! str x30, [sp, #-N]!     entry
//! ...
//! ldr x30, [sp], #N
//! ret                     exit
//! ```
//!
//! What the kernel does with an instruction: `arch/arm64/kernel/probes/decode-insn.c`.

use super::{FunctionSites, NoSite, Site, SiteEdge, Stepping, site};
use crate::binary::Svma;
use crate::binary::go::Function;
use rustc_hash::FxHashSet;

/// The check stands within so many instructions.
const CHECK: usize = 10;
/// `ldr x16, [x28, #16]` and `#24`: `g.stackguard0` and `g.stackguard1`.
const GUARDS: [u32; 2] = [0xf940_0b90, 0xf940_0f90];

pub(super) fn sites(function: &Function<'_>, code: &[u8]) -> FunctionSites {
    let (words, _) = code.as_chunks();
    let start = function.entry().0;
    let instructions = (0_u64..).zip(words).map(|(number, word)| Instruction {
        address: start.wrapping_add(number.wrapping_mul(4)),
        word: u32::from_le_bytes(*word),
    });
    let instructions: Vec<Instruction> = instructions.collect();
    let targets = instructions.iter().filter_map(Instruction::target);
    let body = Body {
        targets: targets.collect(),
        range: start..start.saturating_add(code.len() as u64),
        instructions,
    };
    let mut sites = FunctionSites {
        entry: body.entry(function),
        entry_with_argument: body.entry(function),
        exits: Vec::new(),
        blind_exits: Vec::new(),
        g_in_register: true,
    };
    for instruction in &body.instructions {
        match body.exit(function, instruction) {
            None => {}
            Some(Ok(exit)) => sites.exits.push(exit),
            Some(Err(why)) => sites.blind_exits.push((Svma(instruction.address), why)),
        }
    }
    sites
}

struct Body {
    range: std::ops::Range<u64>,
    instructions: Vec<Instruction>,
    targets: FxHashSet<u64>,
}

impl Body {
    /// Behind the last branch of the check, which is the first `b.ls` after the guard was read.
    fn behind_check(&self) -> usize {
        let beginning = self.instructions.iter().take(CHECK);
        let mut guarded = false;
        for (at, instruction) in beginning.enumerate() {
            guarded |= GUARDS.contains(&instruction.word);
            if guarded && instruction.is_below_or_same() {
                return at.saturating_add(1);
            }
        }
        0
    }

    fn entry(&self, function: &Function<'_>) -> Result<Site, NoSite> {
        let first = self.instructions.get(self.behind_check());
        let first = first.ok_or(NoSite::NoCode)?;
        if self.targets.contains(&first.address) {
            return Err(NoSite::Looped);
        }
        let kind = (SiteEdge::Entry, first.stepping()?);
        site(function, first.address, kind, first.text())
    }

    fn exit(
        &self,
        function: &Function<'_>,
        instruction: &Instruction,
    ) -> Option<Result<Site, NoSite>> {
        let outside = instruction
            .target()
            .is_some_and(|to| !self.range.contains(&to));
        let edge = match instruction.word {
            word if word & 0xffff_fc1f == 0xd65f_0000 => SiteEdge::Return,
            word if word & 0xfc00_0000 == 0x1400_0000 && outside => SiteEdge::TailJump,
            word if word & 0xffff_fc1f == 0xd61f_0000 && !function.keeps_conventions() => {
                return Some(Err(NoSite::Indirect(instruction.text())));
            }
            _ if outside => return Some(Err(NoSite::Conditional(instruction.text()))),
            _ => return None,
        };
        let stepping = match instruction.stepping() {
            Ok(stepping) => stepping,
            Err(why) => return Some(Err(why)),
        };
        let kind = (edge, stepping);
        Some(site(
            function,
            instruction.address,
            kind,
            instruction.text(),
        ))
    }
}

/// One instruction: ARM DDI 0487, C4.1.
#[derive(Clone, Copy, Debug)]
struct Instruction {
    address: u64,
    word: u32,
}

impl Instruction {
    /// Where a jump, conditional or not, leads; none for calls.
    fn target(&self) -> Option<u64> {
        let word = self.word;
        let (bits, shift) = match word {
            // b
            word if word & 0xfc00_0000 == 0x1400_0000 => (26, 0),
            // b.cond, cbz, cbnz
            word if word & 0xff00_0010 == 0x5400_0000 || word & 0x7e00_0000 == 0x3400_0000 => {
                (19, 5)
            }
            // tbz, tbnz
            word if word & 0x7e00_0000 == 0x3600_0000 => (14, 5),
            _ => return None,
        };
        // The sign is the field's topmost bit.
        let unused = 32_u32.saturating_sub(bits);
        let field = word.wrapping_shr(shift).wrapping_shl(unused).cast_signed();
        let distance = i64::from(field.wrapping_shr(unused)).wrapping_mul(4);
        Some(self.address.wrapping_add_signed(distance))
    }

    /// `b.ls`.
    const fn is_below_or_same(self) -> bool {
        self.word & 0xff00_001f == 0x5400_0009
    }

    fn stepping(&self) -> Result<Stepping, NoSite> {
        let word = self.word;
        let simulated = self.target().is_some()
            // bl; br, blr, ret; adr, adrp; ldr of a literal; nop
            || word & 0xfc00_0000 == 0x9400_0000
            || word & 0xff9f_fc1f == 0xd61f_0000
            || word & 0x1f00_0000 == 0x1000_0000
            || word & 0x3b00_0000 == 0x1800_0000
            || word == 0xd503_201f;
        if simulated {
            return Ok(Stepping::Emulated);
        }
        // Data processing of all kinds; loads and stores, but for the exclusive ones.
        let steps = match word.wrapping_shr(25) & 0xf {
            0b1000 | 0b1001 | 0b0101 | 0b1101 | 0b0111 | 0b1111 => true,
            0b0100 | 0b0110 | 0b1100 | 0b1110 => word & 0x3f00_0000 != 0x0800_0000,
            _ => false,
        };
        if steps {
            Ok(Stepping::SingleStepped)
        } else {
            Err(NoSite::Refused(self.text()))
        }
    }

    /// What stands at the places that matter, in words; else the word itself.
    fn text(&self) -> String {
        let word = self.word;
        match word {
            0xd65f_03c0 => "ret".to_owned(),
            word if word & 0xffe0_0fff == 0xf800_0ffe => {
                let offset = word.wrapping_shr(12) & 0x1ff;
                let offset = offset.wrapping_shl(23).cast_signed().wrapping_shr(23);
                format!("str x30, [sp, #{offset}]!")
            }
            word if word & 0xfc00_0000 == 0x1400_0000 => {
                format!("b {:#x}", self.target().unwrap_or_default())
            }
            0xd503_201f => "nop".to_owned(),
            word => format!(".word {word:#010x}"),
        }
    }
}
