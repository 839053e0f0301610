//! Messages of what comes before linking: C compilers, assemblers, and the go command, which
//! chooses the files.
//!
//! ```text
//! gcc    ./main.go:2:11: fatal error: foo/bar.h: No such file or directory
//! clang  ./main.go:2:11: fatal error: 'foo/bar.h' file not found        zig: error: 'foo/bar.h' not found
//! gcc    gcc: error: unrecognized command-line option '-arch'      (for another system or processor)
//! clang  clang: error: argument unused during compilation: '-arch x86_64' [-Werror,...]      (likewise)
//! as     gcc_arm64.S:30: Error: no such instruction: `stp x29,x30,[sp,'
//! clang  gcc_arm64.S:30:2: error: invalid instruction mnemonic 'stp'
//! go     package P: build constraints exclude all Go files in DIR
//! go     cgo: C compiler "gcc" not found: exec: "gcc": executable file not found in $PATH
//! go     P: exec: "pkg-config": executable file not found in $PATH
//! pkg-config   Package frob was not found in the pkg-config search path.     No package 'frob' found
//! pkgconf      Package 'frob', required by 'virtual:world', not found        (or by another library)
//!              Package dependency requirement 'frob >= 9' could not be satisfied.
//!              Package 'frob' has version '1.2', required version is '>= 9'
//! pkg-config   Requested 'frob >= 9' but version of Frob is 1.2
//! ```
//!
//! As they were seen to write; `-arch`, `-m64` and others are what `cmd/go` gives compilers
//! (`internal/work/exec.go`, `gccArchArgs`).

use super::{Reader, What, after, quoted};
use crate::binary::linkable::{Arch, Format};

/// What a line begins.
pub(super) fn read(reader: &Reader, line: &str) -> Option<What> {
    no_compiler(line)
        .or_else(|| no_pkg_config(line))
        .or_else(|| no_package(line))
        .or_else(|| no_header(line))
        .or_else(|| of_other_target(reader, line))
        .or_else(|| no_files(line))
}

fn no_compiler(line: &str) -> Option<What> {
    if let Some((name, _)) = after(line, "cgo: C compiler ").and_then(quoted) {
        return line
            .contains("not found")
            .then(|| What::NoCompiler(name.to_owned()));
    }
    line.contains("xcrun: error: invalid active developer path")
        .then(|| What::NoCompiler("clang".to_owned()))
}

fn no_pkg_config(line: &str) -> Option<What> {
    let (before, rest) = line.split_once("exec: \"")?;
    let (program, why) = rest.split_once("\": ")?;
    let is_missing = why.starts_with("executable file not found") || why.contains("no such file");
    // `PKG_CONFIG` may name one for another target: `aarch64-linux-gnu-pkg-config`.
    let is_one = program.ends_with("pkg-config") || program.ends_with("pkgconf");
    let package = before.strip_suffix(": ").filter(|name| !name.contains(' '));
    // Nothing else is missing to a package that goes by its import path.
    let is_path = |name: &str| name.contains(['.', '/']) && !name.starts_with(['.', '/']);
    (is_missing && (is_one || package.is_some_and(is_path))).then(|| What::NoPkgConfig {
        program: program.to_owned(),
        package: package.map(str::to_owned),
    })
}

fn no_package(line: &str) -> Option<What> {
    let missing = |name: &str, required_by: Option<&str>, version| What::NoPackage {
        name: name.to_owned(),
        required_by: required_by.map(str::to_owned),
        version,
    };
    if let Some(rest) = line.strip_prefix("Package ") {
        if let Some((name, _)) = rest.split_once(" was not found in the pkg-config search path") {
            return Some(missing(name, None, None));
        }
        let (name, rest) = quoted(rest)?;
        if let Some(rest) = rest.strip_prefix(", required by ") {
            let (by, rest) = quoted(rest)?;
            // What was asked for on the command line.
            let by = (by != "virtual:world").then_some(by);
            return (rest == ", not found").then(|| missing(name, by, None));
        }
        let (found, rest) = quoted(rest.strip_prefix(" has version ")?)?;
        let (wanted, _) = quoted(rest.strip_prefix(", required version is ")?)?;
        return Some(missing(
            name,
            None,
            Some((wanted.to_owned(), found.to_owned())),
        ));
    }
    if let Some((name, rest)) = line.strip_prefix("No package ").and_then(quoted) {
        return (rest == " found").then(|| missing(name, None, None));
    }
    let (wanted, rest) = quoted(line.strip_prefix("Requested ")?)?;
    let (name, wanted) = wanted.split_once(' ')?;
    let (_, found) = rest.strip_prefix(" but version of ")?.rsplit_once(" is ")?;
    Some(missing(
        name,
        None,
        Some((wanted.to_owned(), found.to_owned())),
    ))
}

fn no_header(line: &str) -> Option<What> {
    // `PLACE: fatal error: ...`; where in the source is said before it.
    let (place, message) = line.split_once("error: ")?;
    let header = match message.strip_suffix(": No such file or directory") {
        // Of other files compilers say so, too; headers end so, or are C++'s without an end.
        Some(name) if place.ends_with("fatal ") => name,
        Some(_) => return None,
        None => {
            let (name, rest) = quoted(message)?;
            matches!(rest.trim(), "file not found" | "not found").then_some(name)?
        }
    };
    let is_name = !header.is_empty() && !header.contains([' ', '\'', '`']);
    is_name.then(|| What::NoHeader {
        header: header.to_owned(),
        place: place.split(": ").next().unwrap_or_default().to_owned(),
    })
}

/// Options that Go gives to compilers for one kind of target, and which it is.
const OPTIONS: [(&str, Option<Format>, Option<Arch>); 5] = [
    ("-arch", Some(Format::MachO), None),
    ("-m64", None, Some(Arch::Amd64)),
    ("-m32", None, None),
    ("-marm", None, None),
    ("-mthreads", None, None),
];

fn of_other_target(reader: &Reader, line: &str) -> Option<What> {
    // clang takes the option where it compiles for a Mac alone, and Go has it refuse what it does not use.
    if let Some(option) = after(line, "argument unused during compilation: ") {
        let (option, _) = quoted(option)?;
        let arch = option.strip_prefix("-arch ")?;
        return Some(What::OtherTarget {
            compiler: line.split(": ").next().map(str::to_owned),
            format: Some(Format::MachO),
            arch: Some(Arch::parse(arch)),
            message: line.trim().to_owned(),
        });
    }
    if let Some(option) = after(line, "unrecognized command-line option ")
        .or_else(|| after(line, "unrecognized command line option "))
        .or_else(|| after(line, "unsupported option "))
    {
        let (option, _) = quoted(option)?;
        let (_, format, arch) = OPTIONS.iter().find(|(known, ..)| *known == option)?;
        return Some(What::OtherTarget {
            compiler: line.split(": ").next().map(str::to_owned),
            format: *format,
            arch: arch.clone(),
            message: line.trim().to_owned(),
        });
    }
    // The first that an assembler meets: a file of Go's own for one architecture.
    let is_cgo = reader.package.as_deref() == Some("runtime/cgo");
    let (file, rest) = line.split_once(".S:").filter(|_| is_cgo)?;
    let arch = file.rsplit(['/', ' ']).next()?.strip_prefix("gcc_")?;
    let wrong = ["Error: ", "error: "]
        .iter()
        .any(|word| rest.contains(word));
    // `gcc_linux_amd64`, `gcc_arm64`.
    let arch = arch.rsplit('_').next().unwrap_or(arch);
    wrong.then(|| What::OtherTarget {
        compiler: None,
        format: None,
        arch: Some(Arch::parse(arch)),
        message: line.trim().to_owned(),
    })
}

fn no_files(line: &str) -> Option<What> {
    let (before, folder) = line.split_once("build constraints exclude all Go files in ")?;
    let package = before.rsplit_once("package ").map_or("", |(_, name)| name);
    Some(What::NoFiles {
        package: package.trim_end_matches(": ").trim().to_owned(),
        folder: folder.trim().to_owned(),
    })
}
