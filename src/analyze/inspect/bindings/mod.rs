//! Imports: Mach-O and ELF files in, which symbol comes from where and where its address is put out.

mod elf;
mod macho;

pub(super) use elf::imports as of_elf;
pub(super) use macho::{imports as of_macho, provider_name};

use crate::binary::Svma;

/// Who provides what an object needs: that is for the linker to find out.
const FOR_THE_LINKER: &str = "whatever it is linked with";

/// One import: a symbol, where it comes from, and where its address is put.
#[derive(Clone, Debug, Default)]
pub struct Import {
    /// Symbol, as the file has it.
    pub symbol: String,
    /// Its version, where an ELF file asks for one.
    pub version: Option<String>,
    /// `function`, `object`, ...: what an ELF file takes it for; none where it does not say.
    pub kind: Option<&'static str>,
    /// Path of the library, or what is searched instead.
    pub provider: String,
    /// Number of the library.
    pub library: Option<u64>,
    /// Address of the pointer that is filled, or of the data that is copied; none for re-exports.
    pub slot: Option<Svma>,
    /// The section that the pointer is in.
    pub section: Option<String>,
    /// Address of the stub that jumps through the pointer.
    pub stub: Option<Svma>,
    /// Mach-O: `opcodes`, `lazy opcodes`, `weak opcodes`, `chained fixup`, `indirect symbol`, `relocation`,
    /// `re-export`. ELF: the kind of relocation, `none` without one. `undefined` in an object, where a
    /// linker has yet to say.
    pub how: &'static str,
    /// It is bound at the first call, and not when the file is loaded.
    pub lazy: bool,
    /// What is added to the address.
    pub addend: i64,
    /// It may be missing.
    pub weak: bool,
    /// The pointer is signed.
    pub signed: bool,
    /// The name under which a re-export passes it on, where that is another one.
    pub exported_as: Option<String>,
}
