//! What the dynamic loader of Linux looks for: the libraries that a program needs, and the folders that
//! have a library.
//!
//! Folders are those of ld.so(8), in its order: `DT_RPATH` of a file without `DT_RUNPATH`,
//! `LD_LIBRARY_PATH`, `DT_RUNPATH`, what `/etc/ld.so.conf` names, and the usual ones. Its cache is made of
//! those of `/etc/ld.so.conf`, and not read.

use super::files::Files;
use super::sources::{having, triple};
use crate::binary::elf::{Dynamic, Elf};
use crate::binary::linkable::Arch;
use std::path::{Component, Path, PathBuf};

/// No more libraries of a program are looked into.
const MOST_LIBRARIES: usize = 64;
/// No more versions of a library are named: libc has about 50.
const MOST_VERSIONS: usize = 100;

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
    let RunPaths { early, late } = run_paths(&data, path);
    let mut folders = early;
    // An entry without a name is the working folder.
    folders.extend(search.iter().map(|folder| Path::new(".").join(folder)));
    folders.extend(late);
    folders.extend(configured(files));
    folders.extend(system(arch));
    let wanted = dynamic
        .undefined()
        .find(|(_, one)| one.name == symbol.as_bytes());
    let version = wanted.and_then(|(_, one)| one.version?.file);
    let libraries = dynamic.needed().take(MOST_LIBRARIES).map(|name| {
        let name = String::from_utf8_lossy(name).into_owned();
        // A name with a slash is looked for nowhere else.
        let path = match name.contains('/') {
            true => Some(PathBuf::from(&name)).filter(|path| files.size(path).is_some()),
            false => having(&name, folders.iter().cloned(), files)
                .first()
                .map(|folder| plain(&folder.join(&name))),
        };
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

/// The versions that a library defines; `None` where it is no ELF file that is there.
#[must_use]
pub fn versions(library: &str, files: &dyn Files) -> Option<Vec<String>> {
    let data = files.read(Path::new(library)).ok()?;
    let dynamic = Dynamic::parse(&data).ok()?;
    let names = dynamic.versions().take(MOST_VERSIONS);
    Some(
        names
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect(),
    )
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

/// The folders that a file names, before and behind those of `LD_LIBRARY_PATH`.
#[derive(Default)]
struct RunPaths {
    early: Vec<PathBuf>,
    late: Vec<PathBuf>,
}

fn run_paths(data: &[u8], file: &Path) -> RunPaths {
    let Ok(elf) = Elf::parse(data) else {
        return RunPaths::default();
    };
    let own = file.parent().unwrap_or(Path::new("")).display().to_string();
    let folders = |list: &[u8]| {
        let list = String::from_utf8_lossy(list);
        let folders = list.split(':').filter(|folder| !folder.is_empty());
        let folders = folders.map(|one| one.replace("$ORIGIN", &own).replace("${ORIGIN}", &own));
        folders.map(PathBuf::from).collect::<Vec<_>>()
    };
    let late: Vec<PathBuf> = elf.late_run_paths().flat_map(folders).collect();
    let early = match late.is_empty() {
        true => elf.run_paths().flat_map(folders).collect(),
        false => Vec::new(),
    };
    RunPaths { early, late }
}

/// The folders of `/etc/ld.so.conf`, and of the files in the folder that it includes on every distribution.
fn configured(files: &dyn Files) -> Vec<PathBuf> {
    let included = files.list(Path::new("/etc/ld.so.conf.d"));
    let included = included
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "conf"));
    let texts = included
        .chain([PathBuf::from("/etc/ld.so.conf")])
        .filter_map(|path| files.read(&path).ok());
    let folders = texts.flat_map(|text| {
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines = text.lines().map(str::trim);
        let folders = lines.filter(|line| line.starts_with('/'));
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
