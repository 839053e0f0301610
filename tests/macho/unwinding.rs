//! How functions of C are unwound, against LLVM's reading of the same tables.

use crate::files::llvm;
use crate::linked::{data, unpacked};
use crate::official::fixture;
use gotrace::analyze::Inspection;
use gotrace::analyze::inspect::{SliceFacts, Unwound, Wanted};
use std::collections::BTreeMap;
use std::path::Path;

/// The number behind a word of a line.
fn behind(line: &str, word: &str) -> Option<u64> {
    let (_, rest) = line.split_once(word)?;
    let digits = rest.trim_start().trim_start_matches("0x");
    let end = digits.find(|letter: char| !letter.is_ascii_hexdigit());
    u64::from_str_radix(&digits[..end.unwrap_or(digits.len())], 16).ok()
}

fn count(encodings: impl IntoIterator<Item = u64>, amd64: bool) -> Unwound {
    let mut found = Unwound::default();
    for encoding in encodings {
        let way = match (encoding >> 24 & 0xf, amd64) {
            (1, true) | (4, false) => &mut found.frame_pointer,
            (2, _) | (3, true) => &mut found.frameless,
            (3, false) | (4, true) => &mut found.dwarf,
            (0, _) => &mut found.nothing,
            _ => panic!("{encoding:#x}"),
        };
        *way += 1;
    }
    found
}

/// The encodings of the functions of a slice, each by the entry of the table that it begins in.
fn known(path: &Path, slice: &SliceFacts) -> Option<Vec<u64>> {
    let arch = slice.arch.replace("amd64", "x86_64");
    let of = |argument| {
        let arguments = ["--macho", &format!("--arch={arch}"), argument];
        llvm("llvm-objdump", &arguments, path)
    };
    let listing = of("--unwind-info")?;
    if slice.kind == "object" {
        let lines = listing.lines();
        return Some(
            lines
                .filter_map(|line| behind(line, "compact encoding:"))
                .collect(),
        );
    }
    if !listing.contains("Contents of __unwind_info") {
        return Some(Vec::new());
    }
    let mut table = BTreeMap::new();
    for line in listing.lines() {
        let Some(start) = behind(line, "]: function offset=") else {
            continue;
        };
        // An entry has "encoding[5]=0x..." or "encoding=0x..."; the end of the index has no page.
        let encoding = line.split_once("encoding");
        if let Some((_, encoding)) = encoding {
            table.insert(start, behind(encoding, "=").unwrap());
        } else if behind(line, "page offset=") == Some(0) {
            table.insert(start, 0);
        }
    }
    let text = slice.segments.iter().find(|one| one.name == "__TEXT")?;
    let starts: Vec<u64> = of("--function-starts")?
        .lines()
        .filter_map(|line| u64::from_str_radix(line.trim(), 16).ok())
        .collect();
    let of = |start: &u64| {
        let before = table.range(..=start - text.address.0).next_back();
        before.map_or(0, |(_, encoding)| *encoding)
    };
    Some(starts.iter().map(of).collect())
}

fn hold(path: &Path) -> Vec<Unwound> {
    let found = Inspection::of(&std::fs::read(path).unwrap(), Wanted::default()).unwrap();
    let mut counted = Vec::new();
    for slice in &found.slices {
        let Some(known) = known(path, slice) else {
            continue;
        };
        let known = count(known, slice.arch == "amd64");
        let found = slice.abi.unwound.clone().unwrap_or(Ok(Unwound::default()));
        assert_eq!(found, Ok(known), "{}: {}", path.display(), slice.arch);
        counted.push(known);
    }
    counted
}

#[test]
fn functions_are_unwound_as_objdump_says() {
    for name in [
        "chained-arm64",
        "chained-amd64",
        "plus-macos.o",
        "libmath.dylib",
    ] {
        let counted = hold(&data(name));
        let two = |one: &Unwound| one.frame_pointer + one.frameless + one.dwarf == 2;
        assert!(counted.iter().all(two), "{name}: {counted:?}");
    }
    for name in ["chained-go.dylib", "preload.dylib"] {
        hold(&unpacked(name));
    }
}

/// A file for debuggers repeats the sections of another one, but for DWARF without what is in them.
#[test]
fn debug_information_has_no_compact_unwinding() {
    let file = data("classic.dSYM/Contents/Resources/DWARF/classic");
    let found = Inspection::of(&std::fs::read(file).unwrap(), Wanted::default());
    let abi = found.unwrap().slices.remove(0).abi;
    assert_eq!((abi.unwind, abi.unwound), (vec!["eh_frame"], None));
}

/// zig's linker does not say where functions begin: `main` and `square` have an entry of their own,
/// the four stubs behind them none.
#[test]
fn functions_without_starts_are_those_of_symbols() {
    let found = Inspection::of(&std::fs::read(data("classic")).unwrap(), Wanted::default());
    let found = found.unwrap().slices.remove(0);
    let known = Unwound {
        frameless: 1,
        dwarf: 1,
        nothing: 4,
        ..Unwound::default()
    };
    assert_eq!(found.abi.unwound, Some(Ok(known)));
}

/// By Apple's linkers: tables of many pages.
#[test]
fn functions_of_fat_files_are_unwound_as_objdump_says() {
    for name in [
        "ninja-1.13.2/ninja-1.13.2.data/scripts/ninja",
        "pyinstaller-6.22.3/PyInstaller/bootloader/Darwin-64bit/run",
        "cryptography-45.0.7/cryptography/hazmat/bindings/_rust.abi3.so",
    ] {
        let Some(path) = fixture(name) else {
            return;
        };
        let counted = hold(&path);
        let whole = |one: &Unwound| one.frame_pointer > 50 && one.frameless + one.dwarf < 20_000;
        assert!(counted.iter().all(whole), "{name}: {counted:?}");
    }
}
