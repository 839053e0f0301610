//! What compilers look for: headers, and the Go files of a folder.

use super::files::Files;
use crate::binary::linkable::{Arch, Format};
use std::path::{Path, PathBuf};

/// Folders of one header that are named; the rest of them adds nothing.
const MOST_FOLDERS: usize = 4;
/// A Go file has its constraints and imports within so many lines.
const MOST_LINES: usize = 2_000;

/// A folder that has a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderFolder {
    /// Which one.
    pub path: PathBuf,
    /// Compilers for this machine look there without being told.
    pub searched: bool,
}

/// The folders in which a compiler would find a header if it were told to look there (`-I`), those
/// that it looks in without being told first.
#[must_use]
pub fn folders_with_header(
    header: &str,
    format: Format,
    arch: &Arch,
    files: &dyn Files,
) -> Vec<HeaderFolder> {
    let own = format!("/usr/include/{}", triple(arch));
    let searched: &[&str] = match format {
        Format::Elf => &["/usr/local/include", &own, "/usr/include"],
        Format::MachO => &["/usr/local/include"],
    };
    // Libraries that are there in several versions have a folder each: `/usr/include/libxml2`.
    let above: &[&str] = match format {
        Format::Elf => &["/usr/include", "/usr/local/include", &own],
        Format::MachO => &[
            "/usr/local/include",
            "/opt/homebrew/include",
            "/opt/local/include",
        ],
    };
    let mut folders: Vec<PathBuf> = searched.iter().map(PathBuf::from).collect();
    folders.extend(above.iter().map(PathBuf::from));
    folders.extend(
        above
            .iter()
            .flat_map(|folder| files.list(Path::new(folder))),
    );
    for prefix in ["/opt/homebrew/opt", "/usr/local/opt"].map(Path::new) {
        let kegs = files.list(prefix).into_iter();
        folders.extend(kegs.map(|keg| keg.join("include")));
    }
    let found = having(header, folders, files).into_iter();
    let folders = found.map(|path| HeaderFolder {
        searched: searched.iter().any(|folder| path == Path::new(folder)),
        path,
    });
    folders.collect()
}

/// The folders with the file `NAME.pc` that pkg-config does not look in, or not for every target.
#[must_use]
pub fn folders_with_package(name: &str, files: &dyn Files) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = [
        "/usr/local/lib/pkgconfig",
        "/opt/homebrew/lib/pkgconfig",
        "/opt/local/lib/pkgconfig",
    ]
    .map(PathBuf::from)
    .into();
    // What Homebrew does not link into its folder, libraries that lie alone, and other targets.
    for (above, below) in [
        ("/opt/homebrew/opt", "lib/pkgconfig"),
        ("/usr/local/opt", "lib/pkgconfig"),
        ("/opt", "lib/pkgconfig"),
        ("/usr/lib", "pkgconfig"),
    ] {
        let prefixes = files.list(Path::new(above)).into_iter();
        folders.extend(prefixes.map(|prefix| prefix.join(below)));
    }
    having(&format!("{name}.pc"), folders, files)
}

/// Debian's name for a target, as folders have it; empty for one that is not known.
pub(super) const fn triple(arch: &Arch) -> &'static str {
    match arch {
        Arch::Amd64 => "x86_64-linux-gnu",
        Arch::Arm64 => "aarch64-linux-gnu",
        _ => "",
    }
}

/// The first folders that have a file, each once.
pub(super) fn having(
    file: &str,
    folders: impl IntoIterator<Item = PathBuf>,
    files: &dyn Files,
) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for folder in folders {
        let new = found.len() < MOST_FOLDERS && !found.contains(&folder);
        if new && files.size(&folder.join(file)).is_some() {
            found.push(folder);
        }
    }
    found
}

/// The Go files of a folder, without those of tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GoFiles {
    /// Those that import "C".
    pub with_c: Vec<String>,
    /// The others, with the constraint that each has, empty where its name alone may be one.
    pub others: Vec<(String, String)>,
}

impl GoFiles {
    /// Looks into a folder.
    #[must_use]
    pub fn of(folder: &Path, files: &dyn Files) -> Self {
        let mut found = Self::default();
        for path in files.list(folder) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // `_test` is of tests, and the go command passes over what begins so.
            let passed = name.starts_with(['_', '.']) || name.ends_with("_test.go");
            if passed || !name.ends_with(".go") {
                continue;
            }
            let Ok(data) = files.read(&path) else {
                continue;
            };
            let text = String::from_utf8_lossy(&data);
            let lines = || text.lines().take(MOST_LINES).map(str::trim);
            if lines().any(|line| matches!(line, "import \"C\"" | "\"C\"")) {
                found.with_c.push(name.into_owned());
            } else {
                let constraint = lines().find(|line| line.starts_with("//go:build "));
                let constraint = constraint.unwrap_or_default().to_owned();
                found.others.push((name.into_owned(), constraint));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::Disk;
    use super::*;
    use std::fs;

    fn disk(root: &Path) -> Disk {
        Disk {
            root: Some(root.to_owned()),
            folder: PathBuf::from("/"),
        }
    }

    #[test]
    fn headers_are_found_beside_the_usual_folders() {
        let root = tempfile::tempdir().unwrap();
        for path in [
            "usr/include/libxml2/libxml/parser.h",
            "usr/include/x86_64-linux-gnu/here.h",
            "opt/homebrew/opt/frob/include/frob.h",
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let disk = disk(root.path());
        let found = |name, format| folders_with_header(name, format, &Arch::Amd64, &disk);
        let folder = |path: &str, searched| {
            let path = PathBuf::from(path);
            vec![HeaderFolder { path, searched }]
        };
        assert_eq!(
            found("libxml/parser.h", Format::Elf),
            folder("/usr/include/libxml2", false)
        );
        assert_eq!(
            found("here.h", Format::Elf),
            folder("/usr/include/x86_64-linux-gnu", true)
        );
        assert_eq!(
            found("frob.h", Format::MachO),
            folder("/opt/homebrew/opt/frob/include", false)
        );
        assert!(found("frob", Format::MachO).is_empty());
    }

    #[test]
    fn files_of_pkg_config_are_found_where_it_does_not_look() {
        let root = tempfile::tempdir().unwrap();
        for path in [
            "opt/frob/lib/pkgconfig/frob.pc",
            "usr/lib/aarch64-linux-gnu/pkgconfig/z.pc",
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let disk = disk(root.path());
        let found = |name| folders_with_package(name, &disk);
        assert_eq!(found("frob"), [Path::new("/opt/frob/lib/pkgconfig")]);
        assert_eq!(
            found("z"),
            [Path::new("/usr/lib/aarch64-linux-gnu/pkgconfig")]
        );
        assert!(found("fro").is_empty());
    }

    #[test]
    fn files_with_c_are_told_from_those_with_constraints() {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("a.go", "package p\n\n// int f(void);\nimport \"C\"\n"),
            ("b.go", "package p\n\nimport (\n\t\"C\"\n\t\"fmt\"\n)\n"),
            ("c.go", "//go:build windows\n\npackage p\n"),
            ("d_plan9.go", "package p\n"),
            ("e_test.go", "package p\n\nimport \"C\"\n"),
            ("_f.go", "import \"C\"\n"),
            ("g.c", "int f(void) { return 1; }\n"),
        ] {
            fs::write(root.path().join(name), text).unwrap();
        }
        let found = GoFiles::of(Path::new("/"), &disk(root.path()));
        assert_eq!(found.with_c, ["a.go", "b.go"]);
        let other = |name: &str, line: &str| (name.to_owned(), line.to_owned());
        assert_eq!(
            found.others,
            [other("c.go", "//go:build windows"), other("d_plan9.go", "")]
        );
    }
}
