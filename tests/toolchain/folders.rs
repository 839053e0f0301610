//! Toolchains to look at: small ones, made of real programs, and the official ones of
//! `scripts/fetch-fixtures`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// `gotrace toolchain ARGUMENTS` with nothing in its environment but what is given.
pub(crate) fn gotrace(arguments: &[&Path], variables: &[(&str, &Path)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gotrace"))
        .arg("toolchain")
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(crate) fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// The official toolchain for macOS of an architecture: its Mach-O files.
pub(crate) fn official(arch: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!(".tools/fixtures/go-1.27.3-darwin-{arch}/go"));
    if !folder.is_dir() {
        println!("skipped: no official toolchain: scripts/fetch-fixtures");
        return None;
    }
    Some(folder)
}

/// A program of the official toolchain: a small one.
pub(crate) fn hardened() -> Option<Vec<u8>> {
    let folder = official("arm64")?.join("pkg/tool/darwin_arm64");
    Some(fs::read(folder.join("preprofile")).unwrap())
}

/// A program that the go command of this machine builds for a system and an architecture.
pub(crate) fn built(system: &str, arch: &str) -> Option<Vec<u8>> {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(scratch).path();
    let program = folder.join(format!("{system}-{arch}"));
    if !program.exists() {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/hello");
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gocache");
        let making = folder.join(format!("{system}-{arch}-{:?}", std::thread::current().id()));
        let output = Command::new("go")
            .current_dir(sample)
            .env_remove("GOFLAGS")
            .envs([("GOTOOLCHAIN", "local"), ("CGO_ENABLED", "0")])
            .envs([("GOOS", system), ("GOARCH", arch)])
            .env("GOCACHE", cache)
            .args(["build", "-buildvcs=false", "-o"])
            .arg(&making)
            .arg(".")
            .output();
        let Ok(output) = output else {
            println!("skipped: no go on PATH");
            return None;
        };
        assert!(output.status.success(), "{}", text(&output.stderr));
        fs::rename(making, &program).unwrap();
    }
    Some(fs::read(program).unwrap())
}

/// Writes a file, with the folders above it.
pub(crate) fn write(path: &Path, contents: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, contents).unwrap();
}

/// A toolchain of a program: the go command, and two tools.
pub(crate) fn toolchain(root: &Path, program: &[u8], tools: &str, version: &str) {
    for path in [
        "bin/go".to_owned(),
        format!("pkg/tool/{tools}/compile"),
        format!("pkg/tool/{tools}/link"),
    ] {
        write(&root.join(path), program);
    }
    write(
        &root.join("VERSION"),
        format!("{version}\ntime 2026-10-19\n").as_bytes(),
    );
    write(&root.join("go.env"), b"GOTOOLCHAIN=auto\n");
    write(&root.join("src/runtime/proc.go"), b"package runtime\n");
    write(&root.join("src/fmt/print.go"), b"package fmt\n");
    write(&root.join("src/fmt-x/x.go"), b"package x\n");
}

/// What a folder holds, without what is below.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
