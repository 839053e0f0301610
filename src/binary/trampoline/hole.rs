//! Four bytes of assembled code that are filled in, and jumps, on each processor.
//!
//! ```text
//! amd64  the end of an instruction: a number, or how far it is from behind the instruction
//! arm64  0001 01ii iiii iiii iiii iiii iiii iiii   b     distance, in words
//!        1ii1 0000 iiii iiii iiii iiii iiid dddd   adrp  distance of pages, its lowest two bits first
//!        1001 0001 00ii iiii iiii iinn nnnd dddd   add   number
//!        1x11 1001 01ii iiii iiii iinn nnnt tttt   ldr   number, in words of the size that is loaded
//!        0000 0000 0000 0000 0000 0000 0000 0000   data  number
//! ```
//!
//! Source: ARM DDI 0487, C6.2; SDM 2A, 2.2.1.6. Positions are counted in bytes from `start`, at a multiple of 4096.

use crate::binary::Error;
use crate::binary::elf::Machine;

/// On arm64 a jump reaches less far than this, in bytes.
const FAR: i64 = 1 << 27;

/// How the code of a processor holds numbers and distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holes {
    Amd64,
    Arm64,
}

impl Holes {
    pub(super) const fn of(machine: Machine) -> Option<Self> {
        match machine {
            Machine::Amd64 => Some(Self::Amd64),
            Machine::Arm64 => Some(Self::Arm64),
            Machine::Other(_) => None,
        }
    }

    /// What is never reached, and stops whoever comes there.
    pub(super) const fn breakpoint(self) -> &'static [u8] {
        match self {
            Self::Amd64 => &[0xcc],
            Self::Arm64 => &[0, 0, 0x20, 0xd4],
        }
    }

    /// A jump that stands at a position.
    ///
    /// # Errors
    ///
    /// When it does not reach so far.
    pub(super) fn jump(self, at: i64, to: i64) -> Result<Vec<u8>, Error> {
        let mut jump = match self {
            Self::Amd64 => vec![0xe9, 0, 0, 0, 0],
            Self::Arm64 => vec![0, 0, 0, 0x14],
        };
        let behind = jump.len();
        self.lead(&mut jump, behind, at, to)?;
        Ok(jump)
    }

    /// Fills a number into what ends `behind` bytes into the code.
    ///
    /// # Errors
    ///
    /// When there is no such place, or no room for the number.
    pub(super) fn put(self, code: &mut [u8], behind: usize, number: u32) -> Result<(), Error> {
        let hole = hole(code, behind)?;
        let word = u32::from_le_bytes(*hole);
        let filled = match self {
            Self::Amd64 => number,
            Self::Arm64 if word == 0 => number,
            Self::Arm64 => {
                let size = match word {
                    // add
                    _ if word & 0xffff_fc00 == 0x9100_0000 => 0,
                    // ldr of four bytes, of eight
                    _ if word & 0xbfff_fc00 == 0xb940_0000 => word >> 30,
                    _ => return Err(unfit(word)),
                };
                let field = number.checked_shr(size).unwrap_or_default();
                if field << size != number || field > 0xfff {
                    return Err(unfit(number));
                }
                word | field << 10
            }
        };
        *hole = filled.to_le_bytes();
        Ok(())
    }

    /// Has what ends `behind` bytes into the code, which itself stands at a position, lead to another one.
    ///
    /// # Errors
    ///
    /// When there is no such place, or it does not reach so far.
    pub(super) fn lead(
        self,
        code: &mut [u8],
        behind: usize,
        at: i64,
        to: i64,
    ) -> Result<(), Error> {
        let hole = hole(code, behind)?;
        let behind = at.saturating_add_unsigned(behind as u64);
        let word = u32::from_le_bytes(*hole);
        let filled = match self {
            Self::Amd64 => distance(behind, to)?,
            Self::Arm64 => led(word, behind.saturating_sub(4), to)?,
        };
        *hole = filled.to_le_bytes();
        Ok(())
    }
}

fn distance(from: i64, to: i64) -> Result<u32, Error> {
    let distance = i32::try_from(to.saturating_sub(from));
    let distance = distance.map_err(|_far| too_far("less than 2 GiB", to))?;
    Ok(distance.cast_unsigned())
}

/// An instruction of arm64 that stands at a position, and leads to another one.
fn led(word: u32, from: i64, to: i64) -> Result<u32, Error> {
    if word & 0xfc00_0000 == 0x1400_0000 {
        let distance = to.saturating_sub(from);
        let reached = (-FAR..FAR).contains(&distance) && distance % 4 == 0;
        let words = u32::try_from((distance >> 2).cast_unsigned() & 0x3ff_ffff);
        let words = words.ok().filter(|_| reached);
        Ok(0x1400_0000 | words.ok_or_else(|| too_far("less than 128 MiB", to))?)
    } else if word & 0xffff_ffe0 == 0x9000_0000 {
        let pages = (to >> 12).saturating_sub(from >> 12);
        let reached = (-(1 << 20)..1 << 20).contains(&pages);
        let pages = u32::try_from(pages.cast_unsigned() & 0x1f_ffff);
        let pages = pages.ok().filter(|_| reached);
        let pages = pages.ok_or_else(|| too_far("less than 4 GiB", to))?;
        Ok(word | (pages & 3) << 29 | (pages >> 2) << 5)
    } else {
        Err(unfit(word))
    }
}

fn hole(code: &mut [u8], behind: usize) -> Result<&mut [u8; 4], Error> {
    let available = code.len() as u64;
    let hole = behind.checked_sub(4);
    let hole = hole.and_then(|at| code.get_mut(at..)?.first_chunk_mut());
    hole.ok_or(Error::CutShort {
        what: "code of trampolines",
        offset: behind as u64,
        length: 4,
        available,
    })
}

fn too_far(expected: &'static str, to: i64) -> Error {
    Error::Unsupported {
        what: "distance between code and its trampolines",
        expected,
        found: to.cast_unsigned(),
    }
}

fn unfit(found: u32) -> Error {
    Error::Unsupported {
        what: "instruction or number to be filled into the code of trampolines",
        expected: "one that has room for it",
        found: found.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes are those that clang's assembler gives for the texts.
    #[test]
    fn holes_are_filled_as_an_assembler_does() {
        for (word, number, expected) in [
            (0x9100_0273_u32, 136, 0x9102_2273_u32), // add x19, x19, #136
            (0xf940_0391, 152, 0xf940_4f91),         // ldr x17, [x28, #152]
            (0xb940_0210, 64, 0xb940_4210),          // ldr w16, [x16, #64]
            (0, 0x4000_0007, 0x4000_0007),
        ] {
            let mut code = word.to_le_bytes();
            Holes::Arm64.put(&mut code, 4, number).unwrap();
            assert_eq!(u32::from_le_bytes(code), expected, "{expected:#x}");
        }
        for (word, at, to, expected) in [
            (0x1400_0000_u32, 0x1000, 0xff8, 0x17ff_fffe_u32), // b .-8
            (0x17ff_ffc3, 0, 0x7ff_fffc, 0x15ff_ffff),         // b .+0x7fffffc
            (0x9000_0010, 0x2ffc, -0x10000, 0xd0ff_ff70),      // adrp x16, .-0x12000
            (0x9000_0010, 0, 0x1000, 0xb000_0010),             // adrp x16, .+0x1000
        ] {
            let mut code = word.to_le_bytes();
            Holes::Arm64.lead(&mut code, 4, at, to).unwrap();
            assert_eq!(u32::from_le_bytes(code), expected, "{expected:#x}");
        }
        let jump = Holes::Amd64.jump(0x1000, 0x1000).unwrap();
        assert_eq!(jump, [0xe9, 0xfb, 0xff, 0xff, 0xff]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for far in [FAR, -FAR - 4, 2] {
            let refused = Holes::Arm64.jump(0, far).unwrap_err().to_string();
            assert!(refused.contains("128 MiB"), "{refused}");
        }
        assert!(Holes::Arm64.jump(0, -FAR).is_ok());
        let far = Holes::Amd64.jump(0, (1 << 31) + 5).unwrap_err().to_string();
        assert!(far.contains("2 GiB"), "{far}");
        let mut page = 0x9000_0010_u32.to_le_bytes();
        let far = Holes::Arm64.lead(&mut page, 4, 0, 1 << 32).unwrap_err();
        assert!(far.to_string().contains("4 GiB"), "{far}");
        for (word, number) in [
            (0xf940_0391_u32, 4), // not a multiple of what is loaded
            (0x9100_0273, 4096),
            (0xd65f_03c0, 0), // ret
        ] {
            let mut code = word.to_le_bytes();
            assert!(Holes::Arm64.put(&mut code, 4, number).is_err(), "{word:#x}");
        }
        let mut ret = 0xd65f_03c0_u32.to_le_bytes();
        assert!(Holes::Arm64.lead(&mut ret, 4, 0, 0).is_err());
        assert!(Holes::Amd64.put(&mut [0; 8], 3, 0).is_err());
        assert!(Holes::Amd64.put(&mut [0; 8], 9, 0).is_err());
    }
}
