//! Cold runs: what an empty build cache does not make a go command build.
//!
//! A go command neither compiles nor links a program whose file stands at its place and is up to
//! date, whatever the cache holds (`useCache` in `cmd/go/internal/work/buildid.go`, the same since
//! Go 1.10). With an empty cache, `-a` changes that and nothing else: the file stays where it is
//! until go itself puts the same bytes in its place. No file is touched here.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::capture::launch;
use crate::environment::go_flags;
use crate::environment::toolchain::Toolchain;

/// Names of packages that a Go toolchain itself consists of, and of sets that have some.
const OF_TOOLCHAIN: [&[u8]; 5] = [b"cmd", b"std", b"all", b"tool", b"..."];

/// The flag that has the go command that is run build what is up to date, too; `None` where it may
/// not be given.
pub(in crate::capture) fn flag(
    command: &[OsString],
    toolchain: Option<&Toolchain>,
) -> Option<Vec<u8>> {
    let goroot = Path::new(toolchain?.variable("GOROOT"));
    let folder = std::env::current_dir().ok()?;
    let known = !goroot.as_os_str().is_empty();
    (known && may_rebuild(command, &folder, goroot)).then(|| b"-a".to_vec())
}

/// Whether a command started in `folder` may be told to build what is up to date, too.
///
/// It must be a `go build` or `go install`: of a script with several go commands each would build
/// everything anew, and so would those that `go test` and `go run` start. And nothing of it may lie
/// in `GOROOT` or be of the toolchain, whose tools are up to date and in use.
fn may_rebuild(command: &[OsString], folder: &Path, goroot: &Path) -> bool {
    let words: Vec<&[u8]> = command.iter().map(|word| word.as_bytes()).collect();
    let [go, words @ ..] = words.as_slice() else {
        return false;
    };
    let rest = match words {
        [b"-C" | b"--C", _, rest @ ..] => rest,
        [first, rest @ ..] if first.starts_with(b"-C=") || first.starts_with(b"--C=") => rest,
        all => all,
    };
    let [b"build" | b"install", operands @ ..] = rest else {
        return false;
    };
    if !launch::is_go(OsStr::from_bytes(go)) {
        return false;
    }
    let folder = match go_flags::value_on_line(words, "C") {
        Some(changed) => folder.join(OsStr::from_bytes(changed)),
        None => folder.to_owned(),
    };
    let goroot = real(goroot);
    let of_toolchain = |word: &[u8]| {
        let path = word.split(|byte| *byte == b'=').next_back();
        let path = folder.join(OsStr::from_bytes(path.unwrap_or_default()));
        OF_TOOLCHAIN.contains(&word)
            || word.starts_with(b"cmd/")
            || real(&path).starts_with(&goroot)
    };
    !real(&folder).starts_with(&goroot) && !operands.iter().any(|word| of_toolchain(word))
}

/// Where a path leads to, as far as it is there.
fn real(path: &Path) -> PathBuf {
    let whole = path.canonicalize();
    let above = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    whole.ok().or_else(above).unwrap_or_else(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_build_of_the_users_own_is_told_to_build_all() {
        let place = tempfile::tempdir().expect("folder");
        let (goroot, work) = (place.path().join("go"), place.path().join("work"));
        std::fs::create_dir_all(goroot.join("src/cmd/vet")).expect("made");
        std::fs::create_dir_all(goroot.join("bin")).expect("made");
        std::fs::create_dir(&work).expect("made");
        std::os::unix::fs::symlink(&goroot, work.join("link")).expect("made");
        let may = |line: &str, folder: &Path| {
            let line = line.replace("GOROOT", goroot.to_str().expect("text"));
            let command: Vec<OsString> = line.split(' ').map(Into::into).collect();
            may_rebuild(&command, folder, &goroot)
        };
        for line in [
            "go build",
            "go build -o x .",
            "GOROOT/bin/go build ./...",
            "go -C sub build -o ../x",
            "go install -tags t example.com/tool@latest",
            "go install ./cmd/x",
            "go build -ldflags=-s -o=x",
        ] {
            assert!(may(line, &work), "{line}");
        }
        for line in [
            "go",
            "go test -c -o x",
            "go run .",
            "go vet ./...",
            "go generate",
            "make build",
            "sh -c build",
            "go install cmd/vet",
            "go install cmd",
            "go install std",
            "go install all",
            "go install tool",
            "go install ./link/src/cmd/vet",
            "go install GOROOT/src/cmd/vet",
            "go build -o GOROOT/bin/x .",
            "go build -o=link/bin/x .",
            "go build -C link/src/cmd/vet",
            "go -C link/src/cmd/vet install",
            "go -C=GOROOT/src build",
        ] {
            assert!(!may(line, &work), "{line}");
        }
        assert!(!may("go install .", &goroot.join("src/cmd/vet")));
    }
}
