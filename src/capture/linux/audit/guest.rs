//! A process that a translator runs: its pid in, who translates it and where its files lie out.
//!
//! What is loaded into a guest says its own paths of them. qemu's user mode looks below a folder
//! first (`-L`, `QEMU_LD_PREFIX`; `util/path.c` of qemu), of which a guest knows nothing.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use crate::capture::decode::arguments;
use crate::capture::decode::guest::folder_of_libraries;
use crate::capture::system::process;
use crate::environment::translator::Translator;
use crate::trace::Pid;

/// The folder, as the environment names it.
const VARIABLE: &[u8] = b"QEMU_LD_PREFIX=";

/// A guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Guest {
    /// What its translator is called.
    pub(super) translator: String,
    /// The folder below which its files are looked for first.
    folder: Option<PathBuf>,
}

impl Guest {
    /// Looks at a process; `None` for one that runs natively, and for one that has ended.
    pub(super) fn of(pid: Pid) -> Option<Self> {
        let exe = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
        let translator = Translator::at(exe.as_os_str().as_bytes())?.name;
        let program = process::program(pid);
        let words = arguments::split(&program.argv);
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let named = folder_of_libraries(&words).or_else(|| {
            let mut variables = environment.split(|byte| *byte == 0);
            variables.find_map(|variable| variable.strip_prefix(VARIABLE))
        });
        let cwd = Path::new(OsStr::from_bytes(&program.cwd));
        Some(Self {
            folder: named
                .filter(|_| translator.starts_with("qemu-"))
                .map(|folder| cwd.join(OsStr::from_bytes(folder))),
            translator,
        })
    }

    /// Where the file lies that the guest knows by this path.
    pub(super) fn path(&self, path: Vec<u8>) -> Vec<u8> {
        let below = self.folder.as_deref().and_then(|folder| {
            let path = Path::new(OsStr::from_bytes(&path)).strip_prefix("/").ok()?;
            Some(folder.join(path)).filter(|path| path.exists())
        });
        below.map_or(path, |path| OsString::from(path).into_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_guest_lie_below_its_folder_where_there_are_some() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("lib")).unwrap();
        fs::write(folder.path().join("lib/libc.so.6"), "").unwrap();
        let mut guest = Guest {
            translator: "qemu-aarch64".to_owned(),
            folder: Some(folder.path().to_owned()),
        };
        let below = folder.path().join("lib/libc.so.6");
        let below = below.into_os_string().into_vec();
        for (path, expected) in [
            (&b"/lib/libc.so.6"[..], &below[..]),
            (b"/lib/libm.so.6", b"/lib/libm.so.6"),
            (b"lib/libc.so.6", b"lib/libc.so.6"),
            (b"", b""),
        ] {
            assert_eq!(guest.path(path.to_vec()), expected);
        }
        guest.folder = None;
        assert_eq!(guest.path(b"/lib/libc.so.6".to_vec()), b"/lib/libc.so.6");
        assert_eq!(Guest::of(Pid(std::process::id())), None);
    }
}
