//! What the first bytes of a file say: how it would be run, and for which architectures it is.
//!
//! ```text
//! ELF      0 4 bytes 7f 45 4c 46   4 u8 class, 2 = 64-bit   5 u8 1 = little-endian   18 u16 e_machine
//! Mach-O   thin  0 feedfacf or feedface, little-endian    4 u32 cputype   8 u32 cpusubtype
//!          fat   0 cafebabe (64-bit: cafebabf), big-endian   4 u32 number of slices
//!                8 u32 cputype  12 u32 cpusubtype  ...   the next one 20 (32) bytes later
//! Windows  0 2 bytes "MZ"
//! script   0 2 bytes "#!", and a line
//! ```

use crate::binary::macho::Cpu;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Enough for the headers of a fat file, and for the first line of a script.
const LENGTH: u64 = 4_096;
/// A Java class begins as a fat file does, and has its version, at least 45, where that has the
/// number of its slices.
const MOST_SLICES: u32 = 44;

/// How a file would be run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// By the kernel of Linux.
    Elf,
    /// By the kernel of macOS.
    MachO,
    /// By Windows.
    Windows,
    /// By the program that its first line names, with the words after it.
    Script(Vec<String>),
    /// Some other way, or not at all.
    #[default]
    Other,
}

/// What the first bytes of a file say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// How it would be run.
    pub format: Format,
    /// The architectures that it is for, in Go's words; empty where they are not known.
    pub archs: Vec<String>,
}

impl Head {
    /// Reads the first bytes of a file; what cannot be read is no file that is known.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self::of(&bytes(path))
    }

    /// Judges the first bytes of a file.
    #[must_use]
    pub fn of(head: &[u8]) -> Self {
        let known = |format, archs| Self { format, archs };
        if let Some(line) = head.strip_prefix(b"#!") {
            let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
            let line = String::from_utf8_lossy(line);
            let words = line.split_whitespace().map(str::to_owned).collect();
            return known(Format::Script(words), Vec::new());
        }
        if head.starts_with(b"\x7fELF") {
            let arch = Some(elf_arch(head)).filter(|arch| !arch.is_empty());
            let archs = arch.into_iter().map(str::to_owned);
            return known(Format::Elf, archs.collect());
        }
        if head.starts_with(b"MZ") {
            return known(Format::Windows, Vec::new());
        }
        match macho_archs(head) {
            archs if archs.is_empty() => Self::default(),
            archs => known(Format::MachO, archs),
        }
    }

    /// Whether it has code for an architecture, as far as that is known.
    #[must_use]
    pub fn is_for(&self, arch: &str) -> bool {
        let bare = |of: &String| of.trim_end_matches(['e', 'h']) == arch;
        self.archs.iter().any(bare)
    }

    /// The one architecture of Go's that it would run as where `own` is preferred; empty where none
    /// is known.
    #[must_use]
    pub fn arch(&self, own: &'static str) -> &'static str {
        if self.is_for(own) {
            return own;
        }
        let mut known = GO_ARCHS.iter().map(|(.., arch)| *arch);
        known.find(|arch| self.is_for(arch)).unwrap_or_default()
    }
}

/// The first bytes of a file; none of one that cannot be read.
pub(super) fn bytes(path: &Path) -> Vec<u8> {
    let mut head = Vec::with_capacity(usize::try_from(LENGTH).unwrap_or_default());
    if let Ok(file) = File::open(path) {
        drop(file.take(LENGTH).read_to_end(&mut head));
    }
    head
}

/// `e_machine`, whether it is 64-bit and whether it is little-endian, and what Go calls it.
const GO_ARCHS: [(u16, bool, bool, &str); 13] = [
    (62, true, true, "amd64"),
    (183, true, true, "arm64"),
    (3, false, true, "386"),
    (40, false, true, "arm"),
    (243, true, true, "riscv64"),
    (258, true, true, "loong64"),
    (21, true, true, "ppc64le"),
    (21, true, false, "ppc64"),
    (22, true, false, "s390x"),
    (8, true, true, "mips64le"),
    (8, true, false, "mips64"),
    (8, false, true, "mipsle"),
    (8, false, false, "mips"),
];

/// The architecture that the first bytes of an ELF executable name, in Go's words; else empty.
#[must_use]
pub fn elf_arch(head: &[u8]) -> &'static str {
    let known = || {
        let (wide, little) = (*head.get(4)? == 2, *head.get(5)? == 1);
        let machine = *head
            .starts_with(b"\x7fELF")
            .then_some(head)?
            .get(18..)?
            .first_chunk()?;
        let machine = match little {
            true => u16::from_le_bytes(machine),
            false => u16::from_be_bytes(machine),
        };
        let mut archs = GO_ARCHS.iter();
        archs.find(|(number, is_wide, is_little, _)| {
            (*number, *is_wide, *is_little) == (machine, wide, little)
        })
    };
    known().map_or("", |(.., arch)| arch)
}

fn macho_archs(head: &[u8]) -> Vec<String> {
    let word = |at: usize| head.get(at..)?.first_chunk::<4>().copied();
    let cpu = |family, subtype| Cpu { family, subtype }.to_string();
    match word(0) {
        Some([0xcf | 0xce, 0xfa, 0xed, 0xfe]) => match (word(4), word(8)) {
            (Some(family), Some(subtype)) => {
                vec![cpu(u32::from_le_bytes(family), u32::from_le_bytes(subtype))]
            }
            _ => Vec::new(),
        },
        Some([0xca, 0xfe, 0xba, last @ (0xbe | 0xbf)]) => {
            let count = word(4).map_or(0, u32::from_be_bytes);
            let length = if last == 0xbe { 20 } else { 32 };
            let slices = (0..count as usize).map_while(|at| {
                let at = at * length + 8;
                Some(cpu(
                    u32::from_be_bytes(word(at)?),
                    u32::from_be_bytes(word(at + 4)?),
                ))
            });
            if count > MOST_SLICES {
                Vec::new()
            } else {
                slices.collect()
            }
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAT: &[u8] = b"\xca\xfe\xba\xbe\0\0\0\x02\x01\0\0\x07\0\0\0\x03\0\0\x40\0\0\0\0\x10\0\0\0\x0e\x01\0\0\x0c\x80\0\0\x02\0\0\x80\0";

    #[test]
    fn heads_tell_format_and_architectures() {
        let archs = |head: &[u8]| Head::of(head).archs.join(" ");
        assert_eq!(archs(FAT), "amd64 arm64e");
        assert_eq!(archs(b"\xcf\xfa\xed\xfe\x0c\0\0\x01\0\0\0\0"), "arm64");
        let format = |head: &[u8]| Head::of(head).format;
        // A Java class of version 52.
        assert_eq!(format(b"\xca\xfe\xba\xbe\0\0\0\x34"), Format::Other);
        assert_eq!(format(b"\xca\xfe\xba\xbe\0\0"), Format::Other);
        assert_eq!(format(b"MZ\x90\0"), Format::Windows);
        let script = format(b"#! /usr/bin/env  bash\necho\n");
        assert_eq!(
            script,
            Format::Script(vec!["/usr/bin/env".to_owned(), "bash".to_owned()])
        );
        assert_eq!(format(b""), Format::Other);
        let own = Head::at(&std::env::current_exe().expect("this"));
        assert!(own.is_for(crate::environment::host::ARCH), "{own:?}");
    }

    #[test]
    fn a_file_for_several_runs_as_the_preferred_one() {
        let fat = Head::of(FAT);
        assert_eq!((fat.arch("arm64"), fat.arch("amd64")), ("arm64", "amd64"));
        assert_eq!(fat.arch("riscv64"), "amd64");
        assert_eq!(Head::default().arch("amd64"), "");
    }

    /// Byte 4 is the class, byte 5 the order of bytes, the last two the machine: as `readelf -h`
    /// shows what Go's linker writes for each of its targets.
    #[test]
    fn elf_names_the_architectures_of_go() {
        let elf = |class, order, machine: [u8; 2]| {
            let mut head = b"\x7fELF".to_vec();
            head.extend([class, order, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0]);
            head.extend(machine);
            head
        };
        for (class, order, machine, arch) in [
            (2, 1, [62, 0], "amd64"),
            (2, 1, [183, 0], "arm64"),
            (1, 1, [3, 0], "386"),
            (1, 1, [40, 0], "arm"),
            (2, 1, [243, 0], "riscv64"),
            (2, 1, [2, 1], "loong64"),
            (2, 1, [21, 0], "ppc64le"),
            (2, 2, [0, 21], "ppc64"),
            (2, 2, [0, 22], "s390x"),
            (1, 2, [0, 8], "mips"),
            (2, 1, [8, 0], "mips64le"),
            // 32-bit programs of amd64 (x32) are none of Go's, and 1 is a machine of AT&T.
            (1, 1, [62, 0], ""),
            (2, 1, [1, 0], ""),
        ] {
            assert_eq!(elf_arch(&elf(class, order, machine)), arch);
        }
        assert_eq!(elf_arch(&elf(2, 1, [62, 0])[..19]), "");
    }
}
