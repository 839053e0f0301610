//! What Go's tables are read from, whatever the format of the file: an ELF or a Mach-O file.

use crate::binary::{Memory, Svma};

/// A file that can hold a Go program. The lifetime is that of its bytes.
pub trait Container<'a> {
    /// What the file puts where in memory.
    fn memory(&self) -> &Memory<'a>;

    /// Address and bytes of one of the linker's sections, by its name in ELF files without the
    /// first dot: `gopclntab`, `go.buildinfo`.
    fn go_section(&self, name: &str) -> Option<(Svma, &'a [u8])>;

    /// Address of the symbol `runtime.text`, where the file has symbols.
    fn start_of_go_code(&self) -> Option<Svma>;

    /// Where the dynamic loader writes addresses of the file itself, and which, where the bytes
    /// of the file do not have them.
    fn addresses(&self) -> impl Iterator<Item = (Svma, Svma)>;
}
