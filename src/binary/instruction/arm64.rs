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
    let body = Body::decode(function.entry().0, code);
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

/// The instructions of a function, without the constants that stand among them.
pub(in crate::binary) struct Body {
    range: std::ops::Range<u64>,
    instructions: Vec<Instruction>,
    /// Addresses that its own branches lead to.
    targets: FxHashSet<u64>,
}

impl Body {
    /// Constants are told by the loads of them: those come first (`cmd/internal/obj/arm64/asm7.go`, `flushpool`).
    pub(in crate::binary) fn decode(start: u64, code: &[u8]) -> Self {
        let (words, _) = code.as_chunks();
        let mut instructions = Vec::with_capacity(words.len());
        let mut constants = FxHashSet::default();
        for (number, word) in (0_u64..).zip(words) {
            let instruction = Instruction {
                address: start.wrapping_add(number.wrapping_mul(4)),
                word: u32::from_le_bytes(*word),
            };
            if constants.contains(&instruction.address) {
                continue;
            }
            for constant in instruction.constant().into_iter().flatten() {
                if constant > instruction.address {
                    constants.insert(constant);
                }
            }
            instructions.push(instruction);
        }
        let targets = instructions.iter().filter_map(Instruction::target);
        Self {
            targets: targets.collect(),
            range: start..start.saturating_add(code.len() as u64),
            instructions,
        }
    }

    pub(in crate::binary) fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    /// One of its own branches leads to an address.
    pub(in crate::binary) fn is_target(&self, address: u64) -> bool {
        self.targets.contains(&address)
    }

    /// Where a branch out of it leads.
    pub(in crate::binary) fn leaves(&self, instruction: &Instruction) -> Option<u64> {
        let to = instruction.target();
        to.filter(|to| !self.range.contains(to))
    }

    /// X28 gets another value, or may.
    pub(in crate::binary) fn writes_g(&self) -> bool {
        self.instructions.iter().any(Instruction::may_write_g)
    }

    /// Behind the last branch of the check, which is the first `b.ls` after the guard was read; 0 without one.
    pub(in crate::binary) fn behind_check(&self) -> usize {
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
        if self.is_target(first.address) {
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
        let outside = self.leaves(instruction).is_some();
        let edge = match instruction.word {
            word if Instruction::is_return(word) => SiteEdge::Return,
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
pub(in crate::binary) struct Instruction {
    pub(in crate::binary) address: u64,
    pub(in crate::binary) word: u32,
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

    /// The words of the constant that it loads from beside the code.
    fn constant(&self) -> Option<impl Iterator<Item = u64> + use<>> {
        let word = self.word;
        // ldr of a literal, of all sizes
        if word & 0x3b00_0000 != 0x1800_0000 {
            return None;
        }
        let words = match (word.wrapping_shr(30), word & 0x0400_0000) {
            // ldr w, ldr s; ldrsw
            (0, _) | (2, 0) => 1,
            // ldr x, ldr d
            (1, _) => 2,
            // ldr q
            (2, _) => 4,
            // prfm
            _ => 0,
        };
        let distance = word.wrapping_shl(8).cast_signed().wrapping_shr(13);
        let distance = i64::from(distance).wrapping_mul(4);
        let first = self.address.wrapping_add_signed(distance);
        Some((0..words).map(move |number: u64| first.wrapping_add(number.wrapping_mul(4))))
    }

    /// `ret`, of any register.
    pub(in crate::binary) const fn is_return(word: u32) -> bool {
        word & 0xffff_fc1f == 0xd65f_0000
    }

    /// By where an instruction names what it writes: data processing and loads, of general registers, the second one
    /// of a pair among them.
    const fn may_write_g(&self) -> bool {
        const G: u32 = 28;
        let word = self.word;
        let first = word & 0x1f == G;
        match word.wrapping_shr(25) & 0xf {
            0b1000 | 0b1001 | 0b0101 | 0b1101 => first,
            0b0100 | 0b1100 => {
                let store = word & 0x0040_0000 == 0 && word & 0x0080_0000 == 0;
                let pair = word & 0x3a00_0000 == 0x2800_0000;
                !store && (first || pair && word.wrapping_shr(10) & 0x1f == G)
            }
            _ => false,
        }
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
