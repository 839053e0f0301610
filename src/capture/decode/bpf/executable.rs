//! Which program an exec ran: its path, its architecture and who translates it.

use crate::environment::translator::Translator;
use crate::trace::Arch;

/// Reads files; what an exec record cannot tell by itself.
pub trait Files {
    /// The first bytes of the file at an absolute path: 20 or more, or fewer when it is shorter;
    /// `None` when it cannot be read.
    fn head(&mut self, path: &[u8]) -> Option<Vec<u8>>;

    /// A whole file, whose path may be relative to `cwd`, or why it cannot be read.
    fn whole(&mut self, cwd: &[u8], path: &[u8]) -> Result<Vec<u8>, String>;

    /// Whether `binfmt_misc` gives the program at this path the first argument that the file which
    /// it runs was to have; `None` where it has no entry with this path.
    fn keeps_argv0(&mut self, interpreter: &[u8]) -> Option<bool>;
}

/// What ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) exe: Vec<u8>,
    pub(super) arch: Arch,
    pub(super) translator: Vec<u8>,
}

/// A path from its components, the innermost first, each ended by a zero byte; the root has none.
pub(super) fn path_of(components: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(components.len());
    let inner = components.strip_suffix(&[0]).unwrap_or(components);
    for name in inner.rsplit(|byte| *byte == 0) {
        if name != b"/" && !name.is_empty() {
            path.push(b'/');
            path.extend_from_slice(name);
        }
    }
    if path.is_empty() {
        path.push(b'/');
    }
    path
}

/// Architecture from the first 20 bytes of an ELF file (`e_machine` at byte 18).
pub(super) fn arch_of(head: &[u8]) -> Arch {
    let machine = head.first_chunk::<20>().and_then(|head| {
        let (magic, [.., low, high]) = (head.first_chunk::<4>()?, head);
        (magic == b"\x7fELF").then_some(u16::from_le_bytes([*low, *high]))
    });
    match machine {
        Some(3) => Arch::X86,
        Some(62) => Arch::Amd64,
        Some(183) => Arch::Arm64,
        _ => Arch::Unknown,
    }
}

/// Decides what ran.
///
/// `exe` was loaded and begins with `magic`. `asked` is the path that exec was called with, when
/// another file was loaded for it: a script's interpreter, or a translator that `binfmt_misc`
/// names for files of a foreign architecture. The user's program is the script's interpreter in
/// the one case and the translated file in the other.
pub(super) fn program(
    exe: Vec<u8>,
    magic: &[u8],
    cwd: &[u8],
    asked: Option<&[u8]>,
    files: &mut dyn Files,
) -> Program {
    let host = arch_of(magic);
    let known = Translator::at(&exe);
    let guest = known.as_ref().map(|known| Arch::from_name(known.guest));
    let Some(asked) = asked else {
        // Called by name, `qemu-aarch64 ./program`: its arguments will tell what it runs.
        return Program {
            arch: guest.unwrap_or(host),
            translator: known.map(|known| known.name).unwrap_or_default().into(),
            exe,
        };
    };
    let path = absolute(cwd, asked);
    let arch = files
        .head(&path)
        .map_or(Arch::Unknown, |head| arch_of(&head));
    let foreign = arch != Arch::Unknown && arch != host;
    if foreign || guest.is_some() {
        Program {
            arch: if arch == Arch::Unknown {
                guest.unwrap_or_default()
            } else {
                arch
            },
            translator: Translator::name_of(&exe).into(),
            exe: path,
        }
    } else {
        Program {
            exe,
            arch: host,
            translator: Vec::new(),
        }
    }
}

/// A path as seen from the root.
pub(super) fn absolute(cwd: &[u8], path: &[u8]) -> Vec<u8> {
    if path.starts_with(b"/") {
        return path.to_vec();
    }
    [cwd, b"/", path.strip_prefix(b"./").unwrap_or(path)].concat()
}

#[cfg(test)]
#[path = "executable_tests.rs"]
mod tests;
