//! Stubs: the code through which a program calls what it imports.
//!
//! ```text
//! amd64     ff 25 disp32                                jmp *disp(%rip)                  6 bytes
//! arm64     adrp x16, page; ldr x16, [x16, offset]; br x16       (Go: loads x17)        12 bytes
//!           adr  x16, slot; ldr x16, [x16];         br x16
//!           nop;            ldr x16, slot;          br x16
//! arm64e    adrp x17, page; add x17, x17, offset; ldr x16, [x17]; braa x16, x17         16 bytes
//! ```
//!
//! Source: `cmd/link/internal/{amd64,arm64}/asm.go` of Go 1.27, `src/ld/passes/stubs` of ld64.

use super::header::MachO;
use super::segment::{Section, SectionType};
use crate::binary::{Svma, bytes::Bytes};
use std::fmt;

const NOP: u32 = 0xd503_201f;

/// One place of a section of stubs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stub<'s, 'a> {
    /// The section.
    pub section: &'s Section<'a>,
    /// Number in the section.
    pub number: u32,
    /// Address.
    pub address: Svma,
    /// Its code.
    pub code: &'a [u8],
    /// The pointer that it jumps through, or why it is no stub.
    pub target: Result<Svma, NoStub>,
}

/// Why code is no stub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoStub {
    /// Zeroes: nobody has filled it.
    Zeroes,
    /// `cc`: padding.
    Padding,
    /// Other code.
    OtherCode,
}

impl fmt::Display for NoStub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zeroes => "zeroes",
            Self::Padding => "padding (cc)",
            Self::OtherCode => "other code",
        })
    }
}

impl<'a> MachO<'a> {
    /// The size of a stub in a section, which is what the architecture needs: what the section
    /// says is wrong in files by Go for arm64. `None` for other architectures.
    #[must_use]
    pub fn stub_size(&self, section: &Section<'_>) -> Option<usize> {
        match (self.cpu.is_amd64(), self.cpu.is_arm64()) {
            (true, _) => Some(6),
            (_, true) if section.reserved2 == 16 => Some(16),
            (_, true) => Some(12),
            _ => None,
        }
    }

    /// The sections of stubs.
    pub fn stub_sections(&self) -> impl Iterator<Item = &Section<'a>> {
        self.sections()
            .filter(|section| section.kind() == SectionType::Stubs)
    }

    /// All stubs, in the order of the file. What is left over at the end of a section is none.
    #[must_use]
    pub fn stubs(&self) -> Vec<Stub<'_, 'a>> {
        let mut stubs = Vec::new();
        for section in self.stub_sections() {
            let Some(size) = self.stub_size(section) else {
                continue;
            };
            let mut address = section.address;
            for (number, code) in (0..).zip(section.data.chunks_exact(size)) {
                stubs.push(Stub {
                    section,
                    number,
                    address,
                    code,
                    target: decode(code, address).ok_or_else(|| why_not(code)),
                });
                let Some(next) = address.checked_add(size as u64) else {
                    break;
                };
                address = next;
            }
        }
        stubs
    }
}

fn why_not(code: &[u8]) -> NoStub {
    match code.first() {
        Some(&first @ (0 | 0xcc)) if code.iter().all(|&byte| byte == first) => match first {
            0 => NoStub::Zeroes,
            _ => NoStub::Padding,
        },
        _ => NoStub::OtherCode,
    }
}

/// The pointer that a stub jumps through; which architecture it is for shows in its length.
fn decode(code: &[u8], address: Svma) -> Option<Svma> {
    let bytes = Bytes(code);
    let word = |number: u64| bytes.u32("stub", number.saturating_mul(4)).ok();
    match code.len() {
        6 => {
            let jump = bytes.u16("stub", 0).ok()? == 0x25ff;
            let distance = bytes.u32("stub", 2).ok()?.cast_signed();
            let next = address.0.wrapping_add(6);
            jump.then(|| Svma(next.wrapping_add_signed(distance.into())))
        }
        12 => arm64([word(0)?, word(1)?, word(2)?], address),
        16 => arm64e([word(0)?, word(1)?, word(2)?, word(3)?], address),
        _ => None,
    }
}

fn arm64([first, second, third]: [u32; 3], address: Svma) -> Option<Svma> {
    let register = third >> 5 & 0x1f;
    if third & 0xffff_fc1f != 0xd61f_0000 || !matches!(register, 16 | 17) {
        return None;
    }
    // ldr register, [base, offset], where the first instruction makes the base
    let base = first & 0x1f;
    let loads = second & 0xffc0_03ff == 0xf940_0000 | base << 5 | register;
    let offset = u64::from(second >> 10 & 0xfff).saturating_mul(8);
    if loads && matches!(base, 16 | 17) {
        return Some(Svma(page(first, address)?.wrapping_add(offset)));
    }
    // ldr register, address
    let literal = second & 0xff00_001f == 0x5800_0000 | register;
    if first == NOP && literal {
        let words = i64::from(second << 8 >> 13);
        let words = if words >= 1 << 18 {
            words.saturating_sub(1 << 19)
        } else {
            words
        };
        let from = address.0.wrapping_add(4);
        return Some(Svma(from.wrapping_add_signed(words.saturating_mul(4))));
    }
    None
}

fn arm64e([first, second, third, fourth]: [u32; 4], address: Svma) -> Option<Svma> {
    let shape = first & 0x1f == 17
        && second & 0xffc0_03ff == 0x9100_0231
        && third == 0xf940_0230
        && fourth == 0xd71f_0a11;
    let offset = u64::from(second >> 10 & 0xfff);
    shape.then(|| Some(Svma(page(first, address)?.wrapping_add(offset))))?
}

/// What `adrp` or `adr` computes.
fn page(instruction: u32, address: Svma) -> Option<u64> {
    let low = i64::from(instruction >> 29 & 3);
    let high = i64::from(instruction >> 5 & 0x7_ffff);
    let distance = high << 2 | low;
    let distance = if distance >= 1 << 20 {
        distance.saturating_sub(1 << 21)
    } else {
        distance
    };
    match instruction & 0x9f00_0000 {
        0x9000_0000 => {
            Some((address.0 & !0xfff).wrapping_add_signed(distance.saturating_mul(4096)))
        }
        0x1000_0000 => Some(address.0.wrapping_add_signed(distance)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// As GNU as assembles these instructions at 0x1000.
    #[test]
    fn every_shape_has_its_slot() {
        let at = |code: &[u8]| decode(code, Svma(0x1000));
        let amd64 = [0xff, 0x25, 0xfa, 0x0f, 0, 0];
        assert_eq!(at(&amd64), Some(Svma(0x2000)));
        let before = [0xff, 0x25, 0xfa, 0xff, 0xff, 0xff];
        assert_eq!(at(&before), Some(Svma(0x1000)));
        // adrp x16, 0x3000; ldr x17, [x16, #8]; br x17
        let go = words(&[0xd000_0010, 0xf940_0611, 0xd61f_0220]);
        assert_eq!(at(&go), Some(Svma(0x3008)));
        // adr x16, 0x1010; ldr x16, [x16]; br x16
        let near = words(&[0x1000_0090, 0xf940_0210, 0xd61f_0200]);
        assert_eq!(at(&near), Some(Svma(0x1010)));
        // nop; ldr x16, 0x1014; br x16
        let literal = words(&[NOP, 0x5800_0090, 0xd61f_0200]);
        assert_eq!(at(&literal), Some(Svma(0x1014)));
        // adrp x17, 0x3000; add x17, x17, #8; ldr x16, [x17]; braa x16, x17
        let signed = words(&[0xd000_0011, 0x9100_2231, 0xf940_0230, 0xd71f_0a11]);
        assert_eq!(at(&signed), Some(Svma(0x3008)));
    }

    #[test]
    fn other_code_is_none() {
        for code in [
            vec![0xff, 0x15, 0, 0, 0, 0],
            vec![0x90; 6],
            // Loads one register and jumps to another.
            words(&[0xd000_0011, 0xf940_0631, 0xd61f_0200]),
            words(&[0xd000_0010, 0xf940_0631, 0xd61f_0220]),
            words(&[NOP, NOP, NOP, NOP]),
            vec![1],
        ] {
            assert_eq!(decode(&code, Svma(0)), None, "{code:02x?}");
            assert_eq!(why_not(&code), NoStub::OtherCode);
        }
        assert_eq!(why_not(&[0; 12]), NoStub::Zeroes);
        assert_eq!(why_not(&[0xcc; 6]), NoStub::Padding);
    }
}
