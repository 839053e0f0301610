//! What the dynamic loader of Linux looks for: the libraries that a program needs, and the folders that
//! have a library.
//!
//! Folders are those of the file (`DT_RUNPATH`, `DT_RPATH`), `LD_LIBRARY_PATH` and the usual ones, as
//! ld.so(8) has them; its cache is not read, so that what is installed in other folders is not found.

use super::files::Files;
use super::sources::{having, triple};
use crate::binary::elf::{Dynamic, Elf};
use crate::binary::linkable::Arch;
use std::path::{Component, Path, PathBuf};

/// No more libraries of a program are looked into.
const MOST_LIBRARIES: usize = 64;

/// What a file needs that names a symbol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The file, as it was named.
    pub file: String,
    /// The symbol.
    pub symbol: String,
    /// The library that has to have it, by the symbol's version.
    pub by_version: Option<String>,
    /// The libraries, in its order.
    pub libraries: Vec<Needed>,
}

/// A library that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    /// By this name.
    pub name: String,
    /// Where it is, if it was found.
    pub path: Option<PathBuf>,
    /// Whether it has the symbol.
    pub has: bool,
    /// It is a part of the C library, or the compiler's: rarely to blame.
    pub of_system: bool,
}

/// A folder that has a library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibraryFolder {
    /// Which one.
    pub path: PathBuf,
    /// Loaders look there, once `ldconfig` has.
    pub of_system: bool,
}

/// What a file needs; `None` where it is no ELF file that is there. `search` is `LD_LIBRARY_PATH`.
#[must_use]
pub fn needs(
    file: &str,
    symbol: &str,
    search: &[PathBuf],
    arch: &Arch,
    files: &dyn Files,
) -> Option<Needs> {
    let path = Path::new(file);
    let data = files.read(path).ok()?;
    let dynamic = Dynamic::parse(&data).ok()?;
    let mut folders = run_paths(&data, path);
    folders.extend(search.iter().cloned());
    folders.extend(system(arch));
    let wanted = dynamic
        .undefined()
        .find(|(_, one)| one.name == symbol.as_bytes());
    let version = wanted.and_then(|(_, one)| one.version?.file);
    let libraries = dynamic.needed().take(MOST_LIBRARIES).map(|name| {
        let name = String::from_utf8_lossy(name).into_owned();
        let path = having(&name, folders.iter().cloned(), files)
            .into_iter()
            .next();
        let path = path.map(|folder| folder.join(&name));
        let data = path.as_ref().and_then(|path| files.read(path).ok());
        Needed {
            has: data.is_some_and(|data| offers(&data, symbol)),
            of_system: is_of_system(&name),
            path,
            name,
        }
    });
    Some(Needs {
        file: file.to_owned(),
        symbol: symbol.to_owned(),
        by_version: version.map(|name| String::from_utf8_lossy(name).into_owned()),
        libraries: libraries.collect(),
    })
}

/// The folders that have a library: `beside` the program and on link lines, then those of the system that
/// are not always searched.
#[must_use]
pub fn folders_with_library(
    name: &str,
    beside: impl IntoIterator<Item = PathBuf>,
    arch: &Arch,
    files: &dyn Files,
) -> Vec<LibraryFolder> {
    let mut folders: Vec<PathBuf> = beside.into_iter().map(|path| plain(&path)).collect();
    let system: Vec<PathBuf> = system(arch).collect();
    folders.extend(system.iter().cloned());
    folders.extend(
        files
            .list(Path::new("/opt"))
            .iter()
            .map(|one| one.join("lib")),
    );
    let found = having(name, folders, files).into_iter();
    let folders = found.map(|path| LibraryFolder {
        of_system: system.contains(&path),
        path,
    });
    folders.collect()
}

fn system(arch: &Arch) -> impl Iterator<Item = PathBuf> {
    let triple = triple(arch);
    ["/lib", "/usr/lib", "/usr/local/lib"]
        .into_iter()
        .flat_map(move |folder| {
            [
                format!("{folder}/{triple}"),
                format!("{folder}64"),
                folder.to_owned(),
            ]
        })
        .map(|folder| plain(Path::new(&folder)))
}

fn run_paths(data: &[u8], file: &Path) -> Vec<PathBuf> {
    let Ok(elf) = Elf::parse(data) else {
        return Vec::new();
    };
    let own = file.parent().unwrap_or(Path::new("")).display().to_string();
    let lists = elf.run_paths().map(String::from_utf8_lossy);
    let folders = lists.flat_map(|list| {
        let folders = list.split(':').filter(|folder| !folder.is_empty());
        let folders = folders.map(|one| one.replace("$ORIGIN", &own).replace("${ORIGIN}", &own));
        folders.map(PathBuf::from).collect::<Vec<_>>()
    });
    folders.collect()
}

fn offers(data: &[u8], symbol: &str) -> bool {
    let Ok(dynamic) = Dynamic::parse(data) else {
        return false;
    };
    dynamic.offers().any(|one| one.name == symbol.as_bytes())
}

fn is_of_system(name: &str) -> bool {
    const BEGIN: [&str; 10] = [
        "libc.so",
        "libm.so",
        "libdl.so",
        "libpthread.so",
        "librt.so",
        "libresolv.so",
        "libgcc_s.so",
        "libstdc++.so",
        "ld-linux",
        "linux-vdso",
    ];
    BEGIN.iter().any(|begin| name.starts_with(begin))
}

/// A path without the `.` in it.
fn plain(path: &Path) -> PathBuf {
    path.components()
        .filter(|part| *part != Component::CurDir)
        .collect()
}
