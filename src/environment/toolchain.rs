//! Go toolchains: which go command a `PATH` leads to, and what it says of itself.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::head::Head;
use super::host;
use super::invoker::Invoker;
use crate::binary::elf::Elf;
use crate::binary::go::BuildInfo;

/// What a go command says of itself and of the settings it found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Toolchain {
    /// The go command that was asked.
    pub path: PathBuf,
    /// Values of `go env`, by name.
    pub variables: BTreeMap<String, String>,
    /// Architecture of the go command's own executable, in Go's words; empty if not known.
    pub arch: &'static str,
    /// What translates it on this machine (`qemu-aarch64`); empty when it runs natively.
    pub translator: String,
}

/// Settings that `go env` is asked for. Asking for a few by name keeps it from running the C
/// compiler, which it does to print all.
const ASKED: [&str; 24] = [
    "GOVERSION",
    "GOROOT",
    "GOFLAGS",
    "GOCACHE",
    "GOOS",
    "GOARCH",
    "GOHOSTARCH",
    "GOAMD64",
    "GOARM64",
    "GOEXPERIMENT",
    "GOTOOLCHAIN",
    "GOPROXY",
    "GOMODCACHE",
    "CGO_ENABLED",
    "CC",
    "GOWORK",
    "GOMOD",
    "GOENV",
    "GOTOOLDIR",
    "GOPATH",
    "GOBIN",
    "GO111MODULE",
    "GOCACHEPROG",
    "GOHOSTOS",
];

/// Why a go command could not be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It could not be run.
    #[error("{}: cannot run `go env`", path.display())]
    Run {
        /// The go command.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It failed.
    #[error("{}: `go env` failed: {message}", path.display())]
    Failed {
        /// The go command.
        path: PathBuf,
        /// What it said last.
        message: String,
    },
    /// It said something else than JSON.
    #[error("{}: `go env -json` printed no JSON", path.display())]
    Malformed {
        /// The go command.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
}

impl Toolchain {
    /// Asks the go command at `path`, with exactly this environment, as this user.
    ///
    /// # Errors
    ///
    /// When it cannot be run, fails, or prints something unknown.
    pub fn ask<'a>(
        path: &Path,
        environment: impl Iterator<Item = (&'a OsStr, &'a OsStr)>,
        invoker: Option<&Invoker>,
    ) -> Result<Self, Error> {
        let mut go = Command::new(path);
        // GOFLAGS may have flags of `go env` itself: -w, as of -ldflags=-s -w without quotes, would write.
        go.args(["env", "-json", "-w=false", "-u=false"])
            .args(ASKED);
        go.env_clear().envs(environment).stdin(Stdio::null());
        if let Some(invoker) = invoker {
            invoker.become_this(&mut go);
        }
        let path = path.to_owned();
        let output = match go.output() {
            Ok(output) => output,
            Err(source) => return Err(Error::Run { path, source }),
        };
        if !output.status.success() {
            let message = reason(&output.stderr).unwrap_or_default();
            return Err(Error::Failed { path, message });
        }
        match serde_json::from_slice(&output.stdout) {
            Ok(variables) => Ok(Self {
                arch: executable_arch(&path),
                translator: super::translator::of_executable(&path),
                path,
                variables,
            }),
            Err(source) => Err(Error::Malformed { path, source }),
        }
    }

    /// Why its go command refuses these arguments in this environment, in its own words; `None`
    /// where it does not. (`go env` takes any `GOFLAGS`, `go version` those that there are.)
    #[must_use]
    pub fn refusal<'a>(
        &self,
        arguments: &[&OsStr],
        environment: impl Iterator<Item = (&'a OsStr, &'a OsStr)>,
        invoker: Option<&Invoker>,
    ) -> Option<String> {
        let mut go = Command::new(&self.path);
        go.args(arguments).env_clear().envs(environment);
        go.stdin(Stdio::null());
        if let Some(invoker) = invoker {
            invoker.become_this(&mut go);
        }
        let output = go.output().ok().filter(|output| !output.status.success())?;
        Some(reason(&output.stderr).unwrap_or_else(|| "it fails".to_owned()))
    }

    /// A setting, empty where it has none.
    #[must_use]
    pub fn variable(&self, name: &str) -> &str {
        self.variables.get(name).map_or("", String::as_str)
    }

    /// The folder of the tools: compile, link, ...
    #[must_use]
    pub fn tools(&self) -> PathBuf {
        let os = std::env::consts::OS;
        let name = format!("{os}_{}", self.variable("GOHOSTARCH"));
        Path::new(self.variable("GOROOT"))
            .join("pkg/tool")
            .join(name)
    }

    /// How full the build cache is: `empty`, or about how many files are in it.
    ///
    /// The cache spreads its files evenly over 256 folders (`cmd/go/internal/cache`), so one
    /// of them tells enough.
    #[must_use]
    pub fn cache_state(&self) -> String {
        let cache = Path::new(self.variable("GOCACHE"));
        let count = fs::read_dir(cache.join("00")).map_or(0, Iterator::count);
        match count {
            0 => "empty".to_owned(),
            count => format!("about {} files", count.saturating_mul(256)),
        }
    }
}

/// The line by which a go command that failed says why, with the one that it announces by a colon. What
/// follows may be a pointer to the documentation, or the stacks of a runtime that gave up.
fn reason(stderr: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(stderr);
    let runtime = |line: &&str| line.starts_with("fatal error: ") || line.starts_with("panic: ");
    let own = text.lines().rfind(|line| line.starts_with("go: "));
    let line = text
        .lines()
        .find(runtime)
        .or(own)
        .or_else(|| text.lines().last())?;
    let mut after = text.lines().skip_while(|other| *other != line).skip(1);
    Some(match (line.ends_with(':'), after.next()) {
        (true, Some(next)) => format!("{line} {next}"),
        _ => line.to_owned(),
    })
}

/// Finds an executable as `execvp` would on this `PATH`.
#[must_use]
pub fn find_on_path(name: &OsStr, path: &OsStr) -> Option<PathBuf> {
    candidates(name, path).into_iter().find(|candidate| {
        fs::metadata(candidate)
            .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    })
}

/// The paths that `execvp` tries for a name on this `PATH`, in their order.
#[must_use]
pub fn candidates(name: &OsStr, path: &OsStr) -> Vec<PathBuf> {
    if name.as_bytes().contains(&b'/') || name.is_empty() {
        return vec![PathBuf::from(name)];
    }
    let directories = path.as_bytes().split(|&byte| byte == b':');
    directories
        .map(|directory| match directory {
            [] => PathBuf::from(OsString::from("./")).join(name),
            directory => Path::new(OsStr::from_bytes(directory)).join(name),
        })
        .collect()
}

/// Whether an executable is a program that Go built.
#[must_use]
pub fn is_go_program(path: &Path) -> bool {
    let bytes = fs::read(path).unwrap_or_default();
    Elf::parse(&bytes).is_ok_and(|elf| BuildInfo::of(&elf).is_ok())
}

/// The architecture that an executable is for, in Go's words; of several the one that this machine
/// prefers; empty where none is known.
#[must_use]
pub fn executable_arch(path: &Path) -> &'static str {
    Head::at(path).arch(host::ARCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_slash_is_not_looked_for() {
        let path = OsStr::new("/a::/b c");
        let found = candidates(OsStr::new("go"), path);
        assert_eq!(found, ["/a/go", "./go", "/b c/go"].map(PathBuf::from));
        assert_eq!(
            candidates(OsStr::new("./go"), path),
            [PathBuf::from("./go")]
        );
    }

    #[test]
    fn the_shell_is_on_the_path_and_has_this_architecture() {
        let found = find_on_path(OsStr::new("sh"), OsStr::new("/nowhere:/bin")).expect("sh");
        assert_eq!(found, Path::new("/bin/sh"));
        assert_eq!(executable_arch(&found), host::host().arch);
        assert_eq!(executable_arch(Path::new("/etc/passwd")), "");
        assert_eq!(find_on_path(OsStr::new("passwd"), OsStr::new("/etc")), None);
    }

    /// What Go 1.27.3 prints with `GOMEMLIMIT=lots`, of a module with a wrong line, and for a release
    /// that it does not know.
    #[test]
    fn the_line_that_says_why_is_taken() {
        let of = |text: &str| reason(text.as_bytes()).unwrap_or_default();
        let fatal = "fatal error: malformed GOMEMLIMIT; see `go doc runtime/debug.SetMemoryLimit`";
        let stacks =
            "\n\nruntime stack:\nruntime.throw({0x0?, 0x0?})\n\truntime/panic.go:1243 +0x48\n";
        assert_eq!(of(&format!("GOMEMLIMIT=lots\n{fatal}{stacks}")), fatal);
        assert_eq!(
            of("go: errors parsing go.mod:\n/m/go.mod:4: unknown directive: rubbish\n"),
            "go: errors parsing go.mod: /m/go.mod:4: unknown directive: rubbish"
        );
        assert_eq!(
            of("go: downloading go1.99.99\ngo: toolchain not available\n"),
            "go: toolchain not available"
        );
        assert_eq!(reason(b""), None);
    }

    #[test]
    fn a_go_command_that_fails_says_why() {
        let none = std::iter::empty();
        let failed = Toolchain::ask(Path::new("/bin/false"), none.clone(), None);
        assert!(matches!(failed, Err(Error::Failed { .. })));
        let gone = Toolchain::ask(Path::new("/nowhere/go"), none.clone(), None);
        assert!(matches!(gone, Err(Error::Run { .. })));
        let other = Toolchain::ask(Path::new("/bin/echo"), none, None);
        assert!(matches!(other, Err(Error::Malformed { .. })));
    }
}
