//! A program of a toolchain: its format, architectures and signatures.

use crate::binary::macho::signature::{Signature, SignatureFlags};
use crate::binary::macho::{MachO, Slice, Slices};
use crate::binary::trampoline::image_of;
use crate::environment::head::elf_arch;
use std::fs;
use std::path::{Path, PathBuf};

/// The signature of a slice, as far as it decides who may look at the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// `CS_*`.
    pub flags: SignatureFlags,
    /// The developer's team.
    pub team: Option<String>,
    /// What the program is allowed beyond the ordinary.
    pub entitlements: Vec<String>,
}

/// A slice of a Mach-O program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SliceOfProgram {
    /// `arm64`, `amd64`.
    pub arch: String,
    /// Its signature; `None` where it has none.
    pub signature: Option<Signed>,
    /// It is a copy in which functions tell of their calls.
    pub instrumented: bool,
}

/// What a program is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// For macOS: its slices.
    MachO(Vec<SliceOfProgram>),
    /// For Linux and others.
    Elf {
        /// Architecture in Go's words; empty for one that Go does not know.
        arch: &'static str,
    },
    /// No executable of a kind that is read: a script, for example.
    Other,
    /// It could not be read.
    Unread(String),
}

/// A program of a toolchain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Where it is, from the toolchain's folder.
    pub path: PathBuf,
    /// What it is.
    pub format: Format,
}

impl Program {
    /// Reads the program at a path below a folder.
    #[must_use]
    pub fn read(root: &Path, path: PathBuf) -> Self {
        let format = match fs::read(root.join(&path)) {
            Ok(data) => format(&data),
            Err(error) => Format::Unread(error.to_string()),
        };
        Self { path, format }
    }

    /// Its architectures: several for a fat file; none for what is no executable.
    #[must_use]
    pub fn archs(&self) -> Vec<&str> {
        match &self.format {
            Format::MachO(slices) => slices.iter().map(|slice| slice.arch.as_str()).collect(),
            Format::Elf { arch } => vec![arch],
            Format::Other | Format::Unread(_) => Vec::new(),
        }
    }
}

fn format(data: &[u8]) -> Format {
    if data.starts_with(b"\x7fELF") {
        return Format::Elf {
            arch: elf_arch(data),
        };
    }
    if !Slices::begins(data) {
        return Format::Other;
    }
    let slices = Slices::of(data).and_then(|slices| slices.slices.iter().map(slice).collect());
    match slices {
        Ok(slices) => Format::MachO(slices),
        Err(error) => Format::Unread(error.to_string()),
    }
}

fn slice(slice: &Slice<'_>) -> Result<SliceOfProgram, crate::binary::Error> {
    let image = MachO::parse(slice)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let signature = Signature::of(&image)?;
    let signed = signature.as_ref().and_then(|signature| {
        let directory = signature.directory()?;
        let entitlements = signature.entitlements();
        Some(Signed {
            flags: directory.flags,
            team: directory.team.map(text),
            entitlements: entitlements.iter().map(ToString::to_string).collect(),
        })
    });
    Ok(SliceOfProgram {
        arch: image.cpu.to_string(),
        signature: signed,
        instrumented: image_of(&image).is_some(),
    })
}
