//! An image in, the file out that holds the symbols and the debug information that `strip` took
//! out of it, where a package of them is installed, or that `dsymutil` gathered.
//!
//! Of ELF files the places are those where GDB looks: by build id below `/usr/lib/debug`, then, by the name in
//! the image's section `.gnu_debuglink`, beside the image, in `.debug` beside it, and below
//! `/usr/lib/debug` in the image's own folder. Of Mach-O files it is the bundle beside it,
//! `NAME.dSYM/Contents/Resources/DWARF/NAME`; whether it is of the same build its reader must check.

use super::mapped::Contents;
use crate::binary::dwarf::debug_link;
use crate::binary::elf::Elf;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Where distributions put what they strip.
const GLOBAL: &str = "/usr/lib/debug";
/// A linked file that is larger than this is not read: all of it is, for its checksum.
const LARGEST: u64 = 256 << 20;

/// Finds and maps the file of debug information of an executable, with its path.
#[must_use]
pub fn debug_file(data: &[u8], path: &Path) -> Option<(PathBuf, Contents)> {
    let (found, file) = match Elf::parse(data) {
        Ok(elf) => by_build_id(&elf).or_else(|| by_link(&elf, path))?,
        Err(_) => {
            let name = path.file_name()?;
            let mut bundle = name.to_owned();
            bundle.push(".dSYM");
            let inside = path.with_file_name(bundle).join("Contents/Resources/DWARF");
            let found = inside.join(name);
            let file = File::open(&found).ok()?;
            (found, file)
        }
    };
    Some((found, Contents::map(&file).ok()?))
}

/// `/usr/lib/debug/.build-id/ab/cdef.debug`.
fn by_build_id(elf: &Elf<'_>) -> Option<(PathBuf, File)> {
    let (first, rest) = elf.build_id()?.split_first()?;
    let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
    let path = PathBuf::from(format!("{GLOBAL}/.build-id/{first:02x}/{rest}.debug"));
    let file = File::open(&path).ok()?;
    Some((path, file))
}

fn by_link(elf: &Elf<'_>, path: &Path) -> Option<(PathBuf, File)> {
    let link = debug_link(elf)?;
    let name = Path::new(OsStr::from_bytes(link.name));
    let folder = path.parent()?;
    let global = PathBuf::from(GLOBAL).join(folder.strip_prefix("/").ok()?);
    [
        folder.join(name),
        folder.join(".debug").join(name),
        global.join(name),
    ]
    .into_iter()
    .filter(|candidate| candidate != path)
    .filter_map(|candidate| Some((candidate.clone(), File::open(candidate).ok()?)))
    .find(|(_, file)| checksum(file).is_ok_and(|found| found == link.checksum))
}

/// The checksum of a whole file, read rather than mapped: its pages shall not stay in memory.
fn checksum(mut file: &File) -> io::Result<u32> {
    let about = file.metadata()?;
    if !about.is_file() || about.len() > LARGEST {
        return Err(io::Error::other("not a file of debug information"));
    }
    let mut hash = crc32fast::Hasher::new();
    let mut bytes = vec![0; 64 << 10];
    loop {
        match file.read(&mut bytes)? {
            0 => return Ok(hash.finalize()),
            count => hash.update(bytes.get(..count).unwrap_or_default()),
        }
    }
}
