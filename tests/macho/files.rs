//! Mach-O files to read: what the go command of this machine builds for macOS, and the official
//! toolchains that `scripts/fetch-fixtures` fetches.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Name, architecture, arguments of `go build`.
const WAYS: [(&str, &str, &[&str]); 6] = [
    ("arm64", "arm64", &[]),
    ("amd64", "amd64", &[]),
    ("stripped", "arm64", &["-ldflags=-s -w", "-trimpath"]),
    ("pie", "amd64", &["-buildmode=pie"]),
    ("calls", "arm64", &["-gcflags=-l"]),
    // At an address of its own, as all were up to Go 1.21: without opcodes that bind.
    ("fixed", "amd64", &["-buildmode=exe"]),
];

/// The files by the names of [`WAYS`], built once; `None` where there is no go command.
pub(crate) fn built() -> Option<&'static [(&'static str, PathBuf)]> {
    static BUILT: OnceLock<Option<Vec<(&str, PathBuf)>>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        go_version()?;
        Some(WAYS.iter().map(|way| (way.0, build(way))).collect())
    });
    if built.is_none() {
        println!("skipped: no go on PATH");
    }
    built.as_deref()
}

/// The bytes of one of them.
pub(crate) fn bytes(name: &str) -> Option<Vec<u8>> {
    let (_, path) = built()?.iter().find(|(way, _)| *way == name)?;
    Some(std::fs::read(path).unwrap())
}

pub(crate) fn scratch() -> PathBuf {
    shared("macho")
}

/// A folder that all suites and later runs share: `gocache` and `zig` are the caches of those, filled once.
pub(crate) fn shared(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// `go1.27.3`, of the go command of this machine.
pub(crate) fn go_version() -> Option<String> {
    let output = go().args(["env", "GOVERSION"]).output().ok()?;
    Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

/// The go command, with settings of its own.
pub(crate) fn go() -> Command {
    let mut command = Command::new("go");
    for variable in ["GOFLAGS", "GOEXPERIMENT", "GOAMD64"] {
        command.env_remove(variable);
    }
    command
        .env("GOTOOLCHAIN", "local")
        .env("GOCACHE", shared("gocache"))
        .env("CGO_ENABLED", "0");
    command
}

fn build((name, arch, arguments): &(&str, &str, &[&str])) -> PathBuf {
    let folder = scratch().join(go_version().unwrap());
    std::fs::create_dir_all(&folder).unwrap();
    let program = folder.join(name);
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/hello");
    let output = go()
        .current_dir(sample)
        .env("GOOS", "darwin")
        .env("GOARCH", arch)
        .args(["build", "-buildvcs=false", "-o"])
        .arg(&program)
        .args(*arguments)
        .arg(".")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {errors}");
    program
}

/// The executables of the official toolchains for macOS: fourteen of each, of which ten are
/// programs.
pub(crate) fn official() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for arch in ["arm64", "amd64"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!(".tools/fixtures/go-1.27.3-darwin-{arch}/go"));
        for part in ["bin".to_owned(), format!("pkg/tool/darwin_{arch}")] {
            let Ok(entries) = std::fs::read_dir(folder.join(part)) else {
                println!("skipped: no official toolchain: scripts/fetch-fixtures");
                return Vec::new();
            };
            found.extend(entries.map(|entry| entry.unwrap().path()));
        }
    }
    found.sort();
    assert_eq!(found.len(), 20);
    found
}

/// One of the official executables, for an architecture.
pub(crate) fn official_named(arch: &str, name: &str) -> Option<PathBuf> {
    let wanted = |path: &PathBuf| {
        path.file_name().is_some_and(|file| file == name)
            && path.to_str().unwrap().contains(&format!("darwin-{arch}/"))
    };
    official().into_iter().find(wanted)
}

/// The standard output of one of LLVM's tools, or `None` where it is not installed.
pub(crate) fn llvm(tool: &str, arguments: &[&str], file: &Path) -> Option<String> {
    let output = Command::new(tool).args(arguments).arg(file).output();
    let Ok(output) = output else {
        println!("skipped: no {tool}: scripts/setup --for test");
        return None;
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool}: {errors}");
    Some(String::from_utf8(output.stdout).unwrap())
}
