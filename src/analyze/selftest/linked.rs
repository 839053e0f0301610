//! What linking of a program must come to: by what glibc's loader tells under `LD_DEBUG`, or by what a
//! Mach-O file asks for.
//!
//! ```text
//!      12:  calling init: /lib/x86_64-linux-gnu/libc.so.6
//!      12:  binding file /bin/sh [0] to /lib/x86_64-linux-gnu/libc.so.6 [0]: normal symbol `puts' [GLIBC_2.2.5]
//! ```
//!
//! Source: `elf/dl-init.c` and `elf/dl-lookup.c` of glibc 2.36.

use crate::analyze::Inspection;
use crate::analyze::inspect::Wanted;
use std::collections::BTreeSet;

/// Libraries and symbols, by the paths that the loader or the file has: a link stands for what it leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Linked {
    /// Paths of libraries that must be loaded.
    pub libraries: BTreeSet<String>,
    /// Symbols that must be bound.
    pub symbols: BTreeSet<String>,
    /// These are all symbols of all images, not the program's own alone.
    pub is_all: bool,
}

impl Linked {
    /// Reads what the loader of glibc printed under `LD_DEBUG=files,bindings`.
    #[must_use]
    pub fn told(log: &str) -> Self {
        let mut linked = Self {
            is_all: true,
            ..Self::default()
        };
        for line in log.lines() {
            if let Some((_, path)) = line.split_once("calling init: ") {
                linked.libraries.insert(path.trim().to_owned());
            }
            let bind = line.split_once("binding file ");
            // What the loader looks up in the kernel's image it needs itself: no image is bound to it.
            let bind = bind.filter(|(_, bind)| !bind.starts_with("linux-vdso"));
            let symbol = bind.and_then(|(_, bind)| bind.split_once('`')?.1.split_once('\''));
            let symbol = symbol.map(|(symbol, _)| symbol);
            // By this the C library asks whether there are auditors: it is no bind of the program's.
            let symbol = symbol.filter(|symbol| *symbol != "_dl_audit_preinit");
            linked.symbols.extend(symbol.map(str::to_owned));
        }
        linked
    }

    /// The same by the paths of the files themselves, as `real` has them.
    #[must_use]
    pub fn resolved(self, real: impl Fn(&str) -> String) -> Self {
        Self {
            libraries: self.libraries.iter().map(|path| real(path)).collect(),
            ..self
        }
    }

    /// What a Mach-O file, the program's, asks for in all its slices.
    #[must_use]
    pub fn asked(bytes: &[u8]) -> Self {
        let wanted = Wanted {
            bindings: true,
            findings: false,
        };
        let mut linked = Self::default();
        let inspection = Inspection::of(bytes, wanted);
        for slice in inspection.iter().flat_map(|inspection| &inspection.slices) {
            let libraries = slice.libraries.iter().map(|library| library.path.clone());
            linked.libraries.extend(libraries);
            let symbols = slice.imports.iter().map(|import| import.symbol.clone());
            linked.symbols.extend(symbols);
        }
        linked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_tells_of_libraries_and_of_binds() {
        let log = "\
      12:\tfile=libc.so.6 [0];  generating link map
      12:\tbinding file /lib/libc.so.6 [0] to /lib/libc.so.6 [0]: normal symbol `free' [GLIBC_2.2.5]
      12:\tbinding file /bin/sh [0] to /lib/libc.so.6 [0]: normal symbol `puts' [GLIBC_2.2.5]
      12:\tbinding file /bin/sh [0] to /bin/sh [0]: normal symbol `own'
      12:\tbinding file /lib/libc.so.6 [0] to /lib/ld-linux.so.2 [0]: normal symbol `_dl_audit_preinit' [GLIBC_PRIVATE]
      12:\tbinding file linux-vdso.so.1 [0] to linux-vdso.so.1 [0]: normal symbol `__vdso_time' [LINUX_2.6]
      12:\tcalling init: /lib/libc.so.6
      12:\tinitialize program: /bin/sh
";
        let linked = Linked::told(log);
        assert_eq!(linked.libraries, ["/lib/libc.so.6".to_owned()].into());
        assert_eq!(
            linked.symbols,
            ["free", "own", "puts"].map(str::to_owned).into()
        );
    }
}
