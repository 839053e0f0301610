//! Architectures and formats, as linkers name them.

use crate::binary::macho::Cpu;
use std::fmt;

/// Which family of linkers reads a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Those of macOS.
    MachO,
    /// Those of Linux.
    Elf,
}

/// An architecture, by whichever of its names it was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Arch {
    /// `amd64`, `x86_64`.
    Amd64,
    /// `arm64`, `aarch64`.
    Arm64,
    /// `arm64e`: Apple's own, with signed pointers.
    Arm64e,
    /// Another one, as it was written.
    Other(String),
}

impl Arch {
    /// The architecture of a name.
    #[must_use]
    pub fn parse(name: &str) -> Self {
        match name {
            "amd64" | "x86_64" | "x86-64" => Self::Amd64,
            "arm64" | "aarch64" | "arm64v8" => Self::Arm64,
            "arm64e" => Self::Arm64e,
            "i386" | "i686" | "x86" => Self::Other("386".to_owned()),
            other => Self::Other(other.to_owned()),
        }
    }

    /// As Apple's tools write it, behind `-arch`.
    #[must_use]
    pub fn of_apple(&self) -> &str {
        match self {
            Self::Amd64 => "x86_64",
            Self::Arm64 => "arm64",
            Self::Arm64e => "arm64e",
            Self::Other(name) => name,
        }
    }

    pub(super) fn of_cpu(cpu: Cpu) -> Self {
        if cpu.is_arm64e() {
            Self::Arm64e
        } else {
            Self::parse(&cpu.to_string())
        }
    }

    /// By the number in the header of ELF files.
    #[must_use]
    pub fn of_machine(number: u16) -> Self {
        let name = match number {
            62 => return Self::Amd64,
            183 => return Self::Arm64,
            3 => "386",
            8 => "mips",
            21 => "ppc64",
            22 => "s390x",
            40 => "arm",
            243 => "riscv64",
            258 => "loong64",
            other => return Self::Other(format!("machine {other}")),
        };
        Self::Other(name.to_owned())
    }

    /// Whether what is built for this can be linked into what is built for `wanted`. Stubs of
    /// Apple's libraries name `arm64e` alone, and serve `arm64`.
    #[must_use]
    pub fn serves(&self, wanted: &Self, stub: bool) -> bool {
        self == wanted || (stub && *self == Self::Arm64e && *wanted == Self::Arm64)
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
            Self::Arm64e => "arm64e",
            Self::Other(name) => name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stubs_for_arm64e_serve_arm64_and_libraries_do_not() {
        assert!(Arch::Arm64e.serves(&Arch::Arm64, true));
        assert!(!Arch::Arm64e.serves(&Arch::Arm64, false));
        assert!(!Arch::parse("arm64e.x1").serves(&Arch::Arm64, true));
        assert!(!Arch::Amd64.serves(&Arch::Arm64, true));
        assert!(Arch::parse("aarch64").serves(&Arch::Arm64, false));
    }

    #[test]
    fn names_are_those_of_go() {
        for (name, shown) in [("x86_64", "amd64"), ("i386", "386"), ("x86_64h", "x86_64h")] {
            assert_eq!(Arch::parse(name).to_string(), shown);
        }
        assert_eq!(Arch::of_machine(243).to_string(), "riscv64");
        assert_eq!(Arch::of_machine(999).to_string(), "machine 999");
        assert_eq!(Arch::Amd64.of_apple(), "x86_64");
    }
}
