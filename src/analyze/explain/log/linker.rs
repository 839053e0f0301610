//! Messages of linkers.
//!
//! ```text
//! ld64, ld   Undefined symbols for architecture x86_64:
//!              "_deflate", referenced from:
//!                  _main in a.o
//!            ld: warning: ignoring file P, building for macOS-x86_64 but attempting to link with file built for macOS-arm64
//!            ld: warning: ignoring file 'P': found architecture 'arm64', required architecture 'x86_64'
//!            ld: library not found for -lz          ld: library 'z' not found
//! lld, mold  ld.lld: error: undefined symbol: deflate
//!            >>> referenced by a.c
//!            P is incompatible with elf64-x86-64    unable to find library -lz
//! GNU ld     a.c:(.text+0xa): undefined reference to `deflate'
//!            a.o: undefined reference to symbol 'inner'     P: error adding symbols: DSO missing from command line
//!            skipping incompatible P when searching for -lz     cannot find -lz
//! gold       a.o:a.c:function main: error: undefined reference to 'deflate'
//!            P: unsupported ELF machine number 183
//! zig        error: undefined symbol: _deflate
//!                note: referenced by a.o:_main
//!            error: invalid cpu architecture: aarch64
//!                note: while parsing P
//! Go         main.main: relocation target main.sum not defined
//! ```
//!
//! Sources: ld64's `Resolver.cpp` and `InputFiles.cpp`, lld's and gold's sources; the others, and
//! lld, as they were seen to write (`tests/data/explain`).

use super::{Open, Reader, What, add_user, after, quoted};
use crate::binary::linkable::{Arch, Format};
use crate::environment::link::Input;

/// What a line begins.
pub(super) fn read(reader: &mut Reader, line: &str) -> Option<What> {
    undefined(reader, line)
        .or_else(|| of_go(line))
        .or_else(|| no_library(line))
        .or_else(|| wrong_file(reader, line))
}

/// Whether a line goes on with what one before it began.
pub(super) fn add(reader: &mut Reader, line: &str) -> bool {
    let text = line.trim_start();
    let indent = line.len() - text.len();
    match reader.open {
        Open::Undefined => {
            let symbol = quoted(text).filter(|(_, rest)| rest.starts_with(", referenced from"));
            if let Some((symbol, _)) = symbol {
                let what = What::Undefined {
                    symbol: symbol.to_owned(),
                    arch: reader.arch.clone(),
                    format: Some(Format::MachO),
                    users: Vec::new(),
                };
                let at = reader.log.lines;
                reader.keep(at, what);
                return true;
            }
            if indent == 0 {
                return text.is_empty();
            }
            user(reader, text);
            true
        }
        Open::Users => {
            let referenced = text
                .strip_prefix(">>>")
                .or_else(|| text.strip_prefix("note:"));
            let Some(referenced) = referenced else {
                return false;
            };
            let referenced = referenced.trim();
            user(
                reader,
                referenced
                    .strip_prefix("referenced by ")
                    .unwrap_or(referenced),
            );
            true
        }
        Open::File => {
            let Some(path) = text.strip_prefix("note: while parsing ") else {
                return false;
            };
            if let Some(What::WrongFile { path: known, .. }) = reader.last() {
                path.clone_into(known);
            }
            reader.open = Open::Nothing;
            true
        }
        Open::Nothing | Open::Loader => false,
    }
}

fn user(reader: &mut Reader, text: &str) {
    if let Some(What::Undefined { users, .. }) = reader.last() {
        add_user(users, text.trim());
    }
}

fn undefined(reader: &mut Reader, line: &str) -> Option<What> {
    if let Some(arch) = after(line, "Undefined symbols for architecture ") {
        reader.open = Open::Undefined;
        reader.arch = Some(Arch::parse(arch.trim_end_matches(':')));
        return None;
    }
    if let Some(function) = after(line, ": in function ").and_then(quoted) {
        reader.function = Some(function.0.to_owned());
        return None;
    }
    let of = |symbol: &str, format, user: Option<&str>| What::Undefined {
        symbol: symbol.to_owned(),
        arch: None,
        format,
        users: user.map(str::to_owned).into_iter().collect(),
    };
    for mark in [
        "undefined symbol: ",
        "undefined hidden symbol: ",
        "undefined protected symbol: ",
    ] {
        // The loader of Linux says so, too: `a.out: symbol lookup error: ...: undefined symbol: x`.
        let message = after(line, mark).filter(|_| !line.contains("symbol lookup error"));
        if let Some(symbol) = message.filter(|_| line.contains("error: ")) {
            reader.open = Open::Users;
            let format = if line.starts_with("ld64.lld") {
                Some(Format::MachO)
            } else if line.starts_with("ld.lld") || line.starts_with("mold") {
                Some(Format::Elf)
            } else {
                None
            };
            return Some(of(symbol.trim(), format, None));
        }
    }
    if let Some((symbol, _)) = after(line, "undefined reference to symbol ").and_then(quoted) {
        return Some(What::NotOnLine {
            symbol: symbol.to_owned(),
            library: None,
        });
    }
    if let Some(path) = line.strip_suffix(": error adding symbols: DSO missing from command line") {
        if let Some(What::NotOnLine { library, .. }) = reader.last() {
            *library = path.rsplit(": ").next().map(str::to_owned);
        }
        return None;
    }
    let (before, symbol) = line.split_once("undefined reference to ")?;
    let function = before.rsplit_once(":function ").map(|(_, name)| name);
    let function = function.and_then(|name| name.split(": ").next());
    let symbol = match quoted(symbol) {
        Some((symbol, _)) => symbol,
        // lld, of shared libraries.
        None => symbol.split(" [").next().unwrap_or(symbol).trim(),
    };
    let user = function.or_else(|| {
        let in_section = before.contains(":(") || before.contains(".c:") || before.contains(".go:");
        let known = reader.function.as_deref().filter(|_| in_section);
        // A shared library that needs it: `./libdep.so: undefined reference to`.
        known
            .or_else(|| {
                before
                    .trim_end()
                    .trim_end_matches(':')
                    .trim_end_matches(": error")
                    .rsplit(": ")
                    .next()
            })
            .map(|user| user.trim_end_matches(':'))
    });
    Some(of(symbol, Some(Format::Elf), user))
}

fn of_go(line: &str) -> Option<What> {
    let (user, rest) = line.split_once(": relocation target ")?;
    let (symbol, rest) = rest.split_once(" not defined")?;
    Some(What::GoUndefined {
        symbol: symbol.to_owned(),
        user: user.rsplit(": ").next().unwrap_or(user).to_owned(),
        other_abi: rest.contains("but is defined for"),
    })
}

fn no_library(line: &str) -> Option<What> {
    let word = |text: &str| {
        let end = text.find(|c: char| c.is_whitespace()).unwrap_or(text.len());
        let word = text.get(..end).unwrap_or(text).trim_end_matches(':');
        (!word.is_empty()).then(|| word.to_owned())
    };
    let library = |name: &str| word(name).map(|name| What::NoLibrary(Input::Library(name)));
    let framework = |name: &str| word(name).map(|name| What::NoLibrary(Input::Framework(name)));
    for mark in [
        "cannot find -l",
        "library not found for -l",
        "unable to find library -l",
    ] {
        if let Some(name) = after(line, mark) {
            return library(name);
        }
    }
    if let Some((name, _)) = after(line, "unable to find dynamic system library ").and_then(quoted)
    {
        return library(name);
    }
    for mark in [
        "framework not found for -framework ",
        "framework not found ",
    ] {
        if let Some(name) = after(line, mark) {
            return framework(name);
        }
    }
    if let Some(name) = after(line, "mold: fatal: library not found: ") {
        return library(name);
    }
    for (mark, is_library) in [("ld: library ", true), ("ld: framework ", false)] {
        let named = after(line, mark).and_then(quoted);
        if let Some((name, _)) = named.filter(|(_, rest)| rest.trim() == "not found") {
            return if is_library {
                library(name)
            } else {
                framework(name)
            };
        }
    }
    // An object or archive by its path.
    let gnu = after(line, "cannot find ").filter(|_| line.contains("ld: cannot find"));
    let lld = || after(line, "lld: error: cannot open ");
    let path = gnu.or_else(lld)?.split(": ").next()?.trim();
    Some(What::NoLibrary(Input::File(path.into())))
}

fn wrong_file(reader: &mut Reader, line: &str) -> Option<What> {
    let fatal = !line.contains("warning: ") && !line.contains("skipping incompatible");
    let wrong = |path: &str, found: Vec<Arch>, required: Option<Arch>| What::WrongFile {
        path: path.trim().to_owned(),
        found,
        required,
        fatal,
    };
    if let Some(rest) = after(line, "ignoring file ") {
        return ignored(rest).map(|(path, found, required)| wrong(&path, found, required));
    }
    if let Some((path, rest)) = line.split_once(" has architecture ") {
        let (found, required) =
            rest.split_once(" which is incompatible with target architecture ")?;
        let path = path.rsplit(": ").next()?;
        return Some(wrong(path, archs(found), archs(required).pop()));
    }
    if let Some((path, target)) = line.split_once(" is incompatible with ") {
        let path = path.rsplit(": ").next()?;
        let required = elf_target(target.trim());
        return required.map(|required| wrong(path, Vec::new(), Some(required)));
    }
    if let Some(rest) = after(line, "skipping incompatible ") {
        let (path, _) = rest.split_once(" when searching for ")?;
        return Some(wrong(path, Vec::new(), None));
    }
    if let Some((path, number)) = line.split_once(": unsupported ELF machine number ") {
        let path = path.rsplit(": ").next()?;
        return Some(wrong(
            path,
            vec![Arch::of_machine(number.trim().parse().ok()?)],
            None,
        ));
    }
    if let Some(found) = after(line, "error: invalid cpu architecture: ") {
        reader.open = Open::File;
        return Some(wrong("", archs(found), None));
    }
    for end in [
        ": error adding symbols: file in wrong format",
        ": file not recognized: file format not recognized",
    ] {
        if let Some(path) = line.strip_suffix(end) {
            return Some(wrong(path.rsplit(": ").next()?, Vec::new(), None));
        }
    }
    None
}

/// What stands behind "ignoring file": path, what it is for, what was needed.
fn ignored(rest: &str) -> Option<(String, Vec<Arch>, Option<Arch>)> {
    let (path, rest) = match quoted(rest) {
        Some((path, rest)) => (path, rest.trim_start_matches(':').trim_start()),
        None => rest.split_once(", ")?,
    };
    let quoted_after = |mark: &str| after(rest, mark).and_then(quoted).map(|(text, _)| text);
    let of_platform = |text: &str| {
        // `macOS-x86_64`, `macOS`.
        let end = text.find(' ').unwrap_or(text.len());
        archs(text.get(..end)?.rsplit_once('-')?.1).pop()
    };
    let (found, required) = if let Some(required) = quoted_after("required architecture ") {
        (
            quoted_after("found architecture ").map(archs),
            archs(required).pop(),
        )
    } else if let Some(required) = quoted_after("fat file missing arch ") {
        (quoted_after("file has ").map(archs), archs(required).pop())
    } else if let Some(required) = rest.strip_prefix("building for ") {
        let found = after(rest, "file built for ").and_then(of_platform);
        (Some(found.into_iter().collect()), of_platform(required))
    } else if let Some(required) = rest.strip_prefix("missing required architecture ") {
        (None, archs(required.split(' ').next()?).pop())
    } else if let Some(found) = rest.strip_prefix("file was built for ") {
        let required = after(found, "being linked (").and_then(|text| text.split(')').next());
        let found = found.split(' ').next().map(archs);
        (found, required.and_then(|text| archs(text).pop()))
    } else {
        return None;
    };
    Some((path.to_owned(), found.unwrap_or_default(), required))
}

/// `arm64`, or `x86_64,arm64`.
fn archs(text: &str) -> Vec<Arch> {
    let names = text.split([',', ' ']).filter(|name| !name.is_empty());
    // `archive` and `unknown` are none.
    names
        .filter(|name| !matches!(*name, "archive" | "unknown" | "unsupported"))
        .map(Arch::parse)
        .collect()
}

fn elf_target(name: &str) -> Option<Arch> {
    Some(match name {
        "elf64-x86-64" | "elf_x86_64" => Arch::Amd64,
        "elf64-littleaarch64" | "aarch64linux" | "aarch64elf" => Arch::Arm64,
        "elf32-i386" | "elf_i386" => Arch::parse("i386"),
        other => Arch::Other(other.strip_prefix("elf")?.to_owned()),
    })
}
