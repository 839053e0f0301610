//! Translators: programs that run those of another architecture. In: their names, the entries of
//! `binfmt_misc`, `/proc/cpuinfo`; out: who translates what.
//!
//! Sources: `Documentation/admin-guide/binfmt-misc.rst` of Linux; the entries that Debian's
//! qemu-user-static, Apple's guide to Rosetta in Linux virtual machines, box64 and FEX register.

use super::head::{self, Head};
use super::host;
use super::survey::has_rosetta;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Where the kernel shows its entries.
const BINFMT: &str = "/proc/sys/fs/binfmt_misc";
/// What macOS's translator is called.
pub const ROSETTA_2: &str = "Rosetta 2";

/// A program that translates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translator {
    /// What it is called: `qemu-aarch64`, `rosetta`, `box64`, `FEX`.
    pub name: String,
    /// The architecture that it runs, in Go's words; empty for one that Go does not know.
    pub guest: &'static str,
}

impl Translator {
    /// The translator at a path, known by its file's name.
    ///
    /// `qemu-aarch64-static`, and Debian's link to it `aarch64-binfmt-P`, are `qemu-aarch64`.
    #[must_use]
    pub fn at(path: &[u8]) -> Option<Self> {
        let name = path.rsplit(|byte| *byte == b'/').next()?;
        let name = str::from_utf8(name).ok()?;
        let (name, guest) = match name {
            "rosetta" | "rosetta-linux" => ("rosetta", "amd64"),
            "box64" => ("box64", "amd64"),
            "box86" => ("box86", "386"),
            // One loader for both, which is told by the file that it runs.
            "FEX" | "FEXInterpreter" | "FEXLoader" => ("FEX", "amd64"),
            _ => return Self::qemu(name),
        };
        Some(Self {
            name: name.to_owned(),
            guest,
        })
    }

    fn qemu(name: &str) -> Option<Self> {
        let name = name.strip_prefix("buildkit-").unwrap_or(name);
        let link = name
            .strip_suffix("-binfmt-P")
            .or_else(|| name.strip_suffix("-binfmt"));
        let guest = match link {
            Some(guest) => guest,
            None => name.strip_prefix("qemu-")?.split('-').next()?,
        };
        let guest_arch = match guest {
            "aarch64" => "arm64",
            "x86_64" => "amd64",
            "i386" => "386",
            "system" | "img" | "io" | "nbd" | "storage" | "ga" | "pr" | "edid" | "" => return None,
            _ => "",
        };
        Some(Self {
            name: format!("qemu-{guest}"),
            guest: guest_arch,
        })
    }

    /// What a program that was loaded for a file of another architecture is called, known or not.
    #[must_use]
    pub fn name_of(path: &[u8]) -> String {
        match Self::at(path) {
            Some(known) => known.name,
            None => {
                let name = path.rsplit(|byte| *byte == b'/').next();
                String::from_utf8_lossy(name.unwrap_or_default()).into_owned()
            }
        }
    }
}

/// An entry of `binfmt_misc`: which files a program is loaded for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BinfmtEntry {
    /// Path of the program.
    pub interpreter: Vec<u8>,
    /// `P`: the file's own first argument follows its path. `O`, `C`: the kernel has opened the
    /// file. `F`: the program was opened when it was entered.
    pub flags: String,
    /// It is in force.
    pub enabled: bool,
    offset: usize,
    magic: Vec<u8>,
    mask: Vec<u8>,
}

impl BinfmtEntry {
    /// Reads an entry as the kernel shows it; `None` for `status` and `register`, and for entries
    /// that go by the extension of a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut entry = Self::default();
        for line in text.lines() {
            match line.split_once(' ').unwrap_or((line, "")) {
                ("enabled", _) => entry.enabled = true,
                ("interpreter", path) => entry.interpreter = path.as_bytes().to_vec(),
                ("flags:", flags) => entry.flags = flags.trim().to_owned(),
                ("offset", number) => entry.offset = number.parse().ok()?,
                ("magic", bytes) => entry.magic = hexadecimal(bytes)?,
                ("mask", bytes) => entry.mask = hexadecimal(bytes)?,
                _ => {}
            }
        }
        (!entry.magic.is_empty() && !entry.interpreter.is_empty()).then_some(entry)
    }

    /// Whether it is for files that begin so.
    #[must_use]
    pub fn takes(&self, head: &[u8]) -> bool {
        let head = head.get(self.offset..).unwrap_or_default();
        let masks = self.mask.iter().copied().chain(std::iter::repeat(0xff));
        let mut pairs = head.iter().zip(&self.magic).zip(masks);
        self.enabled
            && head.len() >= self.magic.len()
            && pairs.all(|((byte, magic), mask)| byte & mask == magic & mask)
    }

    /// Whether it is for executables of some architecture, not for what is loaded by another name.
    #[must_use]
    pub fn is_for_programs(&self) -> bool {
        self.enabled && self.magic.starts_with(b"\x7fELF")
    }

    /// Whether the program is given the first argument that the file was to have.
    #[must_use]
    pub fn keeps_argv0(&self) -> bool {
        self.flags.contains('P')
    }
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim().as_bytes();
    let (pairs, rest) = digits.as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    rest.is_empty().then(|| pairs.iter().map(byte).collect())?
}

/// The entries of this machine; none where it has no `binfmt_misc`, or shows it to nobody.
#[must_use]
pub fn binfmt_entries() -> Vec<BinfmtEntry> {
    let files = fs::read_dir(BINFMT).into_iter().flatten().flatten();
    files
        .filter_map(|file| BinfmtEntry::parse(&fs::read_to_string(file.path()).ok()?))
        .collect()
}

/// The program that the kernel would load to run the executable at `path`, when it is of another
/// architecture: links are followed, so that it is as `/proc/PID/exe` names it.
#[must_use]
pub fn interpreter_of(path: &Path) -> Option<PathBuf> {
    let head = head::bytes(path);
    if head::elf_arch(&head) == host::ARCH {
        return None;
    }
    let entries = binfmt_entries();
    let entry = entries.iter().find(|entry| entry.takes(&head))?;
    fs::canonicalize(OsStr::from_bytes(&entry.interpreter)).ok()
}

/// Who would run the executable at `path` on this machine: the name of a translator, empty when it
/// runs natively, or cannot.
#[must_use]
pub fn of_executable(path: &Path) -> String {
    let head = head::bytes(path);
    if std::env::consts::OS == "macos" {
        let translates = of_program_on_macos(&Head::of(&head), is_apple_silicon(), host::ARCH);
        let name = if translates && has_rosetta() {
            ROSETTA_2
        } else {
            ""
        };
        return name.to_owned();
    }
    if head::elf_arch(&head) == host::ARCH {
        return ours().unwrap_or_default();
    }
    let entries = binfmt_entries();
    let entry = entries.iter().find(|entry| entry.takes(&head));
    entry.map_or_else(String::new, |entry| Translator::name_of(&entry.interpreter))
}

/// Whether macOS would have Rosetta run a program that a process of architecture `own` starts. Of a
/// universal one it takes the slice that the process itself runs as (xnu, `kern_exec.c`).
fn of_program_on_macos(head: &Head, silicon: bool, own: &str) -> bool {
    silicon && head.is_for("amd64") && (own == "amd64" || !head.is_for("arm64"))
}

/// Whether the processor is Apple's, whatever this process runs as; never on another system.
fn is_apple_silicon() -> bool {
    host::number(c"hw.optional.arm64") == Some(1)
}

/// Whether Rosetta 2 is installed.
#[must_use]
pub fn has_rosetta_2() -> bool {
    has_rosetta()
}

/// Who translates gotrace itself, as in an emulated container; `None` when it runs natively.
#[must_use]
pub fn ours() -> Option<String> {
    static OURS: OnceLock<Option<String>> = OnceLock::new();
    let find = || {
        if is_apple_silicon() {
            return (host::ARCH == "amd64").then(|| ROSETTA_2.to_owned());
        }
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").ok()?;
        of_machine(host::ARCH, &cpuinfo)
    };
    OURS.get_or_init(find).clone()
}

/// Who translates a program of `arch` that sees this `/proc/cpuinfo`.
///
/// Rosetta, box64, FEX and qemu for amd64 name themselves as the processor. Where a translator
/// lets the file of the real machine through, as qemu before 8.1 does, it is that of another
/// architecture: only x86 has a `vendor_id`, only Arm a `CPU implementer`.
fn of_machine(arch: &str, cpuinfo: &str) -> Option<String> {
    let has = |word: &str| cpuinfo.contains(word);
    let x86 = matches!(arch, "amd64" | "386");
    let known = [
        ("VirtualApple", "rosetta"),
        ("Box64", "box64"),
        ("FEX-", "FEX"),
        ("QEMU TCG CPU", "qemu-x86_64"),
    ];
    let named = known.iter().find(|(word, _)| x86 && has(word));
    if let Some((_, name)) = named {
        return Some((*name).to_owned());
    }
    match arch {
        "amd64" | "386" if has("CPU implementer") && !has("vendor_id") => {
            Some("a translator on an Arm processor".to_owned())
        }
        "arm64" if has("vendor_id") && !has("CPU implementer") => Some("qemu-aarch64".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
#[path = "translator_tests.rs"]
mod tests;
