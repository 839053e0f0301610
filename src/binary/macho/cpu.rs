//! Architectures, as Mach-O numbers them.

use std::fmt;

/// `cputype` and `cpusubtype` of `<mach/machine.h>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpu {
    /// Family; bit 24 says that it is the 64-bit one.
    pub family: u32,
    /// Member of the family, in the lower 24 bits; for arm64e the upper ones say which version of
    /// pointer authentication is used.
    pub subtype: u32,
}

const X86_64: u32 = 0x0100_0007;
const ARM64: u32 = 0x0100_000c;

impl Cpu {
    /// Intel and AMD, 64-bit.
    pub const AMD64: Self = Self {
        family: X86_64,
        subtype: 3,
    };
    /// Apple Silicon, as programs are built for it.
    pub const ARM64: Self = Self {
        family: ARM64,
        subtype: 0,
    };

    const fn member(self) -> u32 {
        self.subtype & 0x00ff_ffff
    }

    /// Whether it is amd64, whichever member.
    #[must_use]
    pub const fn is_amd64(self) -> bool {
        self.family == X86_64
    }

    /// Whether it is arm64, with or without pointer authentication.
    #[must_use]
    pub const fn is_arm64(self) -> bool {
        self.family == ARM64
    }

    /// Whether pointers are signed (arm64e), as in Apple's own programs and libraries.
    #[must_use]
    pub const fn is_arm64e(self) -> bool {
        self.family == ARM64 && self.member() == 2
    }
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match (self.family, self.member()) {
            (X86_64, 3) => "amd64",
            (X86_64, 8) => "amd64h",
            (ARM64, 0 | 1) => "arm64",
            (ARM64, 2) => "arm64e",
            (7, _) => "386",
            (0x0200_000c, _) => "arm64_32",
            (12, _) => "arm",
            (18, _) => "ppc",
            (0x0100_0012, _) => "ppc64",
            (family, member) => return write!(f, "cpu {family:#x}/{member}"),
        };
        f.write_str(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_go_where_it_has_one() {
        let name = |family, subtype| Cpu { family, subtype }.to_string();
        assert_eq!(Cpu::AMD64.to_string(), "amd64");
        assert_eq!(Cpu::ARM64.to_string(), "arm64");
        assert_eq!(name(X86_64, 8), "amd64h");
        assert_eq!(name(ARM64, 0x8000_0002), "arm64e");
        assert_eq!(name(99, 1), "cpu 0x63/1");
        let signed = Cpu {
            family: ARM64,
            subtype: 0x8000_0002,
        };
        assert!(signed.is_arm64e() && signed.is_arm64() && !signed.is_amd64());
    }
}
