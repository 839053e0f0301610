//! The folders that linkers look in without being told, and those where libraries lie that are not
//! linked.

use super::files::Files;
use super::line::Line;
use crate::binary::linkable::{Arch, Format};
use std::path::{Path, PathBuf};

/// Where Apple's tools put the SDK.
const SDKS: [&str; 2] = [
    "/Library/Developer/CommandLineTools/SDKs/MacOSX.sdk",
    "/Applications/Xcode.app/Contents/Developer/Platforms/MacOSX.platform/Developer/SDKs/MacOSX.sdk",
];

/// The SDK of a line for macOS: the one that it names, else `named` (`SDKROOT`), else the one that is
/// there.
pub(super) fn sdk(line: &Line, named: Option<&Path>, files: &dyn Files) -> Option<PathBuf> {
    let is_there = |sdk: &PathBuf| !files.list(sdk).is_empty();
    let named = line.sysroot.clone().or(named.map(Path::to_owned));
    named.or_else(|| SDKS.map(PathBuf::from).into_iter().find(is_there))
}

/// The folders that are searched for `-l`, in order.
pub(super) fn searched(
    line: &Line,
    format: Format,
    arch: Option<&Arch>,
    sdk: Option<&Path>,
    files: &dyn Files,
) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    match format {
        Format::MachO => {
            // Folders on the line are looked for in the SDK first.
            let below = |folder: &Path| sdk.map(|sdk| under(sdk, folder));
            for folder in &line.folders {
                folders.extend(below(folder).filter(|_| folder.is_absolute()));
                folders.push(folder.clone());
            }
            if let Some(zig) = zig_libraries(line) {
                folders.push(zig);
            }
            for folder in ["/usr/lib", "/usr/local/lib"].map(Path::new) {
                folders.push(below(folder).unwrap_or_else(|| folder.to_owned()));
            }
            folders
                .retain(|folder| !files.list(folder).is_empty() || line.folders.contains(folder));
        }
        Format::Elf => {
            folders.extend(line.folders.iter().cloned());
            let of_system = of_linux(line, arch, files);
            folders.extend(
                of_system
                    .into_iter()
                    .filter(|one| !files.list(one).is_empty()),
            );
        }
    }
    let mut once = Vec::new();
    folders.retain(|folder| {
        // `/lib` is `/usr/lib` on most systems of today.
        let identity = files.identity(folder);
        let new = !once.contains(&identity);
        once.push(identity);
        new
    });
    folders
}

fn of_linux(line: &Line, arch: Option<&Arch>, files: &dyn Files) -> Vec<PathBuf> {
    let triple = match arch {
        Some(Arch::Amd64) => "x86_64-linux-gnu",
        Some(Arch::Arm64) => "aarch64-linux-gnu",
        Some(Arch::Other(name)) if name == "386" => "i386-linux-gnu",
        _ => "",
    };
    let root = line.sysroot.as_deref().unwrap_or(Path::new("/"));
    let mut folders = Vec::new();
    for compiler in [
        format!("/usr/lib/gcc/{triple}"),
        format!("/usr/lib/gcc-cross/{triple}"),
    ] {
        // The newest first.
        folders.extend(files.list(Path::new(&compiler)).into_iter().rev());
    }
    let system = [
        format!("/usr/local/lib/{triple}"),
        format!("/usr/lib/{triple}"),
        format!("/lib/{triple}"),
        format!("/usr/{triple}/lib"),
        "/usr/local/lib64".to_owned(),
        "/usr/lib64".to_owned(),
        "/lib64".to_owned(),
        "/usr/local/lib".to_owned(),
        "/usr/lib".to_owned(),
        "/lib".to_owned(),
    ];
    let named = system
        .iter()
        .filter(|_| !triple.is_empty() || root == Path::new("/"));
    folders.extend(named.map(|folder| under(root, Path::new(folder))));
    folders
}

/// Folders beside those that are searched.
pub(super) fn elsewhere(format: Format, files: &dyn Files) -> Vec<PathBuf> {
    if format == Format::Elf {
        return Vec::new();
    }
    let mut folders: Vec<PathBuf> = ["/opt/homebrew/lib", "/usr/local/lib", "/opt/local/lib"]
        .map(PathBuf::from)
        .into();
    // What Homebrew does not link into its folder.
    for cellar in ["/opt/homebrew/opt", "/usr/local/opt"] {
        let formulas = files.list(Path::new(cellar));
        folders.extend(formulas.iter().map(|formula| formula.join("lib")));
    }
    folders.retain(|folder| !files.list(folder).is_empty());
    folders
}

/// Folders of frameworks.
pub(super) fn frameworks(line: &Line, sdk: Option<&Path>) -> Vec<PathBuf> {
    let mut folders = line.framework_folders.clone();
    let system = Path::new("/System/Library/Frameworks");
    folders.push(sdk.map_or_else(|| system.to_owned(), |sdk| under(sdk, system)));
    folders.push(PathBuf::from("/Library/Frameworks"));
    folders
}

/// An absolute path below a folder that stands for `/`.
pub(super) fn under(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// zig brings its own stub of libSystem.
fn zig_libraries(line: &Line) -> Option<PathBuf> {
    let program = Path::new(&line.program);
    let zig = program.file_name().is_some_and(|name| name == "zig");
    zig.then(|| program.with_file_name("lib/libc/darwin"))
}
