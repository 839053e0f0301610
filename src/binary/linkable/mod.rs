//! The bytes of a file that a link line names in; out comes what a linker would see of it: for
//! which architectures it is, and which of the symbols that are asked for it has for each.
//!
//! Read are objects, archives and shared libraries of Mach-O and ELF, stubs ([`super::tbd`]), and
//! the texts that stand for libraries on Linux (`script`). Where files refer to other files
//! (re-exports, texts), the names of those go out, and whoever reads files follows them.

mod arch;
mod elf;
mod macho;
mod script;
mod stub;
mod wanted;

pub use arch::{Arch, Format};
pub use wanted::{Has, Wanted, in_source};

use super::{Error, tbd};
use object::read::archive::ArchiveFile;

/// What a file is to a linker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Compiled, and not linked.
    Object,
    /// Objects, of which those are linked that define something needed.
    Archive,
    /// A shared library.
    Shared,
    /// A text that stands for a shared library of macOS, by its version.
    Stub(u8),
    /// A text that names other files.
    Script,
    /// A program.
    Executable,
}

impl Kind {
    /// `shared library`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Archive => "archive",
            Self::Shared => "shared library",
            Self::Stub(_) => "stub of a library",
            Self::Script => "linker script",
            Self::Executable => "executable",
        }
    }
}

/// What a file has for one architecture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which one.
    pub arch: Arch,
    /// `macos`, `ios`, ...; where the file says so.
    pub platform: Option<String>,
    /// What it has of the symbols that were asked for, by their numbers.
    pub has: Vec<(usize, Has)>,
}

impl Part {
    fn note(&mut self, found: impl IntoIterator<Item = (usize, Has)>) {
        for (number, has) in found {
            match self.has.iter_mut().find(|(known, _)| *known == number) {
                Some((_, known)) if has.rank() < known.rank() => *known = has,
                Some(_) => {}
                None => self.has.push((number, has)),
            }
        }
    }

    /// What it has of the symbol of a number.
    #[must_use]
    pub fn has(&self, number: usize) -> Option<&Has> {
        let found = self.has.iter().find(|(known, _)| *known == number);
        found.map(|(_, has)| has)
    }
}

/// What a linker sees of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linkable {
    /// What it is.
    pub kind: Kind,
    /// Whose linkers read it.
    pub format: Format,
    /// By architecture, in the order of the file; a script has none.
    pub parts: Vec<Part>,
    /// The name by which programs load it: install name, soname.
    pub own_name: Option<String>,
    /// Libraries whose symbols are its own, too, and for which architectures; none for all.
    pub reexported: Vec<(Option<Arch>, String)>,
    /// What a script names: paths, and `-lNAME`.
    pub names: Vec<String>,
    /// How many members of an archive are no objects of C: Go's own, LLVM's bitcode, texts.
    pub other_members: usize,
}

impl Linkable {
    /// No text that stands for a library is larger, in bytes: those that lay out programs are not
    /// read.
    pub const LARGEST_SCRIPT: u64 = 4 << 10;

    /// Looks into a file for what is wanted.
    ///
    /// # Errors
    ///
    /// When it is none of the kinds that are read here, or damaged.
    pub fn of(data: &[u8], wanted: &Wanted) -> Result<Self, Unread> {
        if tbd::Stub::begins(data) {
            return Ok(stub::read(&tbd::Stub::parse(data)?, wanted));
        }
        if data.starts_with(b"\x7fELF") {
            return Ok(elf::read(data, wanted)?);
        }
        if data.starts_with(b"!<arch>\n") {
            return archive(data, wanted);
        }
        if super::macho::Slices::begins(data) {
            return Ok(macho::read(data, wanted)?);
        }
        script::read(data).ok_or_else(|| Unread::Kind {
            found: data.get(..4).unwrap_or(data).to_vec(),
        })
    }

    const fn new(kind: Kind, format: Format) -> Self {
        Self {
            kind,
            format,
            parts: Vec::new(),
            own_name: None,
            reexported: Vec::new(),
            names: Vec::new(),
            other_members: 0,
        }
    }

    /// The part for an architecture and platform, which is made where there is none.
    fn part(&mut self, arch: Arch, platform: Option<String>) -> &mut Part {
        let same = |part: &Part| part.arch == arch && part.platform == platform;
        let at = self.parts.iter().position(same);
        let at = at.unwrap_or(self.parts.len());
        if at == self.parts.len() {
            self.parts.push(Part {
                arch,
                platform,
                has: Vec::new(),
            });
        }
        #[expect(
            clippy::indexing_slicing,
            reason = "it was found, or has just been added"
        )]
        &mut self.parts[at]
    }
}

/// Why a file was not looked into.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unread {
    /// A Mach-O or ELF file, or an archive, that is damaged or of no kind that is read.
    #[error(transparent)]
    Binary(#[from] Error),
    /// A stub that is none.
    #[error(transparent)]
    Stub(#[from] tbd::Error),
    /// Something else.
    #[error("no object, archive, library or stub: it begins with {found:02x?}")]
    Kind {
        /// Its first bytes, at most four.
        found: Vec<u8>,
    },
}

/// Members of Mach-O and of ELF; an archive holds one or the other.
fn archive(data: &[u8], wanted: &Wanted) -> Result<Linkable, Unread> {
    let unread = |source| Error::Table {
        what: "archive",
        offset: 0,
        source,
    };
    let archive = ArchiveFile::parse(data).map_err(unread)?;
    let mut found = Linkable::new(Kind::Archive, Format::Elf);
    for member in archive.members() {
        let member = member.map_err(unread)?;
        let bytes = member.data(data).map_err(unread)?;
        let of_member = if bytes.starts_with(b"\x7fELF") {
            elf::read(bytes, wanted)
        } else {
            macho::read(bytes, wanted)
        };
        let Ok(of_member) = of_member else {
            found.other_members = found.other_members.saturating_add(1);
            continue;
        };
        found.format = of_member.format;
        for part in of_member.parts {
            found.part(part.arch, part.platform).note(part.has);
        }
    }
    Ok(found)
}
