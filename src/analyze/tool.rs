//! What kind of program a process is, told from its arguments and its executable.

use super::{Name, argv};
use crate::trace::{Exec, Trace};

/// A kind of program that takes part in builds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tool {
    /// The go command.
    Go,
    /// `cmd/compile`.
    Compile,
    /// `cmd/asm`.
    Asm,
    /// `cmd/cgo`.
    Cgo,
    /// `cmd/link`.
    Link,
    /// `cmd/vet`, or what `-vettool` named.
    Vet,
    /// `cmd/cover`.
    Cover,
    /// `cmd/pack`.
    Pack,
    /// `cmd/buildid`.
    BuildId,
    /// Another program of the toolchain's tool folder.
    GoTool(Name),
    /// A C or C++ compiler driver: gcc, g++, clang, cc, ...
    Cc,
    /// The C compiler proper (`cc1`).
    Cc1,
    /// The C++ compiler proper (`cc1plus`).
    Cc1plus,
    /// The system's assembler.
    As,
    /// gcc's wrapper of the linker.
    Collect2,
    /// The system's linker: ld, gold, lld, mold.
    Ld,
    /// Link-time optimisation: `lto1`, `lto-wrapper`.
    Lto,
    /// `pkg-config`.
    PkgConfig,
    /// git and other version control.
    Git,
    /// A test binary.
    TestBinary,
    /// A program that `go run` built and ran.
    Program,
    /// A command that `go generate` ran.
    Generate,
    /// A shell.
    Shell,
    /// make.
    Make,
    /// Any other program, by the name of its file.
    Other(Name),
}

impl Tool {
    /// Tells it from what the process ran, without looking at who ran it.
    ///
    /// [`Tool::Program`] and [`Tool::Generate`] need the parent: see [`super::Roles`].
    #[must_use]
    pub fn of(trace: &Trace, exec: &Exec) -> Self {
        let argv0 = argv::args(trace, exec).next().unwrap_or_default();
        let path = match trace.strings.get(exec.exe) {
            [] => argv0,
            exe => exe,
        };
        // One executable for many programs: its first argument says which.
        let base = match argv::base(path) {
            b"busybox" | b"toybox" => argv::base(argv0),
            base => base,
        };
        if is_test_run(trace, exec, base) {
            return Self::TestBinary;
        }
        if argv::args(trace, exec).last().map(argv::base) == Some(b"vet.cfg") {
            return Self::Vet;
        }
        let folder = path.get(..path.len() - base.len()).unwrap_or_default();
        if let Some(tool) = go_tool(folder, base) {
            return tool;
        }
        if base == b"go" {
            return Self::Go;
        }
        match argv::args(trace, exec).nth(1) {
            Some(b"-cc1") => Self::Cc1,
            Some(b"-cc1as") => Self::As,
            _ => system_tool(base).unwrap_or_else(|| Self::Other(Name::from(base))),
        }
    }

    /// The tool of the system that a file of this name is: `gcc`, `clang++-14` and
    /// `x86_64-linux-gnu-gcc` are all [`Tool::Cc`]. `None` for other names.
    #[must_use]
    pub fn of_file_name(name: &str) -> Option<Self> {
        system_tool(name.as_bytes())
    }

    /// Short name for tables (`compile`, `cc`, `test binary`, or the program's own).
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Go => "go",
            Self::Compile => "compile",
            Self::Asm => "asm",
            Self::Cgo => "cgo",
            Self::Link => "link",
            Self::Vet => "vet",
            Self::Cover => "cover",
            Self::Pack => "pack",
            Self::BuildId => "buildid",
            Self::Cc => "cc",
            Self::Cc1 => "cc1",
            Self::Cc1plus => "cc1plus",
            Self::As => "as",
            Self::Collect2 => "collect2",
            Self::Ld => "ld",
            Self::Lto => "lto",
            Self::PkgConfig => "pkg-config",
            Self::Git => "git",
            Self::TestBinary => "test binary",
            Self::Program => "program",
            Self::Generate => "generate",
            Self::Shell => "shell",
            Self::Make => "make",
            Self::GoTool(name) | Self::Other(name) => name,
        }
    }
}

/// `go test` always passes `-test.timeout` or `-test.paniconexit0`, also through `-exec`.
fn is_test_run(trace: &Trace, exec: &Exec, base: &[u8]) -> bool {
    let flagged = || {
        argv::args(trace, exec)
            .skip(1)
            .any(|arg| arg.starts_with(b"-test.") || arg.starts_with(b"--test."))
    };
    base != b"go" && (base.ends_with(b".test") || flagged())
}

/// Programs of `$GOROOT/pkg/tool/GOOS_GOARCH`. A compiler of one's own making lies elsewhere.
fn go_tool(folder: &[u8], base: &[u8]) -> Option<Tool> {
    let mut folders = folder.rsplit(|&b| b == b'/').skip(1);
    let in_tools = folders
        .next()
        .and_then(|_| Some(folders.next()? == b"tool" && folders.next()? == b"pkg"))
        .unwrap_or(false);
    if !in_tools {
        return None;
    }
    Some(match base {
        b"compile" => Tool::Compile,
        b"asm" => Tool::Asm,
        b"cgo" => Tool::Cgo,
        b"link" => Tool::Link,
        b"vet" => Tool::Vet,
        b"cover" => Tool::Cover,
        b"pack" => Tool::Pack,
        b"buildid" => Tool::BuildId,
        other => Tool::GoTool(Name::from(other)),
    })
}

/// Programs of the system, by the name of their file: with a target in front
/// (`x86_64-linux-gnu-gcc`), with a version behind (`gcc-12`), or both.
fn system_tool(base: &[u8]) -> Option<Tool> {
    if base.starts_with(b"git-") {
        return Some(Tool::Git);
    }
    let name = without_version(base);
    plain_system_tool(name).or_else(|| {
        let dash = name.iter().rposition(|&b| b == b'-')?;
        let (target, last) = (name.get(..dash)?, name.get(dash + 1..)?);
        if target.contains(&b'-') {
            cross_tool(last)
        } else {
            None
        }
    })
}

fn plain_system_tool(name: &[u8]) -> Option<Tool> {
    Some(match name {
        b"pkg-config" | b"pkgconf" | b"pkgconfig" => Tool::PkgConfig,
        b"git" | b"hg" | b"svn" | b"bzr" | b"fossil" => Tool::Git,
        b"sh" | b"bash" | b"dash" | b"ash" | b"zsh" | b"ksh" | b"mksh" | b"fish" => Tool::Shell,
        b"make" | b"gmake" | b"bmake" => Tool::Make,
        b"lto-wrapper" => Tool::Lto,
        other => return cross_tool(other),
    })
}

fn cross_tool(name: &[u8]) -> Option<Tool> {
    Some(match name {
        b"gcc" | b"g++" | b"cc" | b"c++" | b"c89" | b"c99" | b"clang" | b"clang++" => Tool::Cc,
        b"cc1" | b"cc1obj" => Tool::Cc1,
        b"cc1plus" | b"cc1objplus" => Tool::Cc1plus,
        b"as" | b"gas" => Tool::As,
        b"collect2" => Tool::Collect2,
        b"ld" | b"ld.bfd" | b"ld.gold" | b"gold" | b"ld.lld" | b"ld64.lld" | b"lld"
        | b"ld.mold" | b"mold" | b"ld64" => Tool::Ld,
        b"lto1" => Tool::Lto,
        b"pkg-config" => Tool::PkgConfig,
        _ => return None,
    })
}

/// `gcc-12` and `clang-14.0` without their version.
fn without_version(base: &[u8]) -> &[u8] {
    let Some(dash) = base.iter().rposition(|&b| b == b'-') else {
        return base;
    };
    let is_version = |tail: &[u8]| {
        tail.first().is_some_and(u8::is_ascii_digit)
            && tail.iter().all(|b| b.is_ascii_digit() || *b == b'.')
    };
    match (base.get(..dash), base.get(dash + 1..)) {
        (Some(name), Some(tail)) if is_version(tail) => name,
        _ => base,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Trace;

    fn tool(exe: &str, argv: &[&str]) -> Tool {
        let mut trace = Trace::default();
        let exec = Exec {
            exe: trace.strings.push(exe.as_bytes()),
            argv: argv
                .iter()
                .map(|arg| trace.strings.push(arg.as_bytes()))
                .collect(),
            ..Exec::default()
        };
        Tool::of(&trace, &exec)
    }

    #[test]
    fn tells_tools_from_executable_and_arguments() {
        let tools = "/usr/local/go/pkg/tool/linux_amd64";
        let other = |name: &str| Tool::Other(Name::from(name));
        // Executables and arguments as strace shows them for Go 1.27 and Debian's gcc 12.
        for (exe, argv, expected) in [
            ("/usr/local/go/bin/go", &["go", "build"][..], Tool::Go),
            (
                &format!("{tools}/compile"),
                &["compile", "-p", "a"],
                Tool::Compile,
            ),
            (
                &format!("{tools}/preprofile"),
                &[],
                Tool::GoTool(Name::from("preprofile")),
            ),
            (
                &format!("{tools}/vet"),
                &["vet", "/tmp/go-build1/b001/vet.cfg"],
                Tool::Vet,
            ),
            (
                "/home/u/bin/lint",
                &["lint", "-x", "/tmp/go-build1/b001/vet.cfg"],
                Tool::Vet,
            ),
            ("/usr/bin/x86_64-linux-gnu-gcc-12", &["gcc", "-E"], Tool::Cc),
            (
                "/usr/lib/gcc/x86_64-linux-gnu/12/cc1",
                &["cc1", "-E"],
                Tool::Cc1,
            ),
            (
                "/usr/lib/gcc/x86_64-linux-gnu/12/collect2",
                &["collect2"],
                Tool::Collect2,
            ),
            ("/usr/bin/x86_64-linux-gnu-as", &["as"], Tool::As),
            ("/usr/bin/x86_64-linux-gnu-ld.bfd", &["ld"], Tool::Ld),
            (
                "/usr/lib/llvm-14/bin/clang",
                &["clang-14", "-cc1"],
                Tool::Cc1,
            ),
            ("/usr/lib/llvm-14/bin/clang-14", &["clang", "-c"], Tool::Cc),
            ("", &["/usr/bin/pkg-config", "--cflags"], Tool::PkgConfig),
            ("/bin/busybox", &["sh", "-c", "true"], Tool::Shell),
            ("/usr/lib/git-core/git-remote-https", &[], Tool::Git),
            (
                "/tmp/go-build1/b001/a.test",
                &["a.test", "-test.timeout=10m0s"],
                Tool::TestBinary,
            ),
            (
                "/usr/bin/qemu-aarch64",
                &["q", "/t/a.test", "-test.v=true"],
                Tool::TestBinary,
            ),
            ("/usr/bin/my-ld", &["my-ld"], other("my-ld")),
            ("/home/u/compile", &["compile"], other("compile")),
            ("/usr/bin/gcc-ar", &["gcc-ar"], other("gcc-ar")),
            ("", &[], other("")),
        ] {
            assert_eq!(tool(exe, argv), expected, "{exe} {argv:?}");
        }
    }
}
