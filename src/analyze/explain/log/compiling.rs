//! Messages of what comes before linking: C compilers, assemblers, and the go command, which
//! chooses the files.
//!
//! ```text
//! gcc    ./main.go:2:11: fatal error: foo/bar.h: No such file or directory
//! clang  ./main.go:2:11: fatal error: 'foo/bar.h' file not found        zig: error: 'foo/bar.h' not found
//! gcc    gcc: error: unrecognized command-line option '-arch'      (for another system or processor)
//! as     gcc_arm64.S:30: Error: no such instruction: `stp x29,x30,[sp,'
//! clang  gcc_arm64.S:30:2: error: invalid instruction mnemonic 'stp'
//! go     package P: build constraints exclude all Go files in DIR
//! go     cgo: C compiler "gcc" not found: exec: "gcc": executable file not found in $PATH
//! ```
//!
//! As they were seen to write; `-arch`, `-m64` and others are what `cmd/go` gives compilers
//! (`internal/work/exec.go`, `gccArchArgs`).

use super::{Reader, What, after, quoted};
use crate::binary::linkable::{Arch, Format};

/// What a line begins.
pub(super) fn read(reader: &Reader, line: &str) -> Option<What> {
    no_compiler(line)
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
