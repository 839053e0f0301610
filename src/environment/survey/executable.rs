//! What a file is that is to be run, by its first bytes.

use crate::binary::macho::Cpu;
use crate::environment::toolchain::arch_of;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Enough for the headers of a fat file, and for the first line of a script.
const HEAD: u64 = 4_096;
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
    /// By the program that its first line names, with the words after it.
    Script(Vec<String>),
    /// Some other way, or not at all.
    #[default]
    Other,
}

/// A file that is to be run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Executable {
    /// Links are resolved.
    pub path: PathBuf,
    /// How it would be run.
    pub format: Format,
    /// The architectures that it is for, in Go's words; empty where they are not known.
    pub archs: Vec<String>,
}

impl Executable {
    /// Reads the head of a file.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        let mut head = Vec::new();
        if let Ok(file) = File::open(path) {
            // What cannot be read is no file that is known.
            drop(file.take(HEAD).read_to_end(&mut head));
        }
        let (format, archs) = format_of(&head);
        Self {
            path: std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()),
            format,
            archs,
        }
    }

    /// Whether it has code for an architecture, as far as that is known.
    #[must_use]
    pub fn is_for(&self, arch: &str) -> bool {
        let bare = |of: &String| of.trim_end_matches(['e', 'h']) == arch;
        self.archs.iter().any(bare)
    }
}

fn format_of(head: &[u8]) -> (Format, Vec<String>) {
    if let Some(line) = head.strip_prefix(b"#!") {
        let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let words = line.split_whitespace().map(str::to_owned).collect();
        return (Format::Script(words), Vec::new());
    }
    if head.starts_with(b"\x7fELF") {
        let arch = Some(arch_of(head)).filter(|arch| !arch.is_empty());
        return (Format::Elf, arch.into_iter().map(str::to_owned).collect());
    }
    match macho_archs(head) {
        archs if archs.is_empty() => (Format::Other, archs),
        archs => (Format::MachO, archs),
    }
}

/// ```text
/// thin  0 feedfacf or feedface, little-endian    4 u32 cputype   8 u32 cpusubtype
/// fat   0 cafebabe (64-bit: cafebabf), big-endian   4 u32 number of slices
///       8 u32 cputype  12 u32 cpusubtype  ...   the next one 20 (32) bytes later
/// ```
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

    #[test]
    fn heads_tell_format_and_architectures() {
        let archs = |head: &[u8]| format_of(head).1.join(" ");
        let fat = b"\xca\xfe\xba\xbe\0\0\0\x02\x01\0\0\x07\0\0\0\x03\0\0\x40\0\0\0\0\x10\0\0\0\x0e\x01\0\0\x0c\x80\0\0\x02\0\0\x80\0";
        assert_eq!(archs(fat), "amd64 arm64e");
        assert_eq!(archs(b"\xcf\xfa\xed\xfe\x0c\0\0\x01\0\0\0\0"), "arm64");
        // A Java class of version 52.
        assert_eq!(format_of(b"\xca\xfe\xba\xbe\0\0\0\x34").0, Format::Other);
        assert_eq!(format_of(b"\xca\xfe\xba\xbe\0\0").0, Format::Other);
        let script = format_of(b"#! /usr/bin/env  bash\necho\n").0;
        assert_eq!(
            script,
            Format::Script(vec!["/usr/bin/env".to_owned(), "bash".to_owned()])
        );
        assert_eq!(format_of(b"").0, Format::Other);
        let own = Executable::at(&std::env::current_exe().expect("this"));
        assert!(own.is_for(crate::environment::host::ARCH), "{own:?}");
    }
}
