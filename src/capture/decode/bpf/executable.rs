//! Which program an exec ran: its path, its architecture and who translates it.

use crate::trace::Arch;

/// Reads files; what an exec record cannot tell by itself.
pub trait Files {
    /// The first bytes of the file at an absolute path: 20 or more, or fewer when it is shorter;
    /// `None` when it cannot be read.
    fn head(&mut self, path: &[u8]) -> Option<Vec<u8>>;

    /// A whole file, whose path may be relative to `cwd`, or why it cannot be read.
    fn whole(&mut self, cwd: &[u8], path: &[u8]) -> Result<Vec<u8>, String>;
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

/// What the name of a translator says of the programs that it runs: `qemu-aarch64-static`.
fn guest_of(translator: &[u8]) -> Option<Arch> {
    let name = translator.rsplit(|byte| *byte == b'/').next()?;
    match name {
        b"rosetta" | b"box64" | b"FEXInterpreter" | b"FEX" => return Some(Arch::Amd64),
        b"box86" => return Some(Arch::X86),
        _ => {}
    }
    let guest = name.strip_prefix(b"qemu-")?;
    let guest = guest.split(|byte| *byte == b'-').next()?;
    Some(match guest {
        b"aarch64" => Arch::Arm64,
        b"x86_64" => Arch::Amd64,
        b"i386" => Arch::X86,
        b"system" | b"img" | b"io" | b"nbd" => return None,
        _ => Arch::Unknown,
    })
}

fn file_name(path: &[u8]) -> Vec<u8> {
    path.rsplit(|byte| *byte == b'/')
        .next()
        .unwrap_or_default()
        .to_vec()
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
    let guest = guest_of(&exe);
    let Some(asked) = asked else {
        // Called by name: `qemu-aarch64 ./program`.
        return Program {
            arch: guest.unwrap_or(host),
            translator: guest.map(|_| file_name(&exe)).unwrap_or_default(),
            exe,
        };
    };
    let mut path = asked.to_vec();
    if !path.starts_with(b"/") {
        path = [cwd, b"/", asked.strip_prefix(b"./").unwrap_or(asked)].concat();
    }
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
            translator: file_name(&exe),
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

#[cfg(test)]
#[path = "executable_tests.rs"]
mod tests;
