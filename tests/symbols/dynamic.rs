//! What a file tells the dynamic loader, against `readelf` and the names of stubs in `llvm-objdump`.

use crate::programs::{binutils, hex, output_of};
use gotrace::binary::elf::{Dynamic, DynamicSymbol, Machine, Reach, RelocationKind, Visibility};
use gotrace::binary::{Error, Svma};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Libraries of three architectures, a fixed executable with many imports, and libraries of C++
/// with all kinds of symbols. Those that are missing are named.
pub(crate) fn files() -> Vec<PathBuf> {
    let of_gcc = |what: &str| output_of(Command::new("gcc").arg(what)).trim().to_owned();
    let files = [
        of_gcc("-print-prog-name=cc1"),
        of_gcc("-print-file-name=libc.so.6"),
        of_gcc("-print-file-name=libm.so.6"),
        "/usr/lib/x86_64-linux-gnu/libstdc++.so.6".to_owned(),
        "/usr/bin/ld".to_owned(),
        "/bin/sh".to_owned(),
        "/usr/aarch64-linux-gnu/lib/libc.so.6".to_owned(),
        "/usr/aarch64-linux-gnu/lib/libm.so.6".to_owned(),
        "/lib32/libc.so.6".to_owned(),
        "/lib32/libm.so.6".to_owned(),
        "fuzz/seeds/elf/library.so".to_owned(),
    ];
    let (there, missing): (Vec<PathBuf>, _) = files
        .into_iter()
        .map(PathBuf::from)
        .partition(|path| path.is_file());
    if !missing.is_empty() {
        eprintln!("not looked at, for they are missing: {missing:?}");
    }
    assert!(there.len() > 3, "{there:?}");
    there
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn kind(name: &str) -> RelocationKind {
    let has = |part: &[&str]| part.iter().any(|part| name.contains(part));
    match name {
        _ if has(&["IRELATIV"]) => RelocationKind::IndirectRelative,
        _ if has(&["RELATIV"]) => RelocationKind::Relative,
        _ if has(&["JUMP_SL"]) => RelocationKind::JumpSlot,
        _ if has(&["GLOB_DA"]) => RelocationKind::GlobalData,
        _ if has(&["COPY"]) => RelocationKind::Copy,
        _ if has(&["DTP", "TPOFF", "TPREL", "TLS"]) => RelocationKind::ThreadLocal,
        "R_X86_64_64" | "R_AARCH64_ABS64" | "R_386_32" => RelocationKind::Absolute,
        _ => RelocationKind::Other,
    }
}

/// Slot, kind, symbol with its version.
type Row = (u64, RelocationKind, String);

/// The relocations that `readelf -rW` lists, and how many are packed.
fn listed(path: &Path) -> (Vec<Row>, u64) {
    let listing = binutils("readelf", &["-rW"], path);
    let (mut rows, mut packed) = (Vec::new(), 0);
    for line in listing.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [count, "offsets"] => packed += count.parse::<u64>().unwrap(),
            [slot, info, name, ref rest @ ..] if name.starts_with("R_") => {
                assert!(info.len() >= 8);
                // Value and name; or an addend alone.
                let symbol = match rest {
                    [_, name, ..] if *name != "+" => name.replace("@@", "@"),
                    _ => String::new(),
                };
                rows.push((hex(slot), kind(name), symbol));
            }
            _ => {}
        }
    }
    (rows, packed)
}

#[test]
fn relocations_are_those_of_readelf() {
    for path in files() {
        let data = std::fs::read(&path).unwrap();
        let dynamic = Dynamic::parse(&data).unwrap();
        let (known, packed) = listed(&path);
        let mut found: Vec<Row> = dynamic
            .relocations()
            .map(|one| {
                let symbol = dynamic.symbol(one.symbol).filter(|_| one.symbol != 0);
                let named = symbol.map(|symbol| match symbol.version {
                    Some(version) => format!("{}@{}", text(symbol.name), text(version.name)),
                    None => text(symbol.name),
                });
                (one.slot.0, one.kind, named.unwrap_or_default())
            })
            .collect();
        let counts = dynamic.relocation_counts();
        let count = |wanted| known.iter().filter(|row| row.1 == wanted).count() as u64;
        let path = path.display();
        assert_eq!(counts.packed, packed, "{path}");
        assert_eq!(
            counts.relative,
            count(RelocationKind::Relative) + packed,
            "{path}"
        );
        for (found, kind) in [
            (counts.jump_slot, RelocationKind::JumpSlot),
            (counts.global_data, RelocationKind::GlobalData),
            (counts.absolute, RelocationKind::Absolute),
            (counts.copy, RelocationKind::Copy),
            (counts.indirect_relative, RelocationKind::IndirectRelative),
            (counts.thread_local, RelocationKind::ThreadLocal),
            (counts.other, RelocationKind::Other),
        ] {
            assert_eq!(found, count(kind), "{kind:?} of {path}");
        }
        let mut known = known;
        known.sort_by_key(|row| row.0);
        found.sort_by_key(|row| row.0);
        assert_eq!(found, known, "{path}");
    }
}

#[test]
fn the_dynamic_section_is_that_of_readelf() {
    for path in files() {
        let data = std::fs::read(&path).unwrap();
        let dynamic = Dynamic::parse(&data).unwrap();
        let listing = binutils("readelf", &["-dW"], &path);
        let named = |tag: &str| -> Vec<String> {
            let lines = listing.lines().filter(|line| line.contains(tag));
            let name = |line: &str| {
                line.split_once('[')?
                    .1
                    .split_once(']')
                    .map(|at| at.0.to_owned())
            };
            lines.filter_map(name).collect()
        };
        let needed: Vec<String> = dynamic.needed().map(text).collect();
        assert_eq!(needed, named("(NEEDED)"), "{}", path.display());
        let own: Vec<String> = dynamic.own_name().map(text).into_iter().collect();
        assert_eq!(own, named("(SONAME)"), "{}", path.display());
        let flags: Vec<&str> = listing
            .lines()
            .filter(|line| line.contains("(FLAGS") || line.contains("(BIND_NOW)"))
            .flat_map(str::split_whitespace)
            .collect();
        let has = |words: &[&str]| flags.iter().any(|flag| words.contains(flag));
        let found = dynamic.flags();
        assert_eq!(
            found.bind_now,
            has(&["BIND_NOW", "NOW", "(BIND_NOW)"]),
            "{}",
            path.display()
        );
        assert_eq!(found.symbolic, has(&["SYMBOLIC"]), "{}", path.display());
        assert_eq!(found.pie, has(&["PIE"]), "{}", path.display());
        let headers = binutils("readelf", &["-lW"], &path);
        let interpreter = headers
            .lines()
            .find_map(|line| line.split_once("interpreter: ")?.1.strip_suffix(']'));
        assert_eq!(
            dynamic.interpreter.map(text).as_deref(),
            interpreter,
            "{}",
            path.display()
        );
    }
}

#[test]
fn dynamic_symbols_are_those_of_readelf() {
    for path in files() {
        let data = std::fs::read(&path).unwrap();
        let dynamic = Dynamic::parse(&data).unwrap();
        let listing = binutils("readelf", &["--dyn-syms", "-W"], &path);
        let offered: BTreeSet<(u64, String)> = dynamic
            .offers()
            .map(|one| (one.value.0, text(one.name)))
            .collect();
        let (mut seen, mut wanted) = (0, 0);
        for line in listing.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [
                number,
                value,
                _,
                kind,
                bind,
                visibility,
                section,
                ref name @ ..,
            ] = words[..]
            else {
                continue;
            };
            let Some(number) = number.strip_suffix(':').and_then(|it| it.parse().ok()) else {
                continue;
            };
            if kind == "SECTION" {
                continue;
            }
            let found = dynamic.symbol(number).unwrap();
            // What was copied out of a library has the version that was needed.
            let needed = found.version.is_some_and(|version| version.file.is_some());
            let at = if found.version_hidden || needed {
                "@"
            } else {
                "@@"
            };
            // A version has a symbol of its own, which is shown without it.
            let version = found
                .version
                .filter(|version| version.name != found.name)
                .map(|version| format!("{at}{}", text(version.name)));
            let full = format!("{}{}", text(found.name), version.unwrap_or_default());
            let known = name.first().copied().unwrap_or_default();
            assert_eq!(full, known, "{line}");
            assert_eq!(found.value, Svma(hex(value)), "{line}");
            assert_eq!(found.is_undefined(), section == "UND", "{line}");
            let reach = match bind {
                "LOCAL" => Reach::Local,
                "WEAK" => Reach::Weak,
                "UNIQUE" => Reach::Unique,
                _ => Reach::Global,
            };
            assert_eq!(found.reach, reach, "{line}");
            let seen_by = match visibility {
                "DEFAULT" => Visibility::Default,
                "PROTECTED" => Visibility::Protected,
                _ => Visibility::Hidden,
            };
            assert_eq!(found.visibility, seen_by, "{line}");
            let defined = section != "UND" && bind != "LOCAL" && visibility != "HIDDEN";
            if defined {
                assert!(offered.contains(&(hex(value), text(found.name))), "{line}");
                wanted += 1;
            }
            seen += 1;
        }
        assert!(seen > 10, "{}", path.display());
        let extra = dynamic.offers().filter(|one| !one.is_undefined()).count();
        assert_eq!(extra, wanted, "{}", path.display());
        let undefined = dynamic.offers().filter(DynamicSymbol::is_undefined);
        assert!(undefined.into_iter().all(|one| one.value.0 != 0));
        assert!(dynamic.symbol(u32::MAX).is_none());
    }
}

/// The stubs that have the name of what they jump to; binutils make the names up from the same
/// relocations, by code of their own.
#[test]
fn stubs_are_those_of_objdump() {
    let mut named = 0;
    for path in files() {
        let data = std::fs::read(&path).unwrap();
        let dynamic = Dynamic::parse(&data).unwrap();
        // Its reader of 32-bit code leaves out landing pads.
        let sections = ["-d", "-j", ".plt", "-j", ".plt.got", "-j", ".plt.sec"];
        let listing = binutils("llvm-objdump", &sections, &path);
        let known: BTreeSet<(u64, String)> = listing
            .lines()
            .filter_map(|line| {
                let (address, name) = line.strip_suffix("@plt>:")?.split_once(" <")?;
                (name != "*ABS*").then(|| (hex(address), name.to_owned()))
            })
            .collect();
        let stubs = dynamic.stubs();
        let found: BTreeSet<(u64, String)> = dynamic
            .relocations()
            .filter_map(|one| {
                let stub = stubs.get(&one.slot)?;
                let symbol = dynamic.symbol(one.symbol).filter(|_| one.symbol != 0)?;
                Some((stub.0, text(symbol.name)))
            })
            .collect();
        named += known.len();
        let missing: Vec<_> = known.difference(&found).collect();
        assert!(missing.is_empty(), "{}: {missing:?}", path.display());
        // Each pointer of a call has one.
        if dynamic.machine != Machine::Other(3) {
            let calls = dynamic
                .relocations()
                .filter(|one| one.kind == RelocationKind::JumpSlot);
            for call in calls {
                assert!(
                    stubs.contains_key(&call.slot),
                    "{call:?} of {}",
                    path.display()
                );
            }
        }
    }
    assert!(named > 100, "{named}");
}

#[test]
fn what_cannot_be_read_is_named() {
    let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let error = |data: &[u8]| Dynamic::parse(data).unwrap_err();
    assert!(matches!(error(b"#!/bin/sh"), Error::NotElf { .. }));
    for (offset, bytes, expected) in [
        (4, &[3][..], "ELF class"),
        (5, &[2], "ELF byte order"),
        (54, &[40, 0], "segment header size"),
        (32, &[255; 8], "segment table"),
    ] {
        let mut data = own.clone();
        data[offset..offset + bytes.len()].copy_from_slice(bytes);
        let found = match error(&data) {
            Error::Unsupported { what, .. } | Error::CutShort { what, .. } => what,
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected, "{offset}");
    }
    // Cut behind the segments: what is there is told, and the rest is not.
    for length in [4096, 8192, own.len() / 2] {
        let dynamic = Dynamic::parse(&own[..length]).unwrap();
        let _counts = dynamic.relocation_counts();
        assert!(dynamic.offers().count() < 1 << 20);
    }
}
