//! Functions that are never replaced, whatever their code.

use std::fmt;

/// Why a function is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exempt {
    /// It may run while no goroutine does, in a signal handler, or where the runtime's own state is not to be relied
    /// on.
    Runtime,
    /// It may run in a child between fork and exec, which has its parent's memory.
    Fork,
    /// With `GODEBUG=fips140=on` the program checks that this code is what was certified.
    Fips,
}

impl fmt::Display for Exempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Runtime => "it belongs to the runtime",
            Self::Fork => "it may run between fork and exec",
            Self::Fips => "it belongs to the code that FIPS 140 mode checks",
        })
    }
}

/// What the runtime is made of besides `runtime/...` (`cmd/internal/objabi/pkgspecial.go`, Go 1.21 to 1.27).
const RUNTIME: [&str; 20] = [
    "runtime",
    "internal/abi",
    "internal/asan",
    "internal/bytealg",
    "internal/byteorder",
    "internal/chacha8rand",
    "internal/coverage/rtcov",
    "internal/cpu",
    "internal/goarch",
    "internal/godebugs",
    "internal/goexperiment",
    "internal/goos",
    "internal/msan",
    "internal/profilerecord",
    "internal/strconv",
    "internal/race",
    "internal/stringslite",
    "internal/trace/tracev2",
    "sync/atomic",
    // The closure of the runtime's goready has no other name in Go 1.27: `_.goready.func1`.
    "_",
];
/// What is written to run beside it or in it.
const RUNTIME_BELOW: [&str; 2] = ["internal/runtime/", "runtime/internal/"];
const FIPS: &str = "crypto/internal/fips140";

/// Why a function is left alone, by the name that the linker keeps and the file that declares it.
pub(super) fn why(name: &[u8], file: &[u8]) -> Option<Exempt> {
    let package = package(name);
    let is = |of: &str| package == of.as_bytes();
    let below = |of: &str| package.starts_with(of.as_bytes());
    let named = RUNTIME.into_iter().any(is) || RUNTIME_BELOW.into_iter().any(below);
    if named || is_in_runtime(file) {
        Some(Exempt::Runtime)
    } else if is("syscall") {
        Some(Exempt::Fork)
    } else if is(FIPS) || package.starts_with(b"crypto/internal/fips140/") {
        Some(Exempt::Fips)
    } else {
        None
    }
}

/// What the runtime declares for other packages has their names (`go:linkname`), and some of it runs before there is a
/// goroutine: `runtime/debug.SetTraceback`.
fn is_in_runtime(file: &[u8]) -> bool {
    let last = file.iter().rposition(|byte| *byte == b'/');
    let folder = file.get(..last.unwrap_or(0)).unwrap_or_default();
    // Without the folder of Go where that was left away (-trimpath).
    folder == b"runtime" || folder.ends_with(b"/src/runtime")
}

/// The package of a function: what stands before the first point behind the last slash, receivers and type arguments
/// left away.
fn package(name: &[u8]) -> &[u8] {
    let path = name
        .split(|byte| matches!(byte, b'[' | b'('))
        .next()
        .unwrap_or(name);
    let last = path.iter().rposition(|byte| *byte == b'/');
    let from = last.map_or(0, |slash| slash.saturating_add(1));
    let point = path.get(from..).unwrap_or_default();
    let point = point.iter().position(|byte| *byte == b'.');
    let end = point.map_or(path.len(), |point| from.saturating_add(point));
    path.get(..end).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_what_its_import_path_says() {
        for (name, expected) in [
            ("main.main", "main"),
            ("net/http.(*Server).Serve.func1", "net/http"),
            ("slices.SortFunc[go.shape.struct { a/b.C }]", "slices"),
            ("gopkg.in/yaml%2ev3.Unmarshal", "gopkg.in/yaml%2ev3"),
            ("type:.eq.runtime.x", "type:"),
            ("main", "main"),
        ] {
            assert_eq!(package(name.as_bytes()), expected.as_bytes(), "{name}");
        }
    }

    #[test]
    fn the_runtime_is_left_alone_and_what_only_sounds_like_it_is_not() {
        for (name, expected) in [
            ("runtime.mallocgc", Some(Exempt::Runtime)),
            ("internal/runtime/maps.(*Map).Get", Some(Exempt::Runtime)),
            ("runtime/internal/atomic.Xadd", Some(Exempt::Runtime)),
            ("_.goready.func1", Some(Exempt::Runtime)),
            ("internal/strconv.Atoi", Some(Exempt::Runtime)),
            ("strconv.Atoi", None),
            ("runtime/pprof.StartCPUProfile", None),
            ("runtimex.F", None),
            ("syscall.forkAndExecInChild1", Some(Exempt::Fork)),
            ("crypto/internal/fips140/sha256.block", Some(Exempt::Fips)),
            ("crypto/sha256.Sum256", None),
        ] {
            assert_eq!(why(name.as_bytes(), b"a/b.go"), expected, "{name}");
        }
        for (file, expected) in [
            ("/usr/local/go/src/runtime/runtime1.go", true),
            ("runtime/runtime1.go", true),
            ("runtime/debug/stubs.go", false),
            ("example.org/runtime/f.go", false),
            ("f.go", false),
            ("", false),
        ] {
            let found = why(b"runtime/debug.SetTraceback", file.as_bytes());
            assert_eq!(found, expected.then_some(Exempt::Runtime), "{file}");
        }
    }
}
