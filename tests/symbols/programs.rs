//! Programs that the go command of this machine builds from `samples/`, in the ways that place
//! Go's tables differently.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// One way to build a sample.
struct Way {
    name: &'static str,
    sample: &'static str,
    cgo: bool,
    arch: Option<&'static str>,
    arguments: &'static [&'static str],
}

const STRIPPED: &str = "-ldflags=-s -w";
const EXTERNAL: &str = "-ldflags=-linkmode=external";

const WAYS: [Way; 6] = [
    Way {
        name: "plain",
        sample: "generics",
        cgo: false,
        arch: None,
        arguments: &[],
    },
    Way {
        name: "stripped",
        sample: "generics",
        cgo: false,
        arch: None,
        arguments: &[STRIPPED],
    },
    Way {
        name: "pie",
        sample: "generics",
        cgo: false,
        arch: None,
        arguments: &["-buildmode=pie", "-trimpath", STRIPPED],
    },
    Way {
        name: "cgo",
        sample: "cgo-zlib",
        cgo: true,
        arch: None,
        arguments: &[EXTERNAL],
    },
    Way {
        name: "cgo-pie",
        sample: "cgo-zlib",
        cgo: true,
        arch: None,
        arguments: &["-buildmode=pie", "-trimpath", EXTERNAL],
    },
    Way {
        name: "arm64",
        sample: "hello",
        cgo: false,
        arch: Some("arm64"),
        arguments: &[],
    },
];

/// The programs, by the names of [`WAYS`].
pub(crate) struct Programs(Vec<(&'static str, PathBuf)>);

impl Programs {
    pub(crate) fn path(&self, name: &str) -> &Path {
        let found = self.0.iter().find(|(way, _)| *way == name);
        &found.unwrap_or_else(|| panic!("no way {name}")).1
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        WAYS.iter().map(|way| way.name)
    }
}

/// Builds all programs, once; `None` where there is no go command.
pub(crate) fn built() -> Option<&'static Programs> {
    static BUILT: OnceLock<Option<Programs>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let version = go()?.args(["env", "GOVERSION"]).output().ok()?;
        let version = String::from_utf8(version.stdout).unwrap();
        let folder = scratch().join(version.trim());
        std::fs::create_dir_all(&folder).unwrap();
        let build = |way: &Way| (way.name, build(way, &folder));
        Some(Programs(WAYS.iter().map(build).collect()))
    });
    if built.is_none() {
        println!("skipped: no go on PATH");
    }
    built.as_ref()
}

fn build(way: &Way, folder: &Path) -> PathBuf {
    let program = folder.join(way.name);
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let mut command = go().unwrap();
    command
        .current_dir(sample.join(way.sample))
        .env("CGO_ENABLED", if way.cgo { "1" } else { "0" })
        .args(["build", "-buildvcs=false", "-o"])
        .arg(&program)
        .args(way.arguments)
        .arg(".");
    if let Some(arch) = way.arch {
        command.env("GOARCH", arch);
    }
    output_of(&mut command);
    program
}

pub(crate) fn scratch() -> PathBuf {
    shared("symbols")
}

/// A folder that all suites and later runs share: `gocache` and `zig` are the caches of those, filled once.
pub(crate) fn shared(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// The go command to test with: `GOTRACE_GO`, or the one of `PATH`.
pub(crate) fn go() -> Option<Command> {
    let go = std::env::var_os("GOTRACE_GO")
        .map(PathBuf::from)
        .or_else(|| {
            let path = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&path)
                .map(|folder| folder.join("go"))
                .find(|go| go.is_file())
        })?;
    let mut command = Command::new(go);
    for variable in [
        "GOFLAGS",
        "GOARCH",
        "GOOS",
        "GOAMD64",
        "GOEXPERIMENT",
        "CGO_ENABLED",
    ] {
        command.env_remove(variable);
    }
    command
        .env("GOTOOLCHAIN", "local")
        .env("GOCACHE", shared("gocache"));
    Some(command)
}

/// The standard output of a command that must succeed.
pub(crate) fn output_of(command: &mut Command) -> String {
    output_with(command, "")
}

/// The same, of a command that reads `input`.
pub(crate) fn output_with(command: &mut Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input.as_bytes()));
        child.wait_with_output().unwrap()
    });
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// One of binutils, which `scripts/setup` installs.
pub(crate) fn binutils(tool: &str, arguments: &[&str], program: &Path) -> String {
    output_of(
        Command::new(tool)
            .env("LC_ALL", "C")
            .args(arguments)
            .arg(program),
    )
}

/// `go tool TOOL ARGUMENTS PROGRAM`.
pub(crate) fn go_tool(tool: &str, arguments: &[&str], program: &Path, input: &str) -> String {
    let mut command = go().unwrap();
    command.args(["tool", tool]).args(arguments).arg(program);
    output_with(&mut command, input)
}

/// The toolchain's own program of this name.
pub(crate) fn toolchain(name: &str) -> PathBuf {
    let value = |name: &str| output_of(go().unwrap().args(["env", name]));
    let path = if matches!(name, "go" | "gofmt") {
        Path::new(value("GOROOT").trim()).join("bin").join(name)
    } else {
        Path::new(value("GOTOOLDIR").trim()).join(name)
    };
    assert!(path.is_file(), "{}", path.display());
    path
}

/// A number in hexadecimal digits, `0x` before it or not.
pub(crate) fn hex(digits: &str) -> u64 {
    let digits = digits.trim_start_matches("0x");
    u64::from_str_radix(digits, 16).unwrap_or_else(|error| panic!("{digits:?}: {error}"))
}

/// Executables by other releases than those of `scripts/go-toolchains`: paths in
/// `GOTRACE_GO_BINARIES`, separated as in `PATH`.
pub(crate) fn foreign() -> Vec<PathBuf> {
    let paths = std::env::var_os("GOTRACE_GO_BINARIES");
    let paths = paths.as_deref().unwrap_or(OsStr::new(""));
    std::env::split_paths(paths)
        .filter(|path| !path.as_os_str().is_empty())
        .collect()
}
